"""Nearest neighbours among very many vectors, by cells.

An inverted file (Jegou, Douze, Schmid, "Product quantization for nearest neighbor search", 2011,
section IV, without the quantizer): vectors are held in the cell of the centre that is nearest to
them, and each looks only at the cells nearest to it. All vectors ask at once, so it is a join:
cell by cell, everything that looks at a cell is multiplied with everything in it.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

_CELLS_PER_ROOT = 3
_TRAINING_PER_CELL = 30
_TRAINING_ROUNDS = 5
_SEED = 1
_BLOCK = 4096


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
        few = np.argpartition(products, products.shape[1] - k, axis=1)[:, products.shape[1] - k :]
        enough = np.zeros_like(enough)
        np.put_along_axis(enough, few, True, axis=1)
        enough &= products >= limit
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
                (sample[start : start + _BLOCK] @ centres.T).argmax(axis=1)
                for start in range(0, len(sample), _BLOCK)
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
            part = slice(start, start + _BLOCK)
            products = self._vectors[part] @ centres.T
            self._looked_at[part] = largest(products, looked_at, -np.inf)[0]

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(look, range(0, count, _BLOCK)))
        own = self._looked_at[:, 0]
        self.order: NDArray[np.int64] = np.argsort(own, kind="stable")
        self._starts = np.searchsorted(own[self.order], np.arange(cells + 1))

    def nearest(
        self, asked: NDArray[np.int64], k: int, limit: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The ``k`` nearest of each of the rows ``asked``, with a cosine of ``limit`` or more.

        Rows and cosines (len(asked), k), the nearest first; without an answer -1 and -inf.
        """
        from image_duplicate_finder.search import cell_kernels

        rows = np.full((len(asked), k), -1, np.int64)
        cosines = np.full((len(asked), k), -np.inf, np.float32)
        share = max(1, -(-len(asked) // self._threads))
        parts = [slice(start, start + share) for start in range(0, len(asked), share)]

        def fill(part: slice) -> None:
            cell_kernels.nearest(
                self._vectors, asked[part], self._looked_at[asked[part]], self.order, self._starts,
                np.float32(limit), rows[part], cosines[part],
            )  # fmt: skip

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(fill, parts))
        return rows, cosines
