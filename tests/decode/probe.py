"""Decode one file in a process of its own and say what came of it and what it cost.

``python probe.py FILE [SIDE]`` prints one JSON line.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from image_duplicate_finder.decode import decode_small, read_info
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.settings import DecodeLimits


def probe(data: bytes, side: int) -> dict[str, object]:
    """Outcome, stage, message and seconds of reading the header and decoding."""
    limits = DecodeLimits()
    start = time.perf_counter()
    try:
        read_info(data, limits=limits)
        picture = decode_small(data, long_side=side, colour=False, limits=limits)
        info = picture.info
        result: dict[str, object] = {
            "outcome": "decoded",
            "message": f"{info.format} {info.width} x {info.height}, {info.frames} frames",
        }
    except DecodeError as error:
        result = {"outcome": "failure", "stage": error.stage, "message": str(error)}
    result["seconds"] = round(time.perf_counter() - start, 3)
    return result


def main() -> None:
    """Probe the file named on the command line under the default memory limit."""
    memory = DecodeLimits().memory
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    data = Path(sys.argv[1]).read_bytes()
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = probe(data, int(sys.argv[2]) if len(sys.argv) > 2 else 200)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**result, "start_mib": start // 1024, "peak_mib": peak // 1024}))


if __name__ == "__main__":
    main()
