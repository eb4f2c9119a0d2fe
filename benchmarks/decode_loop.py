"""The physical limit: only read files and decode them to grey, at the scale a scan decodes at.

``python -m benchmarks.decode_loop FOLDER [--jobs N] [--side PIXELS]``
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from pathlib import Path

import cv2
import numpy as np

from image_duplicate_finder.decode.common import reduction
from image_duplicate_finder.decode.headers import read_jpeg_header
from image_duplicate_finder.fingerprint.appearance import PROOF_SIDE

_FLAGS = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def decode_all(paths: list[Path], side: int) -> None:
    """Read and decode JPEGs one after the other on one core."""
    cv2.setNumThreads(1)
    for path in paths:
        data = path.read_bytes()
        header = read_jpeg_header(data)
        factor = min(8, reduction(header.width, header.height, side))
        if cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS[factor]) is None:
            raise ValueError(f"{path} cannot be decoded.")


def main() -> None:
    """Split the files among processes and wait for them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--side",
        type=int,
        default=2 * PROOF_SIDE,
        help="least long side to decode to; by default as quick and standard scans do",
    )
    given = parser.parse_args()
    paths = sorted(given.folder.rglob("*.jpg"))
    parts = [paths[start :: given.jobs] for start in range(given.jobs)]
    workers = [
        multiprocessing.Process(target=decode_all, args=(part, given.side)) for part in parts
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
