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
_AROUND = 0.5
# Two pictures that show together so much of a third have at least half of it in common.
_IN_COMMON = 1.5


class Composites:
    """Which contents hold others within a seam, and how often they pass for a copy of a part."""

    def __init__(self, matches: Iterable[Match] = ()) -> None:
        self._seams: Counter[int] = Counter()
        self._parts: Counter[int] = Counter()
        self.learn(matches)

    def learn(self, matches: Iterable[Match]) -> None:
        """Take in further matches, each once."""
        for match in matches:
            whole = _shows_more(match)
            if whole is None:
                continue
            if match.relation is not Relation.CONTAINS:
                self._parts[whole] += 1
            elif match.agreement > _BY_OUTLINE:
                self._seams[whole] += 1

    def splits(self, match: Match) -> bool:
        """Whether ``match`` calls a composite a copy of what is only a part of it.

        A photo of which a crop was framed by accident of its lines has more crops that were not.
        """
        if match.relation is Relation.CONTAINS:
            return False
        whole = _shows_more(match)
        return whole is not None and 0 < self._seams[whole] >= self._parts[whole]


def told_apart(matches: Iterable[Match]) -> list[Match]:
    """The matches, with composites as what contains those that they were called copies of."""
    known = list(matches)
    composites = Composites(known)
    return [
        replace(match, relation=Relation.CONTAINS) if composites.splits(match) else match
        for match in known
    ]


def across(duplicates: Iterable[Match], from_keeper: Mapping[int, Match]) -> list[Match]:
    """Those of the matches that hold between two groups, as parts.

    Copies that no keeper matches in common stand in groups of their own, and only such a match says
    that these belong together. ``from_keeper`` has for each member the match that its keeper has
    with it. What a member shows beside its keeper says nothing of the keeper.
    """

    def keeper(id: int) -> int:
        return from_keeper[id].a if id in from_keeper else id

    def in_common(id: int, share: float) -> bool:
        return id not in from_keeper or from_keeper[id].share_b + share >= _IN_COMMON

    return [
        replace(match, relation=Relation.CONTAINS)
        for match in duplicates
        if keeper(match.a) != keeper(match.b)
        and in_common(match.a, match.share_a)
        and in_common(match.b, match.share_b)
    ]


def keeper_worth(match: Match, id: int) -> float:
    """How much ``match`` speaks for ``id`` as the keeper of both: 1, or less where it shows the
    other amid something else, as a frame or a window does.
    """
    return _AROUND if match.relation is Relation.EDITED and _shows_more(match) == id else 1.0


def _shows_more(match: Match) -> int | None:
    """The content of which the other shows only a part; None for copies of one frame."""
    if not match.same_photograph or match.relation is Relation.SIMILAR:
        return None
    if min(match.share_a, match.share_b) >= WHOLE or match.share_a == match.share_b:
        return None
    return match.a if match.share_a < match.share_b else match.b
