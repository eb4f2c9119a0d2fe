"""``python -m image_duplicate_finder`` is the command ``idf``."""

from __future__ import annotations

from image_duplicate_finder.cli import main

if __name__ == "__main__":
    main()
