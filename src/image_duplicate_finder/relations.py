"""How pictures relate: the table of relations, and what all matches of a picture show. Pure.

Whether a relation makes duplicates, how strong it is, and whether a file with it may be preselected
is decided by :data:`RELATIONS` alone. The SQL conditions, about rows of ``match``, are generated
from the same table.

Verification sees two pictures at a time. If a cell of a collage has no visible seam, or another
picture ends exactly there, verification calls the collage an edited copy of what the cell shows.
All matches of a picture together show more: a picture that holds others, with a seam around each
of them, is not a copy of any of its parts (:class:`Composites`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from image_duplicate_finder.model import GroupKind, Match, Relation


class Rule(NamedTuple):
    """What is true of every match with one relation.

    ``kind``: the groups that such matches form. ``preselectable``: rules, not only a person, may
    select such a member for removal. ``same_pixels``: the decoded pictures are equal.
    ``same_frame``: both show the whole picture upright, so they differ in scale at most.
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


def may_differ(match: Match) -> bool:
    """Whether two duplicates have pixels of their own, so that a closer look can part them."""
    return is_duplicate(match) and match.relation not in SAME_PIXELS


def strength(relation: Relation) -> int:
    """Sorts relations, the strongest first."""
    return _STRENGTH[relation]


def weakest(relations: Iterable[Relation]) -> Relation:
    """The weakest of several relations."""
    return max(relations, key=strength)


NONE = -1
"""Stands for no content, in place of a content id."""

# If the other picture shows this share of it, a picture holds nothing else.
_WHOLE = 0.9
# Two pictures that show this share of each other have the same frame: neither is cropped.
ONE_FRAME = 0.97
# A hub that matches this share of its family directly needs no second hub. A keeper must match
# this share of what the best-connected picture of its family matches: the largest file is a bad
# keeper if it is an odd edit that few others match directly.
REACH = 0.75
# With more agreement than this, no piece is large enough to be a picture pasted over the two
# (verify.decide), so it was the outline that showed one inside the other.
_BY_OUTLINE = 0.92
_LEAST_AROUND = 3
_MORE_THAN_HALF = 0.55


class Composites:
    """Finds, from all matches, the contents that show others among something else."""

    def __init__(self, matches: Iterable[Match] = ()) -> None:
        self._copies: Counter[int] = Counter()
        self._parts: Counter[int] = Counter()
        self._edited_parts: Counter[int] = Counter()
        self._seams: Counter[int] = Counter()
        self.learn(matches)

    def learn(self, matches: Iterable[Match]) -> None:
        """Add further matches; each may be added once only."""
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
        """Add many matches of copies at once, by columns.

        ``a`` and ``b`` are contents, ``whole`` is the result of :func:`shows_more` for each pair,
        and ``edited`` the same for those pairs that are called edited.
        """
        self._copies.update(a)
        self._copies.update(b)
        self._parts.update(whole)
        self._edited_parts.update(edited)

    def found(self) -> set[int]:
        """All composites: contents that are not copies of what is only a part of them."""
        return {
            id for id, seams in self._seams.items() if id != NONE and 0 < seams >= self._parts[id]
        }

    def windows(self) -> set[int]:
        """All contents for which :meth:`is_window` is true."""
        return {id for id in self._edited_parts if id != NONE and self.is_window(id)}

    def splits(self, match: Match) -> bool:
        """Whether ``match`` calls a composite a copy of what is only a part of it.

        A photo with one crop whose outline merely looks like a seam has more crops without one.
        """
        if not is_duplicate(match):
            return False
        whole = shows_more(match)
        return whole != NONE and 0 < self._seams[whole] >= self._parts[whole]

    def is_window(self, id: int) -> bool:
        """Whether ``id`` shows most of its copies among something else: a frame, a screen.

        A plain crop is called cropped, which speaks for the photo; a few edited ones prove nothing.
        """
        around = self._edited_parts[id]
        return around >= _LEAST_AROUND and 2 * around > self._copies[id]


def in_common(keeper_share: float, share: float) -> bool:
    """Whether a keeper and another picture, which show these shares of a member, share pixels.

    If each shows more than half of a third picture, the two parts overlap. Smaller parts may be
    side by side, or a small one may be pasted on a large one.
    """
    return keeper_share >= _WHOLE or min(keeper_share, share) >= _MORE_THAN_HALF


def shows_one_frame(match: Match) -> bool:
    """Whether neither of the two pictures is a crop of the other."""
    return min(match.share_a, match.share_b) >= ONE_FRAME


def shows_more(match: Match) -> int:
    """The content of which the other shows only a part; NONE if both show the same frame."""
    if min(match.share_a, match.share_b) >= _WHOLE or match.share_a == match.share_b:
        return NONE
    return match.a if match.share_a < match.share_b else match.b


def crop_of_other(match: Match) -> int:
    """The content that is a crop of the other; NONE if neither is."""
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
