"""How colourful a picture is and which way its colours lean: tells a recoloured copy.

Hashes, keypoints and the proof picture are grey, so without this a desaturated or tinted copy
would pass for a new encoding of its original.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint import specs
from image_duplicate_finder.fingerprint.shrink import squeezed

NAME, VERSION = specs.COLOUR

_FORMAT = struct.Struct("<fff")
_SIDE = 64
# Of pictures in the same frame, and of parts of one picture, whose colours differ by nature.
_SAME_FRAME = (0.15, 2.0, 4.0)
_PART = (0.4, 5.0, 12.0)


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """Three floats of an RGB picture (H, W, 3) uint8: chroma, and the means of Cr and Cb.

    All on the scale of 0 to 255 of ITU-R BT.601; chroma is the root mean square distance from
    grey.
    """
    small = squeezed(pixels, _SIDE, _SIDE)
    plane = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)[:, :, 1:].astype(np.float32) - 128
    chroma = float(np.sqrt((plane**2).sum(axis=2).mean()))
    red, blue = plane.mean(axis=(0, 1))
    return _FORMAT.pack(chroma, float(red), float(blue))


def recoloured(one: bytes, other: bytes, *, same_frame: bool) -> bool:
    """Whether what :func:`encode` wrote of two copies says that one was recoloured.

    ``same_frame`` is False where one of them is a crop of the other.
    """
    share, floor, lean = _SAME_FRAME if same_frame else _PART
    chroma_one, *means_one = _FORMAT.unpack(one)
    chroma_other, *means_other = _FORMAT.unpack(other)
    if abs(chroma_one - chroma_other) > share * max(chroma_one, chroma_other) + floor:
        return True
    return bool(np.hypot(*np.subtract(means_one, means_other)) > lean)
