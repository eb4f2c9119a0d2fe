"""Apply, undo and history on real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Remover, State
from image_duplicate_finder.removal.backup import FOLDER_NAME
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.removal.support import any_match, contents, evidence, plan_for, reasons, tree, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a keeper and three copies in different folders."""
    top = tmp_path / "photos"
    for name in ("keep.jpg", "copy.jpg", "a/copy.jpg", "a/b/copy (1).jpg"):
        write(top / name, b"one picture", 1_600_000_000_123_456_789)
    write(top / "other.jpg", b"another picture")
    return top


@pytest.fixture
def remover(tmp_path: Path) -> Remover:
    return Remover(tmp_path / "library")


def copies(root: Path) -> list[Path]:
    return [root / "copy.jpg", root / "a/copy.jpg", root / "a/b/copy (1).jpg"]


def test_removed_files_are_in_the_backup_and_come_back_unchanged(
    root: Path, remover: Remover, tmp_path: Path
) -> None:
    os.chmod(root / "a/copy.jpg", 0o604)
    os.setxattr(root / "a/copy.jpg", "user.rating", b"5")
    before, bytes_before = tree(root), contents(root)
    plan = plan_for([evidence(c, root / "keep.jpg") for c in copies(root)], root)
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert [item.path for item in report.done] == [str(c) for c in copies(root)]
    assert report.skipped == ()
    assert not any(c.exists() for c in copies(root))
    run_folder = next((root.parent / FOLDER_NAME).iterdir())
    assert (run_folder / "removed/a/b/copy (1).jpg").read_bytes() == b"one picture"
    kept = contents(root, run_folder)
    assert all(kept[c] >= n for c, n in bytes_before.items())

    again = Remover(tmp_path / "library")  # a later start of the program
    restored = again.undo(report.run)
    assert len(restored.done) == 3 and restored.skipped == ()
    assert tree(root) == before
    assert not (root.parent / FOLDER_NAME).exists()


@pytest.mark.parametrize(
    "action", [RemovalAction.HARDLINK, RemovalAction.SYMLINK], ids=lambda a: a.value
)
def test_links_replace_and_are_undone(root: Path, remover: Remover, action: RemovalAction) -> None:
    before = tree(root)
    plan = plan_for([evidence(c, root / "keep.jpg") for c in copies(root)], root, action)
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert len(report.done) == 3, report.skipped
    for copy in copies(root):
        assert os.path.samefile(copy, root / "keep.jpg")
        assert copy.is_symlink() == (action == RemovalAction.SYMLINK)
    restored = remover.undo(report.run)
    assert len(restored.done) == 3, restored.skipped
    assert tree(root) == before


def test_history_tells_of_every_run(root: Path, remover: Remover) -> None:
    plan = plan_for([evidence(c, root / "keep.jpg") for c in copies(root)], root)
    first = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    second = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert set(reasons(second).values()) == {"gone"}
    runs = remover.history()
    assert [run.id for run in runs] == [second.run, first.run]
    assert runs[1].counts == {State.MOVED: 3} and runs[1].held == 33


def test_only_stored_matches_count(root: Path, remover: Remover) -> None:
    plan = plan_for([evidence(root / "copy.jpg", root / "other.jpg", Relation.CROPPED)], root)
    report = remover.apply(plan, matches=lambda *_: False, mode=BackupMode.REMOVED)
    assert reasons(report) == {"copy.jpg": "no_match"}
    assert (root / "copy.jpg").exists()
