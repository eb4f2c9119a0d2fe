"""Both engines on one manifest: ``python -m benchmarks.engines --photos DIR... [--count N]``

Makes N files in families of edited copies, lists them in a manifest, scans it with the local
engine and with a Ray cluster on this machine, and says whether groups and matches are equal. The
exit status is 1 where they are not.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.edits import SET_B
from benchmarks.machine import describe
from benchmarks.measure import measured
from benchmarks.photos import (
    Image,
    Photo,
    generator,
    list_photos,
    random_name,
    ranked,
    read,
    resized,
    write,
)
from benchmarks.tools import HERE, WORK
from image_duplicate_finder.scan.context import verifier_name
from image_duplicate_finder.settings import Engine, Mode
from image_duplicate_finder.store import Store

_FAMILY = 10
_SIDE = 600
_TIMEOUT = 6 * 3600

HashPair = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scan found, in words that do not depend on the library's numbers.

    ``groups``: kind, keeper, and members with relation and preselection. ``matches``: pairs of
    content hashes with their relation. ``verified``: all pairs that were tried.
    """

    groups: list[tuple[Any, ...]]
    matches: dict[HashPair, str]
    verified: set[HashPair]


def make_manifest(photos: list[Photo], count: int, folder: Path) -> Path:
    """``count`` files in families of edited copies, and the manifest that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.csv"
    chosen = ranked(photos, 1, "engines")
    size = max(_FAMILY, -(-count // len(chosen)))
    names = [_name(photo, k) for photo in chosen for k in range(size)][:count]
    if not manifest.exists():
        others = _others(chosen)
        for photo in chosen[: -(-count // size)]:
            _make_family(photo, size, folder, others)
        with manifest.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["path"], *([name] for name in names)])
    return manifest


def _name(photo: Photo, copy: int) -> str:
    return random_name("engines", photo.name, copy)


def _others(photos: list[Photo]) -> Iterator[Image]:
    return (resized(read(photo.path), _SIDE) for photo in cycle(reversed(photos)))


def _make_family(photo: Photo, size: int, folder: Path, others: Iterator[Image]) -> None:
    image = resized(read(photo.path), _SIDE)
    write(folder / _name(photo, 0), image)
    start = int(generator("engines", photo.name).integers(len(SET_B)))
    edits = islice(cycle(SET_B.items()), start, start + size - 1)
    for copy, (name, edit) in enumerate(edits, start=1):
        rng = generator("engines", photo.name, copy, name)
        write(folder / _name(photo, copy), edit(image, rng, others))


def scan(manifest: Path, library: Path, engine: Engine) -> tuple[float, Outcome]:
    """Seconds of a whole scan with an empty library, and what it found."""
    out = library.with_suffix(".json")
    command = [sys.executable, "-m", "image_duplicate_finder", "--library", library, "scan"]
    run = measured(
        [*command, manifest, "--engine", engine.value, "--json", out, "--quiet"], timeout=_TIMEOUT
    )
    if run.status != 0:
        raise RuntimeError(f"The scan with the engine {engine.value} failed: {run.output}")
    return run.wall, outcome(library, json.loads(out.read_text(encoding="utf-8")))


def outcome(library: Path, document: dict[str, Any], mode: Mode = Mode.STANDARD) -> Outcome:
    """What stands in a library and in the document of its scan."""
    groups = sorted(
        (
            group["kind"],
            group["keeper"]["path"],
            sorted((m["path"], m["relation"], m["selected"]) for m in group["members"]),
        )
        for group in document["groups"]
    )
    with closing(Store(library)) as store:
        verified = store.matches.verified(verifier_name(mode))
        ids = set(verified) | {b for others in verified.values() for b in others}
        hashes = store.contents.hashes(sorted(ids))
        matches = {
            _pair(hashes[match.a], hashes[match.b]): match.relation.value
            for match in store.matches.among(verifier_name(mode), ids)
        }
        tried = {_pair(hashes[a], hashes[b]) for a, others in verified.items() for b in others}
    return Outcome(groups, matches, tried)


def _pair(a: bytes, b: bytes) -> HashPair:
    return (a, b) if a < b else (b, a)


def main() -> int:
    """Make the manifest, run both engines, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--photos", nargs="+", type=Path, required=True, metavar="DIR")
    parser.add_argument("--count", type=int, default=20_000, metavar="N")
    options = parser.parse_args()

    folder = WORK / f"engines-{options.count}"
    manifest = make_manifest(list_photos(options.photos), options.count, folder / "files")
    walls: dict[str, float] = {}
    outcomes: list[Outcome] = []
    for engine in Engine:
        library = folder / f"library-{engine.value}"
        for old in library.glob("library.sqlite*"):
            old.unlink()
        walls[engine.value], found = scan(manifest, library, engine)
        outcomes.append(found)
        sizes = f"{len(found.groups)} groups, {len(found.matches)} of {len(found.verified)} pairs"
        print(f"{engine.value}: {walls[engine.value]:.0f} s, {sizes}", flush=True)
    equal = {
        "groups": outcomes[0].groups == outcomes[1].groups,
        "matches": outcomes[0].matches == outcomes[1].matches,
        "pairs tried": outcomes[0].verified == outcomes[1].verified,
    }
    for name, same in equal.items():
        print(f"{name}: {'equal' if same else 'NOT EQUAL'}")
    result = {"files": options.count, "machine": describe(), "seconds": walls, "equal": equal}
    report = HERE / "results" / f"engines-{options.count}.json"
    report.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    return 0 if all(equal.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
