"""Make a data set: ``python -m benchmarks.make SET --photos DIR... --out DIR``.

For ``drawings``, the folders of photos are folders of drawings.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.drawn import make_drawings
from benchmarks.negatives import make_c
from benchmarks.photos import list_photos
from benchmarks.sets import make_a, make_b, make_copies, make_extra, make_stretched


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and make the set."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.make", description=__doc__)
    parser.add_argument("set", choices=["a", "b", "extra", "c", "copies", "stretched", "drawings"])
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--limit", type=int, help="photos to edit (default: a all, else 100); c and drawings: files"
    )
    parser.add_argument("--half", choices=["first", "second"], help="of the photos; default: all")
    parser.add_argument("--distractors", type=int, default=600, help="for b and extra")
    given = parser.parse_args(arguments)
    if given.out.exists() and any(given.out.iterdir()):
        parser.error(f"{given.out} is not empty; name a new folder.")
    photos = list_photos(given.photos)
    if given.set == "a":
        truth = make_a(photos, given.out, given.seed, given.limit or len(photos), given.half)
    elif given.set == "c":
        truth = make_c(photos, given.out, given.seed, given.limit or 1500, given.half)
    elif given.set == "drawings":
        truth = make_drawings(photos, given.out, given.seed, given.limit or 1500)
    elif given.set in ("copies", "stretched"):
        make_them = make_copies if given.set == "copies" else make_stretched
        truth = make_them(photos, given.out, given.seed, given.limit or 100, given.half)
    else:
        make = make_b if given.set == "b" else make_extra
        truth = make(
            photos, given.out, given.seed, given.limit or 100, given.half, given.distractors
        )
    print(
        f"{given.out}: {len(truth.files)} files, {len(truth.pairs)} true pairs, "
        f"{len(truth.distractors)} distractors"
    )


if __name__ == "__main__":
    main()
