"""The edits of sets A and B: each takes a photo and gives the copy that people make of it.

An edit is called as ``edit(image, rng, others)``: ``image`` RGB uint8 (H, W, 3), ``rng`` its
own generator, ``others`` an endless iterator of photos that are in no other file of the set,
to paste onto or to set beside.
"""

# ruff: noqa: ARG005 - all edits have the same call, though few need all of it
from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from benchmarks import drawing
from benchmarks.photos import Image, filled, scaled

Others = Iterator[Image]
Edit = Callable[[Image, np.random.Generator, Others], Image]


def crop(image: Image, rng: np.random.Generator, area: float) -> Image:
    """A window that shows ``area`` (0 to 1) of the picture, at a random place, same shape."""
    side = float(np.sqrt(area))
    return window(image, rng, side, side)


def window(image: Image, rng: np.random.Generator, across: float, down: float) -> Image:
    """A window of ``across`` of the width and ``down`` of the height at a random place."""
    height, width = image.shape[:2]
    w, h = max(8, round(width * across)), max(8, round(height * down))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    return np.ascontiguousarray(image[y : y + h, x : x + w])


def rotate(image: Image, degrees: float, fill: tuple[int, int, int] = (0, 0, 0)) -> Image:
    """Turn about the middle inside the same frame; uncovered corners get ``fill``."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderValue=fill)


def rotate_whole(image: Image, degrees: float, fill: tuple[int, int, int]) -> Image:
    """Turn on a canvas that grows, so that no part is lost."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    w, h = int(height * sin + width * cos), int(height * cos + width * sin)
    matrix[0, 2] += (w - width) / 2
    matrix[1, 2] += (h - height) / 2
    return cv2.warpAffine(image, matrix, (w, h), flags=cv2.INTER_CUBIC, borderValue=fill)


def perspective(image: Image, rng: np.random.Generator, strength: float = 0.15) -> Image:
    """Each corner moves inwards by up to ``strength`` of the sides; the rest is black."""
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], np.float32)
    moves = rng.uniform(0.2, 1.0, (4, 2)) * strength * np.array([width, height])
    target = (corners + inwards * moves).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, target)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC)


