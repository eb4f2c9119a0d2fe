"""Tells pictures that show others amid something else: collages, windows, frames. Pure.

Verification sees two pictures at a time. Where a cell of a collage has no seam that it can see, or
another picture ends just there, it calls the collage an edited copy of what the cell shows. All
matches of a picture together know better: what holds others, with a seam around each of them, is
no copy of any of its parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from image_duplicate_finder.model import Match, Relation

# Of which the other shows this share holds nothing else.
WHOLE = 0.9
# Above this agreement no piece is large enough to be another picture pasted over the two
# (verify.decide): that one lies within the other was told by its outline.
_BY_OUTLINE = 0.92
_LEAST_AROUND = 3
_NONE = -1
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
            whole = _shows_more(match)
            if match.relation is Relation.CONTAINS:
                self._seams[whole] += match.agreement > _BY_OUTLINE
                continue
            self._copies.update((match.a, match.b))
            self._parts[whole] += 1
            self._edited_parts[whole] += match.relation is Relation.EDITED

    def splits(self, match: Match) -> bool:
        """Whether ``match`` calls a composite a copy of what is only a part of it.

        A photo of which a crop was framed by accident of its lines has more crops that were not.
        """
        if not match.same_photograph or match.relation in (Relation.CONTAINS, Relation.SIMILAR):
            return False
        whole = _shows_more(match)
        return whole != _NONE and 0 < self._seams[whole] >= self._parts[whole]

    def told_apart(self, match: Match) -> Match:
        """The match, with a composite as what contains the other where it is no copy of it."""
        return replace(match, relation=Relation.CONTAINS) if self.splits(match) else match

    def is_window(self, id: int) -> bool:
        """Whether most of its copies are shown by ``id`` amid something else: a frame, a screen.

        A plain crop is named so and speaks for the photo; a few edited ones tell nothing yet.
        """
        around = self._edited_parts[id]
        return around >= _LEAST_AROUND and 2 * around > self._copies[id]


def across(duplicates: Iterable[Match], from_keeper: Mapping[int, Match]) -> list[Match]:
    """Those of the matches that hold between two groups, as parts.

    Copies that no keeper matches in common stand in groups of their own, and only such a match says
    that these belong together. ``from_keeper`` has for each member the match that its keeper has
    with it. What a member shows beside its keeper says nothing of the keeper.
    """

    def keeper(id: int) -> int:
        return from_keeper[id].a if id in from_keeper else id

    def shared(id: int, share: float) -> bool:
        return id not in from_keeper or in_common(from_keeper[id].share_b, share)

    return [
        replace(match, relation=Relation.CONTAINS)
        for match in duplicates
        if keeper(match.a) != keeper(match.b)
        and shared(match.a, match.share_a)
        and shared(match.b, match.share_b)
    ]


def in_common(keeper_share: float, share: float) -> bool:
    """Whether a keeper and another picture, which show these shares of a member, share pixels.

    What two pictures show of a third overlaps where it is more than half of it for each. Smaller
    parts may lie side by side, and a small one on a large one.
    """
    return keeper_share >= WHOLE or min(keeper_share, share) >= _MORE_THAN_HALF


def _shows_more(match: Match) -> int:
    """The content of which the other shows only a part; _NONE for copies of one frame."""
    if min(match.share_a, match.share_b) >= WHOLE or match.share_a == match.share_b:
        return _NONE
    return match.a if match.share_a < match.share_b else match.b
