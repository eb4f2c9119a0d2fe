"""Folders for the speed benchmarks: large photos, and as many small ones as are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from benchmarks.edits import crop, gamma, jpeg, noise
from benchmarks.photos import (
    Image,
    Photo,
    filled,
    generator,
    random_name,
    ranked,
    read,
    scaled,
    write,
)

TILE = 200
COPIES = 10
"""Files of one tile in :func:`make_many`: growth must not come from growing families."""


def make_large(photos: list[Photo], out: Path, seed: int, count: int = 200) -> None:
    """``count`` JPEGs of 4000 x 3000 pixels at quality 90 from the largest photos."""
    out.mkdir(parents=True, exist_ok=True)
    by_size = sorted(ranked(photos, seed, "large"), key=lambda p: -read(p.path).size)
    for photo in by_size[:count]:
        image = filled(read(photo.path), 4000, 3000)
        write(out / random_name(seed, "large", photo.name), image, 90)


def make_many(photos: list[Photo], out: Path, seed: int, count: int) -> None:
    """``count`` small JPEGs in folders of 1,000: tiles of photos, each with nine light edits.

    The first files of a larger folder are those of a smaller one, so that growth is measured on
    the same kind of files. Raises ``ValueError`` if the photos have too few tiles.
    """
    number = 0
    for number, (name, image) in enumerate(islice(_edited_tiles(photos, seed), count), 1):
        folder = out / f"{(number - 1) // 1000:03}"
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / name, image, 85)
    if number < count:
        raise ValueError(f"The photos make {number} files only, not {count}; name more folders.")


def _edited_tiles(photos: list[Photo], seed: int) -> Iterator[tuple[str, Image]]:
    for photo in ranked(photos, seed, "many"):
        for index, tile in enumerate(_tiles(read(photo.path))):
            for copy in range(COPIES):
                rng = generator(seed, "many", photo.name, index, copy)
                name = random_name(seed, "many", photo.name, index, copy)
                yield name, light_edit(tile, rng) if copy else tile


def _tiles(image: Image) -> Iterator[Image]:
    """The squares that fit into the photo side by side."""
    height, width = image.shape[:2]
    for y in range(0, height - TILE + 1, TILE):
        for x in range(0, width - TILE + 1, TILE):
            yield np.ascontiguousarray(image[y : y + TILE, x : x + TILE])


def light_edit(image: Image, rng: np.random.Generator) -> Image:
    """What happens to pictures on their way: smaller, cropped, lighter, noisier, mirrored."""
    kind = int(rng.integers(0, 6))
    if kind == 0:
        return crop(image, rng, float(rng.uniform(0.75, 0.95)))
    if kind == 1:
        return jpeg(image, int(rng.integers(25, 70)))
    if kind == 2:
        return noise(image, rng, float(rng.uniform(3, 10)))
    if kind == 3:
        return cv2.flip(image, int(rng.integers(-1, 2)))
    if kind == 4:
        return gamma(image, rng)
    side = int(image.shape[1] * rng.uniform(0.5, 0.9))
    return scaled(image, side, side)
