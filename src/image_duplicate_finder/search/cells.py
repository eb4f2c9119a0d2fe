"""Nearest neighbours among very many vectors, by cells.

An inverted file (Jegou, Douze, Schmid, "Product quantization for nearest neighbor search", 2011,
section IV, without the quantizer): vectors are held in the cell of the centre that is nearest to
them, and each looks only at the cells nearest to it. All vectors ask at once, so it is a join:
cell by cell, everything that looks at a cell is multiplied with everything in it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

_CELLS_PER_ROOT = 3
_TRAINING_PER_CELL = 30
_TRAINING_ROUNDS = 5
_SEED = 1
_BLOCK = 65_536


class Cells:
    """Vectors (N, d), float32 and L2-normalised, by cells.

    Each vector is compared with about ``compared`` others, in the cells nearest to it; ``order``
    are the rows cell by cell: vectors that ask in this order look at the same cells together.
    """

    def __init__(self, vectors: NDArray[np.float32], compared: int) -> None:
        import faiss

        self._vectors = np.ascontiguousarray(vectors, np.float32)
        count, length = vectors.shape
        cells = int(_CELLS_PER_ROOT * np.sqrt(count))
        looked_at = min(cells, -(-compared * cells // count))
        training = min(count, _TRAINING_PER_CELL * cells)
        sample = np.random.default_rng(_SEED).choice(count, training, replace=False)
        centres = faiss.Kmeans(
            length, cells, niter=_TRAINING_ROUNDS, spherical=True, seed=_SEED,
            min_points_per_centroid=1,
        )  # fmt: skip
        centres.train(self._vectors[np.sort(sample)])
        self._looked_at = np.empty((count, looked_at), np.int32)
        for start in range(0, count, _BLOCK):
            part = slice(start, start + _BLOCK)
            self._looked_at[part] = centres.index.search(self._vectors[part], looked_at)[1]
        own = self._looked_at[:, 0]
        self.order: NDArray[np.int64] = np.argsort(own, kind="stable")
        self._starts = np.searchsorted(own[self.order], np.arange(cells + 1))
        # As many threads as the library that finds the centres takes.
        self._threads = faiss.omp_get_max_threads()

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
