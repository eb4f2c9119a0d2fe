"""Learn the projection behind the network from photos and their edited copies.

Method: linear discriminant projection, as in Mikolajczyk and Matas, "Improving descriptors
for fast tree matching by optimal linear projection" (2007), and Radenovic, Tolias and Chum,
"Fine-tuning CNN image retrieval with no human annotation" (2018, "learned whitening"):
directions in which the views of one picture differ are shrunk, and of the rest those are kept
in which pictures differ most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import edits
from benchmarks.photos import Image, Photo, generator, read, resized
from image_duplicate_finder.fingerprint.embedding import squeezed
from tools.lite0 import Projection

WINDOWS = 9
"""Parts cut from each photo, which count as pictures of their own, besides the whole."""
VIEWS = 9
"""Edited views of each picture, besides itself."""
SHRINKAGE = 0.02
"""Share of the mean variance that is added to each direction: few photos, many directions."""

_EDITS = (
    "crop_70",
    "crop_50",
    "mirror",
    "upside_down",
    "rotate_90",
    "rotate_180",
    "rotate_270",
    "hue",
    "noise",
    "blur",
    "jpeg_low",
    "grey",
    "gamma",
    "meme_text",
    "border",
    "perspective",
    "quarter_size",
)


def views(photos: list[Photo], size: int) -> Iterator[tuple[int, Image]]:
    """Pictures (``size``, ``size``, 3) with the number of the picture that each one shows."""
    picture = 0
    for photo in photos:
        whole = resized(read(photo.path), 800)
        rng = generator("projection", photo.name)
        for base in [resized(whole, 500), *(_window(whole, rng) for _ in range(WINDOWS))]:
            for view in [base, *_edited(base, rng)]:
                yield picture, squeezed(view, size, size)
            picture += 1


def learn(
    features: NDArray[np.float32], pictures: NDArray[np.int64], dimensions: int
) -> Projection:
    """The projection of ``features`` (views, length), given which picture each view shows."""
    centre = features.mean(0, dtype=np.float64)
    centred = features - centre
    count = np.bincount(pictures)[:, None]
    means = np.zeros((len(count), features.shape[1]))
    np.add.at(means, pictures, centred)
    means /= count
    inside = _covariance(centred - means[pictures])
    inside += SHRINKAGE * np.trace(inside) / len(inside) * np.eye(len(inside))
    values, vectors = np.linalg.eigh(inside)
    whitening = vectors * values**-0.5 @ vectors.T
    _, directions = np.linalg.eigh(whitening @ _covariance(means) @ whitening)
    kept = directions[:, ::-1][:, :dimensions]
    kept *= np.where(kept[np.abs(kept).argmax(0), np.arange(dimensions)] < 0, -1, 1)
    return Projection(centre.astype(np.float32), (whitening @ kept).astype(np.float32))


def _covariance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows.T @ rows / len(rows)


def _window(image: Image, rng: np.random.Generator) -> Image:
    area, stretch = rng.uniform(0.15, 0.6), np.exp(rng.uniform(-0.3, 0.3))
    side = np.sqrt(area)
    return resized(edits.window(image, rng, min(1, side * stretch), min(1, side / stretch)), 400)


def _edited(base: Image, rng: np.random.Generator) -> Iterator[Image]:
    for name in rng.choice(_EDITS, VIEWS, replace=False):
        view = edits.SINGLE[name](base, rng, iter(()))
        for maybe, edit in _EXTRAS:
            if rng.random() < maybe:
                view = edit(view, rng)
        yield view


_EXTRAS: tuple[tuple[float, Callable[[Image, np.random.Generator], Image]], ...] = (
    (0.3, lambda image, rng: edits.crop(image, rng, rng.uniform(0.6, 1))),
    (0.3, lambda image, rng: edits.rotate(image, rng.uniform(-25, 25))),
    (0.25, lambda image, _rng: cv2.flip(image, 1)),
)
