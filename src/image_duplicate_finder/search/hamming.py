"""Pairs of perceptual hashes within a Hamming distance, in any of the 8 orientations.

Method: multi-index hashing (Norouzi, Punjani, Fleet, "Fast search in Hamming space with
multi-index hashing", 2012). 256 bits are cut into 16 bands of 16 bits. Two hashes within 31
bits agree in some band up to one bit, so looking up 17 keys per band finds every such pair.
One band is searched at a time, and its keys in ascending order: entries of one key lie side by
side, in the cache for all that look at them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_DISTANCE = 31
BANDS = 16
_KEYS = 1 << 16
# A family of thousands of copies needs no pair of each with each: every member meets the
# first ones of its family, and groups grow from there.
MAX_PAIRS_PER_PICTURE = 64
_ROWS_AT_ONCE = 1 << 16
FEW = 512
"""So few are compared all with all in less time than it takes to load the compiled search."""
_COMPARED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class HammingPairs:
    """Rows ``a`` of the hashes that are near rows ``b < a`` in some orientation, int32 (n,)."""

    a: NDArray[np.int32]
    b: NDArray[np.int32]


class _Band(NamedTuple):
    """Hashes as words (N, 8, 4) uint64 and keys (N, 8, 16) uint16, and the table of one band.

    The entries of key k are ``starts[k]`` to ``starts[k + 1]`` (int64); ``order`` (N,) int32 has
    their rows, and ``halves`` (2, N) uint64 half of their upright hashes.
    """

    words: NDArray[np.uint64]
    keys: NDArray[np.uint16]
    number: int
    starts: NDArray[np.int64]
    order: NDArray[np.int32]
    halves: NDArray[np.uint64]


def near_pairs(
    hashes: NDArray[np.uint8],
    *,
    max_distance: int = MAX_DISTANCE,
    rows: tuple[int, int] | None = None,
    jobs: int = 1,
    compare_all_up_to: int = FEW,
) -> HammingPairs:
    """All pairs of rows of ``hashes`` (N, 8, 32) uint8 within ``max_distance`` (0 to 31) bits.

    ``rows`` asks only for the pairs that the rows from the first number up to, but not
    including, the second report: ranges can be searched apart and their pairs joined.
    ``jobs`` threads search. Up to ``compare_all_up_to`` rows are compared all with all.

    Each row is compared in its 8 orientations with the upright hash of every earlier row. A row
    reports at most :data:`MAX_PAIRS_PER_PICTURE` pairs, earlier rows before later ones where they
    meet in one key (among few hashes: always), so a large family of copies costs linear work and
    still hangs together through its first members.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"max_distance must lie between 0 and {MAX_DISTANCE}")
    from_row, to_row = rows or (0, len(hashes))
    if len(hashes) <= compare_all_up_to:
        return _all_with_all(hashes, max_distance, from_row, to_row)
    size = max(1, min(_ROWS_AT_ONCE, -(-(to_row - from_row) // jobs)))
    parts = [(first, min(first + size, to_row)) for first in range(from_row, to_row, size)]
    reported = [np.zeros(last - first, np.int32) for first, last in parts]
    found = [np.empty((0, 2), np.int32)]
    with ThreadPoolExecutor(jobs) as pool:
        for number in range(BANDS):
            search = partial(_search, _band(hashes, number), max_distance)
            found.extend(pool.map(search, parts, reported))
    pairs = np.concatenate(found)
    # A symmetric picture meets another in several orientations.
    pairs = np.unique(pairs, axis=0)
    return HammingPairs(pairs[:, 0], pairs[:, 1])


def _all_with_all(
    hashes: NDArray[np.uint8], max_distance: int, from_row: int, to_row: int
) -> HammingPairs:
    """The pairs that rows ``from_row`` to ``to_row`` report, without any table."""
    words = np.ascontiguousarray(hashes).view(np.uint64).reshape(len(hashes), 8, 4)
    found = [np.empty((0, 2), np.int32)]
    for first in range(from_row, to_row, _COMPARED_AT_ONCE):
        last = min(first + _COMPARED_AT_ONCE, to_row)
        apart = np.zeros((last - first, last, 8), np.uint16)
        for word in range(4):
            apart += np.bitwise_count(
                words[first:last, None, :, word] ^ words[None, :last, 0, word, None]
            )
        near = (apart.min(axis=2) <= max_distance) & np.tri(last - first, last, first - 1, bool)
        near &= near.cumsum(axis=1) <= MAX_PAIRS_PER_PICTURE
        row, b = near.nonzero()
        found.append(np.column_stack([first + row, b]).astype(np.int32))
    pairs = np.concatenate(found)
    return HammingPairs(pairs[:, 0], pairs[:, 1])


def _band(hashes: NDArray[np.uint8], number: int) -> _Band:
    packed = np.ascontiguousarray(hashes)
    words = packed.view(np.uint64).reshape(len(hashes), 8, 4)
    keys = packed.view(np.uint16).reshape(len(hashes), 8, BANDS)
    upright = keys[:, 0, number]
    order = np.argsort(upright, kind="stable").astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(upright, minlength=_KEYS))])
    return _Band(words, keys, number, starts, order, np.ascontiguousarray(words[order, 0, :2].T))


def _search(
    band: _Band, max_distance: int, part: tuple[int, int], reported: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Pairs of the rows of ``part`` in one band; counts in ``reported`` what each row reports."""
    from image_duplicate_finder.search.neighbour_kernels import search_band

    first, last = part
    probes = np.argsort(band.keys[first:last, :, band.number], axis=None, kind="stable")
    # Only what is written to takes memory.
    found = np.empty(((last - first) * MAX_PAIRS_PER_PICTURE, 2), np.int32)
    n = search_band(band, probes, first, max_distance, MAX_PAIRS_PER_PICTURE, reported, found)
    return found[:n].copy()
