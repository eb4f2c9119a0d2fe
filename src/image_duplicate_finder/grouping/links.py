"""Pairs of contents in arrays: there are many of them, and few become members of a group."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.grouping.contents import ExcludedPairs
from image_duplicate_finder.model import Match, Relation
from image_duplicate_finder.relations import crop_of_other, shows_more

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Links:
    """Which contents (ids) match as duplicates: what is needed to choose keepers.

    ``partial`` names in each pair the crop of the other, ``whole`` the picture of which the other
    shows only a part (:func:`~relations.shows_more`): its id, or -1.
    ``edited`` says whether the pair is called edited.
    """

    a: Ids
    b: Ids
    partial: Ids
    whole: Ids
    edited: NDArray[np.bool_]

    @classmethod
    def of(cls, matches: Collection[Match]) -> Links:
        """Matches as links."""
        edited = np.fromiter((match.relation is Relation.EDITED for match in matches), bool)
        rows = [(match.a, match.b, crop_of_other(match), shows_more(match)) for match in matches]
        a, b, partial, whole = np.array(rows, np.int64).reshape(-1, 4).T
        return cls(a, b, partial, whole, edited)

    def where(self, mask: NDArray[np.bool_]) -> Links:
        """Those of the pairs for which ``mask`` is true."""
        return Links(
            self.a[mask], self.b[mask], self.partial[mask], self.whole[mask], self.edited[mask]
        )


@dataclass(frozen=True, slots=True)
class SimilarPairs:
    """Pairs of content ids that are similar, and how much (0 to 1)."""

    a: Ids
    b: Ids
    score: NDArray[np.float64]


def may_meet(a: Ids, b: Ids, excluded: ExcludedPairs) -> NDArray[np.bool_]:
    """For each pair whether both contents are there and it is not excluded."""
    here = np.fromiter(excluded.contents, np.int64, len(excluded.contents))
    meeting: NDArray[np.bool_] = np.isin(a, here) & np.isin(b, here)
    # Few pairs can be excluded, and only those are looked at one by one.
    if excluded.dismissed:
        dismissed = np.unique(np.array(list(excluded.dismissed), np.int64))
        doubtful = np.isin(a, dismissed) & np.isin(b, dismissed)
    else:
        doubtful = np.zeros(len(a), bool)
    if excluded.raw:
        raw = np.fromiter(excluded.raw, np.int64, len(excluded.raw))
        doubtful |= np.isin(a, raw) != np.isin(b, raw)
    for pair in np.flatnonzero(doubtful & meeting):
        meeting[pair] = not excluded(int(a[pair]), int(b[pair]))
    return meeting
