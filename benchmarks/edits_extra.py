"""The "extra" family: edits that nobody measured before, kept apart from set B's 36."""

# ruff: noqa: ARG005 - all edits have the same call, though few need all of it
from __future__ import annotations

import cv2
import numpy as np

from benchmarks import drawing
from benchmarks.edits import (
    Edit,
    blur,
    collage,
    crop,
    jpeg,
    picture_in_picture,
    window,
)
from benchmarks.photos import Image, filled, scaled


def shear(image: Image, rng: np.random.Generator) -> Image:
    """Slanted sideways by 0.2 to 0.4 on a canvas that grows."""
    height, width = image.shape[:2]
    slant = float(rng.uniform(0.2, 0.4))
    matrix = np.array([[1, slant, 0], [0, 1, 0]], np.float64)
    return cv2.warpAffine(image, matrix, (width + int(slant * height), height))


def lens(image: Image, rng: np.random.Generator) -> Image:
    """Barrel or pincushion distortion about the middle."""
    height, width = image.shape[:2]
    strength = float(rng.uniform(0.15, 0.3)) * (1 if rng.random() < 0.5 else -1)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = (x - width / 2) / (width / 2), (y - height / 2) / (height / 2)
    factor = 1 + strength * (u * u + v * v)
    return cv2.remap(
        image,
        ((u * factor + 1) * width / 2).astype(np.float32),
        ((v * factor + 1) * height / 2).astype(np.float32),
        cv2.INTER_LINEAR,
    )


def webp(image: Image, quality: int) -> Image:
    """Through lossy WebP and back."""
    _, data = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def jpeg_twice(image: Image) -> Image:
    """JPEG at quality 8, made a little smaller, and JPEG at quality 15 again."""
    first = jpeg(image, 8)
    return jpeg(scaled(first, first.shape[1] * 9 // 10, first.shape[0] * 9 // 10), 15)


def vignette(image: Image) -> Image:
    """Corners fall to nearly black."""
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return (image * np.exp(-1.1 * (x * x + y * y))[..., None]).astype(np.uint8)


def split_panels(image: Image, rng: np.random.Generator) -> Image:
    """Three upright strips with gaps between them."""
    gap = int(rng.integers(12, 40))
    parts = np.array_split(image, 3, axis=1)
    bar = np.full((image.shape[0], gap, 3), 255, np.uint8)
    return np.concatenate([parts[0], bar, parts[1], bar, parts[2]], axis=1)


def letterbox(image: Image) -> Image:
    """Black bars above and below, each 30% of the height."""
    bar = image.shape[0] * 3 // 10
    return cv2.copyMakeBorder(image, bar, bar, 0, 0, cv2.BORDER_CONSTANT)


def story(image: Image) -> Image:
    """Upright 9:16 with the photo across the middle of its own blurred enlargement."""
    width, height = 540, 960
    back = blur(filled(image, width, height), 0.03)
    middle = scaled(image, width, max(1, round(image.shape[0] * width / image.shape[1])))
    middle = middle[:height]
    top = (height - middle.shape[0]) // 2
    back[top : top + middle.shape[0]] = middle
    return back


def photo_of_screen(image: Image, rng: np.random.Generator) -> Image:
    """Moire stripes, a glare, a tilt and noise."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    angle, period = rng.uniform(0, np.pi), rng.uniform(2.3, 5)
    stripes = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    slow = np.sin(2 * np.pi * (x * np.cos(angle + 0.1) + y * np.sin(angle + 0.1)) / (period * 9))
    gx, gy = rng.uniform(0, width), rng.uniform(0, height)
    glare = 90 * np.exp(-((x - gx) ** 2 + (y - gy) ** 2) / (0.15 * width) ** 2)
    screen = image * 0.85 + (14 * stripes + 10 * slow + glare)[..., None]
    screen = (screen + rng.normal(0, 6, image.shape)).clip(0, 255).astype(np.uint8)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + rng.uniform(-0.08, 0.08, (4, 2)) * [width, height]
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    return cv2.warpPerspective(screen, matrix, (width, height), borderValue=(25, 25, 28))


def bar(image: Image, rng: np.random.Generator) -> Image:
    """An even bar hides 35% of the picture, across or upright."""
    hidden = image.copy()
    axis = int(rng.integers(0, 2))
    length = image.shape[axis]
    start = int(rng.integers(0, length - length * 35 // 100))
    part = slice(start, start + length * 35 // 100)
    hidden[(part, slice(None)) if axis == 0 else (slice(None), part)] = rng.integers(0, 256, 3)
    return hidden


def sepia(image: Image) -> Image:
    """Old paper's brown."""
    matrix = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
    return (image @ matrix.T).clip(0, 255).astype(np.uint8)


def retouch(image: Image, rng: np.random.Generator) -> Image:
    """A spot of 18% of the width painted over from what stands around it."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    centre = (int(rng.uniform(0.2, 0.8) * width), int(rng.uniform(0.2, 0.8) * height))
    cv2.circle(mask, centre, int(0.09 * width), 255, -1)
    return cv2.inpaint(image, mask, 5, cv2.INPAINT_TELEA)


def motion_blur(image: Image) -> Image:
    """Moved sideways by 3% of the width."""
    length = max(3, image.shape[1] * 3 // 100)
    return cv2.blur(image, (length, 1))


def overdone(image: Image) -> Image:
    """Local contrast and sharpness pulled up hard."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(6.0, (8, 8)).apply(lab[..., 0])
    strong = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return cv2.addWeighted(strong, 2.0, cv2.GaussianBlur(strong, (0, 0), 2), -1.0, 0)


def cartoon(image: Image) -> Image:
    """Smoothed areas with dark outlines."""
    smooth = image
    for _ in range(3):
        smooth = cv2.bilateralFilter(smooth, 9, 60, 9)
    grey = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 5)
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, 4)
    return cv2.bitwise_and(smooth, smooth, mask=lines)


