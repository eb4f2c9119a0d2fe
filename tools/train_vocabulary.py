"""Train the visual vocabulary that the package ships: ``python tools/train_vocabulary.py DIR...``

Keypoints of free photos, taken at several sizes, are clustered in two levels by k-majority
(k-means in Hamming space: Grana, Borghesani, Manfredi and Cucchiara, "A fast approach for
integrating ORB descriptors in the bag of words model", 2013). The words are 128-bit codes in
canonical form. Deterministic for the same photos. The shipped file was trained on the Kodak
suite (unrestricted use) and the photos of GCompris (CC BY, CC BY-SA, CC0 and public domain).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint import keypoints
from image_duplicate_finder.fingerprint.keypoints import canonical

COARSE, FINE = 256, 256
_SIZES = (200, 340, 560, 900)
_ROUNDS = 12
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_TARGET = Path(__file__).parent.parent / "src/image_duplicate_finder/search/vocabulary.npz"

Bits = NDArray[np.uint64]


def collect(folders: list[Path]) -> Bits:
    """Canonical codes (n, 2) of the photos in ``folders`` at several sizes, without doubles."""
    codes = []
    for path in sorted(p for d in folders for p in d.iterdir() if p.suffix.lower() in _SUFFIXES):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        for size in _SIZES:
            factor = size / max(grey.shape)
            if factor > 1:
                continue
            small = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
            height, width = small.shape
            tiles = max(1, round(size / 200))
            for top in np.linspace(0, height, tiles + 1)[:-1].astype(int):
                for left in np.linspace(0, width, tiles + 1)[:-1].astype(int):
                    part = small[top : top + height // tiles, left : left + width // tiles]
                    found = keypoints.extract(_padded(part))
                    codes.append(canonical(found.codes, found.flags))
    return np.unique(np.concatenate(codes), axis=0).view(np.uint64)


def _padded(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part on a canvas of 200 pixels, so that it is not scaled again."""
    width = part.shape[1]
    return cv2.copyMakeBorder(part, 0, 0, 0, max(0, 200 - width), cv2.BORDER_REPLICATE)[:200]


@njit(cache=True, parallel=True)
def _assign(codes, centres, out):  # type: ignore[no-untyped-def]
    for i in prange(len(codes)):
        best = 999
        for k in range(len(centres)):
            distance = 0
            for word in range(2):
                x = codes[i, word] ^ centres[k, word]
                x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
                x = (x & np.uint64(0x3333333333333333)) + (
                    (x >> np.uint64(2)) & np.uint64(0x3333333333333333)
                )
                x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
                distance += np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
            if distance < best:
                best = distance
                out[i] = k


def cluster(codes: Bits, k: int, rng: np.random.Generator) -> Bits:
    """``k`` centres (k, 2) of codes (n, 2) by k-majority; too few codes are completed at random."""
    if len(codes) <= k:
        noise = rng.integers(0, 2**63, (k - len(codes), 2), np.int64).view(np.uint64)
        return np.concatenate([codes, noise])
    centres = codes[rng.choice(len(codes), k, replace=False)].copy()
    bits = np.unpackbits(codes.view(np.uint8), axis=1, bitorder="little").astype(np.float32)
    nearest = np.zeros(len(codes), np.int64)
    for _ in range(_ROUNDS):
        _assign(codes, centres, nearest)
        order = np.argsort(nearest, kind="stable")
        starts = np.searchsorted(nearest[order], np.arange(k + 1))
        for j in range(k):
            members = order[starts[j] : starts[j + 1]]
            if len(members) == 0:
                centres[j] = codes[rng.integers(len(codes))]
                continue
            share = bits[members].mean(axis=0) + rng.uniform(-1e-3, 1e-3, 128)
            packed = np.packbits(share > 0.5, bitorder="little")
            centres[j] = packed.view(np.uint64)
    return centres


def train(codes: Bits) -> tuple[Bits, Bits]:
    """Coarse centres (256, 2) and fine centres (256, 256, 2)."""
    rng = np.random.default_rng(1)
    coarse = cluster(codes, COARSE, rng)
    nearest = np.zeros(len(codes), np.int64)
    _assign(codes, coarse, nearest)
    fine = np.stack([cluster(codes[nearest == k], FINE, rng) for k in range(COARSE)])
    return coarse, fine


def main() -> None:
    """Train and write the file into the package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    codes = collect(parser.parse_args().folders)
    coarse, fine = train(codes)
    np.savez(_TARGET, coarse=coarse, fine=fine)
    print(f"{_TARGET}: {COARSE * FINE} words from {len(codes)} codes")


if __name__ == "__main__":
    main()
