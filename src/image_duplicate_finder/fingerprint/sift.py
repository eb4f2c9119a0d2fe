"""SIFT keypoints (Lowe, "Distinctive image features from scale-invariant keypoints", 2004).

OpenCV's detector describes every keypoint that it finds, and building its pyramid a second time
would cost as much again; here only those that are kept are described, from a patch of 20 x 20
samples each. Nine of ten descriptors differ by at most 12 of 128 bits from OpenCV's, and a
picture costs a third of the time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

LAYERS = 3
_SIGMA = 1.6
# The blur that a camera and scaling leave, in pixels of the picture before it is doubled.
_SIGMA_BEFORE = 0.5
_CONTRAST, _EDGE = 0.02 * 255 / LAYERS, 10.0
_LEVELS = LAYERS + 3
_SMALLEST_OCTAVE = 12
_MOST_OCTAVES = 7
_MOST_EXTREMA = 4096
# Where a Gaussian is cut off, in sigmas.
_REACH = 3.5

Choose = Callable[[NDArray[np.float32], int, int], NDArray[np.intp]]
"""Which extrema to keep, the best first: indices from a table (n, 3) of x, y and strength in a
frame of the given width and height."""

_local = threading.local()


def detect(
    small: NDArray[np.uint8], choose: Choose, limit: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Keypoints of a grey picture (H, W) uint8 and their descriptors: (n, 4), (n, 128) uint8.

    At most ``limit`` keypoints, in the order of ``choose``; each is x, y and scale in pixels of
    ``small`` (pixel centres at whole numbers) and the angle in radians from +x towards +y. The
    descriptor's layout is OpenCV's: row, column, direction.
    """
    from image_duplicate_finder.fingerprint import sift_kernels

    height, width = 2 * small.shape[0], 2 * small.shape[1]
    greys, starts, shapes, found = _scale_space(small)
    octaves = np.exp2(found[:, 4])
    places = np.stack([found[:, 0] * octaves, found[:, 1] * octaves, found[:, 3]], axis=1)
    chosen = found[choose(places.astype(np.float32), width, height)]
    table, descriptors = np.empty((limit, 4)), np.empty((limit, 128), np.uint8)
    count = sift_kernels.describe(
        greys, starts, shapes, chosen, _SIGMA, LAYERS, *_sampling(), table, descriptors
    )
    keypoints = table[:count]
    # From the doubled frame back.
    keypoints[:, :2] = (keypoints[:, :2] + 0.5) / 2 - 0.5
    keypoints[:, 2] /= 2
    return keypoints.astype(np.float32), descriptors[:count]


def _scale_space(
    small: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Gaussian levels of all octaves (flat, starts, shapes) and the extrema of their steps."""
    from image_duplicate_finder.fingerprint import sift_kernels

    shapes = _octave_shapes(2 * small.shape[0], 2 * small.shape[1])
    sizes = np.array([_LEVELS * height * width for height, width in shapes], np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    greys, steps = _scratch(int(sizes.sum()), int(sizes[0]))
    found = np.empty((_MOST_EXTREMA, 5))
    count = 0
    doubled = cv2.resize(small.astype(np.float32), shapes[0][::-1], interpolation=cv2.INTER_LINEAR)
    base = _blurred(
        np.asarray(doubled, np.float32), math.sqrt(_SIGMA**2 - (2 * _SIGMA_BEFORE) ** 2)
    )
    for octave, (start, shape) in enumerate(zip(starts, shapes, strict=True)):
        levels = greys[start : start + sizes[octave]].reshape(_LEVELS, *shape)
        levels[0] = base
        for level in range(1, _LEVELS):
            _blurred(levels[level - 1], _SIGMAS[level], levels[level])
        differences = steps[: (_LEVELS - 1) * shape[0] * shape[1]].reshape(_LEVELS - 1, *shape)
        np.subtract(levels[1:], levels[:-1], out=differences)
        count = sift_kernels.extrema(differences, _CONTRAST, _EDGE, octave, found, count)
        base = levels[LAYERS, ::2, ::2]
    return greys, starts, np.array(shapes, np.int64), found[:count]


# What takes one level to the next: together they double the blur in LAYERS steps.
_STEP = 2 ** (1 / LAYERS)
_SIGMAS = [0.0] + [
    _SIGMA * _STEP ** (level - 1) * math.sqrt(_STEP**2 - 1) for level in range(1, _LEVELS)
]


def _blurred(
    grey: NDArray[np.float32], sigma: float, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    size = 2 * math.ceil(_REACH * sigma) + 1
    blurred = cv2.GaussianBlur(grey, (size, size), sigma, out, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float32)


def _octave_shapes(height: int, width: int) -> list[tuple[int, int]]:
    shapes = [(height, width)]
    while len(shapes) < _MOST_OCTAVES:
        height, width = (height + 1) // 2, (width + 1) // 2
        if min(height, width) < _SMALLEST_OCTAVE:
            break
        shapes.append((height, width))
    return shapes


def _scratch(levels: int, steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """This thread's memory for a pyramid: to get it anew for each picture takes its time too."""
    held = getattr(_local, "scratch", None)
    if held is None or len(held[0]) < levels or len(held[1]) < steps:
        held = np.empty(levels, np.float32), np.empty(steps, np.float32)
        _local.scratch = held
    return held


def _sampling() -> tuple[NDArray[np.uintp], NDArray[np.float32], NDArray[np.float32]]:
    """For each row (or column) of a descriptor's samples the cell before it in the ringed grid
    and the weight of the next one, and the window that fades samples out.
    """
    from image_duplicate_finder.fingerprint.sift_kernels import CELLS, SAMPLES

    if not hasattr(_local, "sampling"):
        places = (np.arange(SAMPLES) - (SAMPLES - 1) / 2) * (CELLS + 1) / SAMPLES
        cells = places + (CELLS - 1) / 2 + 1
        before = np.floor(cells)
        window = np.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * (CELLS / 2) ** 2))
        _local.sampling = (
            before.astype(np.uintp),
            (cells - before).astype(np.float32),
            window.astype(np.float32),
        )
    sampling: tuple[NDArray[np.uintp], NDArray[np.float32], NDArray[np.float32]] = _local.sampling
    return sampling
