"""A 256-bit perceptual hash of a picture in its 8 orientations, after PDQ.

Method: Facebook's PDQ (Davis and Rosen, "TMK+PDQF", 2019): the picture is averaged down to
64 x 64, the 16 x 16 lowest non-constant DCT coefficients are kept, and each becomes one bit:
above the median or not. Mirroring changes only the signs of odd coefficients and a turn by 90
degrees transposes them, so all 8 orientations cost one transform. The averaging is one
filter instead of PDQ's two box passes, so hashes are close to PDQ's but not equal to them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint.appearance import squeezed

SIDE = 64
BITS = 256
_FREQUENCIES = 16

_rows = np.arange(1, _FREQUENCIES + 1)[:, None]
_columns = np.arange(SIDE)[None, :]
_DCT = (np.sqrt(2 / SIDE) * np.cos(np.pi / (2 * SIDE) * _rows * (2 * _columns + 1))).astype(
    np.float32
)
_ALTERNATING = np.where(np.arange(1, _FREQUENCIES + 1) % 2, -1.0, 1.0).astype(np.float32)
_FLIP_X = np.broadcast_to(_ALTERNATING[None, :], (_FREQUENCIES, _FREQUENCIES))
_FLIP_Y = np.broadcast_to(_ALTERNATING[:, None], (_FREQUENCIES, _FREQUENCIES))
_ONES = np.ones((_FREQUENCIES, _FREQUENCIES), np.float32)
# Index k is EXIF orientation k + 1: (transposed, signs after that).
_ORIENTATIONS = (
    (False, _ONES),
    (False, _FLIP_X),
    (False, _FLIP_X * _FLIP_Y),
    (False, _FLIP_Y),
    (True, _ONES),
    (True, _FLIP_X),
    (True, _FLIP_X * _FLIP_Y),
    (True, _FLIP_Y),
)
_SIGNS = np.stack([signs for _, signs in _ORIENTATIONS])
_TRANSPOSED = np.array([transposed for transposed, _ in _ORIENTATIONS])


def _shrink(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average a grey picture (H, W) down to 64 x 64, as float32 in 0 to 255."""
    height, width = grey.shape
    if height >= SIDE and width >= SIDE:
        return squeezed(grey, SIDE, SIDE).astype(np.float32)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, dtype=np.float32)


def perceptual_hashes(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hash a grey picture (H, W) uint8 in its 8 orientations: (8, 32) uint8, 256 bits each.

    Row ``k`` is the hash of the picture after the transform that EXIF orientation ``k + 1``
    prescribes: 0 as it is, 1 mirrored left to right, 2 turned by 180 degrees, 3 mirrored top to
    bottom, 4 transposed, 5 turned by 90 degrees clockwise, 6 transposed along the other
    diagonal, 7 turned by 90 degrees counter-clockwise.
    """
    return _hashes(_shrink(grey))


def _hashes(small: NDArray[np.float32]) -> NDArray[np.uint8]:
    coefficients = _DCT @ small @ _DCT.T
    oriented = np.where(_TRANSPOSED[:, None, None], coefficients.T[None], coefficients[None])
    flat = (oriented * _SIGNS).reshape(8, BITS)
    # The median of each orientation is its own: signs that flip change it.
    medians = np.partition(flat, BITS // 2, axis=1)[:, BITS // 2]
    return np.packbits(flat >= medians[:, None], axis=1)


def structure(grey: NDArray[np.uint8]) -> int:
    """How much a hash of this picture (H, W) uint8 can be trusted: 0 (flat) to 100 (rich).

    PDQ's quality measure: the sum of absolute steps between neighbours of the 64 x 64 picture.
    Below :data:`MIN_STRUCTURE` two unlike pictures can share a hash by accident.
    """
    return _structure(_shrink(grey))


def _structure(small: NDArray[np.float32]) -> int:
    steps_x = np.abs(np.diff(small, axis=1)) * (100 / 255)
    steps_y = np.abs(np.diff(small, axis=0)) * (100 / 255)
    total = float(np.floor(steps_x).sum() + np.floor(steps_y).sum())
    return min(100, int(total / 90))


MIN_STRUCTURE = 8


def encode(grey: NDArray[np.uint8]) -> bytes:
    """The fingerprint to store: 256 bytes of hashes and one byte of structure."""
    small = _shrink(grey)
    return _hashes(small).tobytes() + bytes([_structure(small)])


def decode(data: bytes) -> tuple[NDArray[np.uint8], int]:
    """Hashes (8, 32) uint8 and structure from what :func:`encode` wrote."""
    return np.frombuffer(data, np.uint8, 256).reshape(8, 32), data[256]
