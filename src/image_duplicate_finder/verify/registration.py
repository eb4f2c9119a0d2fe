"""Makes an alignment of two pictures finer: dense Gauss-Newton on the pixels themselves.

The alignments of verification are good to some pixels of a full-size picture. To compare what
single places show, they must be good to a fraction of one.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix

# Coarse to fine: by how much both pictures are shrunk first.
_LEVELS = (4, 2, 1)
_SMALLEST = 48
_ROUNDS = 12
_STILL = 0.01
_MOST_POINTS = 24_000
_LEAST_POINTS = 40
_LEAST_GRADIENT = 1.0
_SMOOTH = 1.0
# An exact grid (the same frame, a turn by quarters, a whole shift) is taken instead of a measured
# alignment that lies so near to it, if it fits as well.
_NEAR_EXACT = 1.5
_AS_GOOD = 1.05

Plane = NDArray[np.float32]


def refine(target: Plane, source: Plane, matrix: Matrix) -> Matrix:
    """The alignment of ``source`` to ``target`` (both (h, w), about equally fine) near ``matrix``.

    It is fitted where the target has edges, by an affine transform, or by a projective one
    where ``matrix`` is one. Places that do not fit weigh less, so that what differs does not
    bend it. ``matrix`` itself is returned where there is nothing to go by.
    """
    projective = bool(np.abs(matrix[2, :2]).max() > 1e-7)
    back = geometry.inverse(matrix)
    for factor in _LEVELS:
        if factor > 1 and min(*target.shape, *source.shape) / factor < _SMALLEST:
            continue
        small_target, to_target = _shrunk(target, factor)
        small_source, to_source = _shrunk(source, factor)
        # From the target's frame to the source's, both at this level.
        start = to_source @ back @ geometry.inverse(to_target)
        found = _fitted(small_target, small_source, start, projective)
        if found is not None:
            back = geometry.inverse(to_source) @ found @ to_target
    better = geometry.inverse(back / back[2, 2])
    best = _cost(target, source, better)
    if _cost(target, source, matrix) < best:
        return matrix
    for exact in _exact(better, source.shape, target.shape):
        if _cost(target, source, exact) <= _AS_GOOD * best + 0.02:
            return exact
    return better


def _shrunk(plane: Plane, factor: int) -> tuple[Plane, Matrix]:
    height, width = plane.shape
    if factor == 1:
        smooth = cv2.GaussianBlur(plane, (0, 0), _SMOOTH)
        return np.asarray(smooth, np.float32), np.eye(3)
    new = max(8, round(width / factor)), max(8, round(height / factor))
    small = cv2.resize(plane, new, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), _SMOOTH)
    return np.asarray(smooth, np.float32), geometry.frame_change(width, height, *new)


def _fitted(target: Plane, source: Plane, back: Matrix, projective: bool) -> Matrix | None:
    """Inverse compositional Gauss-Newton; ``back`` maps the target's frame to the source's."""
    down = np.asarray(cv2.Sobel(target, cv2.CV_32F, 0, 1, ksize=3)) / 8
    across = np.asarray(cv2.Sobel(target, cv2.CV_32F, 1, 0, ksize=3)) / 8
    rows, columns = _points(np.hypot(across, down))
    if len(rows) < _LEAST_POINTS:
        return None
    # About unit size, which keeps the equations well-conditioned.
    half = max(target.shape) / 2
    to_unit = np.array(
        [
            [1 / half, 0, -target.shape[1] / 2 / half],
            [0, 1 / half, -target.shape[0] / 2 / half],
            [0, 0, 1.0],
        ]
    )
    from_unit = geometry.inverse(to_unit)
    x = (columns - target.shape[1] / 2) / half
    y = (rows - target.shape[0] / 2) / half
    gx, gy = across[rows, columns] * half, down[rows, columns] * half
    terms = [gx * x, gx * y, gx, gy * x, gy * y, gy]
    if projective:
        along = gx * x + gy * y
        terms += [-along * x, -along * y]
    steepest = np.stack(terms, axis=1).astype(np.float64)
    values = target[rows, columns].astype(np.float64)
    places = np.stack([x, y], axis=1)
    current = back @ from_unit
    height, width = source.shape
    for _ in range(_ROUNDS):
        mapped = geometry.apply(current, places)
        inside = (
            (mapped[:, 0] >= 0)
            & (mapped[:, 0] <= width - 1)
            & (mapped[:, 1] >= 0)
            & (mapped[:, 1] <= height - 1)
        )
        if np.count_nonzero(inside) < _LEAST_POINTS:
            return None
        sampled = _sampled(source, mapped)
        difference = _without_tone(sampled, values, inside)
        spread = max(0.5, 1.5 * float(np.median(np.abs(difference[inside]))))
        weights = np.where(inside, 1 / (1 + (difference / spread) ** 2) ** 2, 0)
        weighted = steepest * weights[:, None]
        try:
            step = np.linalg.solve(
                weighted.T @ steepest + 1e-6 * np.eye(steepest.shape[1]), weighted.T @ difference
            )
        except np.linalg.LinAlgError:
            return None
        warp = np.eye(3)
        warp[:2] += step[:6].reshape(2, 3)
        if projective:
            warp[2, :2] += step[6:]
        moved = float(np.abs(step[:6]).max()) * half
        if not np.isfinite(moved) or moved > half / 4:
            return None
        current = current @ geometry.inverse(warp)
        if moved < _STILL:
            break
    found = current @ to_unit
    return np.asarray(found / found[2, 2])


def _points(gradient: Plane) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of places with a clear gradient, spread over the whole picture."""
    gradient[:1] = gradient[-1:] = 0
    gradient[:, :1] = gradient[:, -1:] = 0
    rows, columns = np.nonzero(gradient >= _LEAST_GRADIENT)
    step = -(-len(rows) // _MOST_POINTS)
    if step > 1:
        # A stride that shares no factor with usual widths, so that no columns are favoured.
        chosen = np.arange(0, len(rows), step)
        rows, columns = rows[chosen], columns[chosen]
    return rows, columns


def _sampled(source: Plane, places: NDArray[np.float64]) -> NDArray[np.float64]:
    maps = places.astype(np.float32)
    # cv2.remap takes no more than 32,767 rows or columns.
    width = 256
    rows = -(-len(maps) // width)
    padded = np.zeros((rows * width, 2), np.float32)
    padded[: len(maps)] = maps
    grid = padded.reshape(rows, width, 2)
    values = cv2.remap(source, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR)
    return np.asarray(values.reshape(-1)[: len(maps)], np.float64)


def _without_tone(
    sampled: NDArray[np.float64], values: NDArray[np.float64], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """What ``sampled`` exceeds ``values`` by after the best linear change of tone."""
    weights = inside.astype(np.float64)
    gain, offset = 1.0, 0.0
    for _ in range(2):
        total = weights.sum()
        mean_s, mean_v = (weights @ sampled) / total, (weights @ values) / total
        spread = weights @ (sampled - mean_s) ** 2
        if spread > 1e-9:
            gain = float(weights @ ((sampled - mean_s) * (values - mean_v)) / spread)
        if abs(gain) < 0.2:
            gain = 1.0
        offset = float(mean_v - gain * mean_s)
        left = gain * sampled + offset - values
        scale = max(0.5, 1.5 * float(np.median(np.abs(left[inside]))))
        weights = inside / (1 + (left / scale) ** 2)
    return np.asarray(gain * sampled + offset - values)


def _cost(target: Plane, source: Plane, matrix: Matrix) -> float:
    """The mean difference of both where the target has edges, each pixel's bounded."""
    smooth, _ = _shrunk(target, 1)
    across = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3)) / 8
    down = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3)) / 8
    rows, columns = _points(np.hypot(across, down))
    if not len(rows):
        return 0.0
    mapped = geometry.apply(geometry.inverse(matrix), np.stack([columns, rows], axis=1))
    height, width = source.shape
    inside = (
        (mapped[:, 0] >= 0)
        & (mapped[:, 0] <= width - 1)
        & (mapped[:, 1] >= 0)
        & (mapped[:, 1] <= height - 1)
    )
    if not inside.any():
        return 255.0
    sampled = _sampled(_shrunk(source, 1)[0], mapped)
    left = np.abs(_without_tone(sampled, smooth[rows, columns].astype(np.float64), inside))
    return float(np.minimum(left[inside], 32).mean())


