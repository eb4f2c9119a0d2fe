"""Pairs of perceptual hashes within a Hamming distance, in any of the 8 orientations.

Method: multi-index hashing (Norouzi, Punjani, Fleet, "Fast search in Hamming space with
multi-index hashing", 2012). 256 bits are cut into 16 bands of 16 bits. Two hashes within 31
bits agree in some band up to one bit, so looking up 17 keys per band finds every such pair.
One band is searched at a time: its table is small and stays in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_DISTANCE = 31
BANDS = 16
_KEYS = 1 << 16
# A family of thousands of copies needs no pair of each with each: every member meets the
# first ones of its family, and groups grow from there.
MAX_PAIRS_PER_PICTURE = 64


@dataclass(frozen=True, slots=True)
class HammingPairs:
    """Rows of the hashes that are near each other: ``a`` turned by ``orientation`` is like ``b``.

    All are int32 arrays of one length; ``b < a``; ``orientation`` 0 to 7 as in
    :func:`~image_duplicate_finder.fingerprint.perceptual.perceptual_hashes`.
    """

    a: NDArray[np.int32]
    b: NDArray[np.int32]
    orientation: NDArray[np.int32]
    distance: NDArray[np.int32]


def near_pairs(
    hashes: NDArray[np.uint8],
    *,
    max_distance: int = MAX_DISTANCE,
    rows: tuple[int, int] | None = None,
) -> HammingPairs:
    """All pairs of rows of ``hashes`` (N, 8, 32) uint8 within ``max_distance`` (0 to 31) bits.

    ``rows`` asks only for the pairs that the rows from the first number up to, but not
    including, the second report: ranges can be searched apart and their pairs joined.

    Each row is compared in its 8 orientations with the upright hash of every earlier row. A row
    reports at most :data:`MAX_PAIRS_PER_PICTURE` pairs, to the earliest rows first, so a large
    family of copies costs linear work and still hangs together through its first members.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"max_distance must lie between 0 and {MAX_DISTANCE}")
    from image_duplicate_finder.search.hamming_kernels import search_band

    count = len(hashes)
    packed = np.ascontiguousarray(hashes)
    words = packed.view(np.uint64).reshape(count, 8, 4)
    keys = packed.view(np.uint16).reshape(count, 8, BANDS).astype(np.int32)
    reported = np.zeros(count, np.int32)
    buffer = np.empty((1 << 20, 4), np.int32)
    parts: list[NDArray[np.int32]] = []
    from_row, to_row = rows or (0, count)
    for band in range(BANDS):
        upright = keys[:, 0, band]
        order = np.argsort(upright, kind="stable").astype(np.int32)
        starts = np.searchsorted(upright[order], np.arange(_KEYS + 1)).astype(np.int64)
        step = len(buffer) // MAX_PAIRS_PER_PICTURE
        for first in range(from_row, to_row, step):
            last = min(first + step, to_row)
            n = search_band(
                words, keys, band, starts, order, first, last, np.uint64(max_distance),
                buffer, reported, MAX_PAIRS_PER_PICTURE,
            )  # fmt: skip
            parts.append(buffer[:n].copy())
    pairs = np.concatenate(parts) if parts else np.empty((0, 4), np.int32)
    pairs = pairs[np.lexsort((pairs[:, 3], pairs[:, 1], pairs[:, 0]))]
    # A symmetric picture meets another in several orientations: the nearest is enough.
    keep = np.ones(len(pairs), bool)
    keep[1:] = (pairs[1:, 0] != pairs[:-1, 0]) | (pairs[1:, 1] != pairs[:-1, 1])
    pairs = pairs[keep]
    return HammingPairs(pairs[:, 0], pairs[:, 1], pairs[:, 2], pairs[:, 3])
