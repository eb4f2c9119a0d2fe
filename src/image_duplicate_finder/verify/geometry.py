"""Plane transforms: fitting, refusing degenerate ones, changing frames, measuring overlap.

All transforms are 3 x 3 float64 matrices that map column vectors (x, y, 1); pixel centres are
at whole numbers.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import Transform, homogeneous, invert

Matrix = NDArray[np.float64]
Points = NDArray[np.float64]

_MAX_STRETCH = 3.0
_MIN_SCALE, _MAX_SCALE = 1 / 20, 20.0
_MAX_PERSPECTIVE = 0.6


def apply(matrix: Matrix, points: Points) -> Points:
    """Map points (n, 2)."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def matrix_of(transform: Transform) -> Matrix:
    """The matrix of a match's transform."""
    return np.array(homogeneous(transform), np.float64)


def transform_of(matrix: Matrix) -> Transform:
    """The transform to store: two rows where there is no perspective, else three."""
    affine = bool(np.abs(matrix[2, :2]).max() < 1e-7)
    rows = matrix[:2] if affine else matrix
    return tuple((float(x), float(y), float(z)) for x, y, z in rows)


def inverse(matrix: Matrix) -> Matrix:
    """The transform back, scaled so that its last entry is 1. ``matrix`` is not singular."""
    # For three rows linalg's way in takes longer than plain arithmetic.
    back = np.array(invert(matrix.tolist()))
    return np.asarray(back / back[2, 2])


def area_scale(matrix: Matrix) -> float:
    """By how much the linear part enlarges an area: its determinant, below 0 if it mirrors."""
    (a, b, _), (c, d, _), _ = matrix.tolist()
    return float(a * d - b * c)


def scale_of(matrix: Matrix) -> float:
    """By how much the linear part enlarges a length, on the average of directions."""
    return math.sqrt(abs(area_scale(matrix)))


def frame_change(width: float, height: float, new_width: float, new_height: float) -> Matrix:
    """From pixel coordinates of a picture to those of the same picture at another size."""
    sx, sy = new_width / width, new_height / height
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1.0]])


def corners(width: float, height: float) -> Points:
    """The four outer corners of a picture, clockwise from the upper left."""
    right, bottom = width - 0.5, height - 0.5
    return np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])


def fit_affine(source: Points, target: Points, weights: NDArray[np.float64]) -> Matrix | None:
    """The affine transform of least weighted squares; None if the points do not fix it."""
    design = np.column_stack([source, np.ones(len(source))]) * weights[:, None]
    solution, _, rank, _ = np.linalg.lstsq(design, target * weights[:, None], rcond=1e-6)
    if rank < 3:
        return None
    return np.vstack([solution.T, [0, 0, 1]])


def fit_similarity(source: Points, target: Points, mirrored: bool) -> Matrix | None:
    """The similarity of least squares (with a mirror if ``mirrored``); None if undetermined."""
    sign = -1.0 if mirrored else 1.0
    x, y = source[:, 0] * sign, source[:, 1]
    zeros, ones = np.zeros(len(x)), np.ones(len(x))
    design = np.array([np.r_[x, y], np.r_[-y, x], np.r_[ones, zeros], np.r_[zeros, ones]]).T
    solution, _, rank, _ = np.linalg.lstsq(design, target.T.ravel(), rcond=1e-6)
    if rank < 4:
        return None
    a, b, tx, ty = solution
    return np.array([[a * sign, -b, tx], [b * sign, a, ty], [0, 0, 1.0]])


def fit_homography(source: Points, target: Points, weights: NDArray[np.float64]) -> Matrix | None:
    """The projective transform of least weighted squares (normalised DLT); None if undetermined."""
    if len(source) < 6:
        return None
    from_source, from_target = _normaliser(source), _normaliser(target)
    s, t = apply(from_source, source), apply(from_target, target)
    x, y = s[:, 0], s[:, 1]
    u, v = t[:, 0], t[:, 1]
    # With the last entry fixed to 1 (the normalised origin never maps to infinity here).
    n = len(source)
    design = np.zeros((2 * n, 8))
    design[:n, 0], design[:n, 1], design[:n, 2] = x, y, 1
    design[n:, 3], design[n:, 4], design[n:, 5] = x, y, 1
    design[:n, 6], design[:n, 7] = -u * x, -u * y
    design[n:, 6], design[n:, 7] = -v * x, -v * y
    doubled = np.concatenate([weights, weights])
    # Normal equations: well-conditioned after the normalisation, and fast.
    weighted = design * doubled[:, None]
    square = weighted.T @ weighted
    try:
        solution = np.linalg.solve(square, weighted.T @ (np.concatenate([u, v]) * doubled))
    except np.linalg.LinAlgError:
        return None
    matrix = np.linalg.inv(from_target) @ np.append(solution, 1).reshape(3, 3) @ from_source
    if abs(matrix[2, 2]) < 1e-9:
        return None
    return np.asarray(matrix / matrix[2, 2])


def _normaliser(points: Points) -> Matrix:
    middle = points.mean(axis=0)
    spread = max(float(np.abs(points - middle).mean()), 1e-6)
    return np.array(
        [[1 / spread, 0, -middle[0] / spread], [0, 1 / spread, -middle[1] / spread], [0, 0, 1]]
    )


def is_sound(matrix: Matrix, width: float, height: float) -> bool:
    """Whether the transform could be a copy's: no collapse, no wild stretch, no fold.

    ``width`` and ``height`` are of the picture that it maps.
    """
    if not np.isfinite(matrix).all():
        return False
    scale = scale_of(matrix)
    if not _MIN_SCALE < scale < _MAX_SCALE:
        return False
    # The singular values s and t: their squares add up to that of the entries, and st is scale^2.
    (a, b, _), (c, d, _), _ = matrix.tolist()
    if (a * a + b * b + c * c + d * d) / scale**2 > _MAX_STRETCH + 1 / _MAX_STRETCH:
        return False
    depth = corners(width, height) @ matrix[2, :2] + matrix[2, 2]
    if depth.min() <= 0 or depth.max() / depth.min() > 1 / (1 - _MAX_PERSPECTIVE):
        return False
    mapped = apply(matrix, corners(width, height)).astype(np.float32)
    return bool(cv2.isContourConvex(mapped.reshape(-1, 1, 2)))


def is_close(one: Matrix, other: Matrix, shape: tuple[int, ...], pixels: float = 2.5) -> bool:
    """Whether two transforms put the corners of a picture (h, w) at nearly the same places."""
    frame = corners(shape[1], shape[0])
    return bool(np.abs(apply(one, frame) - apply(other, frame)).max() < pixels)


def overlap_shares(
    matrix: Matrix, a: tuple[float, float], b: tuple[float, float]
) -> tuple[float, float]:
    """The share of picture a's area that falls inside b, and of b's that a covers.

    ``a`` and ``b`` are (width, height); ``matrix`` maps a to b and is sound.
    """
    return _covered(a, apply(inverse(matrix), corners(*b))), _covered(b, apply(matrix, corners(*a)))


def _covered(a: tuple[float, float], other: Points) -> float:
    """The share of a's area that a picture covers whose corners lie at ``other`` (4, 2)."""
    area, _ = cv2.intersectConvexConvex(corners(*a).astype(np.float32), other.astype(np.float32))
    return min(1.0, float(area) / (a[0] * a[1]))
