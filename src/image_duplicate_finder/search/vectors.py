"""Nearest neighbours and similar pairs among L2-normalised vectors.

Exact up to 20,000 vectors. Beyond, by an inverted file (Jegou, Douze, Schmid, "Product
quantization for nearest neighbor search", 2011, section IV, without the quantizer): vectors are
held in the cell of the centre that is nearest to them, and each is compared with those in the
cells nearest to it only. All vectors are looked up at once, so it is a join: cell by cell,
everything that looks at a cell is multiplied with everything in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import UNCALIBRATED, Calibration

MOST_NEIGHBOURS = 64
"""In a set of thousands of similar pictures each one keeps its nearest ones only."""

# Vectors that ask at a time: this bounds the memory that the answers take.
_BLOCK = 32_768
# Vectors that are multiplied with all others at a time: 40 MB of products for 20,000 vectors.
_COMPARED_AT_ONCE = 512

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VectorTuning:
    """Up to how many vectors all are compared with all; beyond, about with how many others."""

    exact_up_to: int = 20_000
    compared: int = 6_000


_TUNING = VectorTuning()


@dataclass(frozen=True, slots=True)
class NearPairs:
    """Rows of the vectors that are close: ``a < b`` (int32), each pair once, and its cosine.

    The pairs are ordered by ``a``, then by ``b``; ``cosine`` is float32 and calibrated.
    """

    a: NDArray[np.int32]
    b: NDArray[np.int32]
    cosine: NDArray[np.float32]


def threshold_cosine(esimilarity_threshold: float, csimilarity_threshold: float) -> float:
    """The cosine from which on a pair is similar.

    A pair is similar when its Euclidean distance is at most ``esimilarity_threshold`` or its
    cosine at least ``csimilarity_threshold``. For vectors of length 1 the distance e and the
    cosine c are tied, e * e = 2 - 2 * c, so the more lenient of the two decides.
    """
    return min(1.0 - esimilarity_threshold**2 / 2.0, csimilarity_threshold)


def calibrated(cosine: NDArray[np.float32], calibration: Calibration) -> NDArray[np.float32]:
    """The cosines whose Euclidean distances are the calibrated ones; at least -1."""
    squared = np.maximum(2.0 - 2.0 * cosine, 0.0)
    mapped = 1.0 - calibration.scale**2 * squared**calibration.power / 2.0
    result: NDArray[np.float32] = np.maximum(mapped, -1.0).astype(np.float32)
    return result


def uncalibrated(cosine: float, calibration: Calibration) -> float:
    """The cosine of two vectors that :func:`calibrated` makes ``cosine``."""
    squared = (2.0 - 2.0 * cosine) / calibration.scale**2
    return float(1.0 - squared ** (1.0 / calibration.power) / 2.0)


def neighbours(
    vectors: Vectors, k: int, *, tuning: VectorTuning = _TUNING
) -> tuple[NDArray[np.int64], Vectors]:
    """For each vector the rows of the ``k`` nearest others and their cosines, nearest first.

    ``vectors`` (N, d) are float32 and L2-normalised. Both results are (N, min(k, N - 1)); a
    place that the approximate search could not fill has row -1 and cosine -1.
    """
    blocks = list(_neighbour_blocks(vectors, k, -np.inf, tuning))
    back = np.argsort(np.concatenate([numbers for numbers, _, _ in blocks]))
    rows = np.concatenate([rows for _, rows, _ in blocks])
    return rows[back], np.concatenate([cosines for _, _, cosines in blocks])[back]


def pairs_within(
    vectors: Vectors,
    *,
    esimilarity_threshold: float,
    csimilarity_threshold: float,
    most: int = MOST_NEIGHBOURS,
    calibration: Calibration = UNCALIBRATED,
    tuning: VectorTuning = _TUNING,
) -> NearPairs:
    """All pairs that are similar by the two thresholds, up to the ``most`` nearest per vector.

    The thresholds and the cosines returned are those that ``calibration`` makes of the
    vectors' own.

    Vectors of zeros (pictures without any feature) are similar to none.
    """
    wanted = threshold_cosine(esimilarity_threshold, csimilarity_threshold)
    limit = uncalibrated(wanted, calibration)
    lit = np.any(vectors, axis=1)
    keys, kept = [], []
    for asked, rows, cosines in _neighbour_blocks(vectors, most, limit, tuning):
        close = (rows >= 0) & (cosines >= limit) & lit[asked][:, None] & lit[rows]
        one, other = np.broadcast_to(asked[:, None], rows.shape)[close], rows[close]
        keys.append(np.minimum(one, other) * len(vectors) + np.maximum(one, other))
        kept.append(cosines[close])
    key, first = np.unique(np.concatenate(keys), return_index=True)
    a, b = np.divmod(key, max(1, len(vectors)))
    cosine = calibrated(np.concatenate(kept)[first], calibration)
    return NearPairs(a.astype(np.int32), b.astype(np.int32), cosine)


_Block = tuple[NDArray[np.int64], NDArray[np.int64], Vectors]


def _neighbour_blocks(
    vectors: Vectors, k: int, limit: float, tuning: VectorTuning
) -> Iterator[_Block]:
    """Numbers of vectors, rows and cosines of their ``k`` nearest others, a block at a time.

    Those below a cosine of ``limit`` may be left out. There is always one block, though it may
    be empty.
    """
    count = len(vectors)
    k = max(0, min(k, count - 1))
    if k == 0:
        yield np.arange(count), np.zeros((count, 0), np.int64), np.zeros((count, 0), np.float32)
        return
    cells = Cells(vectors, tuning.compared) if count > tuning.exact_up_to else None
    for start in range(0, count, _BLOCK):
        if cells is None:
            numbers = np.arange(start, min(start + _BLOCK, count))
            rows, cosines = _exact(vectors, numbers, k, limit)
        else:
            numbers = cells.order[start : start + _BLOCK]
            rows, cosines = cells.nearest(numbers, k, limit)
        yield numbers, rows, np.clip(cosines, -1, 1)


def _exact(
    vectors: Vectors, numbers: NDArray[np.int64], k: int, limit: float
) -> tuple[NDArray[np.int64], Vectors]:
    """Rows and cosines of the ``k`` nearest others of ``numbers``, by comparing with all."""
    rows = np.empty((len(numbers), k), np.int64)
    cosines = np.empty((len(numbers), k), np.float32)
    for start in range(0, len(numbers), _COMPARED_AT_ONCE):
        part = slice(start, start + _COMPARED_AT_ONCE)
        asked = numbers[part]
        products = vectors[asked] @ vectors.T
        products[np.arange(len(asked)), asked] = -np.inf
        rows[part], cosines[part] = largest(products, k, limit)
    return rows, cosines


_CELLS_PER_ROOT = 3
_TRAINING_PER_CELL = 30
_TRAINING_ROUNDS = 5
_SEED = 1
_CELL_BLOCK = 4096


def largest(
    products: NDArray[np.float32], k: int, limit: float
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ``k`` largest of each row of ``products`` (m, n), those below ``limit`` left out.

    Columns and values (m, k), the largest first, equal ones by their column; -1 and -inf where
    there are fewer.
    """
    columns = np.full((len(products), k), -1, np.int64)
    values = np.full((len(products), k), -np.inf, np.float32)
    enough = (products >= limit) & (products > -np.inf)
    if np.count_nonzero(enough) > 4 * k * len(products):
        first = products.shape[1] - k
        among = np.zeros_like(enough)
        np.put_along_axis(among, np.argpartition(products, first, axis=1)[:, first:], True, axis=1)
        enough &= among
    row, column = np.nonzero(enough)
    value = products[row, column]
    best = np.lexsort((column, -value, row))
    row, column, value = row[best], column[best], value[best]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = place < k
    columns[row[kept], place[kept]] = column[kept]
    values[row[kept], place[kept]] = value[kept]
    return columns, values


