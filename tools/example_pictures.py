"""Paint the example pictures of the start page and measure how far apart each pair is.

    python -m tools.example_pictures

Writes the pictures to ``web/static/img/examples`` and the distances, measured on the files as
they are shipped, to ``web/examples.json``. The start page shows them beside its two sliders.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint.embedding import Embedder
from image_duplicate_finder.search.vectors import calibrated

Image = NDArray[np.uint8]

WEB = Path(__file__).parents[1] / "src/image_duplicate_finder/web"
PICTURES = WEB / "static/img/examples"
TABLE = WEB / "examples.json"
WIDTH, HEIGHT, MARGIN = 240, 180, 120


def main() -> None:
    """Paint, measure, write."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    bay = _landscape(1, boat=150, clouds=3)
    later = _landscape(1, boat=240, clouds=11)
    other = _landscape(12, boat=None, clouds=5)
    pictures = {
        "bay": _frame(bay, 50, 76, 1.0),
        "edited": _edited(_frame(bay, 50, 76, 1.0)),
        "later": _frame(later, 62, 70, 0.96),
        "view": _frame(later, 150, 116, 0.8),
        "other": _frame(other, 60, 84, 0.8),
    }
    for name, picture in pictures.items():
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
        (PICTURES / f"{name}.jpg").write_bytes(encoded.tobytes())
    names = [name for name in pictures if name != "bay"]
    table = {name: round(distance("bay", name), 2) for name in names}
    TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    print(table)


def distance(first: str, second: str) -> float:
    """The calibrated euclidean distance of two pictures as they are shipped."""
    embedder = Embedder()
    shipped = [cv2.imread(str(PICTURES / f"{name}.jpg")) for name in (first, second)]
    vectors = embedder.embed([cv2.cvtColor(each, cv2.COLOR_BGR2RGB) for each in shipped])
    cosine = float(calibrated(vectors[0] @ vectors[1], embedder.card.calibration))
    return float(np.sqrt(max(0.0, 2 - 2 * cosine)))


def _noise(rng: np.random.Generator, height: int, width: int, grain: float) -> NDArray[np.float32]:
    """Fractal noise, about -1 to 1; ``grain`` is the size in pixels of its largest features."""
    total = np.zeros((height, width), np.float32)
    weight, size = 1.0, grain
    while size >= 2:
        shape = max(2, round(width / size)), max(2, round(height / size))
        coarse = rng.standard_normal((shape[1], shape[0])).astype(np.float32)
        total += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        weight, size = weight / 2, size / 2
    return total / np.abs(total).max()


def _landscape(seed: int, boat: int | None, clouds: int) -> NDArray[np.float32]:
    """A bay below mountains, BGR 0 to 1, larger than a picture; ``clouds`` is the sky's seed."""
    height, width = HEIGHT + MARGIN, WIDTH + MARGIN
    rng = np.random.default_rng(seed)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = np.array([0.86, 0.66, 0.45], np.float32) * (1 - rows) + rows * np.float32(0.95)
    cloud = _noise(np.random.default_rng(clouds), height, width, 90)[..., None]
    picture = sky + np.clip(cloud - 0.1, 0, 1) * 0.5
    columns = np.arange(width)
    for layer in range(3):
        ridge = height * (0.32 + 0.1 * layer) + _noise(rng, 2, width, 160)[0] * (60 - 14 * layer)
        inside = np.arange(height)[:, None] > ridge[columns][None, :]
        shade = _noise(rng, height, width, 24)[..., None] * 0.16
        colour = np.array([0.5 - 0.12 * layer, 0.5 - 0.02 * layer, 0.42 - 0.1 * layer], np.float32)
        picture = np.where(inside[..., None], colour + shade, picture)
    shore = round(height * 0.66)
    water = _noise(rng, (height - shore) * 3, width // 3, 14)
    waves = cv2.resize(water, (width, height - shore))[..., None] * 0.12
    picture[shore:] = np.array([0.55, 0.42, 0.22], np.float32) + waves
    if boat is not None:
        _draw_boat(picture, boat, shore + 38)
    return np.clip(picture, 0, 1).astype(np.float32)


def _draw_boat(picture: NDArray[np.float32], x: int, y: int) -> None:
    hull = np.array([(x - 26, y), (x + 26, y), (x + 18, y + 13), (x - 18, y + 13)])
    sail = np.array([(x - 2, y - 4), (x - 2, y - 56), (x + 24, y - 4)])
    jib = np.array([(x - 6, y - 4), (x - 6, y - 44), (x - 22, y - 4)])
    cv2.fillPoly(picture, [hull], (0.1, 0.12, 0.45), cv2.LINE_AA)
    cv2.fillPoly(picture, [sail], (0.93, 0.96, 0.98), cv2.LINE_AA)
    cv2.fillPoly(picture, [jib], (0.85, 0.9, 0.95), cv2.LINE_AA)


def _frame(picture: NDArray[np.float32], x: int, y: int, share: float) -> Image:
    """The part of a landscape that a camera at (``x``, ``y``) shows, ``share`` of the width."""
    part = picture[y : y + round(HEIGHT * share), x : x + round(WIDTH * share)]
    shown = cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.round(shown * 255).astype(np.uint8)


def _edited(picture: Image) -> Image:
    warm = picture.astype(np.float32) * (0.86, 1.02, 1.16) + 8
    return np.clip(warm, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
