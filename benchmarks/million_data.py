"""Generated fingerprints, as many as are asked for, distributed like those of real photos.

A generated picture takes each keypoint's code from some real photo and changes about a fifth of
its bits, and its perceptual hash by majority from those of five photos: codes crowd where real
ones crowd, but no two pictures are copies. Planted copies keep half of their original's
keypoints, moved as a crop or a smaller copy moves them, with the noise of real copies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.photos import Photo, digest, generator, ranked, read
from image_duplicate_finder.fingerprint import keypoints, perceptual
from image_duplicate_finder.fingerprint.appearance import decode_proof, encode_proof
from image_duplicate_finder.fingerprint.keypoints import Keypoints

STRUCTURE = 100
_FLAG_CHANGES = 0.03


@dataclass(frozen=True, slots=True)
class Pool:
    """What was measured on real photos: keypoints of all of them, hashes (n, 8, 256), proofs."""

    codes: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    scale: NDArray[np.float32]
    counts: NDArray[np.int64]
    bits: NDArray[np.uint8]
    proofs: list[bytes]
    frames: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Picture:
    """The fingerprints of one generated picture. ``hashes`` (8, 32) uint8."""

    points: Keypoints
    hashes: NDArray[np.uint8]
    proof: bytes


def pool_of(photos: list[Photo], seed: int, limit: int = 1000) -> Pool:
    """Fingerprints of up to ``limit`` photos."""
    points, bits, proofs = [], [], []
    for photo in ranked(photos, seed, "pool")[:limit]:
        grey = cv2.cvtColor(read(photo.path), cv2.COLOR_RGB2GRAY)
        points.append(keypoints.extract(grey))
        hashes, _structure = perceptual.decode(perceptual.encode(grey))
        bits.append(np.unpackbits(hashes, axis=1))
        proofs.append(encode_proof(grey))
    return Pool(
        np.concatenate([each.codes for each in points]),
        np.concatenate([each.flags for each in points]),
        np.concatenate([each.scale for each in points]),
        np.array([len(each) for each in points]),
        np.stack(bits),
        proofs,
        [(each.width, each.height) for each in points],
    )


def picture(pool: Pool, seed: int, index: int) -> Picture:
    """Generated picture number ``index``: the same for the same seed."""
    rng = np.random.default_rng(int.from_bytes(digest(seed, "picture", index), "big"))
    base = int(rng.integers(len(pool.proofs)))
    points = _unlike_points(pool, rng, int(rng.choice(pool.counts)), pool.frames[base])
    five = pool.bits[rng.choice(len(pool.bits), size=5, replace=False)]
    return Picture(points, np.packbits(five.sum(axis=0) > 2, axis=1), pool.proofs[base])


def copy_of(pool: Pool, seed: int, original: int, *, cropped: bool) -> Picture:
    """A copy of picture number ``original``: cropped (another hash), or only re-encoded."""
    rng = generator(seed, "copy", original)
    source = picture(pool, seed, original)
    points, grey = source.points, decode_proof(source.proof)
    hashes, share = source.hashes, 1.0
    if cropped:
        share = float(rng.uniform(0.75, 0.95))
        hashes = picture(pool, seed, -original - 1).hashes
    x0, y0 = (float(v) for v in rng.uniform(0, 1 - share + 1e-9, 2))
    if cropped:
        height, width = grey.shape
        top, left = round(y0 * height), round(x0 * width)
        grey = grey[top : top + round(share * height), left : left + round(share * width)]
    return Picture(_moved_points(pool, points, rng, x0, y0, share), hashes, encode_proof(grey))


def _moved_points(
    pool: Pool, points: Keypoints, rng: np.random.Generator, x0: float, y0: float, share: float
) -> Keypoints:
    """Half of the points inside the window, as they stand in the copy, and new ones."""
    width, height = points.width, points.height
    x = (points.x - x0 * width) / share
    y = (points.y - y0 * height) / share
    kept = (x >= 0) & (y >= 0) & (x < width) & (y < height) & (rng.random(len(x)) < 0.5)
    n = int(kept.sum())
    new = _unlike_points(pool, rng, len(points) - n, (width, height))
    flipped = (rng.random(n) < _FLAG_CHANGES).astype(np.uint8)
    place = np.float32(0.4)
    moved = replace(
        points,
        x=(x[kept] + rng.normal(0, place, n)).clip(0, width - 1).astype(np.float32),
        y=(y[kept] + rng.normal(0, place, n)).clip(0, height - 1).astype(np.float32),
        scale=(points.scale[kept] / share * rng.uniform(0.95, 1.05, n)).astype(np.float32),
        angle=(points.angle[kept] + rng.normal(0, 0.05, n)).astype(np.float32),
        codes=points.codes[kept] ^ _sparse_bits(rng, n, 4),
        flags=points.flags[kept] ^ flipped,
    )
    fields = ("x", "y", "scale", "angle", "codes", "flags")
    both = {name: np.concatenate([getattr(moved, name), getattr(new, name)]) for name in fields}
    return Keypoints(width, height, **both)


def _unlike_points(
    pool: Pool, rng: np.random.Generator, count: int, frame: tuple[int, int]
) -> Keypoints:
    width, height = frame
    chosen = rng.integers(len(pool.codes), size=count)
    changed = _sparse_bits(rng, count, 2) & ~_sparse_bits(rng, count, 2)
    return Keypoints(
        width,
        height,
        rng.uniform(0, width - 1, count).astype(np.float32),
        rng.uniform(0, height - 1, count).astype(np.float32),
        pool.scale[chosen],
        rng.uniform(0, 2 * np.pi, count).astype(np.float32),
        pool.codes[chosen] ^ changed,
        pool.flags[chosen],
    )


def _sparse_bits(rng: np.random.Generator, count: int, halvings: int) -> NDArray[np.uint8]:
    """Random codes (count, 16) whose bits are set with probability 1/2**halvings."""
    bits = np.frombuffer(rng.bytes(halvings * count * 16), np.uint8).reshape(halvings, count, 16)
    return np.asarray(np.bitwise_and.reduce(bits, axis=0), np.uint8)
