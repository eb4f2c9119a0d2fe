"""Smaller pictures for fingerprints, in a fraction of the time of averaging over areas."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def squeezed(image: Image, width: int, height: int) -> Image:
    """``image`` (H, W) or (H, W, 3) uint8 at just this size, its shape not kept.

    Nearly what averaging over areas gives, in a fifth of its time: sides are halved while that
    leaves enough, then sampled at twice the size, then averaged two by two.
    """
    rows, columns = image.shape[:2]
    while rows >= 4 * height or columns >= 4 * width:
        down, across = 1 + (rows >= 4 * height), 1 + (columns >= 4 * width)
        rows, columns = rows // down, columns // across
        even = image[: down * rows, : across * columns]
        image = _resized(even, columns, rows, cv2.INTER_AREA)
    twice = _resized(image, 2 * width, 2 * height, cv2.INTER_LINEAR)
    return _resized(twice, width, height, cv2.INTER_AREA)


def fitted(grey: Image, side: int) -> Image:
    """A picture (H, W) with its longer side scaled to ``side`` pixels, its shape kept."""
    height, width = grey.shape
    factor = side / max(height, width)
    if factor == 1:
        return grey
    size = max(1, round(width * factor)), max(1, round(height * factor))
    if factor > 1:
        return _resized(grey, *size, cv2.INTER_LINEAR)
    return squeezed(grey, *size)


def _resized(image: Image, width: int, height: int, method: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
