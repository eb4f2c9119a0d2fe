"""A keeper stands for the members of its group where those match other pictures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.grouping.contents import Apart, Ranked
from image_duplicate_finder.grouping.links import LookAlikes, may_meet
from image_duplicate_finder.grouping.stars import cover, neighbours
from image_duplicate_finder.model import Match, Relation, compose
from image_duplicate_finder.relations import in_common

MatchOf = Callable[[int, int], Match]
"""The match of two contents that matched, from the first one to the second."""


class Lifting:
    """Carries matches of members over to their keepers."""

    def __init__(self, keeper_of: Mapping[int, int], match_of: MatchOf) -> None:
        self.keeper_of = keeper_of
        """The keeper of each content that is a member of a group of duplicates."""
        self._match_of = match_of

    def __call__(self, match: Match) -> Match | None:
        """The match as the keepers have it, or None when it says nothing of them.

        Transforms are carried over from a member to its keeper. What a member contains beyond
        its keeper (a collage holds more than one photo) is not the keeper's.
        """
        lifted = self._one_end(match)
        if lifted is not None and lifted.b in self.keeper_of:
            lifted = self._one_end(lifted.reversed())
        if lifted is None or lifted.a < lifted.b:
            return lifted
        return lifted.reversed()

    def shares_with_keeper(self, id: int, share: float) -> bool:
        """Whether what another picture shows of ``id``, this share, is the keeper's too."""
        keeper = self.keeper_of.get(id)
        return keeper is None or in_common(self._match_of(keeper, id).share_b, share)

    def _one_end(self, match: Match) -> Match | None:
        keeper = self.keeper_of.get(match.a)
        if keeper is None:
            return match
        from_keeper = self._match_of(keeper, match.a)
        holds = match.relation is Relation.CONTAINS and match.share_a < match.share_b
        if holds and not in_common(from_keeper.share_b, match.share_a):
            return None
        known = match.transform is not None and from_keeper.transform is not None
        transform = compose(match.transform, from_keeper.transform) if known else None  # type: ignore[arg-type]
        return replace(
            match,
            a=keeper,
            transform=transform,
            mirrored=match.mirrored != from_keeper.mirrored,
            share_a=match.share_a * from_keeper.share_a,
        )


def across(matches: Iterable[Match], lift: Lifting) -> list[Match]:
    """Matches of copies that hold between two groups, as parts.

    Copies that no keeper matches in common stand in groups of their own, and only such a match
    says that these belong together. What a member shows beside its keeper says nothing of that.
    """
    return [
        replace(match, relation=Relation.CONTAINS)
        for match in matches
        if lift.shares_with_keeper(match.a, match.share_a)
        and lift.shares_with_keeper(match.b, match.share_b)
    ]


def lift_contains(
    matches: Iterable[Match], lift: Lifting, place: Mapping[int, int]
) -> dict[tuple[int, int], Match]:
    """Where pictures contain others, by the pair of keepers ``(low id, high id)``.

    Where several members of a group match the same other picture, the best claim stays: a match
    of the keepers themselves, else the best score, else the best pictures. Matches within a
    group go. :class:`Similar` has the same rules.
    """
    best: dict[tuple[int, int], tuple[tuple[bool, float, int, int], Match]] = {}
    for match in matches:
        one = lift.keeper_of.get(match.a, match.a)
        other = lift.keeper_of.get(match.b, match.b)
        if one == other:
            continue
        low, high = sorted((place[match.a], place[match.b]))
        claim = (one == match.a and other == match.b, match.score, -low, -high)
        key = (min(one, other), max(one, other))
        if key in best and claim <= best[key][0]:
            continue
        lifted = lift(match)
        if lifted is not None:
            best[key] = claim, lifted
    return {key: match for key, (_, match) in best.items()}


Places = NDArray[np.int64]
"""Places of pictures in the order of the keep rules."""


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
            meeting = may_meet(look_alikes.a, look_alikes.b, apart)
            a = np.concatenate((a, ranked.places(look_alikes.a[meeting])))
            b = np.concatenate((b, ranked.places(look_alikes.b[meeting])))
            score = np.concatenate((score, look_alikes.score[meeting]))
            number = np.concatenate((number, np.full(np.count_nonzero(meeting), -1)))
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
        stars = list(cover(neighbours(size, *np.divmod(keys, size))))
        wanted = [self._key(centre, member) for centre, members in stars for member in members]
        matches = self._matches(pairs[np.searchsorted(keys, wanted)])
        for centre, members in stars:
            found = [next(matches) for _ in members]
            keeper_id = self._ranked.ids[centre]
            yield keeper_id, [each if each.a == keeper_id else each.reversed() for each in found]

    def _key(self, one: int, other: int) -> int:
        return min(one, other) * self._size + max(one, other)

    def _best_pairs(self, one: Places, other: Places) -> tuple[Places, Places]:
        """For each two keepers the pair that stands for them: their keys, ascending, and pairs.

        The rules are those of :func:`lift_contains`.
        """
        (pairs,) = np.nonzero(one != other)
        one, other = one[pairs], other[pairs]
        keys = np.minimum(one, other) * self._size + np.maximum(one, other)
        a, b = self._a[pairs], self._b[pairs]
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        again = np.append(keys[1:] == keys[:-1], False)
        # Only where several pairs have one key is there anything to weigh.
        (several,) = np.nonzero(again | np.roll(again, 1))
        if len(several):
            at = order[several]
            low, high = np.minimum(a[at], b[at]), np.maximum(a[at], b[at])
            carried = (one[at] != a[at]) | (other[at] != b[at])
            claims = (high, low, -self._score[pairs[at]], carried, keys[several])
            order[several] = at[np.lexsort(claims)]
        pairs = pairs[order]
        first = np.ones(len(keys), bool)
        first[1:] = keys[1:] != keys[:-1]
        return keys[first], pairs[first]

    def _matches(self, pairs: Places) -> Iterator[Match]:
        """Pairs as matches of keepers."""
        ids = self._ranked.ids
        ends = (self._a[pairs].tolist(), self._b[pairs].tolist())
        what = (self._score[pairs].tolist(), self._number[pairs].tolist())
        for a, b, score, number in zip(*ends, *what, strict=True):
            if number >= 0:
                match = self._verified[number]
            else:
                match = Match(ids[a], ids[b], Relation.SIMILAR, score=score, same_photograph=False)
            lifted = self._lift(match)
            assert lifted is not None  # only what holds another picture can say nothing
            yield lifted
