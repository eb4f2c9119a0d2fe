"""PNG of 16 bits per sample with all its bits, which Pillow cannot give for colours."""

from __future__ import annotations

import cv2
import numpy as np

from image_duplicate_finder.decode.picture import StoredPicture
from image_duplicate_finder.decode.upright import upright
from image_duplicate_finder.model import ImageInfo


def is_wide_png(data: bytes) -> bool:
    """Whether a PNG's header states 16 bits per sample (PNG third edition, section 11.2.1)."""
    return data[12:16] == b"IHDR" and data[24:25] == b"\x10"


def decode_stored_wide_png(data: bytes, info: ImageInfo) -> StoredPicture | None:
    """All samples upright as uint16 (H, W, C), alpha among them; None for an animation.

    Samples stand in OpenCV's order (BGRA), the same for every file; the profile is left out.
    """
    if info.frames > 1:
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        return None
    return StoredPicture(np.atleast_3d(upright(np.asarray(pixels, np.uint16), info.orientation)))
