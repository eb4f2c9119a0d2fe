"""Tells pictures that are put together of unlike ones (collages, picture in picture). Pure.

Verification sees two pictures at a time. Where a cell of a collage has no seam that it can see, or
another picture ends just there, it calls the collage an edited copy of what the cell shows. All
matches of a picture together know better: what holds others, with a seam around each of them, is
no copy of any of its parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from image_duplicate_finder.model import Match, Relation

# Of which the other shows this share holds nothing else.
WHOLE = 0.9
# Above this agreement no piece is large enough to be another picture pasted over the two
# (verify.decide): that one lies within the other was told by its outline.
_BY_OUTLINE = 0.92


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
    """The matches, with composites as what contains the pictures that they were called copies of."""
    known = list(matches)
    composites = Composites(known)
    return [
        replace(match, relation=Relation.CONTAINS) if composites.splits(match) else match
        for match in known
    ]


def _shows_more(match: Match) -> int | None:
    """The content of which the other shows only a part; None for copies of one frame."""
    if not match.same_photograph or match.relation is Relation.SIMILAR:
        return None
    if min(match.share_a, match.share_b) >= WHOLE or match.share_a == match.share_b:
        return None
    return match.a if match.share_a < match.share_b else match.b
