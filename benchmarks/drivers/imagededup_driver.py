"""imagededup's hash methods (its CNN wants weights from a hub): pairs at distance 10 or less."""

import json
import sys
from pathlib import Path

from imagededup.methods import AHash, DHash, PHash, WHash

METHODS = {"phash": PHash, "dhash": DHash, "ahash": AHash, "whash": WHash}


def main() -> None:
    folder, out, method = sys.argv[1:4]
    hasher = METHODS[method](verbose=False)
    found = hasher.find_duplicates(image_dir=folder, max_distance_threshold=10)
    pairs = [
        [str(Path(folder) / name), str(Path(folder) / other)]
        for name, others in found.items()
        for other in others
        if name < other
    ]
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"pairs": pairs}, file)


if __name__ == "__main__":
    main()
