"""Photo-like pictures, painted from a seed."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray


def paint_photo(seed: int, width: int = 480, height: int = 360) -> NDArray[np.uint8]:
    """Paint a photo-like picture: RGB uint8 (height, width, 3), the same for the same seed.

    Soft clouds of colour on several scales, shapes with hard edges, and a little grain: enough
    structure for hashes and for keypoints.
    """
    return _painted(seed, width, height).copy()


@functools.lru_cache(maxsize=64)  # most tests want the same few
def _painted(seed: int, width: int, height: int) -> NDArray[np.uint8]:
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


def paint_face(
    picture: NDArray[np.uint8], x: int, y: int, radius: int, *, eyes_open: bool = True
) -> NDArray[np.uint8]:
    """The picture with a face in it."""
    made = picture.copy()
    hair, skin, shade, line = (70, 45, 30), (225, 175, 145), (185, 130, 105), max(2, radius // 20)

    def ellipse(
        place: tuple[float, float],
        axes: tuple[float, float],
        colour: tuple[int, int, int],
        arc: tuple[int, int] = (0, 360),
        thickness: int = -1,
    ) -> None:
        middle = round(x + place[0] * radius), round(y + place[1] * radius)
        size = round(axes[0] * radius), round(axes[1] * radius)
        cv2.ellipse(made, middle, size, 0, *arc, colour, thickness)

    ellipse((0, -0.17), (0.95, 1.15), hair)
    ellipse((0, 0), (0.75, 1), skin)
    ellipse((0, -0.62), (0.8, 0.5), hair, (180, 360))
    for side in (-0.32, 0.32):
        ellipse((side, -0.35), (0.18, 0.05), hair, (180, 360), line)
        if eyes_open:
            ellipse((side, -0.15), (0.17, 0.09), (250, 250, 250))
            ellipse((side, -0.15), (0.08, 0.08), (50, 35, 25))
        else:
            ellipse((side, -0.15), (0.17, 0.06), (90, 60, 50), (0, 180), line)
    cv2.line(made, (x, round(y - 0.1 * radius)), (x, round(y + 0.22 * radius)), shade, line)
    ellipse((0, 0.25), (0.13, 0.06), shade, (0, 180), line)
    ellipse((0, 0.52), (0.28, 0.12), (190, 70, 70), (0, 180))
    return np.asarray(cv2.GaussianBlur(made, (0, 0), 0.8), np.uint8)


def add_texture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with fine structure of every size, as photographs have."""
    noise = np.random.default_rng(1).normal(0, 1, image.shape[:2])
    for sigma in (0.7, 1.4, 2.8, 5.6):
        texture = cv2.GaussianBlur(noise, (0, 0), sigma)
        image = np.clip(image + 9 * (texture / texture.std())[..., None], 0, 255).astype(np.uint8)
    return image
