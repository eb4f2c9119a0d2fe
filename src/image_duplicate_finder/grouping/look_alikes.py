"""Look-alikes by the hundred thousand, in arrays: most pairs never become members of a group."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.grouping.contents import Apart, Ranked
from image_duplicate_finder.grouping.lifting import Lifting
from image_duplicate_finder.grouping.stars import cover, neighbours
from image_duplicate_finder.model import Match, Relation

Places = NDArray[np.int64]
"""Places of pictures in the order of the keep rules."""


@dataclass(frozen=True, slots=True)
class LookAlikes:
    """Pairs of content ids that look alike, and how much (0 to 1)."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    score: NDArray[np.float64]


class Similar:
    """All pairs that look alike, by verification (``verified``) or by their features."""

    def __init__(
        self,
        ranked: Ranked,
        apart: Apart,
        lift: Lifting,
        verified: Sequence[Match],
        look_alikes: LookAlikes | None,
    ) -> None:
        self._ranked = ranked
        self._lift = lift
        self._verified = verified
        self._size = len(ranked.ids)
        a = np.array([ranked.place[match.a] for match in verified], np.int64)
        b = np.array([ranked.place[match.b] for match in verified], np.int64)
        score = np.array([match.score for match in verified], np.float64)
        # Which of ``verified`` a pair is; -1 for those of ``look_alikes``.
        number = np.arange(len(verified))
        if look_alikes is not None:
            x, y, how_much = _placed(look_alikes, ranked, apart)
            a, b = np.concatenate((a, x)), np.concatenate((b, y))
            score = np.concatenate((score, how_much))
            number = np.concatenate((number, np.full(len(x), -1)))
        self._a, self._b, self._score, self._number = a, b, score, number

    def stars(self, contained: Collection[tuple[int, int]]) -> Iterator[tuple[int, list[Match]]]:
        """Keepers and their matches, seen from them; keepers of duplicates stand for those.

        ``contained`` are pairs of ids of which one holds the other: that says more than that
        they look alike, so they are left out.
        """
        place, size = self._ranked.place, self._size
        keeper = np.arange(size)
        for member, kept in self._lift.keeper_of.items():
            keeper[place[member]] = place[kept]
        keys, pairs = self._best_pairs(keeper[self._a], keeper[self._b])
        if contained:
            hidden = [self._key(place[one], place[other]) for one, other in contained]
            shown = np.isin(keys, hidden, invert=True)
            keys, pairs = keys[shown], pairs[shown]
        if not len(keys):
            return
        for centre, members in cover(
            neighbours(size, np.stack((keys // size, keys % size), axis=1))
        ):
            wanted = [self._key(centre, member) for member in members]
            found = pairs[np.searchsorted(keys, wanted)].tolist()
            yield self._ranked.ids[centre], [self._match(pair, centre) for pair in found]

    def _key(self, one: int, other: int) -> int:
        return min(one, other) * self._size + max(one, other)

    def _best_pairs(self, one: Places, other: Places) -> tuple[Places, Places]:
        """For each two keepers the pair that stands for them: their keys, ascending, and pairs.

        The rules are those of :func:`.lifting.lift_contains`.
        """
        (pairs,) = np.nonzero(one != other)
        one, other = one[pairs], other[pairs]
        keys = np.minimum(one, other) * self._size + np.maximum(one, other)
        a, b = self._a[pairs], self._b[pairs]
        carried = (one != a) | (other != b)
        claims = (np.maximum(a, b), np.minimum(a, b), -self._score[pairs], carried, keys)
        order = np.lexsort(claims)
        keys, pairs = keys[order], pairs[order]
        first = np.ones(len(keys), bool)
        first[1:] = keys[1:] != keys[:-1]
        return keys[first], pairs[first]

    def _match(self, pair: int, centre: int) -> Match:
        """The match of a pair as the keeper at ``centre`` sees it."""
        keeper = self._ranked.ids[centre]
        number = int(self._number[pair])
        if number >= 0:
            match = self._verified[number]
        else:
            a, b = self._ranked.ids[self._a[pair]], self._ranked.ids[self._b[pair]]
            score = float(self._score[pair])
            match = Match(a, b, Relation.SIMILAR, score=score, same_photograph=False)
        lifted = self._lift(match)
        assert lifted is not None  # only what contains another picture says nothing of its keeper
        return lifted if lifted.a == keeper else lifted.reversed()


def _placed(
    look_alikes: LookAlikes, ranked: Ranked, apart: Apart
) -> tuple[Places, Places, NDArray[np.float64]]:
    """Places and scores of the look-alikes that may meet. Contents that are gone are left out."""
    ids = np.array(ranked.ids, np.int64)
    if not len(ids):
        return ids, ids, np.zeros(0)
    by_id = np.argsort(ids)
    in_order = ids[by_id]

    def places(ends: NDArray[np.int64]) -> tuple[Places, NDArray[np.bool_]]:
        at = np.minimum(np.searchsorted(in_order, ends), len(ids) - 1)
        return by_id[at], in_order[at] == ends

    a, a_here = places(look_alikes.a)
    b, b_here = places(look_alikes.b)
    kept = a_here & b_here
    # Few pairs can be apart, and only those are looked at one by one.
    in_dismissed = _marked(ranked, {id for pair in apart.dismissed for id in pair})
    raw = _marked(ranked, apart.raw)
    doubtful = kept & ((in_dismissed[a] & in_dismissed[b]) | (raw[a] != raw[b]))
    for pair in np.flatnonzero(doubtful):
        kept[pair] = not apart(ranked.ids[a[pair]], ranked.ids[b[pair]])
    return a[kept], b[kept], look_alikes.score[kept]


def _marked(ranked: Ranked, ids: Iterable[int]) -> NDArray[np.bool_]:
    """By place, whether the id of the content there is one of ``ids``."""
    marked = np.zeros(len(ranked.ids), bool)
    marked[[ranked.place[id] for id in ids if id in ranked.place]] = True
    return marked
