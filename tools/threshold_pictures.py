"""Draw the pictures of docs/thresholds.md.

``python -m tools.threshold_pictures --photos kodak --out docs/pictures/thresholds.jpg``: per row
one photo, other shots of it (made by moving, tilting and zooming a frame), and the photo of the
set that comes nearest, ordered by similarity; below each its cosine and the presets that find it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from benchmarks.photos import Image, list_photos, read, write
from image_duplicate_finder.fingerprint.embedding import Embedder
from image_duplicate_finder.search.vectors import calibrated, threshold_cosine
from image_duplicate_finder.settings import SIMILARITY_PRESETS

NAMES = ("09", "19", "08", "14", "23")
"""File names of the photos that head a row."""
WIDTH, HEIGHT, CAPTION, GAP = 150, 112, 34, 6
COLOURS = {
    "strict": (20, 110, 60),
    "balanced": (20, 90, 170),
    "lenient": (190, 110, 0),
    "no preset": (110, 110, 110),
}


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m tools.threshold_pictures", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    given = parser.parse_args(arguments)
    photos = {photo.path.stem: read(photo.path) for photo in list_photos([given.photos])}
    embedder = Embedder()
    sheet = np.concatenate([_row(name, photos, embedder) for name in NAMES])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write(given.out, sheet, quality=72)


def _row(name: str, photos: dict[str, Image], embedder: Embedder) -> Image:
    photo = photos[name]
    others = [other for key, other in photos.items() if key != name]
    shots = {
        "a moment later": _shot(photo, 0.02, 0.03, 0.93, tilt=2e-5),
        "moved": _shot(photo, 0.0, 0.1, 0.75, tilt=4e-5),
        "closer": _shot(photo, 0.2, 0.2, 0.6, tilt=0),
        "left part": photo[:, : photo.shape[1] * 6 // 10],
    }
    vectors = embedder.embed([photo, *shots.values(), *others])
    cosines = calibrated(vectors[1:] @ vectors[0], embedder.card.calibration)
    nearest = len(shots) + int(np.argmax(cosines[len(shots) :]))
    found = [
        (float(cosine), label, image)
        for cosine, (label, image) in zip(cosines, shots.items(), strict=False)
    ]
    found.append((float(cosines[nearest]), "another photo", others[nearest - len(shots)]))
    found.sort(key=lambda entry: -entry[0])
    cells = [cell(photo, "the photo", "", (0, 0, 0))]
    for cosine, label, image in found:
        preset = _strictest(cosine)
        cells.append(cell(image, label, f"{cosine:.2f} {preset}", COLOURS[preset]))
    return np.concatenate(cells, axis=1)


def _strictest(cosine: float) -> str:
    for name, thresholds in SIMILARITY_PRESETS.items():
        if cosine >= threshold_cosine(*thresholds):
            return name
    return "no preset"


def _shot(image: Image, x: float, y: float, side: float, tilt: float) -> Image:
    """The frame from (``x``, ``y``) on, ``side`` of each side long, a little turned."""
    height, width = image.shape[:2]
    matrix = np.array([[1, 0.02, -x * width], [-0.02, 1, -y * height], [tilt, -tilt, 1]])
    size = round(width * side), round(height * side)
    turned = cv2.warpPerspective(image, matrix, size, borderMode=cv2.BORDER_REFLECT)
    return cv2.convertScaleAbs(turned, alpha=1.08, beta=-6)


def cell(
    image: Image,
    first: str,
    second: str,
    colour: tuple[int, int, int],
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Image:
    """A picture fitted into ``size`` (width, height) with two lines below it."""
    width, height = size
    drawn = np.full((height + CAPTION + GAP, width + GAP, 3), 255, np.uint8)
    factor = min(width / image.shape[1], height / image.shape[0])
    fitted = round(image.shape[1] * factor), round(image.shape[0] * factor)
    small = cv2.resize(image, fitted, interpolation=cv2.INTER_AREA)
    x, y = (width - fitted[0]) // 2, (height - fitted[1]) // 2
    drawn[y : y + fitted[1], x : x + fitted[0]] = small
    for text, line, ink in ((first, 13, (0, 0, 0)), (second, 28, colour)):
        place = (2, height + line)
        cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, ink, 1, cv2.LINE_AA)
    return drawn


if __name__ == "__main__":
    main()