def _centres(sample: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """Centres (cells, d) of length 1 of the vectors ``sample``, by spherical k-means.

    Dhillon and Modha, "Concept decompositions for large sparse text data using clustering", 2001.
    A centre that nobody is nearest to begins again next to the one with the most vectors.
    """
    random = np.random.default_rng(_SEED)
    centres = sample[random.choice(len(sample), cells, replace=len(sample) < cells)].copy()
    for _ in range(_TRAINING_ROUNDS):
        nearest = np.concatenate(
            [
                (sample[start : start + _CELL_BLOCK] @ centres.T).argmax(axis=1)
                for start in range(0, len(sample), _CELL_BLOCK)
            ]
        )
        order = np.argsort(nearest, kind="stable")
        filled, first = np.unique(nearest[order], return_index=True)
        centres[filled] = np.add.reduceat(sample[order], first, axis=0)
        sizes = np.bincount(nearest, minlength=cells)
        empty = np.flatnonzero(sizes == 0)
        crowded = np.argsort(-sizes, kind="stable")[: len(empty)]
        # So near that the two share what the crowded one had.
        shift = 1e-3 * random.normal(size=(len(empty), sample.shape[1])).astype(np.float32)
        centres[empty] = centres[crowded[: len(empty)]] * (1 + shift)
        lengths = np.linalg.norm(centres, axis=1, keepdims=True)
        centres /= np.maximum(lengths, 1e-12)
    return centres


class Cells:
    """Vectors (N, d), float32 and L2-normalised, by cells.

    Each vector is compared with about ``compared`` others, in the cells nearest to it; ``order``
    are the rows cell by cell: vectors that ask in this order look at the same cells together.
    """

    def __init__(self, vectors: NDArray[np.float32], compared: int) -> None:
        self._vectors = np.ascontiguousarray(vectors, np.float32)
        self._threads = os.cpu_count() or 1
        count = len(vectors)
        cells = int(_CELLS_PER_ROOT * np.sqrt(count))
        looked_at = min(cells, -(-compared * cells // count))
        training = min(count, _TRAINING_PER_CELL * cells)
        sample = np.random.default_rng(_SEED).choice(count, training, replace=False)
        centres = _centres(self._vectors[np.sort(sample)], cells)
        self._looked_at = np.empty((count, looked_at), np.int32)

        def look(start: int) -> None:
            part = slice(start, start + _CELL_BLOCK)
            products = self._vectors[part] @ centres.T
            self._looked_at[part] = largest(products, looked_at, -np.inf)[0]

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(look, range(0, count, _CELL_BLOCK)))
        own = self._looked_at[:, 0]
        self.order: NDArray[np.int64] = np.argsort(own, kind="stable")
        self._starts = np.searchsorted(own[self.order], np.arange(cells + 1))

    def nearest(
        self, asked: NDArray[np.int64], k: int, limit: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` nearest of each of the rows ``asked``, with a cosine of ``limit`` or more.

        Rows and cosines (len(asked), k), the nearest first; without an answer -1 and -inf.
        """
        from image_duplicate_finder.search import neighbour_kernels

        rows = np.full((len(asked), k), -1, np.int64)
        cosines = np.full((len(asked), k), -np.inf, np.float32)
        size = max(1, -(-len(asked) // self._threads))
        parts = [slice(start, start + size) for start in range(0, len(asked), size)]

        def fill(part: slice) -> None:
            neighbour_kernels.nearest(
                self._vectors, asked[part], self._looked_at[asked[part]], self.order, self._starts,
                np.float32(limit), rows[part], cosines[part],
            )  # fmt: skip

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(fill, parts))
        return rows, cosines
