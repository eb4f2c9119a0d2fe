"""A scan that finds all as an earlier one did: the earlier one supersedes it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from image_duplicate_finder import GroupKind, Library, Mode, ScanSettings
from image_duplicate_finder.results import GroupQuery, GroupView
from tests.conftest import Painter

QUICK = ScanSettings(mode=Mode.QUICK, jobs=1)


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    """Two photos, each three times in two sizes."""
    folder = tmp_path / "photos"
    for seed in range(2):
        (folder / "kept").mkdir(parents=True, exist_ok=True)
        photo = Image.fromarray(painted(seed))
        photo.save(folder / f"{seed}.png")
        shutil.copy(folder / f"{seed}.png", folder / f"{seed} copy.png")
        photo.resize((240, 180)).save(folder / "kept" / f"{seed}.jpg")
    return folder


@pytest.fixture
def library(library_dir: Path) -> Iterator[Library]:
    with Library.open(library_dir) as opened:
        yield opened


def groups(library: Library, scan: int) -> list[GroupView]:
    return library.all_groups(scan)


def rows(library_dir: Path, table: str) -> int:
    with sqlite3.connect(library_dir / "library.sqlite") as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_nothing_is_stored_twice_for_what_did_not_change(
    library: Library, library_dir: Path, photos: Path
) -> None:
    first = library.scan([photos], QUICK)
    tables = ("scan_file", "grouping", "member", "match")
    before = [rows(library_dir, table) for table in tables]
    numbers: list[int] = []
    again = library.scan([photos], QUICK, on_start=numbers.append)
    assert again.id == first.id
    assert again.started > first.started
    assert (again.files, again.decoded) == (6, 0)
    assert [rows(library_dir, table) for table in tables] == before
    assert library.scans() == [again]
    assert numbers != [first.id]
    assert library.scan_record(numbers[0]) == again


def test_what_a_person_changed_stays(library: Library, photos: Path) -> None:
    scan = library.scan([photos], QUICK).id
    group, other = groups(library, scan)
    library.select([(group.id, group.members[0].file.id)], False)
    library.choose_keeper(other.id, other.members[0].file.id)
    before = groups(library, scan)
    again = library.scan([photos], QUICK)
    assert groups(library, again.id) == before


def test_what_failed_is_told_as_it_is_now(library: Library, photos: Path) -> None:
    (photos / "old.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    first = library.scan([photos], QUICK)
    (photos / "old.jpg").unlink()
    (photos / "new.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture either")
    again = library.scan([photos], QUICK)
    assert again.id == first.id
    assert [Path(each.path).name for each in library.failures(again.id)] == ["new.jpg"]
    assert again.failures == 1


def test_the_scan_that_looked_last_is_the_latest(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    first = library.scan([photos], QUICK)
    other = library.scan([photos / "kept"], QUICK)
    assert library.latest_scan().id == other.id
    library.scan([photos], QUICK)
    assert [record.id for record in library.scans()] == [first.id, other.id]


@pytest.mark.parametrize(
    "settings",
    [
        replace(QUICK, csimilarity_threshold=0.8),
        replace(QUICK, protected=("kept",)),
        replace(QUICK, mode=Mode.STANDARD),
    ],
    ids=["threshold", "protected", "mode"],
)
def test_other_settings_make_a_scan_of_its_own(
    library: Library, photos: Path, settings: ScanSettings
) -> None:
    first = library.scan([photos], QUICK)
    protected = tuple(str(photos / name) for name in settings.protected)
    other = library.scan([photos], replace(settings, protected=protected))
    assert other.id != first.id
    assert library.summary(other.id).groups[GroupKind.DUPLICATES] == 2


def test_other_folders_with_the_same_files_make_a_scan_of_its_own(
    library: Library, photos: Path
) -> None:
    first = library.scan([photos], QUICK)
    other = library.scan([photos.parent], QUICK)
    assert other.id != first.id
    assert library.scan_record(first.id).roots == (str(photos),)
    assert len(groups(library, other.id)) == len(groups(library, first.id)) == 2


def test_a_file_more_or_less_or_touched_makes_a_scan_of_its_own(
    library: Library, photos: Path
) -> None:
    seen = [library.scan([photos], QUICK).id]
    shutil.copy(photos / "0.png", photos / "more.png")
    seen.append(library.scan([photos], QUICK).id)
    os.utime(photos / "more.png", ns=(1, 1))
    seen.append(library.scan([photos], QUICK).id)
    os.unlink(photos / "0 copy.png")
    seen.append(library.scan([photos], QUICK).id)
    assert len(set(seen)) == 4
    assert [len(view.members) for view in groups(library, seen[-1])] == [2, 2]


def test_moved_thresholds_are_not_taken_for_those_asked_for(library: Library, photos: Path) -> None:
    """A scan with the first thresholds again must not show what others let through."""
    standard = ScanSettings(mode=Mode.STANDARD, jobs=1)
    first = library.scan([photos], standard)
    library.set_thresholds(first.id, esimilarity_threshold=0.9, csimilarity_threshold=0.5)
    again = library.scan([photos], standard)
    assert again.id != first.id
    assert again.settings == standard
    assert library.scan_record(first.id).settings.csimilarity_threshold == 0.5


def test_files_taken_out_of_the_scan_come_back_with_the_next(
    library: Library, photos: Path
) -> None:
    first = library.scan([photos], QUICK)
    assert library.remove([photos / "0.png", photos / "0 copy.png"]) == 2
    assert len(groups(library, first.id)) == 1
    again = library.scan([photos], QUICK)
    assert len(library.groups(again.id, GroupQuery()).groups) == 2


def test_a_folder_that_changes_every_night_does_not_fill_the_library(
    library: Library, library_dir: Path, photos: Path
) -> None:
    numbers = []
    for night in range(4):
        shutil.copy(photos / "0.png", photos / f"night {night}.png")
        numbers.append(library.scan([photos], QUICK).id)
    assert [record.id for record in library.scans()] == numbers[-1:]
    assert [library.scan_record(number).id for number in numbers] == numbers[-1:] * 4
    assert rows(library_dir, "scan_file") == 10
    assert rows(library_dir, "grouping") == 2
    assert rows(library_dir, "member") == 8


@pytest.mark.parametrize("touched", ["selected", "keeper", "settings", "roots"])
def test_a_scan_that_a_person_worked_on_stays(library: Library, photos: Path, touched: str) -> None:
    roots, settings = [photos], QUICK
    first = library.scan([photos], QUICK)
    group = groups(library, first.id)[0]
    if touched == "selected":
        library.select([(group.id, group.members[0].file.id)], False)
    elif touched == "keeper":
        library.choose_keeper(group.id, group.members[0].file.id)
    elif touched == "settings":
        settings = replace(QUICK, hidden=True)
    else:
        roots = [photos.parent]
    before = groups(library, first.id)
    shutil.copy(photos / "0.png", photos / "more.png")
    second = library.scan(roots, settings)
    assert [record.id for record in library.scans()] == [second.id, first.id]
    assert groups(library, first.id) == before


def test_a_repeated_scan_that_is_replaced_later_leads_to_the_last(
    library: Library, photos: Path
) -> None:
    numbers: list[int] = []
    library.scan([photos], QUICK, on_start=numbers.append)
    library.scan([photos], QUICK, on_start=numbers.append)
    shutil.copy(photos / "0.png", photos / "more.png")
    last = library.scan([photos], QUICK, on_start=numbers.append)
    assert len(set(numbers)) == 3
    assert [library.scan_record(number) for number in numbers] == [last] * 3
