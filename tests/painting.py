"""Photo-like pictures, painted from a seed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def paint_photo(seed: int, width: int = 480, height: int = 360) -> NDArray[np.uint8]:
    """Paint a photo-like picture: RGB uint8 (height, width, 3), the same for the same seed.

    Soft clouds of colour on several scales, shapes with hard edges, and a little grain: enough
    structure for hashes and for keypoints.
    """
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (2, 4, 9, 21):
        clouds = rng.normal(0.0, 1.0, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(clouds, (width, height), interpolation=cv2.INTER_CUBIC) * 90 / cells
    picture += rng.uniform(80, 170, 3).astype(np.float32)
    for _ in range(int(rng.integers(12, 24))):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = tuple(int(v) for v in rng.integers(6, max(12, width // 6), 2))
        angle = float(rng.uniform(0, 180))
        colour = tuple(float(v) for v in rng.uniform(0, 255, 3))
        if rng.random() < 0.5:
            cv2.ellipse(picture, centre, axes, angle, 0, 360, colour, -1, cv2.LINE_AA)
        else:
            corners = cv2.boxPoints((centre, axes, angle)).astype(np.int32)
            cv2.fillPoly(picture, [corners], colour, cv2.LINE_AA)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8)
    picture += rng.normal(0.0, 3.0, (height, width, 1)).astype(np.float32)
    return np.clip(picture, 0, 255).astype(np.uint8)
