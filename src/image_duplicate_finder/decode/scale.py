"""How far a picture is reduced while or right after decoding."""

from __future__ import annotations

import cv2
import numpy as np

from image_duplicate_finder.decode.picture import Pixels


def reduction(width: int, height: int, side: int) -> int:
    """The largest power of two by which the long side can be divided and still reach ``side``.

    Powers of two are what JPEG decoders offer (ITU-T T.81 blocks of 8 x 8); other formats use
    the same ones, so that a picture's fingerprint hardly depends on its format.
    """
    longest, factor = max(width, height), 1
    while -(-longest // (factor * 2)) >= side and min(width, height) >= factor * 2:
        factor *= 2
    return factor


def shrink(pixels: Pixels, factor: int) -> Pixels:
    """Average blocks of ``factor`` x ``factor`` pixels; sizes are rounded up."""
    if factor == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (-(-width // factor), -(-height // factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), pixels.dtype)
