"""Compiled loops of fingerprints, and the counting of bits that other compiled loops share.

Importing it loads numba: only compiled modules do so at their top. Inner loops use unsigned
indices: with signed ones numba allows for negative indices, and the loops do not become vector
instructions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.core.caching import FunctionCache
from numba.core.runtime.nrt import rtsys
from numba.extending import intrinsic

# mypy: disable-error-code="no-untyped-def,untyped-decorator,call-arg,misc,unreachable"


class _Kept(FunctionCache):
    """What numba keeps of one loop, read without what only compiling needs.

    Before it loads a loop, numba registers everything that it could compile, which takes longer
    than to load all loops of this program. Where it does compile, it registers that anyway.
    """

    def load_overload(self, sig, target_context):
        """As of the base class."""
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)  # type: ignore[no-untyped-call]


def compiled_loop(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """numba's ``njit``, with loops that are kept, load fast and let other threads run."""

    def decorate(function: Callable[..., Any]) -> Any:
        # What C could call is not needed, and would be a twentieth of the compiling.
        options["no_cfunc_wrapper"] = True
        loop = njit(cache=True, nogil=True, **options)(function)
        # There is no such cache where numba is told to compile nothing.
        if type(cache := getattr(loop, "_cache", None)) is FunctionCache:
            cache.__class__ = _Kept
            # Numba asks every installed package for extensions; it does before it compiles, too.
            loop._compilation_chain_init_hook = lambda: None
        return loop

    return decorate


