"""Folders for the speed benchmarks: photos like those of a camera, and any number of small ones."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags
from PIL import Image as Pil

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


def make_camera(photos: list[Photo], out: Path, seed: int, count: int = 160) -> None:
    """``count`` JPEGs like those of a camera: 4240 x 3180 pixels, grain, EXIF, a half progressive.

    One file in five is a copy of an earlier one: saved again, half the size, or cropped.
    """
    out.mkdir(parents=True, exist_ok=True)
    chosen = sorted(ranked(photos, seed, "camera"), key=lambda p: -read(p.path).size)
    earlier: list[Image] = []
    for number in range(count):
        name = random_name(seed, "camera", number)
        rng = generator(seed, "camera", number)
        if number % 5 == 4:
            image = earlier.pop(0)
            kind = number // 5 % 3
            copy = (
                image
                if kind == 0
                else scaled(image, 2120, 1590)
                if kind == 1
                else crop(image, rng, 0.8)
            )
            _save_as_camera(copy, out / name, quality=80, progressive=True, exif=kind != 1)
            continue
        photo = chosen[number % len(chosen)]
        image = grainy(filled(read(photo.path), 4240, 3180), rng)
        earlier = [*earlier[-2:], image]
        _save_as_camera(image, out / name, quality=92, progressive=number % 2 == 1, exif=True)


def grainy(image: Image, rng: np.random.Generator) -> Image:
    """With the grain of a sensor: without it an enlarged photo decodes faster than a real one."""
    grain = rng.normal(0, 5, (image.shape[0] // 4, image.shape[1])).astype(np.float32)
    grey = np.tile(grain, (5, 1))[: image.shape[0], :, None]
    return (image + grey).clip(0, 255).astype(np.uint8)


def _save_as_camera(
    image: Image, path: Path, quality: int, *, progressive: bool, exif: bool
) -> None:
    facts = Pil.Exif()
    if exif:
        facts[ExifTags.Base.Make], facts[ExifTags.Base.Model] = "Maker", "Model 7"
        facts.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:01 12:00:00"
    Pil.fromarray(image).save(path, "JPEG", quality=quality, progressive=progressive, exif=facts)


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
