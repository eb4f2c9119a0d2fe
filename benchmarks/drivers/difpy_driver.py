"""difPy searching for similar pictures (mean squared error of small tensors, its default)."""

import json
import sys

import difPy


def main() -> None:
    folder, out = sys.argv[1:3]
    built = difPy.build(folder, show_progress=False)
    search = difPy.search(built, similarity="similar", show_progress=False)
    groups = [
        [keeper, *(match[0] for match in matches)] for keeper, matches in search.result.items()
    ]
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"groups": groups}, file)


if __name__ == "__main__":
    main()
