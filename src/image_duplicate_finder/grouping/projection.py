"""Pairs of contents in arrays, and matches of members projected onto the keepers of their groups.

There are few pairs of which one contains the other, and hundreds of thousands of similar pairs: the
latter are projected as arrays, by the same rules.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.grouping.contents import ExcludedPairs, Ranked
from image_duplicate_finder.grouping.stars import cover, neighbours
from image_duplicate_finder.model import ContentPair, Match, Relation, compose, ordered
from image_duplicate_finder.relations import crop_of_other, in_common, shows_more

Ids = NDArray[np.int64]
MatchOf = Callable[[int, int], Match]
"""The match of two contents that matched, from the first one to the second."""


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


class KeeperProjection:
    """Projects matches of members onto their keepers."""

    def __init__(self, keeper_of: Mapping[int, int], match_of: MatchOf) -> None:
        self.keeper_of = keeper_of
        """The keeper of each content that is a member of a group of duplicates."""
        self._match_of = match_of

    def __call__(self, match: Match) -> Match | None:
        """The match between the keepers, or None if it says nothing about them.

        The transform becomes that of the keepers. What a member contains beyond its keeper (a
        collage holds more than one photo) is not the keeper's.
        """
        projected = self._one_end(match)
        if projected is not None and projected.b in self.keeper_of:
            projected = self._one_end(projected.reversed())
        if projected is None or projected.a < projected.b:
            return projected
        return projected.reversed()

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

    def between_groups(self, matches: Iterable[Match]) -> list[Match]:
        """Matches of copies in two groups, as parts, where they hold for the keepers too.

        Copies without a common keeper are in groups of their own, and only such a match says that
        these belong together. What a member shows beside its keeper says nothing about that.
        """
        return [
            replace(match, relation=Relation.CONTAINS)
            for match in matches
            if self._shares_with_keeper(match.a, match.share_a)
            and self._shares_with_keeper(match.b, match.share_b)
        ]

    def _shares_with_keeper(self, id: int, share: float) -> bool:
        """Whether the keeper too has the part of ``id`` that another picture shows (a share)."""
        keeper = self.keeper_of.get(id)
        return keeper is None or in_common(self._match_of(keeper, id).share_b, share)

    def contains(
        self, matches: Iterable[Match], place: Mapping[int, int]
    ) -> dict[tuple[int, int], Match]:
        """Where pictures contain others, by the pair of keepers ``(low id, high id)``.

        Where several members of a group match the same other picture, the best claim stays: a match
        of the keepers themselves, else the best score, else the best pictures. Matches within a
        group are dropped. :class:`SimilarStars` has the same rules.
        """
        best: dict[ContentPair, tuple[tuple[bool, float, int, int], Match]] = {}
        for match in matches:
            one = self.keeper_of.get(match.a, match.a)
            other = self.keeper_of.get(match.b, match.b)
            if one == other:
                continue
            low, high = sorted((place[match.a], place[match.b]))
            claim = (one == match.a and other == match.b, match.score, -low, -high)
            key = ordered(one, other)
            if key in best and claim <= best[key][0]:
                continue
            projected = self(match)
            if projected is not None:
                best[key] = claim, projected
        return {key: match for key, (_, match) in best.items()}


Places = NDArray[np.int64]
"""Places of pictures in the order of the keep rules."""


class SimilarStars:
    """The stars of all similar pairs, by verification (``verified``) or by their features."""

    def __init__(
        self,
        ranked: Ranked,
        excluded: ExcludedPairs,
        projection: KeeperProjection,
        verified: Sequence[Match],
        similar_pairs: SimilarPairs | None,
    ) -> None:
        self._ranked = ranked
        self._projection = projection
        self._verified = verified
        self._size = len(ranked.ids)
        a = np.array([ranked.place[match.a] for match in verified], np.int64)
        b = np.array([ranked.place[match.b] for match in verified], np.int64)
        score = np.array([match.score for match in verified], np.float64)
        # Which of ``verified`` a pair is; -1 for those of ``similar_pairs``.
        number = np.arange(len(verified))
        if similar_pairs is not None:
            meeting = may_meet(similar_pairs.a, similar_pairs.b, excluded)
            a = np.concatenate((a, ranked.places(similar_pairs.a[meeting])))
            b = np.concatenate((b, ranked.places(similar_pairs.b[meeting])))
            score = np.concatenate((score, similar_pairs.score[meeting]))
            number = np.concatenate((number, np.full(np.count_nonzero(meeting), -1)))
        self._a, self._b, self._score, self._number = a, b, score, number

    def stars(self, contained: Collection[tuple[int, int]]) -> Iterator[tuple[int, list[Match]]]:
        """Keepers and their matches, seen from them; keepers represent their duplicates.

        ``contained`` are pairs of ids of which one contains the other: a stronger statement than
        that they are similar, so they are left out.
        """
        place, size = self._ranked.place, self._size
        keeper = np.arange(size)
        for member, kept in self._projection.keeper_of.items():
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
        """For each two keepers the pair that represents them: their keys, ascending, and pairs.

        The rules are those of :meth:`KeeperProjection.contains`.
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
            projected = self._projection(match)
            assert projected is not None  # only a picture that contains another can say nothing
            yield projected
