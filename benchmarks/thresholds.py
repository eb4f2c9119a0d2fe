"""Move both thresholds of a large generated scan, and measure how long that takes.

    python -m benchmarks.thresholds FOLDER [--pictures 10000] [--pairs 130000] [--apart]

Makes a library in FOLDER, unless there is one: pictures in families of ten near copies, every
two copies of a family verified as the same photograph (with ``--apart`` none of them, as with
bursts of shots), and similar pairs within families and between them. Then each preset of the
thresholds is set in turns; the shortest times on the processor and on the clock are shown.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np

from benchmarks.large_library import invented_file
from image_duplicate_finder.library import Library
from image_duplicate_finder.model import GroupKind, Match, Relation
from image_duplicate_finder.results import GroupQuery, ScanState
from image_duplicate_finder.scan import ScanContext
from image_duplicate_finder.scan.context import verifier_name
from image_duplicate_finder.scan.groups import publish_groups
from image_duplicate_finder.scan.judging import judged
from image_duplicate_finder.settings import SIMILARITY_PRESETS, ScanSettings
from image_duplicate_finder.store import Store
from tests.stored import put_content, put_file

FAMILY = 10
_TIMES = 4
_MOVES = {**SIMILARITY_PRESETS, "0.3/0.92": (0.3, 0.92)}


def fill(folder: Path, pictures: int, pairs: int, *, apart: bool = False, seed: int = 1) -> int:
    """Store one finished scan with its matches, similar pairs and groups; returns its number."""
    rng = random.Random(seed)
    settings = ScanSettings()
    store = Store(folder)
    with store.atomic():
        scan = store.scans.start(["/photos"], settings)
        contents = []
        for number in range(pictures):
            path, stat, content, info = invented_file(rng, number // FAMILY, number % FAMILY)
            contents.append(put_content(store, content, stat.size, info))
            file = put_file(store, path, stat, contents[-1])
            store.scans.add_files(scan, [(file, True, False)])
        families = [contents[at : at + FAMILY] for at in range(0, pictures, FAMILY)]
        if not apart:
            verifier = verifier_name(settings.mode)
            store.matches.put(verifier, _copies(rng, families))
        look_alikes = _look_alikes(rng, families, pairs)
        a, b, cosine = (np.array(column) for column in zip(*sorted(look_alikes), strict=True))
        store.similar.replace(scan, a, b, cosine.astype(np.float32))
        store.scans.update(scan, files=pictures, decoded=pictures, failures=0)
        matches = store.matches.among(verifier_name(settings.mode), set(contents))
        context = ScanContext(store, scan, settings)
        publish_groups(context, judged(context, matches))
        store.scans.finish(scan, ScanState.DONE)
    store.close()
    return scan


def _copies(rng: random.Random, families: list[list[int]]) -> Iterator[Match]:
    for family in families:
        for a, b in combinations(family, 2):
            scale = rng.uniform(0.5, 1.5)
            transform = ((scale, 0.0, 0.0), (0.0, scale, 0.0))
            yield Match(a, b, Relation.RESIZED, transform, score=rng.uniform(0.95, 1.0))


def _look_alikes(
    rng: random.Random, families: list[list[int]], pairs: int
) -> list[tuple[int, int, float]]:
    """Pairs within families, and then all pairs of some two families as long as ``pairs`` last."""
    found = [
        (a, b, rng.uniform(0.85, 1.0)) for family in families for a, b in combinations(family, 2)
    ]
    seen: set[tuple[int, int]] = set()
    while len(found) < pairs:
        one, other = sorted(rng.sample(range(len(families)), 2))
        if (one, other) in seen:
            continue
        seen.add((one, other))
        near = rng.uniform(0.5, 0.95)
        found += [
            (a, b, min(1.0, near + rng.uniform(-0.05, 0.05)))
            for a in families[one]
            for b in families[other]
        ]
    return found[:pairs]


def measure(folder: Path) -> None:
    """Print one line for each setting of the thresholds."""
    with Library.open(folder) as library:
        scan = library.latest_scan().id
        used: dict[str, list[tuple[float, float]]] = {name: [] for name in _MOVES}
        found = {}
        for _ in range(_TIMES):
            for name, (euclidean, cosine) in _MOVES.items():
                began, at = time.process_time(), time.perf_counter()
                library.set_thresholds(
                    scan, esimilarity_threshold=euclidean, csimilarity_threshold=cosine
                )
                used[name].append((time.process_time() - began, time.perf_counter() - at))
                query = GroupQuery(kinds=(GroupKind.SIMILAR,), limit=1)
                found[name] = library.groups(scan, query).total
    for name, times in used.items():
        processor, clock = (min(each) for each in zip(*times, strict=True))
        print(
            f"{name:10} {found[name]:6} groups"
            f"   first {times[0][0]:.3f} s, best {processor:.3f} s of processor, {clock:.3f} s"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=130_000)
    parser.add_argument("--apart", action="store_true", help="no copies, similar pictures only")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not options.folder.exists():
        fill(
            options.folder, options.pictures, options.pairs, apart=options.apart, seed=options.seed
        )
    measure(options.folder)


if __name__ == "__main__":
    main()
