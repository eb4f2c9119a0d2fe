"""czkawka's Python binding at similarity 10."""

import json
import sys
from pathlib import Path

from czkawka import ImageSimilarity


def main() -> None:
    folder, out = sys.argv[1:3]
    finder = ImageSimilarity()
    finder.set_directories([Path(folder)])
    finder.set_similarity(10)
    groups = [[str(path) for path in group] for group in finder.find_similar()]
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"groups": groups}, file)


if __name__ == "__main__":
    main()
