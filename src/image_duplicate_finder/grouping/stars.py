"""Which pictures become keepers, and of which others: a graph covered by stars.

Pictures are numbered in the order of the keep rules here: 0 is the best keeper.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from image_duplicate_finder.relations import REACH

if TYPE_CHECKING:  # the web app starts without numpy
    import numpy as np
    from numpy.typing import NDArray

Near = Sequence[Sequence[int]]
"""For each picture the others that match it, in ascending order."""


def neighbours(size: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> list[list[int]]:
    """:data:`Near` of ``size`` pictures by the pairs ``a[i], b[i]``, which must be distinct."""
    import numpy as np

    keys = np.concatenate((a * size + b, b * size + a))
    keys.sort()
    others = (keys % max(size, 1)).tolist()
    ends = np.searchsorted(keys, np.arange(1, size + 1, dtype=np.int64) * size).tolist()
    return [others[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def cover(near: Near) -> Iterator[tuple[int, list[int]]]:
    """Cover the graph by stars, each picture in at most one: keeper and members.

    In each family the best picture that reaches nearly as many as any other becomes keeper of all
    that it reaches; this is repeated until no two pictures that match are left.
    """
    reach = list(map(len, near))
    left = bytearray(b"\1") * len(near)
    for family in families(near):
        if len(family) == 2:
            yield min(family), [max(family)]
        else:
            yield from _cover_family(family, near, reach, left)


def families(near: Near) -> Iterator[list[int]]:
    """The connected components of more than one picture."""
    seen = bytearray(len(near))
    for start, others in enumerate(near):
        if seen[start] or not others:
            continue
        seen[start] = 1
        family = [start]
        for id in family:
            for other in near[id]:
                if not seen[other]:
                    seen[other] = 1
                    family.append(other)
        yield family


def _cover_family(
    family: Iterable[int], near: Near, reach: list[int], left: bytearray
) -> Iterator[tuple[int, list[int]]]:
    """The stars of one family. ``reach`` counts, for who is ``left``, the others that are left.

    To look through the whole family for each keeper would take the square of its size, so
    pictures wait by their reach until the least that a keeper needs has fallen to it. Reach
    only ever falls.
    """
    most = max(reach[id] for id in family)
    waiting: list[list[int]] = [[] for _ in range(most + 1)]
    for id in family:
        waiting[reach[id]].append(id)
    count = list(map(len, waiting))
    able: list[int] = []  # a heap
    poured = most + 1
    while most > 0:
        least = math.ceil(REACH * most)
        while poured > least:
            poured -= 1
            for id in waiting[poured]:
                if left[id]:
                    heapq.heappush(able, id)
        while not left[able[0]] or reach[able[0]] < least:
            id = heapq.heappop(able)
            if left[id]:
                waiting[reach[id]].append(id)
        keeper = able[0]
        members = [id for id in near[keeper] if left[id]]
        yield keeper, members
        gone = (keeper, *members)
        for id in gone:
            left[id] = 0
            count[reach[id]] -= 1
        for id in gone:
            for other in near[id]:
                if left[other]:
                    now = reach[other]
                    count[now] -= 1
                    count[now - 1] += 1
                    reach[other] = now - 1
        while most > 0 and not count[most]:
            most -= 1


def cover_edges(near: Near) -> Iterator[tuple[int, list[int]]]:
    """Stars that cover every match once: a collage, or a photo in many collages, is a centre."""
    for family in families(near):
        covered: set[tuple[int, int]] = set()
        for centre in sorted(family, key=lambda id: (-len(near[id]), id)):
            members = [id for id in near[centre] if (centre, id) not in covered]
            if members:
                yield centre, members
                covered.update((id, centre) for id in members)
