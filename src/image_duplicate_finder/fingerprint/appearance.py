"""The small grey picture and the colours that verification compares, and how pictures shrink.

The proof is 192 pixels on its longer side, as JPEG of about 3 KB: enough to tell a copy from
another shot of the scene, so that no file is read twice. Hashes, keypoints and the proof are grey:
without the colours a desaturated or tinted copy would pass for a new encoding of its original.
"""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

PROOF_SIDE = 192
_PROOF_QUALITY = 45


def encode_proof(grey: NDArray[np.uint8]) -> bytes:
    """The proof of a grey picture (H, W) uint8; smaller pictures keep their size."""
    small = fitted(grey, min(PROOF_SIDE, max(grey.shape)))
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _PROOF_QUALITY])
    return data.tobytes()


def decode_proof(data: bytes) -> NDArray[np.uint8]:
    """The grey picture (h, w) uint8 that :func:`encode_proof` kept.

    Raises ``ValueError`` if ``data`` is damaged.
    """
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise ValueError("A stored proof picture is damaged.")
    return np.asarray(grey, np.uint8)


_COLOUR_FORMAT = struct.Struct("<fff")
_COLOUR_SIDE = 64
# Of pictures in the same frame, and of parts of one picture, whose colours differ by nature.
_WHOLE = (0.15, 2.0, 4.0)
_PART = (0.4, 5.0, 12.0)


def encode_colour(pixels: NDArray[np.uint8]) -> bytes:
    """Three floats of an RGB picture (H, W, 3) uint8: chroma, and the means of Cr and Cb.

    All on the scale of 0 to 255 of ITU-R BT.601; chroma is the root mean square distance from
    grey.
    """
    small = squeezed(pixels, _COLOUR_SIDE, _COLOUR_SIDE)
    plane = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb)[:, :, 1:].astype(np.float32) - 128
    chroma = float(np.sqrt((plane**2).sum(axis=2).mean()))
    red, blue = plane.mean(axis=(0, 1))
    return _COLOUR_FORMAT.pack(chroma, float(red), float(blue))


def recoloured(one: bytes, other: bytes, *, same_frame: bool) -> bool:
    """Whether what :func:`encode_colour` wrote of two copies says that one was recoloured.

    ``same_frame`` is False where one of them is a crop of the other.
    """
    fraction, floor, lean = _WHOLE if same_frame else _PART
    chroma_one, *means_one = _COLOUR_FORMAT.unpack(one)
    chroma_other, *means_other = _COLOUR_FORMAT.unpack(other)
    if abs(chroma_one - chroma_other) > fraction * max(chroma_one, chroma_other) + floor:
        return True
    return bool(np.hypot(*np.subtract(means_one, means_other)) > lean)


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


def fitted(grey: Image, long_side: int) -> Image:
    """A picture (H, W) with its long side scaled to ``long_side`` pixels, its shape kept."""
    height, width = grey.shape
    factor = long_side / max(height, width)
    if factor == 1:
        return grey
    size = max(1, round(width * factor)), max(1, round(height * factor))
    if factor > 1:
        return _resized(grey, *size, cv2.INTER_LINEAR)
    return squeezed(grey, *size)


def _resized(image: Image, width: int, height: int, method: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
