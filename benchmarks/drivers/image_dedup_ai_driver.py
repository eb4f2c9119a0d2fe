"""image-dedup-ai with its defaults."""

import json
import sys

import image_dedup_ai


def main() -> None:
    folder, out = sys.argv[1:3]
    result = image_dedup_ai.find_duplicates(folder)
    groups = [[str(path) for path in group] for group in result.groups]
    with open(out, "w", encoding="utf-8") as file:
        json.dump({"groups": groups}, file)


if __name__ == "__main__":
    main()
