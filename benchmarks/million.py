"""Candidates and groups of a library of generated fingerprints (part "million" of the speed runs).

``python -m benchmarks.million LIBRARY OUT.json`` is the measured process: it matches and groups
what the library holds, as a scan does after reading, and says how long each stage took.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.measure import measured
from benchmarks.million_data import STRUCTURE, Picture, copy_of, picture, pool_of
from benchmarks.photos import Photo, digest
from benchmarks.stages import StageClock
from benchmarks.tools import HERE, WORK
from image_duplicate_finder.cli import look_for_cycles_rarely
from image_duplicate_finder.executors.engine import LocalExecutor
from image_duplicate_finder.fingerprint.specs import KEYPOINTS, PERCEPTUAL, PROOF
from image_duplicate_finder.grouping import rank_of
from image_duplicate_finder.model import FileStat, Fingerprint, GroupKind, ImageInfo
from image_duplicate_finder.results import GroupQuery, ScanState
from image_duplicate_finder.scan import ScanContext
from image_duplicate_finder.scan.groups import publish_groups
from image_duplicate_finder.scan.judging import judged
from image_duplicate_finder.scan.matching import find_matches
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.store import Store
from tests.stored import put_content, put_file

PLANTED_SHARE = 0.05
_BATCH = 2000


def make_library(folder: Path, photos: list[Photo], seed: int, count: int) -> None:
    """Fill a new library with ``count`` pictures; the last 5% are copies of earlier ones."""
    pool = pool_of(photos, seed)
    planted = round(count * PLANTED_SHARE)
    store = Store(folder)
    settings = ScanSettings()
    scan = store.scans.start(["/generated"], settings)
    pairs: list[tuple[int, int, str]] = []
    ids: list[int] = []
    for start in range(0, count, _BATCH):
        with store.atomic():
            for index in range(start, min(start + _BATCH, count)):
                number = index - (count - planted)
                if number < 0:
                    made = picture(pool, seed, index)
                else:
                    cropped = number % 2 == 1
                    original = number * ((count - planted) // planted)
                    made = copy_of(pool, seed, original, cropped=cropped)
                    kind = "cropped" if cropped else "re-encoded"
                    pairs.append((ids[original], len(ids) + 1, kind))
                ids.append(_put(store, scan, seed, index, made))
    store.scans.update(scan, files=count, decoded=count, failures=0)
    store.close()
    (folder / "planted.json").write_text(json.dumps({"scan": scan, "pairs": pairs}))


def _put(store: Store, scan: int, seed: int, index: int, made: Picture) -> int:
    width, height = made.points.width * 20, made.points.height * 20
    content_hash = digest(seed, "content", index) * 2
    content = put_content(store, content_hash, 10**6 + index, ImageInfo("JPEG", width, height))
    store.contents.put_fingerprints(
        content,
        (
            Fingerprint(*PERCEPTUAL, made.hashes.tobytes() + bytes([STRUCTURE])),
            Fingerprint(*KEYPOINTS, made.points.to_bytes()),
            Fingerprint(*PROOF, made.proof),
        ),
    )
    path = f"/generated/{index // 1000:04}/{content_hash[:8].hex()}.jpg"
    file = put_file(store, path, FileStat(10**6 + index, index, index, 1, index), content)
    store.scans.add_files(scan, [(file, True, False)])
    return content


def run(photos: list[Photo], seed: int, count: int) -> tuple[list[str], list[list[str]], str]:
    """Make the library, unless it is there, and measure; columns, rows and a line about it."""
    folder = WORK / "speed" / f"library-{count}"
    if not (folder / "planted.json").is_file():
        for stale in folder.glob("*"):
            stale.unlink()
        make_library(folder, photos, seed, count)
    out = folder / "result.json"
    measurement = measured(
        [sys.executable, "-m", "benchmarks.million", folder, out], cwd=HERE.parent, timeout=7200
    )
    if measurement.status != 0:
        raise RuntimeError(f"Matching {count} pictures failed: {measurement.output[-800:]}")
    values: dict[str, Any] = json.loads(out.read_text())
    stages = [
        [f"{name}, wall (CPU)", f"{cost['wall_s']:.0f} s ({cost['cpu_s']:.0f} s)"]
        for name, cost in values["stages"].items()
    ]
    shares = [[f"planted, {kind}, found", share] for kind, share in values["found"].items()]
    rows = [
        ["pictures", f"{count:,}"],
        *stages,
        ["all, CPU", f"{measurement.cpu:.0f} s"],
        ["all, wall", f"{measurement.wall:.0f} s"],
        ["peak memory", f"{measurement.memory / 2**20:.0f} MiB"],
        *shares,
        ["groups with a wrong pair", str(values["wrong"])],
        ["library on disk", f"{(folder / 'library.sqlite').stat().st_size / count:.0f} bytes each"],
    ]
    about = "Standard mode after reading: candidates, verification, groups. 5% planted copies."
    return ["what", "figure"], rows, about


def match_and_group(library: Path) -> dict[str, Any]:
    """Run the stages of a scan after reading on ``library``; seconds of each, and what it found."""
    truth = json.loads((library / "planted.json").read_text())
    store, settings, scan = Store(library), ScanSettings(), truth["scan"]
    clock = StageClock()
    covered = store.scans.contents(scan)
    contents = frozenset(content.id for content in covered)
    rank = rank_of(covered, settings.keep_rules)
    context = ScanContext(store, scan, settings, clock)
    with LocalExecutor() as executor:
        matches = find_matches(context, contents, rank, executor)
    clock("group")
    publish_groups(context, judged(context, matches))
    costs = clock.costs()
    store.scans.finish(scan, ScanState.DONE)
    return {"stages": costs, **_found(store, scan, truth["pairs"])}


def _found(store: Store, scan: int, pairs: list[tuple[int, int, str]]) -> dict[str, Any]:
    """Shares of the planted pairs that stand in one group, by kind, and groups with others."""
    hashes = store.contents.hashes([id for a, b, _ in pairs for id in (a, b)])
    family = {hashes[id]: number for number, pair in enumerate(pairs) for id in pair[:2]}
    whole: set[int] = set()
    wrong = 0
    ids = store.groups.ids(scan, GroupQuery(kinds=(GroupKind.DUPLICATES,)))
    for start in range(0, len(ids), _BATCH):
        for group in store.groups.get_many(ids[start : start + _BATCH]):
            files = (group.keeper, *(member.file for member in group.members))
            families = {family.get(file.content) for file in files}
            if len(families) == 1 and None not in families:
                whole |= families
            else:
                wrong += 1
    wanted = Counter(kind for _, _, kind in pairs)
    found = Counter(pairs[number][2] for number in whole)
    shares = {kind: f"{found[kind] / wanted[kind]:.4f}" for kind in wanted}
    return {"found": shares, "wrong": wrong, "groups": len(ids)}


if __name__ == "__main__":
    look_for_cycles_rarely()
    Path(sys.argv[2]).write_text(json.dumps(match_and_group(Path(sys.argv[1]))))