def halftone(image: Image) -> Image:
    """Two tones by an ordered pattern, as newspapers print."""
    pattern = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) * 16 + 8
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    tiled = np.tile(pattern, (height // 4 + 1, width // 4 + 1))[:height, :width]
    return cv2.cvtColor(((grey > tiled) * 255).astype(np.uint8), cv2.COLOR_GRAY2RGB)


def stretch(image: Image, rng: np.random.Generator) -> Image:
    """One side pulled to 1.6 times."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        return scaled(image, width * 8 // 5, height)
    return scaled(image, width, height * 8 // 5)


def banner(image: Image, rng: np.random.Generator) -> Image:
    """A news banner over the lowest quarter."""
    canvas = image.copy()
    top = image.shape[0] * 3 // 4
    canvas[top:] = drawing.news_strip(rng, image.shape[1], image.shape[0] - top)
    return canvas


EXTRA: dict[str, Edit] = {
    "shear": lambda image, rng, others: shear(image, rng),
    "lens": lambda image, rng, others: lens(image, rng),
    "webp_low": lambda image, rng, others: webp(image, 15),
    "jpeg_twice": lambda image, rng, others: jpeg_twice(image),
    "vignette": lambda image, rng, others: vignette(image),
    "stickers_many": lambda image, rng, others: drawing.stickers(image, rng, 12, 16),
    "split_panels": lambda image, rng, others: split_panels(image, rng),
    "letterbox": lambda image, rng, others: letterbox(image),
    "story": lambda image, rng, others: story(image),
    "photo_of_screen": lambda image, rng, others: photo_of_screen(image, rng),
    "bar": lambda image, rng, others: bar(image, rng),
    "sepia": lambda image, rng, others: sepia(image),
    "retouch": lambda image, rng, others: retouch(image, rng),
    "motion_blur": lambda image, rng, others: motion_blur(image),
    "overdone": lambda image, rng, others: overdone(image),
    "cartoon": lambda image, rng, others: cartoon(image),
    "halftone": lambda image, rng, others: halftone(image),
    "stretch": lambda image, rng, others: stretch(image, rng),
    "banner": lambda image, rng, others: banner(image, rng),
    "channels_swapped": lambda image, rng, others: np.ascontiguousarray(image[..., ::-1]),
    "crop_side_40": lambda image, rng, others: window(image, rng, 0.4, 0.4),
    "crop_strip": lambda image, rng, others: window(image, rng, 1.0, 0.35),
    "crop_80_mirror": lambda image, rng, others: cv2.flip(crop(image, rng, 0.8), 1),
    "thumbnail_96": lambda image, rng, others: scaled(
        image, 96, max(8, round(96 * image.shape[0] / image.shape[1]))
    ),
    "pip_25": lambda image, rng, others: picture_in_picture(image, rng, others, 0.25),
    "collage_9": lambda image, rng, others: collage(image, rng, others, 3, 3),
    "collage_2": lambda image, rng, others: collage(image, rng, others, 2, 1),
}
"""Name to edit; the same call as in :mod:`benchmarks.edits`."""
