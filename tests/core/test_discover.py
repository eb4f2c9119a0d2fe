"""Discovery on a real folder tree: what is listed, passed over and reported."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from image_duplicate_finder.discover import clean_roots, discover
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.model import BACKUP_MARKER_NAME


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def names(root: Path, **options: object) -> list[str]:
    found = discover(clean_roots([root]), **options)  # type: ignore[arg-type]
    return [os.path.relpath(file.path, root) for file in found.files]


def test_subfolders_are_searched_unless_told_otherwise(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    touch(tmp_path / "b" / "c.png")
    assert names(tmp_path) == ["a.jpg", "b/c.png"]
    assert names(tmp_path, recursive=False) == ["a.jpg"]


def test_hidden_files_and_backups_are_skipped(tmp_path: Path) -> None:
    touch(tmp_path / ".hidden.jpg")
    touch(tmp_path / ".folder" / "a.jpg")
    touch(tmp_path / "backup" / BACKUP_MARKER_NAME)
    touch(tmp_path / "backup" / "b.jpg")
    touch(tmp_path / "kept.jpg")
    assert names(tmp_path) == ["kept.jpg"]
    assert names(tmp_path, hidden=True) == [".folder/a.jpg", ".hidden.jpg", "kept.jpg"]


def test_exclude_patterns_work_like_gitignore(tmp_path: Path) -> None:
    for name in ("a.jpg", "cache/b.jpg", "deep/cache/c.jpg", "d.tmp.jpg"):
        touch(tmp_path / name)
    assert names(tmp_path, exclude=["cache/", "*.tmp.jpg"]) == ["a.jpg"]


def test_links_are_not_followed_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "a.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a" / "a.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert names(tmp_path) == ["a/a.jpg"]


def test_hard_links_are_one_file(tmp_path: Path) -> None:
    first = touch(tmp_path / "a.jpg")
    os.link(first, tmp_path / "b.jpg")
    found = discover(clean_roots([tmp_path]))
    assert [file.path for file in found.files] == [str(first)]


def test_what_is_no_regular_file_is_not_listed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.jpg"))
        touch(tmp_path / "real.jpg")
        assert names(tmp_path) == ["real.jpg"]


_NOBODY = 65534


@contextmanager
def as_anyone() -> Iterator[None]:
    """Root may read every folder, so as root the walk is done as somebody else."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if before == 0:
            os.seteuid(before)


def test_unreadable_folders_are_reported_and_passed_over(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    touch(closed / "a.jpg")
    touch(tmp_path / "b.jpg")
    closed.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o055)
    with as_anyone():
        found = discover([str(tmp_path)])
    closed.chmod(0o700)
    assert [file.path for file in found.files] == [str(tmp_path / "b.jpg")]
    assert [failure.path for failure in found.failures] == [str(closed)]
    assert "permission" in found.failures[0].message


def test_roots_inside_one_another_count_once(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "b" / "c.jpg")
    assert clean_roots([tmp_path / "a" / "b", tmp_path / "a", tmp_path / "a"]) == (
        str(tmp_path / "a"),
    )


def test_a_missing_root_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder or file"):
        clean_roots([tmp_path / "nowhere"])


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe \n.jpg"
    with open(raw, "wb") as file:
        file.write(b"x")
    (found,) = discover(clean_roots([tmp_path])).files
    assert os.fsencode(found.path) == raw