def _exact(matrix: Matrix, source: tuple[int, ...], target: tuple[int, ...]) -> Iterator[Matrix]:
    """Alignments without any resampling, or to the whole frame, that lie near ``matrix``."""
    (a, b, _), (d, e, _), _ = matrix.tolist()
    turn = np.array([[a, b], [d, e]]) / geometry.scale_of(matrix)
    near = np.rint(turn)
    if np.abs(turn - near).max() > 0.05 or abs(round(float(np.linalg.det(near)))) != 1:
        return
    # The whole frame, turned or mirrored.
    (h, w), (new_h, new_w) = source, target
    unit_source = np.array([[1 / w, 0, 0.5 / w - 0.5], [0, 1 / h, 0.5 / h - 0.5], [0, 0, 1.0]])
    unit_target = np.array([[new_w, 0, new_w / 2 - 0.5], [0, new_h, new_h / 2 - 0.5], [0, 0, 1.0]])
    oriented = np.eye(3)
    oriented[:2, :2] = near
    whole = unit_target @ oriented @ unit_source
    if geometry.is_close(whole, matrix, source, _NEAR_EXACT):
        yield whole
    # A part cut out without resampling.
    cut = np.eye(3)
    cut[:2, :2] = near
    middle = np.array([[(w - 1) / 2, (h - 1) / 2]])
    shift = geometry.apply(matrix, middle)[0] - geometry.apply(cut, middle)[0]
    cut[:2, 2] = np.rint(shift)
    if geometry.is_close(cut, matrix, source, _NEAR_EXACT):
        yield cut
