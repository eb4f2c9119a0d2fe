"""Bytes of an image file to bytes that every browser shows: pure functions.

Whatever the file claims to be, it is decoded and encoded again, so nothing of its bytes reaches
the browser: no script in an SVG or HTML file of the wrong name, no place where it was taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode import decode_full, decode_small
from image_duplicate_finder.overlay import fit
from image_duplicate_finder.settings import DecodeLimits

_THUMBNAIL_QUALITY = 84
_FULL_QUALITY = 95
_LOSSLESS_UP_TO_PIXELS = 4_000_000
_MAX_SIDE = 16_000
"""Canvases of current browsers end at 16,384 pixels a side."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Rendered:
    """An encoded picture and its content type, image/jpeg or image/png."""

    data: bytes
    mimetype: str


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """RGB uint8 (H, W, 3) as JPEG without chroma subsampling, so that edges stay comparable."""
    parameters = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return _encoded(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), parameters)


def render_thumbnail(data: bytes, long_side: int, limits: DecodeLimits) -> bytes:
    """A JPEG of the upright picture in sRGB, at most ``long_side`` pixels. Raises DecodeError."""
    pixels = decode_small(data, long_side=long_side, colour=True, limits=limits).pixels
    return encode_jpeg(fit(pixels, long_side), _THUMBNAIL_QUALITY)


def render_full(data: bytes, limits: DecodeLimits) -> Rendered:
    """The upright picture in sRGB, pixel for pixel up to 16,000 pixels a side.

    Small pictures from lossless files stay lossless, with their alpha channel; the others
    become JPEG of quality 95. Raises DecodeError.
    """
    picture = decode_full(data, limits=limits)
    pixels = fit(picture.pixels, _MAX_SIDE)
    small = pixels.shape[0] * pixels.shape[1] <= _LOSSLESS_UP_TO_PIXELS
    if not (small and picture.info.lossless):
        return Rendered(encode_jpeg(pixels, _FULL_QUALITY), "image/jpeg")
    if picture.alpha is None:
        swapped = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    else:
        swapped = cv2.cvtColor(np.dstack([pixels, picture.alpha]), cv2.COLOR_RGBA2BGRA)
    return Rendered(_encoded(".png", swapped, [cv2.IMWRITE_PNG_COMPRESSION, 3]), "image/png")


def _encoded(extension: str, pixels: object, parameters: list[int]) -> bytes:
    done, data = cv2.imencode(extension, np.asarray(pixels), parameters)
    if not done:
        raise ValueError(f"OpenCV could not write {extension}.")
    return data.tobytes()
