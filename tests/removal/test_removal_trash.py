"""The system's trash, real and broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image_duplicate_finder.removal import Plan, Remover, State, fs
from image_duplicate_finder.removal.backup import FOLDER_NAME
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.removal.support import any_match, contents, evidence, plan_for, tree, write

NAMES = ("copy.jpg", "a/copy.jpg", "a/100% \udcff\nodd.jpg")


@pytest.fixture
def root(quick_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import send2trash.plat_other as system

    # The library reads the place of the trash when it is imported.
    monkeypatch.setenv("HOME", str(quick_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(quick_path / "data"))
    monkeypatch.setattr(system, "HOMETRASH", str(quick_path / "data/Trash"))
    monkeypatch.setattr(system, "HOMETRASH_B", os.fsencode(quick_path / "data/Trash"))
    for name in ("keep.jpg", *NAMES):
        write(quick_path / "photos" / name, b"picture", 1_600_000_000_000_000_001)
    return quick_path / "photos"


def plan(root: Path) -> Plan:
    removals = [evidence(root / name, root / "keep.jpg") for name in NAMES]
    return plan_for(removals, root, RemovalAction.TRASH)


def test_files_go_to_the_trash_and_come_back(root: Path, quick_path: Path) -> None:
    before = tree(root)
    remover = Remover(quick_path / "library")
    report = remover.apply(plan(root), matches=any_match, mode=BackupMode.REMOVED)
    assert [item.state for item in report.done] == [State.TRASHED] * 3, report.skipped
    assert len(list((quick_path / "data/Trash/files").iterdir())) == 3
    assert not any(os.path.lexists(item.stored) for item in report.done)
    restored = remover.undo(report.run)
    assert len(restored.done) == 3, restored.skipped
    assert tree(root) == before
    assert list((quick_path / "data/Trash/files").iterdir()) == []
    assert list((quick_path / "data/Trash/info").iterdir()) == []


def test_an_emptied_trash_is_told(root: Path, quick_path: Path) -> None:
    remover = Remover(quick_path / "library")
    report = remover.apply(plan(root), matches=any_match, mode=BackupMode.REMOVED)
    for path in (quick_path / "data/Trash/files").iterdir():
        path.unlink()
    restored = remover.undo(report.run)
    assert {refusal.reason for refusal in restored.skipped} == {"gone"}


def test_a_trash_that_deletes_for_good_deletes_nothing(
    root: Path, quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, picture = tree(root), contents(root)
    monkeypatch.setattr(fs, "trash", os.unlink)
    remover = Remover(quick_path / "library")
    report = remover.apply(plan(root), matches=any_match, mode=BackupMode.REMOVED)
    assert [item.state for item in report.done] == [State.MOVED] * 3
    kept = contents(root, quick_path / FOLDER_NAME)
    assert all(kept[content] >= count for content, count in picture.items())
    assert len(remover.undo(report.run).done) == 3
    assert tree(root) == before


def test_a_trash_that_fails_changes_nothing(
    root: Path, quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    before = tree(root, folder_times=False)
    monkeypatch.setattr(fs, "trash", refuse)
    report = Remover(quick_path / "library").apply(
        plan(root), matches=any_match, mode=BackupMode.REMOVED
    )
    assert not report.done and len(report.skipped) == 3
    assert tree(root, folder_times=False) == before


def test_the_safety_link_goes_only_when_the_trash_is_on_the_disk(
    root: Path, quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file, its note and both folders are synced before the first safety link goes."""
    calls: list[tuple[str, str]] = []

    def recorded(name: str) -> None:
        function = getattr(fs, name)

        def call(path: str) -> None:
            calls.append((name, path))
            function(path)

        monkeypatch.setattr(fs, name, call)

    for name in ("fsync_path", "unlink", "trash"):
        recorded(name)
    report = Remover(quick_path / "library").apply(
        plan(root), matches=any_match, mode=BackupMode.REMOVED
    )
    lines = {item.stored for item in report.done}
    first = next(n for n, (name, path) in enumerate(calls) if name == "unlink" and path in lines)
    last = max(n for n, (name, _) in enumerate(calls) if name == "trash")
    synced = {path for name, path in calls[last:first] if name == "fsync_path"}
    can = quick_path / "data/Trash"
    assert {str(path) for path in can.rglob("*")} <= synced


def test_a_link_elsewhere_is_not_taken_for_the_trash(
    root: Path, quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trash deletes for good while someone links the file: the safety link stays."""

    def delete(path: str) -> None:
        os.link(path, quick_path / str(len(list(quick_path.iterdir()))))
        os.unlink(path)

    monkeypatch.setattr(fs, "trash", delete)
    remover = Remover(quick_path / "library")
    report = remover.apply(plan(root), matches=any_match, mode=BackupMode.REMOVED)
    assert [item.state for item in report.done] == [State.MOVED] * 3
    assert len(remover.undo(report.run).done) == 3


def test_what_was_damaged_in_the_trash_is_told(root: Path, quick_path: Path) -> None:
    remover = Remover(quick_path / "library")
    report = remover.apply(plan(root), matches=any_match, mode=BackupMode.REMOVED)
    for path in (quick_path / "data/Trash/files").iterdir():
        path.write_bytes(b"PICTURE")
    assert {refusal.reason for refusal in remover.undo(report.run).skipped} == {"damaged"}
