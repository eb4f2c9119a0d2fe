"""Plane transforms: fitting, refusing degenerate ones, changing frames, measuring overlap.

All transforms are 3 x 3 float64 matrices that map column vectors (x, y, 1); pixel centres are
at whole numbers.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import Transform, homogeneous

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
    # Entry by entry: compiled as it is, and faster than linalg where it is not.
    a, b, c = matrix[0, 0], matrix[0, 1], matrix[0, 2]
    d, e, f = matrix[1, 0], matrix[1, 1], matrix[1, 2]
    g, h, i = matrix[2, 0], matrix[2, 1], matrix[2, 2]
    last = a * e - b * d
    back = np.empty((3, 3))
    back[0, 0], back[0, 1], back[0, 2] = e * i - f * h, c * h - b * i, b * f - c * e
    back[1, 0], back[1, 1], back[1, 2] = f * g - d * i, a * i - c * g, c * d - a * f
    back[2, 0], back[2, 1], back[2, 2] = d * h - e * g, b * g - a * h, last
    back /= last
    return back


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


def is_sound(matrix: Matrix, width: float, height: float) -> bool:
    """Whether the transform could be a copy's: no collapse, no wild stretch, no fold.

    ``width`` and ``height`` are of the picture that it maps.
    """
    first, second, third = matrix.tolist()
    return rows_are_sound((tuple(first), tuple(second), tuple(third)), float(width), float(height))


Row = tuple[float, float, float]


def rows_are_sound(rows: tuple[Row, Row, Row], width: float, height: float) -> bool:
    """:func:`is_sound` of a matrix's rows, in plain numbers: compiled loops use it as it is."""
    (a, b, e), (c, d, f), (g, h, i) = rows
    area = abs(a * d - b * c)
    if not (
        _MIN_SCALE**2 < area < _MAX_SCALE**2 and math.isfinite(a + b + c + d + e + f + g + h + i)
    ):
        return False
    # The singular values s and t: their squares add up to that of the entries, and st is the area.
    if (a * a + b * b + c * c + d * d) / area > _MAX_STRETCH + 1 / _MAX_STRETCH:
        return False
    nearest, farthest = math.inf, 0.0
    # Two corners come twice: a turn of the outline is between three.
    x1, y1, x2, y2 = 0.0, 0.0, 0.0, 0.0
    clockwise = 0
    for corner in range(6):
        x = width - 0.5 if corner % 4 < 2 else -0.5
        y = height - 0.5 if (corner + 1) % 4 < 2 else -0.5
        depth = g * x + h * y + i
        if depth <= 0:
            return False
        nearest, farthest = min(nearest, depth), max(farthest, depth)
        u, v = (a * x + b * y + e) / depth, (c * x + d * y + f) / depth
        if corner >= 2 and (x1 - x2) * (v - y1) > (y1 - y2) * (u - x1):
            clockwise += 1
        x2, y2, x1, y1 = x1, y1, u, v
    is_convex = clockwise == 0 or clockwise == 4
    return is_convex and farthest / nearest <= 1 / (1 - _MAX_PERSPECTIVE)


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
