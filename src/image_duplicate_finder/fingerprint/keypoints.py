"""Finds and describes a picture's keypoints.

Method: SIFT (Lowe 2004) on a small picture: the coarse keypoints that it has survive scaling,
pasting and noise, and cost little. Each descriptor of 128 values becomes 128 bits, a value above
the descriptor's median or not; that loses next to nothing and fits in 16 bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint import specs
from image_duplicate_finder.fingerprint.features import (
    COLUMNS_FLIPPED,
    COLUMNS_UNSURE,
    ROWS_FLIPPED,
    ROWS_UNSURE,
    Keypoints,
)
from image_duplicate_finder.fingerprint.shrink import fitted
from image_duplicate_finder.fingerprint.sift import detect

__all__ = ["NAME", "VERSION", "Keypoints", "extract"]

NAME, VERSION = specs.KEYPOINTS

_SIDE, _LIMIT = 200, 200
_SIDE_THOROUGH, _LIMIT_THOROUGH = 320, 600
_COLUMNS, _ROWS = 5, 4
# Half-balances of the descriptor below these are flipped by small changes. Measured: with them,
# 97% of matching keypoints meet in canonical form.
_ROWS_BALANCE, _COLUMNS_BALANCE = 0.13, 0.12


def extract(grey: NDArray[np.uint8], *, thorough: bool = False) -> Keypoints:
    """Keypoints of a grey picture (H, W) uint8, spread over it, the clearest first.

    The picture is scaled to 200 pixels (320 if ``thorough``) on its longer side; it should not
    be smaller than that, but may. At most 200 (600) keypoints are kept.
    """
    side, limit = (_SIDE_THOROUGH, _LIMIT_THOROUGH) if thorough else (_SIDE, _LIMIT)
    small = fitted(grey, side)
    height, width = small.shape
    table, descriptors = detect(small, _spread, limit)
    codes, flags = _encode(descriptors)
    x, y, scale, angle = np.ascontiguousarray(table.T)
    return Keypoints(width, height, x, y, scale, angle, codes, flags)


def warm_up() -> None:
    """Load what :func:`extract` compiles or loads at its first call."""
    extract(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))


def _spread(table: NDArray[np.float32], width: int, height: int) -> NDArray[np.intp]:
    """The order in which to keep extrema: the best of each cell of a grid, then the second best,
    and so on.

    Without it text and borders take all places from a photo pasted beside them.
    """
    column = np.minimum((table[:, 0] * _COLUMNS / width).astype(np.intp), _COLUMNS - 1)
    row = np.minimum((table[:, 1] * _ROWS / height).astype(np.intp), _ROWS - 1)
    cell = row * _COLUMNS + column
    # The place breaks ties, so that the order in which they were found does not matter.
    order = np.lexsort((table[:, 1], table[:, 0], -table[:, 2], cell))
    sorted_cells = cell[order]
    starts = np.searchsorted(sorted_cells, sorted_cells)
    rank = np.arange(len(order)) - starts
    return order[np.lexsort((-table[order, 2], rank))]


def _encode(descriptors: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Codes (n, 16) and flags (n,) of SIFT descriptors (n, 128)."""
    if len(descriptors) == 0:
        return np.zeros((0, 16), np.uint8), np.zeros(0, np.uint8)
    medians = np.median(descriptors, axis=1, keepdims=True)
    codes = np.packbits(descriptors > medians, axis=1, bitorder="little")
    # RootSIFT (Arandjelovic and Zisserman 2012): small values count as well as large ones.
    root = np.sqrt(descriptors.astype(np.float32))
    root /= np.maximum(np.linalg.norm(root, axis=1, keepdims=True), 1e-6)
    cells = root.reshape(-1, 4, 4, 8).sum(axis=3)
    halves = np.array([0.5, 1, -1, -0.5], np.float32)
    rows, columns = cells.sum(axis=2) @ halves, cells.sum(axis=1) @ halves
    flags = (
        np.where(rows < 0, ROWS_FLIPPED, 0)
        | np.where(columns < 0, COLUMNS_FLIPPED, 0)
        | np.where(np.abs(rows) < _ROWS_BALANCE, ROWS_UNSURE, 0)
        | np.where(np.abs(columns) < _COLUMNS_BALANCE, COLUMNS_UNSURE, 0)
    )
    return codes, flags.astype(np.uint8)
