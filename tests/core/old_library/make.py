"""Make a ``library-N.zip``: a library as this version of the program writes it.

    python -m tests.core.old_library.make ZIP

Run once for a version whose libraries people have; later versions must open what it made. Of the
pictures only the backup of the removed one is kept: the scanned folder is gone when the library is
opened again.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from image_duplicate_finder import Library
from image_duplicate_finder.removal import BACKUP_FOLDER_NAME
from image_duplicate_finder.results import GroupQuery, GroupView
from image_duplicate_finder.settings import BackupMode, ScanSettings
from tests.painting import paint_photo

FOLDER = Path("/tmp/an old library")
DATABASES = ("library.sqlite", "journal.sqlite")


def _save(name: str, pixels: NDArray[np.uint8], **options: int) -> None:
    path = FOLDER / "photos" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)  # type: ignore[arg-type]
    os.utime(path, (1_700_000_000, 1_700_000_000))


def paint() -> None:
    """Groups of every kind, a pair to dismiss and a pair to remove."""
    first, second, third, fourth, fifth = (paint_photo(seed) for seed in (11, 12, 13, 14, 15))
    half = (240, 180)
    _save("first.png", first)
    _save("first re-encoded.jpg", first, quality=80)
    _save("first half.jpg", cv2.resize(first, half, interpolation=cv2.INTER_AREA), quality=90)
    _save("first crop.jpg", first[30:300, 60:420], quality=90)
    _save("second.jpg", second, quality=90)
    _save("second half.jpg", cv2.resize(second, half, interpolation=cv2.INTER_AREA), quality=90)
    _save("third.jpg", third, quality=90)
    _save("third mirrored.jpg", third[:, ::-1], quality=90)
    _save("fourth.jpg", fourth, quality=90)
    shutil.copy2(FOLDER / "photos/fourth.jpg", FOLDER / "photos/fourth copy.jpg")
    page = np.full((720, 960, 3), 235, np.uint8)
    page[60:420, 60:540] = fifth
    page[460:640, 620:860] = cv2.resize(paint_photo(16), half, interpolation=cv2.INTER_AREA)
    _save("fifth.jpg", fifth, quality=90)
    _save("page with the fifth.jpg", page, quality=90)
    sixth = paint_photo(17)
    _save("sixth.jpg", sixth, quality=95)
    _save("sixth smaller.jpg", cv2.resize(sixth, (360, 270), interpolation=cv2.INTER_AREA))
    _save("sixth half.jpg", cv2.resize(sixth, half, interpolation=cv2.INTER_AREA), quality=90)
    _save("sixth paler.jpg", np.uint8(30 + sixth // 2), quality=90)
    (FOLDER / "photos/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")


def described(groups: list[GroupView]) -> list[dict[str, object]]:
    """What a person sees of groups, as JSON has it."""
    return [
        {
            "kind": group.kind,
            "keeper": group.keeper.path,
            "reasons": list(group.reasons),
            "members": [
                [m.file.path, m.relation, m.words, round(m.score, 6), m.selected, m.file.gone]
                for m in group.members
            ],
        }
        for group in groups
    ]


def history(library: Library) -> list[list[object]]:
    """What a person sees of removals, as JSON has it."""
    return [[r.id, r.action, r.mode, r.state, dict(r.counts), r.held] for r in library.history()]


def _group_of(library: Library, name: str) -> GroupView:
    found = library.all_groups(1, GroupQuery())
    (group,) = [
        group
        for group in found
        if name in [Path(f.path).name for f in (group.keeper, *(m.file for m in group.members))]
        and group.kind == "duplicates"
    ]
    return group


def main(target: str) -> None:
    """Scan, decide and remove as a person would, then keep the two databases."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    paint()
    with Library.open(FOLDER / "library") as library:
        settings = ScanSettings(esimilarity_threshold=1.0, csimilarity_threshold=0.5)
        library.scan([FOLDER / "photos"], settings)
        second = _group_of(library, "second.jpg")
        library.dismiss(second.id, [second.members[0].file.id])
        library.select_groups(1, GroupQuery(), False)
        fourth = _group_of(library, "fourth.jpg")
        library.select([(fourth.id, fourth.members[0].file.id)])
        library.apply(library.plan(1), mode=BackupMode.REMOVED)
        first = _group_of(library, "first.png")
        chosen = next(m for m in first.members if m.file.path.endswith("re-encoded.jpg"))
        group = library.group(library.choose_keeper(first.id, chosen.file.id))
        library.select(
            (group.id, m.file.id) for m in group.members if m.file.path.endswith("half.jpg")
        )
        sixth_group = _group_of(library, "sixth.jpg")
        before = [described(library.all_groups(1))]
        library.split(sixth_group.id, [m.file.id for m in sixth_group.members[:2]])
        for _ in range(2):  # undoing the second brings back a group with a chosen keeper
            before.append(described(library.all_groups(1)))
            third = _group_of(library, "third.jpg")
            library.choose_keeper(third.id, third.members[0].file.id)
        seen = {
            "before_decisions": before,
            "groups": described(library.all_groups(1)),
            "dismissed": [[p.first_path, p.second_path] for p in library.dismissed()],
            "failures": [[e.path, e.stage, e.message] for e in library.failures(1)],
            "history": history(library),
            "removed": [[i.path, i.state] for i in library.run_items(1)],
        }
    with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
        for name in DATABASES:
            database = sqlite3.connect(FOLDER / "library" / name)
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.execute("VACUUM")
            database.execute("PRAGMA journal_mode = DELETE")
            database.close()
            archive.write(FOLDER / "library" / name, name)
        for path in sorted((FOLDER / BACKUP_FOLDER_NAME).rglob("*")):
            archive.write(path, path.relative_to(FOLDER))
        archive.writestr("seen.json", json.dumps(seen, indent=1))
    shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main(sys.argv[1])
