"""Sets of photos with their edited or plain copies, and what is true of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, cycle
from pathlib import Path

import cv2
import numpy as np

from benchmarks.edits import PLAIN, SET_A, SET_B, STRETCHED, Edit
from benchmarks.edits_extra import EXTRA
from benchmarks.photos import (
    Half,
    Image,
    Photo,
    digest,
    generator,
    random_name,
    ranked,
    read,
    resized,
    write,
)
from benchmarks.truth import TruePair, Truth

LONG_SIDE = 500
BACKGROUND_SHARE = 0.15
"""Of the photos that are no originals: how many serve as backgrounds and neighbours."""


def make_a(photos: list[Photo], out: Path, seed: int, limit: int, half: Half | None) -> Truth:
    """Set A: six files and fifteen true pairs per photo."""
    truth = Truth("a", seed, half)
    out.mkdir(parents=True, exist_ok=True)
    for photo in ranked(_of_half(photos, half), seed, "a")[:limit]:
        image = resized(read(photo.path), LONG_SIDE)
        names = {}
        for edit, make in SET_A.items():
            names[edit] = random_name(seed, "a", photo.name, edit)
            copy = make(image, generator(seed, "a", photo.name, edit), iter(()))
            write(out / names[edit], copy)
            truth.add(names[edit], photo.name, edit)
        for one, other in combinations(names, 2):
            truth.pairs.append(TruePair(names[one], names[other], f"{one}/{other}"))
    truth.save(out)
    return truth


def make_b(
    photos: list[Photo], out: Path, seed: int, limit: int, half: Half | None, distractors: int
) -> Truth:
    """Set B: ``limit`` originals, 36 hard edits of each, and photos that have no copy."""
    return _make_edited("b", SET_B, photos, out, seed, limit, half, distractors)


def make_extra(
    photos: list[Photo], out: Path, seed: int, limit: int, half: Half | None, distractors: int
) -> Truth:
    """Like set B with the edits of :mod:`benchmarks.edits_extra`."""
    return _make_edited("extra", EXTRA, photos, out, seed, limit, half, distractors)


def make_copies(photos: list[Photo], out: Path, seed: int, limit: int, half: Half | None) -> Truth:
    """Photos as they are, each with plain copies that nobody needs beside it."""
    truth = Truth("copies", seed, half)
    out.mkdir(parents=True, exist_ok=True)
    for photo in ranked(_of_half(photos, half), seed, "copies")[:limit]:
        image = read(photo.path)
        suffix = photo.path.suffix.lower()
        first = random_name(seed, "copies", photo.name, "original", suffix=suffix)
        again = random_name(seed, "copies", photo.name, "same bytes", suffix=suffix)
        for name, kind in ((first, "original"), (again, "same bytes")):
            (out / name).write_bytes(photo.path.read_bytes())
            truth.add(name, photo.name, kind)
        truth.pairs.append(TruePair(first, again, "same bytes"))
        _save_copies(truth, PLAIN, photo, image, first, out)
    truth.save(out)
    return truth


def make_stretched(
    photos: list[Photo], out: Path, seed: int, limit: int, half: Half | None
) -> Truth:
    """Photos, each with copies that were stretched along one side."""
    truth = Truth("stretched", seed, half)
    out.mkdir(parents=True, exist_ok=True)
    for photo in ranked(_of_half(photos, half), seed, "stretched")[:limit]:
        image = read(photo.path)
        first = random_name(seed, "stretched", photo.name, "original")
        write(out / first, image)
        truth.add(first, photo.name, "original")
        _save_copies(truth, STRETCHED, photo, image, first, out)
    truth.save(out)
    return truth


def _save_copies(
    truth: Truth,
    copies: Mapping[str, tuple[Edit, int]],
    photo: Photo,
    image: Image,
    first: str,
    out: Path,
) -> None:
    """Save a photo's copies, each an edit and a quality, as true pairs of the file ``first``."""
    for kind, (make, quality) in copies.items():
        name = random_name(truth.seed, truth.set, photo.name, kind)
        rng = generator(truth.seed, truth.set, photo.name, kind)
        write(out / name, make(image, rng, iter(())), quality)
        truth.add(name, photo.name, kind)
        truth.pairs.append(TruePair(first, name, kind))


def _make_edited(
    name: str,
    edits: Mapping[str, Edit],
    photos: list[Photo],
    out: Path,
    seed: int,
    limit: int,
    half: Half | None,
    distractors: int,
) -> Truth:
    truth = Truth(name, seed, half)
    out.mkdir(parents=True, exist_ok=True)
    originals, backgrounds, rest = _roles(photos, seed, limit, half)
    for photo in originals:
        image = resized(read(photo.path), LONG_SIDE)
        first = random_name(seed, name, photo.name, "original")
        write(out / first, image)
        truth.add(first, photo.name, "original")
        for edit, make in edits.items():
            copy = random_name(seed, name, photo.name, edit)
            used: list[str] = []
            others = _others(backgrounds, used, seed, photo.name, edit)
            write(out / copy, make(image, generator(seed, name, photo.name, edit), others))
            truth.add(copy, photo.name, edit)
            truth.pairs.append(TruePair(first, copy, edit))
            if used:
                truth.backgrounds[copy] = used
    for photo in rest[:distractors]:
        alone = random_name(seed, name, photo.name, "original")
        write(out / alone, resized(read(photo.path), LONG_SIDE))
        truth.add(alone, photo.name, "distractor")
        truth.distractors.append(alone)
    truth.save(out)
    return truth


def _of_half(photos: list[Photo], half: Half | None) -> list[Photo]:
    return [photo for photo in photos if half is None or photo.half == half]


def _roles(
    photos: list[Photo], seed: int, limit: int, half: Half | None
) -> tuple[list[Photo], list[Photo], list[Photo]]:
    """Originals, backgrounds, and photos to serve as distractors: no photo is in two of them.

    Originals come from the folder of the first photo alone, the others from all folders.
    Photos of the first half are for choosing, so a set of that half holds nothing else. A set
    of the second half that has too few distractors takes more from the first half, behind its
    own: nothing is chosen on the second.
    """
    of_half = _of_half(photos, half)
    main = photos[0].folder
    order = ranked((photo for photo in of_half if photo.folder == main), seed, "original")
    originals = order[:limit]
    others = ranked(set(of_half) - set(originals), seed, "background")
    count = max(4, round(len(others) * BACKGROUND_SHARE))
    if len(others) < count:
        raise ValueError(
            f"{len(of_half)} photos are too few: {limit} originals and at least 4 backgrounds "
            "are needed."
        )
    more = ranked(_of_half(photos, "first"), seed, "more") if half == "second" else []
    return originals, others[:count], others[count:] + more


def _others(
    backgrounds: list[Photo], used: list[str], seed: int, photo: str, edit: str
) -> Iterator[Image]:
    """Background photos for one copy, each another window of it; ``used`` notes their names."""
    for background in cycle(ranked(backgrounds, seed, f"for {photo} {edit}")):
        used.append(background.name)
        rng = np.random.default_rng(
            int.from_bytes(digest(seed, photo, edit, background.name), "big")
        )
        image = read(background.path)
        height, width = image.shape[:2]
        side = rng.uniform(0.6, 1.0)
        w, h = round(width * side), round(height * side)
        x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        part = np.ascontiguousarray(image[y : y + h, x : x + w])
        yield resized(cv2.flip(part, 1) if rng.random() < 0.5 else part, 640)
