"""Decode thousands of damaged files and tell what came of each.

``python -m tests.fuzz.campaign --count 20000 --seed 1`` runs the long form and prints a table;
``--save SEED FILE`` writes the damaged file of one seed, to look into it.

Every file is decoded in a worker process with a memory and a time limit. A file counts as a
crash when its worker dies, as a timeout when it takes longer than the limit, and as a bug when
anything but a picture or a DecodeError comes back.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import TimeoutError as PoolTimeout
from dataclasses import dataclass
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from image_duplicate_finder.decode import decode_full, decode_small, read_info
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.fingerprint.compute import pixel_hash
from image_duplicate_finder.formats import RAW_FORMATS
from image_duplicate_finder.settings import DecodeLimits
from tests.fuzz.mutations import mutate, sound_files

LIMITS = DecodeLimits(pixels=50_000_000, memory=4 * 1024**3)
SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one damaged file; ``kind`` is decoded, failure, crash, timeout or bug."""

    seed: int
    source: str
    kind: str
    detail: str = ""
    seconds: float = 0.0


def try_one(seed: int) -> Outcome:
    """Decode the file of one seed in every way that the program does."""
    source, data = mutate(seed)
    start = time.perf_counter()
    kind, detail = "decoded", ""
    try:
        info = read_info(data, limits=LIMITS)
        small = decode_small(data, long_side=64, colour=seed % 2 == 0, limits=LIMITS)
        full = decode_full(data, limits=LIMITS)
        pixel_hash(data, LIMITS)
        sides = {info.width, info.height}
        if small.info != full.info or {small.info.width, small.info.height} != sides:
            kind, detail = "bug", f"{info} {small.info} {full.info}"
        if full.info.format not in RAW_FORMATS and full.pixels.shape != (
            info.height,
            info.width,
            3,
        ):
            kind, detail = "bug", f"{full.pixels.shape} of {info.height} x {info.width}"
    except DecodeError as error:
        kind, detail = "failure", error.stage
        if len(str(error)) < 10:
            kind, detail = "bug", f"no reason given: {error}"
    except Exception as error:
        kind, detail = "bug", f"{type(error).__name__}: {error}"
    return Outcome(seed, source, kind, detail, time.perf_counter() - start)


def _prepare_worker() -> None:
    """Make the sound files before any time is counted, then bound the memory."""
    sound_files()
    resource.setrlimit(resource.RLIMIT_AS, (LIMITS.memory, LIMITS.memory))


def run(seeds: range, jobs: int) -> Iterator[Outcome]:
    """Decode the files of all seeds; one outcome for each, in order."""
    # Not fork: LibRaw's threads would not survive it.
    context = multiprocessing.get_context("forkserver")
    with ProcessPool(max_workers=jobs, initializer=_prepare_worker, context=context) as pool:
        results = pool.map(try_one, seeds, timeout=SECONDS).result()
        for seed in seeds:
            try:
                yield next(results)
            except PoolTimeout:
                yield Outcome(seed, mutate(seed)[0], "timeout", seconds=SECONDS)
            except ProcessExpired as error:
                yield Outcome(seed, mutate(seed)[0], "crash", f"exit code {error.exitcode}")


def main() -> int:
    """Run a campaign from the command line; exit status 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--save", nargs=2, metavar=("SEED", "FILE"))
    options = parser.parse_args()
    if options.save:
        name, data = mutate(int(options.save[0]))
        Path(options.save[1]).write_bytes(data)
        print(f"{len(data)} bytes, from {name}")
        return 0
    kinds: Counter[str] = Counter()
    by_source: dict[str, Counter[str]] = {}
    slowest = Outcome(0, "", "")
    first = options.seed * 1_000_000
    for outcome in run(range(first, first + options.count), options.jobs):
        kinds[outcome.kind] += 1
        by_source.setdefault(outcome.source, Counter())[outcome.kind] += 1
        slowest = max(slowest, outcome, key=lambda one: one.seconds)
        if outcome.kind in ("crash", "timeout", "bug"):
            print(outcome, flush=True)
    for source, counts in sorted(by_source.items()):
        print(f"{source:18}", *(f"{kind} {count}" for kind, count in sorted(counts.items())))
    print(f"{sum(kinds.values())} files:", dict(kinds), "slowest:", slowest)
    return 1 if kinds["crash"] or kinds["timeout"] or kinds["bug"] else 0


if __name__ == "__main__":
    sys.exit(main())
