"""The keeper changes at each step of a removal: then the file is not removed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Remover, Report, fs
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.patience import LONG
from tests.removal.campaign import VOLUMES
from tests.removal.faulty import Faults, Interference, faults
from tests.removal.support import any_match, evidence, plan_for, write

Change = Callable[[Path, Path], None]


def edit(keeper: Path, _file: Path) -> None:
    with open(keeper, "ab") as open_keeper:
        open_keeper.write(b" edited")


def delete(keeper: Path, _file: Path) -> None:
    keeper.unlink()


def swap(keeper: Path, _file: Path) -> None:
    other = keeper.with_name("other.tmp")
    other.write_bytes(b"something else that came by rename")
    other.replace(keeper)


def become_symlink(keeper: Path, file: Path) -> None:
    keeper.unlink()
    keeper.symlink_to(file)


def become_hard_link(keeper: Path, file: Path) -> None:
    """The keeper becomes another name of the file, wherever that is by now."""
    keeper.unlink()
    found = [*file.parent.parent.parent.rglob("removed/**/copy.jpg"), file]
    os.link(next(path for path in found if path.exists()), keeper)


def become_folder(keeper: Path, _file: Path) -> None:
    keeper.unlink()
    keeper.mkdir()


CHANGES = (edit, delete, swap, become_symlink, become_hard_link, become_folder)


def build(top: Path, relation: Relation) -> tuple[Path, Path]:
    keeper = Path(write(top / "photos/keep.jpg", b"picture"))
    data = b"picture" if relation == Relation.BYTE_IDENTICAL else b"picture, re-encoded"
    return keeper, Path(write(top / "photos/copies/copy.jpg", data))


@dataclass(frozen=True)
class Way:
    """How the file is to leave; ``across`` puts the backup on another volume."""

    action: RemovalAction
    relation: Relation
    across: bool = False

    def __str__(self) -> str:
        return f"{self.action.value}-{self.relation.value}" + ("-across" if self.across else "")


SIMPLE = Way(RemovalAction.BACKUP, Relation.RESIZED)
WAYS = (
    SIMPLE,
    Way(RemovalAction.BACKUP, Relation.BYTE_IDENTICAL),
    Way(RemovalAction.HARDLINK, Relation.BYTE_IDENTICAL),
    Way(RemovalAction.SYMLINK, Relation.BYTE_IDENTICAL),
    Way(RemovalAction.BACKUP, Relation.RESIZED, across=True),
)


def remove(top: Path, keeper: Path, file: Path, way: Way, interference: Faults) -> Report:
    plan = plan_for([evidence(file, keeper, way.relation)], top / "photos", way.action)
    remover = Remover(top / "library")
    with ExitStack() as stack:
        elsewhere = None
        if way.across:
            base = next((v for v in VOLUMES if v.stat().st_dev != top.stat().st_dev), None)
            if base is None:
                pytest.skip("this machine has one volume only")
            elsewhere = stack.enter_context(tempfile.TemporaryDirectory(dir=base))
        with faults(interference):
            return remover.apply(
                plan, matches=any_match, mode=BackupMode.REMOVED, backup_dir=elsewhere
            )


class Quiet(Faults):
    """Lets nothing happen: counts what Interference counts, and notes which calls see pictures.

    A change is the same before any other call as before the next one that sees them, since the
    program touches the disk by these calls alone.
    """

    def __init__(self, top: Path) -> None:
        super().__init__(error=0)
        self.seeing: list[int] = []
        self._pictures = f"{top}{os.sep}photos"
        self._open: set[int] = set()

    def run(self, name: str, function: Callable[..., Any], *values: Any) -> Any:
        """Carry out a call."""
        number = len(self.calls) + 1
        result = super().run(name, function, *values)
        if LONG or any(map(self._is_picture, values)):
            self.seeing.append(number)
            if name.startswith("open"):
                self._open.add(result)
            elif name == "close":
                self._open.discard(values[0])
        return result

    def _is_picture(self, value: object) -> bool:
        """Whether it is a place in the folder, a picture of it that was moved, or open."""
        if isinstance(value, str):
            return value.startswith(self._pictures) or value.endswith(("keep.jpg", "copy.jpg"))
        return isinstance(value, int) and value in self._open

    def steps(self, last: int) -> list[int]:
        """The calls up to ``last`` before which a change makes a difference."""
        return [number for number in self.seeing if number <= last]

    def last_look(self) -> int:
        """The number of the last call that looks at the keeper: what follows are the fsyncs."""
        leave = max(n for n, name in enumerate(self.calls) if name in ("rename", "link"))
        return next(n for n, name in enumerate(self.calls[leave:], leave) if name == "fsync_path")


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_a_keeper_that_changes_at_any_step_saves_the_file(
    quick_path: Path, change: Change, way: Way
) -> None:
    if way.across and change not in (delete, swap):
        pytest.skip("two changes are enough here: each step waits for the disk")
    top = quick_path / "quiet"
    quiet = Quiet(top)
    keeper, file = build(top, way.relation)
    assert remove(top, keeper, file, way, quiet).done
    steps = quiet.steps(quiet.last_look())
    assert len(steps) > 30
    for step in steps:
        top = quick_path / str(step)
        keeper, file = build(top, way.relation)
        data = file.read_bytes()
        interference = Interference(step, lambda k=keeper, f=file: change(k, f))
        report = remove(top, keeper, file, way, interference)
        assert not report.done, (step, interference.calls[step - 1])
        assert file.read_bytes() == data and not file.is_symlink(), step
        assert report.skipped[0].message, step


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_keeper_that_becomes_unreadable_saves_the_file(
    quick_path: Path, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = Quiet(quick_path / "quiet")
    keeper, file = build(quick_path / "quiet", way.relation)
    remove(quick_path / "quiet", keeper, file, way, quiet)
    original = fs.open_read
    for step in quiet.steps(quiet.last_look()):
        top = quick_path / str(step)
        keeper, file = build(top, way.relation)

        def deny(path: str, keeper: Path = keeper) -> int:
            if path == str(keeper):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            return original(path)

        interference = Interference(step, lambda d=deny: monkeypatch.setattr(fs, "open_read", d))
        report = remove(top, keeper, file, way, interference)
        monkeypatch.setattr(fs, "open_read", original)
        if report.done:  # only when no call that opens the keeper was left
            assert "open_read" not in quiet.calls[step : quiet.last_look()]
        else:
            assert file.exists()


@pytest.mark.parametrize("change", [edit, swap, become_folder], ids=lambda c: c.__name__)
def test_what_is_done_to_the_file_itself_is_never_lost(quick_path: Path, change: Change) -> None:
    quiet = Quiet(quick_path / "quiet")
    keeper, file = build(quick_path / "quiet", Relation.RESIZED)
    remove(quick_path / "quiet", keeper, file, SIMPLE, quiet)
    for step in quiet.steps(quiet.calls.index("rename") + 1):
        top = quick_path / str(step)
        keeper, file = build(top, Relation.RESIZED)
        wanted: list[bytes] = []

        def happen(file: Path = file, wanted: list[bytes] = wanted) -> None:
            change(file, file)
            if file.is_file():
                wanted.append(file.read_bytes())

        report = remove(top, keeper, file, SIMPLE, Interference(step, happen))
        assert not report.done, (step, quiet.calls[step - 1])
        assert file.is_dir() or file.read_bytes() == wanted[0], step
