"""The keeper changes at each step of a removal: then the file is not removed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Remover, Report, fs
from image_duplicate_finder.settings import BackupMode, RemovalAction
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
    found = [*file.parent.parent.rglob("removed/**/copy.jpg"), file]
    os.link(next(path for path in found if path.exists()), keeper)


def become_folder(keeper: Path, _file: Path) -> None:
    keeper.unlink()
    keeper.mkdir()


CHANGES = (edit, delete, swap, become_symlink, become_hard_link, become_folder)


def build(top: Path, relation: Relation) -> tuple[Path, Path]:
    keeper = Path(write(top / "photos/keep.jpg", b"picture"))
    data = b"picture" if relation == Relation.BYTE_IDENTICAL else b"picture, re-encoded"
    return keeper, Path(write(top / "photos/copies/copy.jpg", data))


def remove(top: Path, keeper: Path, file: Path, action: RemovalAction, relation: Relation,
           interference: Faults) -> Report:  # fmt: skip
    plan = plan_for([evidence(file, keeper, relation)], top / "photos", action)
    remover = Remover(top / "library")
    with faults(interference):
        return remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)


def last_look(calls: list[str]) -> int:
    """The number of the last call that looks at the keeper: what follows are the fsyncs."""
    leave = max(number for number, name in enumerate(calls) if name in ("rename", "link"))
    return next(n for n, name in enumerate(calls[leave:], leave) if name == "fsync_path")


@pytest.mark.parametrize("relation", [Relation.BYTE_IDENTICAL, Relation.RESIZED])
@pytest.mark.parametrize("action", [RemovalAction.BACKUP, RemovalAction.HARDLINK])
@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.__name__)
def test_a_keeper_that_changes_at_any_step_saves_the_file(
    quick_path: Path, change: Change, action: RemovalAction, relation: Relation
) -> None:
    if action == RemovalAction.HARDLINK and relation != Relation.BYTE_IDENTICAL:
        pytest.skip("links are for byte-identical files")
    quiet = Faults(error=0)  # counts what Interference counts
    top = quick_path / "quiet"
    keeper, file = build(top, relation)
    assert remove(top, keeper, file, action, relation, quiet).done
    steps = last_look(quiet.calls)
    assert steps > 30
    for step in range(1, steps + 1):
        top = quick_path / str(step)
        keeper, file = build(top, relation)
        data = file.read_bytes()
        interference = Interference(step, lambda k=keeper, f=file: change(k, f))
        report = remove(top, keeper, file, action, relation, interference)
        assert not report.done, (step, interference.calls[step - 1])
        assert file.read_bytes() == data and not file.is_symlink(), step
        assert report.skipped[0].message, step


@pytest.mark.parametrize("relation", [Relation.BYTE_IDENTICAL, Relation.RESIZED])
def test_a_keeper_that_becomes_unreadable_saves_the_file(
    quick_path: Path, relation: Relation, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = Faults(error=0)  # counts what Interference counts
    keeper, file = build(quick_path / "quiet", relation)
    remove(quick_path / "quiet", keeper, file, RemovalAction.BACKUP, relation, quiet)
    original = fs.open_read
    for step in range(1, last_look(quiet.calls) + 1):
        top = quick_path / str(step)
        keeper, file = build(top, relation)

        def deny(path: str, keeper: Path = keeper) -> int:
            if path == str(keeper):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            return original(path)

        interference = Interference(step, lambda d=deny: monkeypatch.setattr(fs, "open_read", d))
        report = remove(top, keeper, file, RemovalAction.BACKUP, relation, interference)
        monkeypatch.setattr(fs, "open_read", original)
        if report.done:  # only when no call that opens the keeper was left
            assert "open_read" not in quiet.calls[step : last_look(quiet.calls)]
        else:
            assert file.exists()


@pytest.mark.parametrize("change", [edit, swap, become_folder], ids=lambda c: c.__name__)
def test_what_is_done_to_the_file_itself_is_never_lost(quick_path: Path, change: Change) -> None:
    quiet = Faults(error=0)  # counts what Interference counts
    keeper, file = build(quick_path / "quiet", Relation.RESIZED)
    remove(quick_path / "quiet", keeper, file, RemovalAction.BACKUP, Relation.RESIZED, quiet)
    for step in range(1, quiet.calls.index("rename") + 2):
        top = quick_path / str(step)
        keeper, file = build(top, Relation.RESIZED)
        wanted: list[bytes] = []

        def happen(file: Path = file, wanted: list[bytes] = wanted) -> None:
            change(file, file)
            if file.is_file():
                wanted.append(file.read_bytes())

        report = remove(
            top, keeper, file, RemovalAction.BACKUP, Relation.RESIZED, Interference(step, happen)
        )
        assert not report.done, (step, quiet.calls[step - 1])
        assert file.is_dir() or file.read_bytes() == wanted[0], step
