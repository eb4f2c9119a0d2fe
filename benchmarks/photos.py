"""The photos that benchmark sets are made of, and the seeds that everything is derived from.

Nothing here depends on the order in which photos are listed: a photo's half, its rank and its
random numbers come from hashes of its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""Upright RGB picture, shape (height, width, 3)."""

Half = Literal["first", "second"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True, slots=True)
class Photo:
    """One source photo. ``name`` is its folder's name and its own: stable on every machine."""

    name: str
    path: Path

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return self.name.split("/", 1)[0]

    @property
    def half(self) -> Half:
        """The half it belongs to, whatever the seed: one to choose on, one to report on."""
        return "first" if digest("half", self.name)[0] % 2 == 0 else "second"


def digest(*parts: object) -> bytes:
    """16 bytes that stand for ``parts``."""
    text = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def generator(*parts: object) -> np.random.Generator:
    """A random generator that depends on ``parts`` alone."""
    return np.random.default_rng(int.from_bytes(digest(*parts), "big"))


def random_name(*parts: object, suffix: str = ".jpg") -> str:
    """A file name that tells nothing of what the file is."""
    return digest("name", *parts).hex() + suffix


def list_photos(folders: Iterable[Path]) -> list[Photo]:
    """The photos right inside ``folders``: those of the first folder first, then by name.

    Raises ``FileNotFoundError`` if a folder is missing or holds no photo.
    """
    photos = []
    for folder in folders:
        found = [path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES]
        if not found:
            raise FileNotFoundError(f"{folder} holds no photo ({', '.join(sorted(_SUFFIXES))}).")
        name = folder.resolve().name
        photos += [Photo(f"{name}/{path.name}", path) for path in sorted(found)]
    return photos


def ranked(photos: Iterable[Photo], seed: int, role: str) -> list[Photo]:
    """``photos`` in an order that ``seed`` and ``role`` decide, not the listing."""
    return sorted(photos, key=lambda photo: digest(seed, role, photo.name))


def read(path: Path) -> Image:
    """Decode a photo to RGB. Raises ``ValueError`` if OpenCV cannot."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError(f"{path} cannot be decoded.")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def write(path: Path, image: Image, quality: int = 90) -> None:
    """Encode ``image`` by the suffix of ``path``; ``quality`` is that of JPEG and WebP."""
    options = {
        ".jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
        ".png": [],
    }[path.suffix]
    done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"{path} cannot be encoded.")
    path.write_bytes(data.tobytes())


def resized(image: Image, long_side: int) -> Image:
    """``image`` with its longer side at ``long_side`` pixels, its shape kept."""
    height, width = image.shape[:2]
    factor = long_side / max(height, width)
    return scaled(image, max(1, round(width * factor)), max(1, round(height * factor)))


def scaled(image: Image, width: int, height: int) -> Image:
    """``image`` at just this size, by area averaging downwards and cubic upwards."""
    smaller = width * height < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=method)


def filled(image: Image, width: int, height: int) -> Image:
    """The middle of ``image`` at just this size, its shape kept ("cover")."""
    factor = max(width / image.shape[1], height / image.shape[0])
    w, h = max(width, round(image.shape[1] * factor)), max(height, round(image.shape[0] * factor))
    big = scaled(image, w, h)
    x, y = (w - width) // 2, (h - height) // 2
    return np.ascontiguousarray(big[y : y + height, x : x + width])
