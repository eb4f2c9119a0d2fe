"""Retrieval by embeddings: ``python -m benchmarks.embedding --photos DIR --set-a DIR --set-b DIR``.

Prints one line of a table per model: CPU time, the share of true pairs among the nearest, and
how often unrelated photos come close.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.photos import Image, Photo, list_photos, read
from benchmarks.truth import Truth
from image_duplicate_finder.fingerprint.embedding import Embedder
from image_duplicate_finder.search.vectors import threshold_cosine, uncalibrated
from image_duplicate_finder.settings import SIMILARITY_PRESETS

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """One model's figures; shares are from 0 to 1, times in milliseconds of CPU per picture."""

    model: str
    milliseconds: float
    dimensions: int
    a_at_10: float
    b_at_10: float
    b_at_30: float
    overlap_at_10: float
    unrelated: tuple[float, ...]
    related: tuple[float, ...]


def measure(embedder: Embedder, name: str, photos: list[Photo], set_a: Path, set_b: Path) -> Row:
    """All figures of one model. ``photos`` must be unrelated to each other."""
    pictures = [read(photo.path) for photo in photos]
    started = time.process_time()
    plain = embedder.embed(pictures)
    milliseconds = (time.process_time() - started) / len(pictures) * 1000
    cosines = (plain @ plain.T)[np.triu_indices(len(plain), 1)]
    limits = [
        uncalibrated(threshold_cosine(e, c), embedder.card.calibration)
        for e, c in SIMILARITY_PRESETS.values()
    ]
    a_at_10, a_cosines = _set_a(embedder, set_a)
    ranks = _set_b_ranks(embedder, set_b)
    return Row(
        model=name,
        milliseconds=milliseconds,
        dimensions=embedder.dim,
        a_at_10=a_at_10,
        b_at_10=float((ranks < 10).mean()),
        b_at_30=float((ranks < 30).mean()),
        overlap_at_10=_overlap_at_10(embedder, pictures),
        unrelated=tuple(float((cosines >= limit).mean()) for limit in limits),
        related=tuple(float((a_cosines >= limit).mean()) for limit in limits),
    )


def _set_a(embedder: Embedder, folder: Path) -> tuple[float, Vectors]:
    """The share of each file's five partners among its 10 nearest; the true pairs' cosines."""
    truth = Truth.load(folder)
    vectors = _embed_files(embedder, folder, truth.files)
    families = np.unique([truth.families[f] for f in truth.files], return_inverse=True)[1]
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argpartition(-similarity, 10, axis=1)[:, :10]
    same = families[:, None] == families
    np.fill_diagonal(same, False)
    hits = np.take_along_axis(same, nearest, axis=1).sum()
    return float(hits / same.sum()), similarity[np.triu(same)]


def _set_b_ranks(embedder: Embedder, folder: Path) -> NDArray[np.int64]:
    """How many pictures of other families are nearer to each copy than its original is."""
    truth = Truth.load(folder)
    row = {name: i for i, name in enumerate(truth.files)}
    families = np.unique([truth.families[f] for f in truth.files], return_inverse=True)[1]
    vectors = _embed_files(embedder, folder, truth.files)
    originals = np.array([row[pair.a] for pair in truth.pairs])
    copies = np.array([row[pair.b] for pair in truth.pairs])
    similarity = vectors[copies] @ vectors.T
    own = similarity[np.arange(len(copies)), originals]
    nearer = (similarity > own[:, None]) & (families[copies][:, None] != families)
    return nearer.sum(1)


def _overlap_at_10(embedder: Embedder, pictures: list[Image]) -> float:
    """The share of photos whose left two thirds and right two thirds find each other.

    Half of each part is in the other one too.
    """
    left = embedder.embed([p[:, : p.shape[1] * 2 // 3] for p in pictures])
    right = embedder.embed([p[:, p.shape[1] // 3 :] for p in pictures])
    similarity = np.concatenate([left, right]) @ np.concatenate([left, right]).T
    np.fill_diagonal(similarity, -np.inf)
    count = len(pictures)
    partner = np.r_[np.arange(count) + count, np.arange(count)]
    own = similarity[np.arange(2 * count), partner]
    return float(((similarity > own[:, None]).sum(1) < 10).mean())


def _embed_files(embedder: Embedder, folder: Path, names: list[str]) -> Vectors:
    return np.concatenate([embedder.embed([read(folder / name)]) for name in names])


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.embedding", description=__doc__)
    parser.add_argument("--photos", type=Path, required=True, metavar="DIR")
    parser.add_argument("--half", choices=["first", "second"])
    parser.add_argument("--set-a", type=Path, required=True, metavar="DIR")
    parser.add_argument("--set-b", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, nargs="*", metavar="ONNX")
    given = parser.parse_args(arguments)
    photos = [p for p in list_photos([given.photos]) if given.half in (None, p.half)]
    presets = " / ".join(SIMILARITY_PRESETS)
    print(
        "| model | dim | CPU ms | A top 10 | B top 10 | B top 30 | overlap top 10 "
        f"| unrelated pairs found: {presets} | set A pairs found |"
    )
    print("|---" * 9 + "|")
    for model in given.model or [None]:
        embedder = Embedder(model)
        row = measure(embedder, str(model or "built in"), photos, given.set_a, given.set_b)
        print(
            f"| {row.model} | {row.dimensions} | {row.milliseconds:.1f} | {row.a_at_10:.3f} "
            f"| {row.b_at_10:.3f} | {row.b_at_30:.3f} | {row.overlap_at_10:.3f} "
            f"| {' / '.join(f'{share:.2e}' for share in row.unrelated)} "
            f"| {' / '.join(f'{share:.3f}' for share in row.related)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
