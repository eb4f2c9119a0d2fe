"""What one picture is to another: the table of relations, and what all matches together say. Pure.

Whatever asks whether a relation is one of duplicates, how strong it is, or whether a file may be
preselected for it, asks :data:`RELATIONS`. The conditions for SQL are made of the same table; they
are about rows of ``match``.

Verification sees two pictures at a time. Where a cell of a collage has no seam that it can see, or
another picture ends just there, it calls the collage an edited copy of what the cell shows. All
matches of a picture together know better: what holds others, with a seam around each of them, is
no copy of any of its parts (:class:`Composites`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from image_duplicate_finder.model import GroupKind, Match, Relation


class Rule(NamedTuple):
    """What holds for every match of one relation.

    ``kind``: the groups that such matches make. ``preselectable``: a rule, not only a person, may
    select such a member for removal. ``same_pixels``: the decoded pictures are equal.
    ``same_frame``: both show the whole picture upright, so scaling lays one over the other.
    """

    kind: GroupKind
    preselectable: bool = False
    same_pixels: bool = False
    same_frame: bool = False


_DUPLICATES = Rule(GroupKind.DUPLICATES, preselectable=True)

RELATIONS: Mapping[Relation, Rule] = {
    Relation.BYTE_IDENTICAL: _DUPLICATES._replace(same_pixels=True, same_frame=True),
    Relation.PIXEL_IDENTICAL: _DUPLICATES._replace(same_pixels=True, same_frame=True),
    Relation.REENCODED: _DUPLICATES._replace(same_frame=True),
    Relation.RESIZED: _DUPLICATES._replace(same_frame=True),
    Relation.CROPPED: _DUPLICATES,
    Relation.ROTATED: _DUPLICATES,
    Relation.EDITED: _DUPLICATES,
    Relation.CONTAINS: Rule(GroupKind.CONTAINS),
    Relation.SIMILAR: Rule(GroupKind.SIMILAR),
}
"""All relations, the strongest first."""

PRESELECTABLE = frozenset(name for name, rule in RELATIONS.items() if rule.preselectable)
SAME_PIXELS = frozenset(name for name, rule in RELATIONS.items() if rule.same_pixels)
SAME_FRAME = frozenset(name for name, rule in RELATIONS.items() if rule.same_frame)
_OF_DUPLICATES = [name for name, rule in RELATIONS.items() if rule.kind is GroupKind.DUPLICATES]
_STRENGTH = {name: strength for strength, name in enumerate(RELATIONS)}


def is_duplicate(match: Match) -> bool:
    """Whether the two pictures show the same photograph, whole or cropped."""
    return match.same_photograph and RELATIONS[match.relation].kind is GroupKind.DUPLICATES


def strength(relation: Relation) -> int:
    """Sorts relations, the strongest first."""
    return _STRENGTH[relation]


def weakest(relations: Iterable[Relation]) -> Relation:
    """The weakest of several relations."""
    return max(relations, key=strength)


NONE = -1
"""In place of a content id: no content."""

# A picture of which the other shows this share holds nothing else.
_WHOLE = 0.9
# Two pictures that show this share of each other have one frame: neither is cropped.
ONE_FRAME = 0.97
# A hub that matches this share of its family directly needs no others beside it, and a keeper
# must reach this share of what the best-connected picture of its family reaches: the largest file
# is no good keeper when it is an odd edit that few others match directly.
REACH = 0.75
# Above this agreement no piece is large enough to be another picture pasted over the two
# (verify.decide): its outline showed that one is inside the other.
_BY_OUTLINE = 0.92
_LEAST_AROUND = 3
_MORE_THAN_HALF = 0.55


class Composites:
    """What all matches together say of contents that show others amid something else."""

    def __init__(self, matches: Iterable[Match] = ()) -> None:
        self._copies: Counter[int] = Counter()
        self._parts: Counter[int] = Counter()
        self._edited_parts: Counter[int] = Counter()
        self._seams: Counter[int] = Counter()
        self.learn(matches)

    def learn(self, matches: Iterable[Match]) -> None:
        """Take in further matches, each once."""
        for match in matches:
            if not match.same_photograph or match.relation is Relation.SIMILAR:
                continue
            whole = shows_more(match)
            if match.relation is Relation.CONTAINS:
                self._seams[whole] += match.agreement > _BY_OUTLINE
                continue
            self._copies.update((match.a, match.b))
            self._parts[whole] += 1
            self._edited_parts[whole] += match.relation is Relation.EDITED

    def learn_copies(
        self, a: Iterable[int], b: Iterable[int], whole: Iterable[int], edited: Iterable[int]
    ) -> None:
        """Take in many matches of copies at once, by columns.

        ``a`` and ``b`` are contents, ``whole`` what :func:`shows_more` says of each pair, and
        ``edited`` the same of those pairs that are called edited.
        """
        self._copies.update(a)
        self._copies.update(b)
        self._parts.update(whole)
        self._edited_parts.update(edited)

    def found(self) -> set[int]:
        """All contents that are no copies of what is only a part of them."""
        return {
            id for id, seams in self._seams.items() if id != NONE and 0 < seams >= self._parts[id]
        }

    def windows(self) -> set[int]:
        """All contents of which :meth:`is_window` is true."""
        return {id for id in self._edited_parts if id != NONE and self.is_window(id)}

    def splits(self, match: Match) -> bool:
        """Whether ``match`` calls a composite a copy of what is only a part of it.

        A photo of which a crop was framed by accident of its lines has more crops that were not.
        """
        if not is_duplicate(match):
            return False
        whole = shows_more(match)
        return whole != NONE and 0 < self._seams[whole] >= self._parts[whole]

    def is_window(self, id: int) -> bool:
        """Whether ``id`` shows most of its copies amid something else: a frame, a screen.

        A plain crop is called a crop and supports the photo; a few edited ones prove nothing yet.
        """
        around = self._edited_parts[id]
        return around >= _LEAST_AROUND and 2 * around > self._copies[id]


def in_common(keeper_share: float, share: float) -> bool:
    """Whether a keeper and another picture, which show these shares of a member, share pixels.

    What two pictures show of a third overlaps where it is more than half of it for each. Smaller
    parts may be side by side, or a small one on a large one.
    """
    return keeper_share >= _WHOLE or min(keeper_share, share) >= _MORE_THAN_HALF


def shows_more(match: Match) -> int:
    """The content of which the other shows only a part; NONE for copies of one frame."""
    if min(match.share_a, match.share_b) >= _WHOLE or match.share_a == match.share_b:
        return NONE
    return match.a if match.share_a < match.share_b else match.b


def crop_of_other(match: Match) -> int:
    """The content that is a crop of the other; NONE where neither is."""
    if match.relation is not Relation.CROPPED or match.share_a == match.share_b:
        return NONE
    return match.a if match.share_a > match.share_b else match.b


_LISTED = ", ".join(f"'{name}'" for name in _OF_DUPLICATES)
IS_DUPLICATE_SQL = f"(same_photograph AND relation IN ({_LISTED}))"
""":func:`is_duplicate` as a condition."""

SHOWS_MORE_SQL = (
    f"CASE WHEN min(share_a, share_b) >= {_WHOLE} OR share_a = share_b THEN {NONE}"
    " WHEN share_a < share_b THEN a ELSE b END"
)
""":func:`shows_more` as an expression."""

CROP_OF_OTHER_SQL = (
    f"CASE WHEN relation <> '{Relation.CROPPED}' OR share_a = share_b THEN {NONE}"
    " WHEN share_a > share_b THEN a ELSE b END"
)
""":func:`crop_of_other` as an expression."""
