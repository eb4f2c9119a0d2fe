"""EXIF orientation (tag 0x0112 of the EXIF standard, values 1 to 8) applied to arrays."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Sample = TypeVar("Sample", np.uint8, np.uint16, np.float32)


def swaps_sides(orientation: int) -> bool:
    """Whether the upright picture has the stored picture's width as its height."""
    return orientation >= 5


def upright(stored: NDArray[Sample], orientation: int) -> NDArray[Sample]:
    """The picture (H, W) or (H, W, C) as it is meant to be seen; values other than 2 to 8 mean 1.

    Gives a contiguous array; for orientation 1 the very array that came in.
    """
    match orientation:
        case 2:
            turned = cv2.flip(stored, 1)
        case 3:
            turned = cv2.rotate(stored, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(stored, 0)
        case 5:
            turned = cv2.transpose(stored)
        case 6:
            turned = cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.rotate(cv2.transpose(stored), cv2.ROTATE_180)
        case 8:
            turned = cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return stored
    return np.asarray(turned, dtype=stored.dtype)
