"""A small grey picture that verification compares pixels with, so that no file is read twice.

192 pixels on the longer side as JPEG: enough to tell a copy from another shot of the scene,
and it takes about 3 KB.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint import specs
from image_duplicate_finder.fingerprint.shrink import fitted

NAME, VERSION = specs.PROOF
SIDE = 192
_QUALITY = 45


def encode(grey: NDArray[np.uint8]) -> bytes:
    """The proof of a grey picture (H, W) uint8; smaller pictures keep their size."""
    small = fitted(grey, min(SIDE, max(grey.shape)))
    _, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes()


def decode(data: bytes) -> NDArray[np.uint8]:
    """The grey picture (h, w) uint8 that :func:`encode` kept.

    Raises ``ValueError`` if ``data`` is damaged.
    """
    grey = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise ValueError("A stored proof picture is damaged.")
    return np.asarray(grey, np.uint8)
