"""Immaculate by its Python call; method pdq, phash, sscd_distilled or sscd."""

import json
import sys

from immaculate import find_duplicates


def main() -> None:
    folder, out, method = sys.argv[1:4]
    result = find_duplicates(folder, method=method)
    groups = [[str(path) for path in group] for group in (*result.exact, *result.near)]
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"groups": groups}, file)


if __name__ == "__main__":
    main()