def shift_hue(image: Image, rng: np.random.Generator) -> Image:
    """Turn the hue by 60 to 300 degrees."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int32) + int(rng.integers(30, 150))) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def posterise(image: Image, levels: int = 4) -> Image:
    """Only ``levels`` values per channel."""
    step = 256 / levels
    return (np.floor(image / step) * (255 / (levels - 1))).clip(0, 255).astype(np.uint8)


def noise(image: Image, rng: np.random.Generator, sigma: float = 30) -> Image:
    """Gaussian noise of standard deviation ``sigma`` in grey levels."""
    return (image + rng.normal(0, sigma, image.shape)).clip(0, 255).astype(np.uint8)


def pixelate(image: Image, across: int = 80) -> Image:
    """Blocks, ``across`` of them along the longer side."""
    height, width = image.shape[:2]
    factor = across / max(height, width)
    small = scaled(image, max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)


def blur(image: Image, share: float = 0.006) -> Image:
    """Gaussian blur whose sigma is ``share`` of the longer side."""
    return cv2.GaussianBlur(image, (0, 0), share * max(image.shape[:2]))


def jpeg(image: Image, quality: int) -> Image:
    """Through JPEG at ``quality`` and back."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def grey(image: Image) -> Image:
    """Without colour."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def gamma(image: Image, rng: np.random.Generator) -> Image:
    """Much darker or much lighter: exponent 0.45 to 0.6, or 1.7 to 2.2."""
    exponent = rng.uniform(0.45, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 2.2)
    table = (255 * (np.arange(256) / 255) ** exponent).round().astype(np.uint8)
    return table[image]


def smaller(image: Image, factor: float) -> Image:
    """Both sides times ``factor``."""
    height, width = image.shape[:2]
    return scaled(image, max(8, round(width * factor)), max(8, round(height * factor)))


def stretched(image: Image, across: float, down: float) -> Image:
    """The width times ``across``, the height times ``down``."""
    height, width = image.shape[:2]
    return scaled(image, round(width * across), round(height * down))


def picture_in_picture(
    image: Image, rng: np.random.Generator, others: Others, share: float
) -> Image:
    """Pasted at ``share`` of the width (and height) of another photo, at a random place."""
    back = next(others).copy()
    height, width = back.shape[:2]
    factor = min(share * width / image.shape[1], share * height / image.shape[0])
    front = scaled(image, round(image.shape[1] * factor), round(image.shape[0] * factor))
    h, w = front.shape[:2]
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    back[y : y + h, x : x + w] = front
    return back


def collage(
    image: Image, rng: np.random.Generator, others: Others, columns: int, rows: int
) -> Image:
    """One panel of a grid whose other panels are other photos, with or without a gap."""
    panel_w, panel_h, gap = 300, 225, int(rng.choice([0, 4, 10]))
    sheet = np.full(
        (rows * (panel_h + gap) + gap, columns * (panel_w + gap) + gap, 3), 255, np.uint8
    )
    mine = int(rng.integers(0, columns * rows))
    for index in range(columns * rows):
        picture = image if index == mine else next(others)
        panel = filled(picture, panel_w, panel_h)
        x, y = gap + (index % columns) * (panel_w + gap), gap + (index // columns) * (panel_h + gap)
        sheet[y : y + panel_h, x : x + panel_w] = panel
    return sheet


SET_A: dict[str, Edit] = {
    "original": lambda image, rng, others: image,
    "crop": lambda image, rng, others: window(image, rng, 0.875, 0.875),
    "mirror": lambda image, rng, others: cv2.flip(image, 1),
    "upside_down": lambda image, rng, others: cv2.flip(image, 0),
    "rotate_25": lambda image, rng, others: rotate(image, 25),
    "square": lambda image, rng, others: scaled(image, min(image.shape[:2]), min(image.shape[:2])),
}
"""The six files of each photo in set A (the protocol of imagededup's benchmark page)."""

SINGLE: dict[str, Edit] = {
    "crop_70": lambda image, rng, others: crop(image, rng, 0.7),
    "crop_50": lambda image, rng, others: crop(image, rng, 0.5),
    "crop_30": lambda image, rng, others: crop(image, rng, 0.3),
    "rotate_any": lambda image, rng, others: rotate_whole(
        image, rng.uniform(10, 350), tuple(int(v) for v in rng.integers(0, 256, 3))
    ),
    "rotate_90": lambda image, rng, others: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
    "rotate_180": lambda image, rng, others: cv2.rotate(image, cv2.ROTATE_180),
    "rotate_270": lambda image, rng, others: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    "mirror": lambda image, rng, others: cv2.flip(image, 1),
    "upside_down": lambda image, rng, others: cv2.flip(image, 0),
    "meme_text": lambda image, rng, others: drawing.meme(image, rng),
    "watermark": lambda image, rng, others: drawing.watermark(image, rng),
    "stickers": lambda image, rng, others: drawing.stickers(image, rng),
    "border": lambda image, rng, others: drawing.border(image, rng),
    "screenshot": lambda image, rng, others: drawing.screenshot(image, rng),
    "pip_60": lambda image, rng, others: picture_in_picture(image, rng, others, 0.60),
    "pip_45": lambda image, rng, others: picture_in_picture(image, rng, others, 0.45),
    "pip_35": lambda image, rng, others: picture_in_picture(image, rng, others, 0.35),
    "collage_4": lambda image, rng, others: collage(image, rng, others, 2, 2),
    "perspective": lambda image, rng, others: perspective(image, rng),
    "hue": lambda image, rng, others: shift_hue(image, rng),
    "posterise": lambda image, rng, others: posterise(image),
    "noise": lambda image, rng, others: noise(image, rng),
    "pixelate": lambda image, rng, others: pixelate(image),
    "blur": lambda image, rng, others: blur(image),
    "negative": lambda image, rng, others: 255 - image,
    "quarter_size": lambda image, rng, others: smaller(image, 0.25),
    "jpeg_low": lambda image, rng, others: jpeg(image, 10),
    "grey": lambda image, rng, others: grey(image),
    "gamma": lambda image, rng, others: gamma(image, rng),
}
"""The edits of set B that change one thing."""

_MIXES: dict[str, tuple[str, ...]] = {
    "mix_crop_meme_jpeg": ("crop_70", "meme_text", "jpeg_low"),
    "mix_mirror_perspective_hue": ("mirror", "perspective", "hue"),
    "mix_crop_grey_screenshot": ("crop_70", "grey", "screenshot"),
    "mix_mirror_gamma_pip": ("mirror", "gamma", "pip_60"),
    "mix_stickers_meme_border_gamma": ("stickers", "meme_text", "border", "gamma"),
    "mix_crop_rotate_hue_jpeg": ("crop_50", "rotate_any", "hue", "jpeg_low"),
    "mix_mirror_watermark_noise_grey": ("mirror", "watermark", "noise", "grey"),
}


def _chain(names: tuple[str, ...]) -> Edit:
    def edit(image: Image, rng: np.random.Generator, others: Others) -> Image:
        for name in names:
            image = SINGLE[name](image, rng, others)
        return image

    return edit


SET_B: dict[str, Edit] = SINGLE | {name: _chain(parts) for name, parts in _MIXES.items()}
"""The 36 edits of set B."""

PLAIN: dict[str, tuple[Edit, int]] = {
    **{
        f"saved at {quality}": (lambda image, rng, others: image, quality)
        for quality in (95, 85, 75, 60, 50, 40)
    },
    "half size": (lambda image, rng, others: smaller(image, 0.5), 85),
    "half size, 60": (lambda image, rng, others: smaller(image, 0.5), 60),
    "mirrored": (lambda image, rng, others: cv2.flip(image, 1), 85),
    "cropped": (lambda image, rng, others: crop(image, rng, rng.uniform(0.6, 0.95)), 85),
    "cropped, half size": (
        lambda image, rng, others: smaller(crop(image, rng, rng.uniform(0.6, 0.95)), 0.5),
        85,
    ),
    "upside down": (lambda image, rng, others: cv2.rotate(image, cv2.ROTATE_180), 85),
    "turned left": (lambda image, rng, others: cv2.rotate(image, 2), 85),
    "turned right": (lambda image, rng, others: cv2.rotate(image, 0), 85),
}
"""What people make of a photo without changing it, and the JPEG quality that it is saved at."""

STRETCHED: dict[str, tuple[Edit, int]] = {
    "1.5 times as wide": (lambda image, rng, others: stretched(image, 1.5, 1.0), 90),
    "1.2 times as high": (lambda image, rng, others: stretched(image, 1.0, 1.2), 90),
    "0.7 times as wide": (lambda image, rng, others: stretched(image, 0.7, 1.0), 90),
}
"""What a stretch along one side makes of it, and the JPEG quality."""
