"""Families of duplicates, grown match by match: which pairs are still worth verifying."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from image_duplicate_finder.model import Match
from image_duplicate_finder.relations import REACH, Composites, is_duplicate

Pair = tuple[int, int]

# A candidate this much weaker than the best one is no guess for the keeper.
_STRONG = 0.4
# How many of a picture's candidates each wave verifies, beyond the guess at its keeper.
_WAVES = (1, 4, 1_000_000)
_MOST_HUBS = 4


class Families:
    """Which contents are known to show one photograph (disjoint sets: Tarjan 1975).

    ``rank`` orders contents by the keep rules, the best first: smaller is better.
    """

    def __init__(self, rank: Mapping[int, int]) -> None:
        self._rank = rank
        self._parent: dict[int, int] = {}
        self._near: dict[int, set[int]] = {}
        self._loose: set[Pair] = set()
        self._held: set[Pair] = set()
        self._composites = Composites()
        self._tried: set[Pair] = set()

    def learn(self, tried: Iterable[Pair], matches: Iterable[Match]) -> None:
        """Take in which pairs were verified and which match; same photographs join families."""
        self._tried.update(tried)
        matches = list(matches)
        self._composites.learn(matches)
        for match in matches:
            self._tried.add(_ordered(match.a, match.b))
            if not is_duplicate(match) or self._composites.splits(match):
                self._loose.add(_ordered(match.a, match.b))
                if match.same_photograph:
                    self._held.add(_ordered(match.a, match.b))
                continue
            self._near.setdefault(match.a, set()).add(match.b)
            self._near.setdefault(match.b, set()).add(match.a)
            a, b = self._root(match.a), self._root(match.b)
            if a != b:
                # The best by rank stands for its family, so it needs no second search.
                self._parent[max(a, b, key=self._rank.__getitem__)] = min(
                    a, b, key=self._rank.__getitem__
                )

    def waves(self, proposals: Mapping[Pair, float]) -> Iterable[list[Pair]]:
        """Proposed pairs in waves; between two waves :meth:`learn` what the first one gave.

        First every picture meets the best by rank among its strong candidates, the likely
        keeper of its family. Then come its next candidates by score, as far as they are not in
        its family by now.
        """
        ordered = self._by_score(proposals)
        yield sorted({_ordered(a, best) for a, best in self._likely_keepers(ordered)})
        done = 0
        for count in _WAVES:
            yield sorted(
                {
                    _ordered(a, b)
                    for a, others in ordered.items()
                    for b, _ in others[done : done + count]
                    if self._root(a) != self._root(b)
                }
            )
            done += count

    def _by_score(self, proposals: Mapping[Pair, float]) -> dict[int, list[tuple[int, float]]]:
        of: dict[int, list[tuple[int, float]]] = {}
        for (a, b), score in proposals.items():
            of.setdefault(a, []).append((b, score))
            of.setdefault(b, []).append((a, score))
        for others in of.values():
            others.sort(key=lambda other: (-other[1], self._rank[other[0]]))
        return of

    def _likely_keepers(
        self, ordered: Mapping[int, Sequence[tuple[int, float]]]
    ) -> Iterable[tuple[int, int]]:
        for a, others in ordered.items():
            # The best one is strong whatever its score: a cosine may be negative.
            least = min(_STRONG * others[0][1], others[0][1])
            best = min((b for b, score in others if score >= least), key=self._rank.__getitem__)
            if self._rank[best] < self._rank[a]:
                yield a, best

    def to_keepers(self) -> list[Pair]:
        """Pairs that a star around each family's keeper lacks, and what may contain the keeper.

        The keeper is the best by rank. Where few match it directly, because it is an odd edit,
        the best-connected members are tried too. A collage or a look-alike that was matched to
        some member meets the keeper as well.
        """
        members: dict[int, list[int]] = {}
        for id in self._near:
            members.setdefault(self._root(id), []).append(id)
        wanted: set[Pair] = set()
        for family in members.values():
            wanted.update(self._to_hubs(family))
        for a, b in self._loose:
            for member, other in ((a, b), (b, a)):
                keeper = self._root(member)
                if keeper not in (member, self._root(other)):
                    wanted.add(_ordered(keeper, other))
        wanted.update(self._through_containers())
        return sorted(wanted - self._tried)

    def _through_containers(self) -> Iterable[Pair]:
        """A picture without a family, with the keepers of what the same collage or window shows."""
        beside: dict[int, list[int]] = {}
        for a, b in self._held:
            beside.setdefault(a, []).append(b)
            beside.setdefault(b, []).append(a)
        for alone in beside.keys() - self._near.keys():
            for container in beside[alone]:
                for other in beside[container]:
                    if other in self._near:
                        yield _ordered(alone, self._root(other))

    def _to_hubs(self, family: Sequence[int]) -> list[Pair]:
        """What is left to try between a family and its hubs; empty when one reaches most."""
        left = set(family)
        hub = min(family, key=self._rank.__getitem__)
        for _ in range(_MOST_HUBS):
            pairs = [_ordered(hub, id) for id in family if id != hub]
            if untried := [pair for pair in pairs if pair not in self._tried]:
                return untried
            reached = len(self._near[hub]) >= REACH * len(pairs)
            if reached and not self._composites.is_window(hub):
                return []
            left.discard(hub)
            if not left:
                return []
            hub = min(left, key=lambda id: (-len(self._near[id]), self._rank[id]))
        return []

    def _root(self, id: int) -> int:
        root = id
        while (parent := self._parent.get(root)) is not None:
            root = parent
        while id != root:
            self._parent[id], id = root, self._parent[id]
        return root


def _ordered(a: int, b: int) -> Pair:
    return (a, b) if a < b else (b, a)
