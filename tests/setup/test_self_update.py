"""The self-update moves a clean checkout forward, and touches nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.setup.checkouts import git
from update import update


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """An upstream with one commit, and a clone of it."""
    upstream, clone = tmp_path / "upstream", tmp_path / "clone"
    upstream.mkdir()
    git(upstream, "init", "--quiet", "--initial-branch=main")
    _commit(upstream, "program.txt", "1")
    git(tmp_path, "clone", "--quiet", str(upstream), str(clone))
    return upstream, clone


def _commit(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", text)


def test_moves_forward_and_says_so(pair: tuple[Path, Path]) -> None:
    upstream, clone = pair
    _commit(upstream, "program.txt", "2")
    _commit(upstream, "program.txt", "3")
    assert update(clone) == "Updated to the newest version (2 changes)."
    assert (clone / "program.txt").read_text() == "3"
    assert update(clone) is None


def test_untracked_files_do_not_hold_it_back(pair: tuple[Path, Path]) -> None:
    upstream, clone = pair
    (clone / "notes.txt").write_text("mine")
    _commit(upstream, "program.txt", "2")
    assert update(clone) is not None
    assert (clone / "notes.txt").read_text() == "mine"


def test_leaves_changed_files_alone(pair: tuple[Path, Path]) -> None:
    upstream, clone = pair
    _commit(upstream, "program.txt", "2")
    (clone / "program.txt").write_text("mine")
    assert update(clone) is None
    assert (clone / "program.txt").read_text() == "mine"


def test_leaves_own_commits_alone(pair: tuple[Path, Path]) -> None:
    upstream, clone = pair
    _commit(upstream, "program.txt", "2")
    _commit(clone, "own.txt", "own")
    before = git(clone, "rev-parse", "HEAD")
    assert update(clone) is None
    assert git(clone, "rev-parse", "HEAD") == before
    assert (clone / "program.txt").read_text() == "1"


def test_is_silent_without_connection(
    pair: tuple[Path, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    upstream, clone = pair
    shutil.rmtree(upstream)
    assert update(clone) is None
    assert capfd.readouterr() == ("", "")


def test_is_silent_without_upstream_and_without_git(
    pair: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    upstream, _clone = pair
    unpacked = tmp_path / "unpacked archive"
    unpacked.mkdir()
    assert update(upstream) is None
    assert update(unpacked) is None
    assert capfd.readouterr() == ("", "")
