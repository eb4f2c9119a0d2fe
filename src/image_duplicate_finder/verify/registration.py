"""Makes an alignment of two pictures finer: dense Gauss-Newton on the pixels themselves.

The alignments of verification are good to some pixels of a full-size picture. To compare what
single places show, they must be good to a fraction of one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix

# Coarse to fine, before full size: by how much both pictures are shrunk.
_COARSE_LEVELS = (4, 2)
_SMALLEST = 48
_ROUNDS = 8
_STILL = 0.01
_MOST_POINTS = 8_000
_LEAST_POINTS = 40
_LEAST_GRADIENT = 1.0
_SMOOTH = 1.0
# An exact grid (the same frame, a turn by quarters, a whole shift) is taken instead of a measured
# alignment that lies so near to it, if it fits as well.
_NEAR_EXACT = 1.5
# How rough an alignment of verification may be, by the longer side; and what a fit from an exact
# grid may move, in pixels, if that grid is right.
_ROUGHLY, _SETTLED = 0.01, 0.25
_AS_GOOD, _AS_GOOD_BY = 1.05, 0.02
_MOST = 32
# What differs, as a share of the frame, where it is worth asking whether it moved; and in how many
# parts of what size, in pixels of half the size.
_LEAST_DISPLACED, _MOST_DISPLACED = 0.002, 0.4
_MOST_PARTS, _LEAST_PART, _PLAIN = 8, 12, 4.0
# How far things are looked for, as a share of the longer side; how well they must agree there, and
# how much better than where they were.
_REACH, _LEAST_REACH = 0.06, 12
_FOUND, _RATHER = 0.8, 0.1

Plane = NDArray[np.float32]


def refine(target: Plane, source: Plane, matrix: Matrix) -> Matrix:
    """The alignment of ``source`` to ``target`` (both (h, w), about equally fine) near ``matrix``.

    It is fitted where the target has edges, by an affine transform, or by a projective one
    where ``matrix`` is one. Places that do not fit weigh less, so that what differs does not
    bend it. ``matrix`` itself is returned where there is nothing to go by.
    """
    edges, smooth = _Edges.of(_smoothed(target)), _smoothed(source)
    if edges is None:
        return matrix
    projective = bool(np.abs(matrix[2, :2]).max() > 1e-7)
    if not projective and (exact := _exact_at_once(edges, smooth, matrix)) is not None:
        return exact
    back = geometry.inverse(matrix)
    for factor in _COARSE_LEVELS:
        if min(*target.shape, *source.shape) / factor < _SMALLEST:
            continue
        small_target, to_target = _shrunk(target, factor)
        small_source, to_source = _shrunk(source, factor)
        few_edges = _Edges.of(small_target)
        if few_edges is None:
            continue
        # From the target's frame to the source's, both at this level.
        start = to_source @ back @ geometry.inverse(to_target)
        found = _fitted(few_edges, small_source, start, projective)
        if found is not None:
            back = geometry.inverse(to_source) @ found @ to_target
    found = _fitted(edges, smooth, back, projective)
    better = geometry.inverse(back / back[2, 2] if found is None else found)
    best = _cost(edges, smooth, better)
    if _cost(edges, smooth, matrix) < best:
        return matrix
    for exact in _exact(better, smooth.shape, edges.shape, _NEAR_EXACT):
        if _fits_as_well(exact, best, edges, smooth):
            return exact
    return better


def _exact_at_once(edges: _Edges, source: Plane, matrix: Matrix) -> Matrix | None:
    """An exact grid near ``matrix`` that a fit does not leave: true of most copies."""
    for exact in _exact(matrix, source.shape, edges.shape, _ROUGHLY * max(edges.shape)):
        found = _fitted(edges, source, geometry.inverse(exact), projective=False)
        if found is None:
            continue
        better = geometry.inverse(found)
        if not geometry.is_close(better, exact, source.shape, _SETTLED):
            continue
        if _fits_as_well(exact, _cost(edges, source, better), edges, source):
            return exact
    return None


def _fits_as_well(exact: Matrix, best: float, edges: _Edges, source: Plane) -> bool:
    return _cost(edges, source, exact) <= _AS_GOOD * best + _AS_GOOD_BY


@dataclass(frozen=True, slots=True)
class _Edges:
    """Places of the target (h, w) with a clear gradient.

    ``found`` has rows of columns, rows, gradients across and down, and the target's values there.
    """

    shape: tuple[int, ...]
    found: Plane

    @classmethod
    def of(cls, target: Plane) -> _Edges | None:
        """Edges spread over the whole of ``target``; None if there are too few."""
        from image_duplicate_finder.verify import look_kernels

        found = np.empty((5, _MOST_POINTS), np.float32)
        among, taken = look_kernels.find_edges(target, _LEAST_GRADIENT, _MOST_POINTS, found)
        if among < _LEAST_POINTS:
            return None
        return cls(target.shape, np.ascontiguousarray(found[:, :taken]))


def _shrunk(plane: Plane, factor: int) -> tuple[Plane, Matrix]:
    height, width = plane.shape
    new = max(8, round(width / factor)), max(8, round(height / factor))
    small = np.asarray(cv2.resize(plane, new, interpolation=cv2.INTER_AREA), np.float32)
    return _smoothed(small), geometry.frame_change(width, height, *new)


def is_displaced(target: Plane, source: Plane, differing: NDArray[np.bool_]) -> bool:
    """Whether most of what differs between two aligned pictures (h, w) is in both, but elsewhere.

    An edit adds, removes or changes, and what it clones from another place hides something. The
    same things at other places in each of both are those that moved, or that stand nearer to the
    camera than the rest: these are two exposures.
    """
    if not _LEAST_DISPLACED <= np.count_nonzero(differing) / differing.size <= _MOST_DISPLACED:
        return False
    size = differing.shape[1] // 2, differing.shape[0] // 2
    one, other = (
        np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)
        for plane in (target, source)
    )
    marks = cv2.resize(differing.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    joined = cv2.dilate(marks, np.ones((5, 5), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    largest = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:_MOST_PARTS]
    seen, displaced = 0, 0
    for label in largest.tolist():
        x, y, wide, high, area = stats[label].tolist()
        box = slice(y, y + high), slice(x, x + wide)
        if min(wide, high) < _LEAST_PART or float(one[box].std()) < _PLAIN:
            continue
        seen += area
        shape = (labels[box] == label).astype(np.float32)
        if _is_elsewhere(one, other, box, shape) and _is_elsewhere(other, one, box, shape):
            displaced += area
    return 2 * displaced > seen


def _is_elsewhere(
    one: Plane, other: Plane, box: tuple[slice, slice], shape: NDArray[np.float32]
) -> bool:
    """Whether what ``one`` shows in a box is in ``other`` near there, rather than there."""
    rows, columns = box
    reach = max(_LEAST_REACH, round(_REACH * max(one.shape)))
    top, left = max(0, rows.start - reach), max(0, columns.start - reach)
    around = other[top : rows.stop + reach, left : columns.stop + reach]
    alike = cv2.matchTemplate(around, one[box], cv2.TM_CCOEFF_NORMED, mask=shape)
    alike[~np.isfinite(alike)] = 0  # where everything is of one level
    down, across = np.unravel_index(int(alike.argmax()), alike.shape)
    here = rows.start - top, columns.start - left
    best = float(alike[down, across])
    moved = (int(down), int(across)) != here
    return moved and best >= _FOUND and best - float(alike[here]) >= _RATHER


def _smoothed(plane: Plane) -> Plane:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), _SMOOTH), np.float32)


def _fitted(edges: _Edges, source: Plane, back: Matrix, projective: bool) -> Matrix | None:
    """Inverse compositional Gauss-Newton; ``back`` maps the target's frame to the source's."""
    from image_duplicate_finder.verify import look_kernels

    # About unit size, which keeps the equations well-conditioned.
    height, width = edges.shape[:2]
    half = max(height, width) / 2
    to_unit = np.array(
        [[1 / half, 0, -width / 2 / half], [0, 1 / half, -height / 2 / half], [0, 0, 1.0]]
    )
    count, terms = edges.found.shape[1], 8 if projective else 6
    places, steepest = np.empty((2, count)), np.empty((terms, count), np.float32)
    look_kernels.steepen(edges.found, width, height, *places, steepest)
    square, right = np.empty((terms, terms)), np.empty(terms)
    current = back @ geometry.inverse(to_unit)
    for _ in range(_ROUNDS):
        inside = look_kernels.equate(
            source, current, *places, edges.found[4], steepest, _LEAST_POINTS, square, right
        )
        if inside < _LEAST_POINTS:
            return None
        try:
            step = np.linalg.solve(square + 1e-6 * np.eye(len(square)), right)
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


def middle(values: NDArray[np.floating[Any]]) -> float:
    """The median of values without gaps, in a fraction of the time of ``np.median``.

    Their order is not kept.
    """
    half = len(values) // 2
    values.partition(half)
    if len(values) % 2:
        return float(values[half])
    return float((values[:half].max() + values[half]) / 2)


def _cost(edges: _Edges, source: Plane, matrix: Matrix) -> float:
    """The mean difference of both where the target has edges, each pixel's bounded."""
    from image_duplicate_finder.verify import look_kernels

    places, back = edges.found[:2].astype(np.float64), geometry.inverse(matrix)
    return float(look_kernels.mean_difference(source, back, *places, edges.found[4], _MOST))


def _exact(
    matrix: Matrix, source: tuple[int, ...], target: tuple[int, ...], near_by: float
) -> Iterator[Matrix]:
    """Alignments without any resampling, or to the whole frame, within ``near_by`` pixels."""
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
    if geometry.is_close(whole, matrix, source, near_by):
        yield whole
    # A part cut out without resampling.
    cut = np.eye(3)
    cut[:2, :2] = near
    middle = np.array([[(w - 1) / 2, (h - 1) / 2]])
    shift = geometry.apply(matrix, middle)[0] - geometry.apply(cut, middle)[0]
    cut[:2, 2] = np.rint(shift)
    if geometry.is_close(cut, matrix, source, near_by):
        yield cut
