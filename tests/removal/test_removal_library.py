"""Removal and scans of one library: what each leaves for the other."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder.library import Library
from image_duplicate_finder.progress import Step
from image_duplicate_finder.removal import plan_from_dict, plan_to_dict
from image_duplicate_finder.settings import BackupMode, Mode, ScanSettings

SETTINGS = ScanSettings(mode=Mode.QUICK, jobs=1)


@pytest.fixture
def photos(quick_path: Path, painted: Callable[..., NDArray[np.uint8]]) -> Path:
    """Two pictures with a byte copy and a smaller one each."""
    folder = quick_path / "photos"
    (folder / "safe").mkdir(parents=True)
    for number in range(2):
        picture = cv2.cvtColor(painted(number), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{number}.jpg"), picture)
        cv2.imwrite(str(folder / f"{number} small.jpg"), cv2.resize(picture, None, fx=0.5, fy=0.5))
        shutil.copy(folder / f"{number}.jpg", folder / f"{number} (1).jpg")
    return folder


@pytest.fixture
def library(quick_path: Path) -> Iterator[Library]:
    with Library.open(quick_path / "library") as opened:
        yield opened


def read_in(library: Library, folder: Path) -> int:
    """How many files a scan has to read."""
    steps: list[Step] = []
    library.scan([folder], SETTINGS, progress=steps.append)
    first = next(step for step in steps if step.stage == "fingerprint")
    return (first.total or 0) - first.done


def test_what_a_backup_preserves_is_not_read_again(library: Library, photos: Path) -> None:
    assert read_in(library, photos) == 6
    for group in library.groups(library.latest_scan().id).groups:  # one copy stays, preserved too
        library.select([(group.id, group.members[0].file.id)], False)
    plan = library.plan(library.latest_scan().id)
    report = library.apply(plan, mode=BackupMode.AUTO)
    assert len(report.done) == 2 and report.preserved == 4
    if not report.stat_changes:
        pytest.skip("this volume has reflinks, which change nothing")
    assert read_in(library, photos) == 0
    library.purge(report.run)
    assert read_in(library, photos) == 0


def test_a_file_that_changed_before_it_was_preserved_is_read_again(
    library: Library, photos: Path
) -> None:
    read_in(library, photos)
    plan = library.plan(library.latest_scan().id)
    os.utime(photos / "0.jpg")
    report = library.apply(plan, mode=BackupMode.AUTO)
    assert report.done and read_in(library, photos) == 1


def test_an_edited_plan_does_not_get_round_protected_folders(
    library: Library, photos: Path
) -> None:
    shutil.copy(photos / "0.jpg", photos / "safe")
    settings = replace(SETTINGS, protected=(str(photos / "safe"),))
    library.scan([photos], settings)
    library.scan([photos], SETTINGS)
    plan = library.plan(library.latest_scan().id)
    written = plan_to_dict(plan)
    assert not written["protected"]
    for item in written["items"]:
        item["group"] = 10_000  # a group that this library does not know
    report = library.apply(plan_from_dict(written), mode=BackupMode.REMOVED)
    assert report.done and (photos / "safe/0.jpg").exists()
    assert [(r.path, r.reason.value) for r in report.skipped] == [
        (str(photos / "safe/0.jpg"), "protected")
    ]
