"""Nearest neighbours and similar pairs among L2-normalised vectors.

Exact up to :data:`EXACT_UP_TO` vectors; beyond, an inverted file (Jegou, Douze, Schmid,
"Product quantization for nearest neighbor search", 2011, section IV, without the quantizer)
looks only at the cells nearest to each vector. All by faiss.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import UNCALIBRATED, Calibration

EXACT_UP_TO = 20_000
MOST_NEIGHBOURS = 64
"""In a set of thousands of look-alikes each picture keeps its nearest ones only."""

_BLOCK = 4096
_CELLS_PER_ROOT = 4
# With how many vectors each query is compared, about, in its nearest cells.
_COMPARED = 4_000
_TRAINING_PER_CELL = 40
_TRAINING_ROUNDS = 5
_SEED = 1

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SimilarPairs:
    """Rows of the vectors that are close: ``a < b`` (int32), each pair once, and its cosine.

    The pairs are ordered by ``a``, then by ``b``; ``cosine`` is float32 and calibrated.
    """

    a: NDArray[np.int32]
    b: NDArray[np.int32]
    cosine: NDArray[np.float32]

    def at(self, esimilarity_threshold: float, csimilarity_threshold: float) -> SimilarPairs:
        """Those that are similar by the two thresholds; never more than were searched for."""
        kept = self.cosine >= threshold_cosine(esimilarity_threshold, csimilarity_threshold)
        return SimilarPairs(self.a[kept], self.b[kept], self.cosine[kept])


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


def euclidean(cosine: NDArray[np.float32]) -> NDArray[np.float32]:
    """The distance of vectors of length 1 that have this cosine."""
    distance: NDArray[np.float32] = np.sqrt(np.maximum(2.0 - 2.0 * cosine, 0.0)).astype(np.float32)
    return distance


def neighbours(
    vectors: Vectors, k: int, queries: Vectors | None = None
) -> tuple[NDArray[np.int64], Vectors]:
    """For each query the rows of its ``k`` nearest vectors and their cosines, nearest first.

    ``vectors`` (N, d) and ``queries`` (M, d) are float32 and L2-normalised. Without ``queries``
    the vectors themselves are asked, and none of them is its own neighbour. Both results are
    (M, min(k, number of possible answers)); a place that the approximate search could not fill
    has row -1 and cosine -1.
    """
    blocks = list(_neighbour_blocks(vectors, k, queries))
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
) -> SimilarPairs:
    """All pairs that are similar by the two thresholds, up to the ``most`` nearest per vector.

    The thresholds and the cosines given back are those that ``calibration`` makes of the
    vectors' own.

    Searched once with lenient thresholds, :meth:`SimilarPairs.at` answers stricter ones.
    Vectors of zeros (pictures without any feature) are similar to none.
    """
    wanted = threshold_cosine(esimilarity_threshold, csimilarity_threshold)
    limit = uncalibrated(wanted, calibration)
    lit = np.any(vectors, axis=1)
    keys, kept = [], []
    for asked, rows, cosines in _neighbour_blocks(vectors, most, None):
        close = (rows >= 0) & (cosines >= limit) & lit[asked][:, None] & lit[rows]
        one, other = np.broadcast_to(asked[:, None], rows.shape)[close], rows[close]
        keys.append(np.minimum(one, other) * len(vectors) + np.maximum(one, other))
        kept.append(cosines[close])
    key, first = np.unique(np.concatenate(keys), return_index=True)
    a, b = np.divmod(key, max(1, len(vectors)))
    cosine = calibrated(np.concatenate(kept)[first], calibration)
    return SimilarPairs(a.astype(np.int32), b.astype(np.int32), cosine)


_Block = tuple[NDArray[np.int64], NDArray[np.int64], Vectors]


def _neighbour_blocks(vectors: Vectors, k: int, queries: Vectors | None) -> Iterator[_Block]:
    """Numbers of the queries, rows and cosines of their nearest, a block at a time.

    Blocks bound the memory that the answers take. There is always one, though it may be empty.
    Among themselves the vectors ask in the order of their cells: those that look at the same
    cells come together, and find them in the processor's cache.
    """
    asked = vectors if queries is None else queries
    among_themselves = queries is None
    k = max(0, min(k, len(vectors) - among_themselves))
    index = _index(vectors) if k and len(asked) else None
    order = np.arange(len(asked))
    if among_themselves and hasattr(index, "invlists"):
        order = _by_cell(index)
    for start in range(0, max(1, len(asked)), _BLOCK):
        numbers = order[start : start + _BLOCK]
        if index is None:
            empty = (len(numbers), k)
            yield numbers, np.zeros(empty, np.int64), np.zeros(empty, np.float32)
            continue
        cosines, rows = index.search(np.ascontiguousarray(asked[numbers]), k + among_themselves)
        if among_themselves:
            rows, cosines = _without_self(numbers, rows, cosines)
        yield numbers, rows, np.where(rows < 0, np.float32(-1), np.clip(cosines, -1, 1))


def _index(vectors: Vectors) -> Any:
    """A faiss index of inner products over ``vectors``."""
    import faiss

    count, length = vectors.shape
    vectors = np.ascontiguousarray(vectors, np.float32)
    if count <= EXACT_UP_TO:
        exact = faiss.IndexFlatIP(length)
        exact.add(vectors)
        return exact
    cells = int(_CELLS_PER_ROOT * np.sqrt(count))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(length),
        length,
        cells,
        faiss.ScalarQuantizer.QT_fp16,
        faiss.METRIC_INNER_PRODUCT,
    )
    index.cp.seed = _SEED
    index.cp.niter = _TRAINING_ROUNDS
    index.nprobe = -(-_COMPARED * cells // count)
    training = min(count, _TRAINING_PER_CELL * cells)
    rng = np.random.default_rng(_SEED)
    index.train(vectors[np.sort(rng.choice(count, training, replace=False))])
    index.add(vectors)
    return index


def _by_cell(index: Any) -> NDArray[np.int64]:
    """The rows of an inverted file, cell by cell."""
    import faiss

    lists = index.invlists
    cells = [
        faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell))
        for cell in range(index.nlist)
        if lists.list_size(cell)
    ]
    return np.concatenate(cells)


def _without_self(
    numbers: NDArray[np.int64], rows: NDArray[np.int64], cosines: Vectors
) -> tuple[NDArray[np.int64], Vectors]:
    """Take each query's own row out, or its last answer where equal vectors pushed it out."""
    own = rows == numbers[:, None]
    own[~own.any(1), -1] = True
    shape = (len(rows), rows.shape[1] - 1)
    return rows[~own].reshape(shape), cosines[~own].reshape(shape)