@intrinsic
def popcount(typingctx: Any, x: Any) -> Any:  # noqa: ARG001
    """How many bits of a uint64 are set: one instruction of the processor."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


CELLS, DIRECTIONS = 4, 8
SAMPLES = 20
"""A descriptor is made of 20 x 20 samples, four to a cell and half a cell around them."""

_BORDER = 5
_STEPS = 5
_BINS = 36
_TURN = np.float32(2 * np.pi)
_ONE, _TWO = np.uintp(1), np.uintp(2)
# The descriptor's grid with a ring of cells around it, which takes what falls outside.
_RINGED = np.uintp(CELLS + 2)
_NEXT_COLUMN, _NEXT_ROW = np.uintp(DIRECTIONS), np.uintp(DIRECTIONS * (CELLS + 2))


@compiled_loop(fastmath=True)
def _mark_row(row, above, below, finer, coarser, least, marks):
    """Mark the places of a row that are not less than their six nearest neighbours, or not more.

    ``least`` is the smallest absolute value that counts.
    """
    for x in range(_ONE, np.uintp(len(row) - 1)):
        value = row[x]
        most = max(
            max(max(row[x - _ONE], row[x + _ONE]), max(above[x], below[x])),
            max(max(finer[x], coarser[x]), least),
        )
        fewest = min(
            min(min(row[x - _ONE], row[x + _ONE]), min(above[x], below[x])),
            min(min(finer[x], coarser[x]), -least),
        )
        marks[x] = np.uint8((value >= most) | (value <= fewest))


@compiled_loop()
def _is_extremum(levels, level, y, x):
    """Whether no one of the 26 neighbours in place and size lies beyond the value there."""
    value = levels[level, y, x]
    sign = 1 if value > 0 else -1
    for other_level in range(level - 1, level + 2):
        for other_y in range(y - 1, y + 2):
            for other_x in range(x - 1, x + 2):
                if sign * levels[other_level, other_y, other_x] > sign * value:
                    return False
    return True


@compiled_loop(error_model="numpy")
def _refine(levels, level, y, x, contrast, edge, out):
    """Fit a parabola to an extremum; False if it is none, too weak, or lies on an edge.

    Writes x, y, level and absolute value to ``out``.
    """
    count, height, width = levels.shape
    for _ in range(_STEPS):
        value = levels[level, y, x]
        gx = (levels[level, y, x + 1] - levels[level, y, x - 1]) * 0.5
        gy = (levels[level, y + 1, x] - levels[level, y - 1, x]) * 0.5
        gl = (levels[level + 1, y, x] - levels[level - 1, y, x]) * 0.5
        xx = levels[level, y, x + 1] + levels[level, y, x - 1] - 2 * value
        yy = levels[level, y + 1, x] + levels[level, y - 1, x] - 2 * value
        ll = levels[level + 1, y, x] + levels[level - 1, y, x] - 2 * value
        xy = (
            levels[level, y + 1, x + 1]
            - levels[level, y + 1, x - 1]
            - levels[level, y - 1, x + 1]
            + levels[level, y - 1, x - 1]
        ) * 0.25
        xl = (
            levels[level + 1, y, x + 1]
            - levels[level + 1, y, x - 1]
            - levels[level - 1, y, x + 1]
            + levels[level - 1, y, x - 1]
        ) * 0.25
        yl = (
            levels[level + 1, y + 1, x]
            - levels[level + 1, y - 1, x]
            - levels[level - 1, y + 1, x]
            + levels[level - 1, y - 1, x]
        ) * 0.25
        # The symmetric 3 x 3 system by Cramer's rule.
        c00, c01, c02 = yy * ll - yl * yl, xl * yl - xy * ll, xy * yl - xl * yy
        c11, c12, c22 = xx * ll - xl * xl, xl * xy - xx * yl, xx * yy - xy * xy
        determinant = xx * c00 + xy * c01 + xl * c02
        if abs(determinant) < 1e-12:
            return False
        dx = -(c00 * gx + c01 * gy + c02 * gl) / determinant
        dy = -(c01 * gx + c11 * gy + c12 * gl) / determinant
        dl = -(c02 * gx + c12 * gy + c22 * gl) / determinant
        if abs(dx) < 0.5 and abs(dy) < 0.5 and abs(dl) < 0.5:
            value += 0.5 * (gx * dx + gy * dy + gl * dl)
            trace, curvature = xx + yy, xx * yy - xy * xy
            if abs(value) < contrast or curvature <= 0:
                return False
            if trace * trace * edge >= (edge + 1) * (edge + 1) * curvature:
                return False
            out[0], out[1], out[2], out[3] = x + dx, y + dy, level + dl, abs(value)
            return True
        if max(abs(dx), abs(dy), abs(dl)) > max(width, height):
            return False
        x, y, level = x + int(np.rint(dx)), y + int(np.rint(dy)), level + int(np.rint(dl))
        if not (
            1 <= level < count - 1
            and _BORDER <= x < width - _BORDER
            and _BORDER <= y < height - _BORDER
        ):
            return False
    return False


@compiled_loop()
def extrema(levels, contrast, edge, octave, found, count):
    """Extrema of the differences of Gaussians ``levels`` (n, h, w) float32 in place and size.

    Appends rows (x, y, level, absolute value, ``octave``) to ``found`` (m, 5), of which
    ``count`` are taken, and returns how many are taken then. ``contrast``: the least value.
    ``edge``: the largest ratio of principal curvatures.
    """
    number, height, width = levels.shape
    least = np.float32(0.8 * contrast)
    marks = np.zeros(width, np.uint8)
    for level in range(1, number - 1):
        for y in range(_BORDER, height - _BORDER):
            _mark_row(
                levels[level, y],
                levels[level, y - 1],
                levels[level, y + 1],
                levels[level - 1, y],
                levels[level + 1, y],
                least,
                marks,
            )
            for x in range(_BORDER, width - _BORDER):
                if marks[x] == 0 or not _is_extremum(levels, level, y, x):
                    continue
                if count < len(found) and _refine(
                    levels, level, y, x, contrast, edge, found[count]
                ):
                    found[count, 4] = octave
                    count += 1
    return count


@compiled_loop(fastmath=True)
def _direction(y, x):
    """atan2 to within 0.0003 radians, without branches (Abramowitz and Stegun 4.4.49)."""
    wide, high = abs(x), abs(y)
    ratio = min(wide, high) / (max(wide, high) + np.float32(1e-12))
    square = ratio * ratio
    angle = (
        (np.float32(-0.0464964749) * square + np.float32(0.15931422)) * square
        - np.float32(0.327622764)
    ) * square * ratio + ratio
    angle = np.float32(np.pi / 2) - angle if high > wide else angle
    angle = np.float32(np.pi) - angle if x < 0 else angle
    return -angle if y < 0 else angle


@compiled_loop(fastmath=True, error_model="numpy")
def _orientations(grey, x, y, scale, histogram, peaks):
    """The directions, in radians, that gradients around (x, y) favour; returns how many."""
    height, width = grey.shape
    radius = int(np.rint(4.5 * scale))
    # Around coarse keypoints the picture is so smooth that every second pixel is enough.
    step = 1 if radius <= 9 else 2
    falloff = np.float32(-1 / (2 * (1.5 * scale) ** 2))
    histogram[:] = 0
    centre_x, centre_y = int(np.rint(x)), int(np.rint(y))
    for dy in range(-radius, radius + 1, step):
        if not 0 < centre_y + dy < height - 1:
            continue
        at_y = np.uintp(centre_y + dy)
        for dx in range(-radius, radius + 1, step):
            if not 0 < centre_x + dx < width - 1:
                continue
            at_x = np.uintp(centre_x + dx)
            gx = grey[at_y, at_x + _ONE] - grey[at_y, at_x - _ONE]
            gy = grey[at_y + _ONE, at_x] - grey[at_y - _ONE, at_x]
            weight = math.exp(np.float32(dx * dx + dy * dy) * falloff)
            place = int(np.rint(_direction(gy, gx) * (_BINS / _TURN)))
            histogram[place + _BINS if place < 0 else place] += weight * np.sqrt(gx * gx + gy * gy)
    # atan2 gives both ends of the circle.
    histogram[0] += histogram[_BINS]
    smooth = peaks[_BINS:]
    highest = np.float32(0)
    for k in range(_BINS):
        smooth[k] = (
            6 * histogram[k]
            + 4 * (histogram[(k + 1) % _BINS] + histogram[k - 1 if k else _BINS - 1])
            + histogram[(k + 2) % _BINS]
            + histogram[(k + _BINS - 2) % _BINS]
        ) / 16
        highest = max(highest, smooth[k])
    count = 0
    for k in range(_BINS):
        before, value, after = smooth[k - 1 if k else _BINS - 1], smooth[k], smooth[(k + 1) % _BINS]
        if value > before and value > after and value >= 0.8 * highest:
            bend = before - 2 * value + after
            peaks[count] = (k + 0.5 * (before - after) / bend) * (_TURN / _BINS)
            count += 1
    return count


@compiled_loop(fastmath=True, error_model="numpy")
def _descriptor(grey, x, y, scale, angle, sampling, scratch, out):
    """The 128 values of one keypoint, 0 to 255, from a patch that is turned and scaled with it."""
    cells, weights, window = sampling
    patch, sizes, directions, sums = scratch
    height, width = grey.shape
    spacing = scale * np.float32(3 * (CELLS + 1) / SAMPLES)
    cosine = np.float32(math.cos(angle)) * spacing
    sine = np.float32(math.sin(angle)) * spacing
    middle = np.float32((SAMPLES + 1) / 2)
    right, bottom = np.float32(width - 1.001), np.float32(height - 1.001)
    for row in range(np.uintp(SAMPLES + 2)):
        v = np.float32(row) - middle
        for column in range(np.uintp(SAMPLES + 2)):
            u = np.float32(column) - middle
            at_x = min(max(x + u * cosine - v * sine, np.float32(0)), right)
            at_y = min(max(y + u * sine + v * cosine, np.float32(0)), bottom)
            left, top = np.uintp(at_x), np.uintp(at_y)
            across, down = at_x - np.float32(left), at_y - np.float32(top)
            upper = grey[top, left] + (grey[top, left + _ONE] - grey[top, left]) * across
            lower = (
                grey[top + _ONE, left]
                + (grey[top + _ONE, left + _ONE] - grey[top + _ONE, left]) * across
            )
            patch[row, column] = upper + (lower - upper) * down
    for row in range(np.uintp(SAMPLES)):
        for column in range(np.uintp(SAMPLES)):
            gx = patch[row + _ONE, column + _TWO] - patch[row + _ONE, column]
            gy = patch[row + _TWO, column + _ONE] - patch[row, column + _ONE]
            sizes[row, column] = np.sqrt(gx * gx + gy * gy) * window[row, column]
            # SIFT counts directions from +x towards -y, as codes and their vocabulary do.
            direction = _direction(-gy, gx) * (DIRECTIONS / _TURN)
            direction = direction + np.float32(DIRECTIONS) if direction < 0 else direction
            directions[row, column] = direction
    sums[:] = 0
    last = np.uintp(DIRECTIONS - 1)
    for row in range(np.uintp(SAMPLES)):
        for column in range(np.uintp(SAMPLES)):
            size, direction = sizes[row, column], directions[row, column]
            first = np.uintp(direction)
            part = direction - np.float32(first)
            first &= last
            second = (first + _ONE) & last
            lower_row = size * weights[row]
            upper_row = size - lower_row
            at = (cells[row] * _RINGED + cells[column]) * _NEXT_COLUMN
            for share, start in (
                (upper_row, at),
                (lower_row, at + _NEXT_ROW),
            ):
                far = share * weights[column]
                near = share - far
                turned = near * part
                sums[start + first] += near - turned
                sums[start + second] += turned
                turned = far * part
                sums[start + _NEXT_COLUMN + first] += far - turned
                sums[start + _NEXT_COLUMN + second] += turned
    _normalise(sums.reshape(CELLS + 2, CELLS + 2, DIRECTIONS), out)


@compiled_loop(fastmath=True)
def _normalise(sums, out):
    """Unit length, no value above a fifth of it, unit length again; in steps of 1/512."""
    inner = sums[1 : CELLS + 1, 1 : CELLS + 1]
    total = np.float32(0)
    for row in range(CELLS):
        for column in range(CELLS):
            for direction in range(DIRECTIONS):
                total += inner[row, column, direction] ** 2
    most = np.float32(0.2) * np.sqrt(total)
    total = np.float32(0)
    for row in range(CELLS):
        for column in range(CELLS):
            for direction in range(DIRECTIONS):
                value = min(inner[row, column, direction], most)
                inner[row, column, direction] = value
                total += value * value
    factor = np.float32(512) / max(np.sqrt(total), np.float32(1e-7))
    k = 0
    for row in range(CELLS):
        for column in range(CELLS):
            for direction in range(DIRECTIONS):
                out[k] = np.uint8(min(np.rint(inner[row, column, direction] * factor), 255))
                k += 1


@compiled_loop()
def describe(pyramid, chosen, sampling, table, out):
    """Directions and descriptors of chosen extrema, the first ones first, until ``out`` is full.

    ``pyramid`` and ``sampling``: see the types of these names in ``keypoints``. ``chosen``: rows of
    :func:`extrema`. Fills ``table`` (n, 4) with x, y, scale in pixels of the octave's finest
    frame and angle, and ``out`` (n, 128); returns how many.
    """
    histogram, peaks = np.empty(_BINS + 1, np.float32), np.empty(2 * _BINS, np.float32)
    scratch = (
        np.empty((SAMPLES + 2, SAMPLES + 2), np.float32),
        np.empty((SAMPLES, SAMPLES), np.float32),
        np.empty((SAMPLES, SAMPLES), np.float32),
        np.empty((CELLS + 2) * (CELLS + 2) * DIRECTIONS, np.float32),
    )
    count = 0
    for k in range(len(chosen)):
        octave = int(chosen[k, 4])
        height, width = pyramid.shapes[octave, 0], pyramid.shapes[octave, 1]
        start = pyramid.starts[octave] + int(np.rint(chosen[k, 2])) * height * width
        level = pyramid.levels[start : start + height * width].reshape(height, width)
        x, y = np.float32(chosen[k, 0]), np.float32(chosen[k, 1])
        scale = np.float32(pyramid.sigma * 2 ** (chosen[k, 2] / pyramid.layers))
        for peak in range(_orientations(level, x, y, scale, histogram, peaks)):
            if count == len(out):
                return count
            _descriptor(level, x, y, scale, peaks[peak], sampling, scratch, out[count])
            factor = 2.0**octave
            table[count, 0], table[count, 1] = x * factor, y * factor
            table[count, 2], table[count, 3] = scale * factor, peaks[peak]
            count += 1
    return count
