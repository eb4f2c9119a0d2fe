"""imagehash pHash, 64 bits; pairs at a Hamming distance of 10 or less."""

import json
import sys
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image

DISTANCE = 10


def main() -> None:
    folder, out = sys.argv[1:3]
    paths = sorted(p for p in Path(folder).iterdir() if p.suffix in (".jpg", ".png", ".webp"))
    hashes = []
    for path in paths:
        with Image.open(path) as image:
            hashes.append(np.packbits(imagehash.phash(image).hash))
    bits = np.array(hashes).view(np.uint64).ravel()
    pairs = []
    for i in range(len(bits) - 1):
        near = np.flatnonzero(np.bitwise_count(bits[i + 1 :] ^ bits[i]) <= DISTANCE)
        pairs += [[str(paths[i]), str(paths[i + 1 + j])] for j in near]
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"pairs": pairs}, file)


if __name__ == "__main__":
    main()
