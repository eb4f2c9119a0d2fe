"""Files that vanish, grow, shrink or are replaced while a scan runs: never a wrong match."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from blake3 import blake3
from numpy.typing import NDArray

from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.library import Library
from image_duplicate_finder.progress import Step
from image_duplicate_finder.settings import BackupMode, DecodeLimits, Mode, ScanSettings
from image_duplicate_finder.sources import read

Painter = Callable[..., NDArray[np.uint8]]
QUICK = ScanSettings(mode=Mode.QUICK, jobs=2)
NUMBERS = range(9)


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    """Nine pictures in "one" and byte copies of them in "two"."""
    folder = tmp_path / "photos"
    for part in ("one", "two"):
        (folder / part).mkdir(parents=True)
    for number in NUMBERS:
        picture = cv2.cvtColor(painted(number), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"one/{number}.jpg"), picture)
        shutil.copy(folder / f"one/{number}.jpg", folder / "two")
    return folder


@pytest.fixture
def library(library_dir: Path) -> Iterator[Library]:
    with Library.open(library_dir) as opened:
        yield opened


def change_all(folder: Path) -> None:
    """Something else happens to each file of the folder but the last."""
    (folder / "0.jpg").unlink()
    os.truncate(folder / "1.jpg", 0)
    os.truncate(folder / "2.jpg", (folder / "2.jpg").stat().st_size // 2)
    with open(folder / "3.jpg", "ab") as grown:
        grown.write(b"appended")
    shutil.copy(folder.parent / "one/8.jpg", folder / "new")
    os.replace(folder / "new", folder / "4.jpg")
    for number in (5, 6, 7):
        (folder / f"{number}.jpg").unlink()
    os.mkfifo(folder / "5.jpg")
    (folder / "6.jpg").mkdir()
    (folder / "7.jpg").symlink_to(folder.parent / "one/7.jpg")


def at_first(stage: str, happen: Callable[[], None]) -> Callable[[Step], None]:
    """A progress that lets something happen when the scan comes to a stage."""
    waiting = [happen]

    def progress(step: Step) -> None:
        if step.stage == stage and waiting:
            waiting.pop()()

    return progress


def families(library: Library, root: Path) -> set[frozenset[str]]:
    """The groups of the last scan, as sets of relative paths."""
    groups = library.all_groups(library.latest_scan().id)
    return {
        frozenset(
            str(Path(file.path).relative_to(root))
            for file in (group.keeper, *(member.file for member in group.members))
        )
        for group in groups
    }


def test_changes_between_listing_and_reading(
    library: Library, photos: Path, tmp_path: Path
) -> None:
    def change() -> None:
        change_all(photos / "two")

    scan = library.scan([photos], QUICK, progress=at_first("fingerprint", change)).id
    reasons = {Path(f.path).name: f.message for f in library.failures(scan)}
    assert "vanished" in reasons["0.jpg"]
    assert "empty" in reasons["1.jpg"]
    assert reasons["2.jpg"]
    for name in ("5.jpg", "6.jpg", "7.jpg"):
        assert "no longer a regular file" in reasons[name], reasons[name]
    found = families(library, photos)
    assert frozenset(("one/8.jpg", "two/4.jpg", "two/8.jpg")) in found
    assert frozenset(("one/3.jpg", "two/3.jpg")) in found
    assert len(found) == 2

    with Library.open(tmp_path / "fresh") as fresh:
        fresh.scan([photos], QUICK)
        assert families(fresh, photos) == found
    library.scan([photos], QUICK)
    assert families(library, photos) == found


@pytest.mark.parametrize("stage", ["candidates", "group"])
def test_what_changes_after_it_was_read_is_not_removed(
    library: Library, photos: Path, stage: str
) -> None:
    def change() -> None:
        change_all(photos / "two")

    scan = library.scan([photos], QUICK, progress=at_first(stage, change)).id
    before = {path: path.read_bytes() for path in photos.glob("two/[1234].jpg")}
    plan = library.plan(scan)
    assert len(plan.items) >= len(NUMBERS) - 2
    report = library.apply(plan, mode=BackupMode.REMOVED)
    assert [os.path.relpath(item.path, photos) for item in report.done] == ["two/8.jpg"]
    assert {path: path.read_bytes() for path in before} == before
    assert all((photos / f"one/{number}.jpg").is_file() for number in NUMBERS)


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do something over and over in a thread for the length of a ``with`` block."""
    done = threading.Event()

    def loop() -> None:
        while not done.is_set():
            work()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("way", ["grows", "shrinks", "is written over"])
def test_a_file_that_changes_while_it_is_read_is_told(tmp_path: Path, way: str) -> None:
    path = tmp_path / "large.jpg"
    size = 32 << 20
    path.write_bytes(os.urandom(1 << 20) * 32)

    def change() -> None:
        with open(path, "r+b") as file:
            if way == "grows":
                file.seek(0, os.SEEK_END)
                file.write(b"more")
            elif way == "shrinks":
                file.truncate(size - 1)
                file.truncate(size)
            else:
                file.seek(size // 2)
                file.write(os.urandom(16))

    reads = 0
    with meanwhile(change):
        for _ in range(10):
            try:
                data, stat = read(str(path), DecodeLimits())
            except DecodeError as error:
                assert error.stage == "changed"
            else:
                reads += 1
                assert len(data) == stat.size
    assert reads < 10


def test_a_file_that_is_replaced_over_and_over_is_read_whole(tmp_path: Path) -> None:
    """Each version comes with its own bytes and its own stat, never with parts of two."""
    path = tmp_path / "picture.jpg"
    versions = [bytes([number]) * (3 << 20) for number in range(4)]
    hashes = {blake3(version).digest() for version in versions}
    path.write_bytes(versions[0])
    turn = iter(range(1 << 30))

    def replace_it() -> None:
        new = tmp_path / "new"
        new.write_bytes(versions[next(turn) % 4])
        os.replace(new, path)

    seen: dict[int, bytes] = {}
    with meanwhile(replace_it):
        for _ in range(60):
            data, stat = read(str(path), DecodeLimits())
            assert blake3(data).digest() in hashes
            seen[stat.inode] = data[:1]
    assert len(set(seen.values())) > 1
