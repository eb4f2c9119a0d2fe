"""What decoding hands on: pixels with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import ImageInfo

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    ``pixels``: uint8 (H, W, 3) in sRGB or (H, W) grey (BT.601 luma of sRGB), upright, alpha
    flattened on white. ``info`` describes the file: its size is that of the upright picture at
    full size, whatever the size of ``pixels``. ``alpha``: uint8 (H, W), 255 is opaque; given by
    ``decode_full`` where the file has one that is not opaque throughout, else None.
    """

    pixels: Pixels
    info: ImageInfo
    alpha: Pixels | None = None


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture's pixels upright but otherwise just as stored, to compare them exactly.

    ``pixels``: uint8 (H, W, 3) or uint16 (H, W, C) in the file's own colours, not flattened.
    ``alpha``: uint8 (H, W), None if absent or opaque throughout. ``colours``: the ICC
    profile or another name of the colour space, empty for sRGB. ``rest``: bytes after the picture
    that are part of the content (a motion photo's video), else empty.
    """

    pixels: Pixels | NDArray[np.uint16]
    alpha: Pixels | None = None
    colours: bytes = b""
    rest: bytes = b""
