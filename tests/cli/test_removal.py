"""plan, apply, undo, history, backups and purge, from scan to the last byte."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import Idf, refused

MARKER = "ImageDuplicateFinder-backup"


def _tree(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Each file outside backups with the digest of its bytes, its time and its mode."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and MARKER not in path.parts
    }


def _json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture
def planned(idf: Idf, album: Path, tmp_path: Path) -> Path:
    """A scanned album and the plan for all that is preselected: three files."""
    assert idf("scan", album, "--mode", "quick").returncode == 0
    done = idf("plan", "--json", "plan.json")
    assert done.returncode == 0, done.stderr
    return tmp_path / "plan.json"


def test_plan_says_what_goes_and_what_stays_and_touches_nothing(
    idf: Idf, album: Path, planned: Path
) -> None:
    before = _tree(album)
    shown = idf("plan").stdout
    assert _tree(album) == before
    for gone, kept in (("a copy", "a"), ("sub/a small", "a"), ("b mirrored", "b")):
        assert f"remove {album}/{gone}.jpg\n  keep {album}/{kept}.jpg: " in shown
    assert "3 files to remove" in shown
    assert "Nothing was removed." in shown
    assert len(json.loads(planned.read_text())["items"]) == 3
    assert json.loads(idf("plan", "--json", "-").stdout) == json.loads(planned.read_text())


def test_plan_can_be_restricted(idf: Idf, album: Path, planned: Path) -> None:
    def goes(*options: str) -> list[str]:
        plan = _json(idf("plan", "--json", "-", *options))
        return sorted(Path(item["file"]["path"]).name for item in plan["items"])

    assert goes("--only-from", "album/sub") == ["a small.jpg"]
    assert goes("--relation", "rotated") == ["b mirrored.jpg"]
    assert goes("--text", "nowhere") == []
    assert goes("--action", "hardlink") == ["a copy.jpg"]


def test_nothing_goes_without_a_plan_and_yes(
    album: Path, planned: Path, library_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = _tree(album)
    for arguments in (
        ["apply"],
        ["apply", "--yes"],
        ["apply", str(planned)],
        ["apply", "no such file.json", "--yes"],
        ["apply", str(album / "a.jpg"), "--yes"],
        ["purge", "1"],
        ["purge", "1", "--yes"],
        ["undo", "1"],
    ):
        refused(["--library", str(library_dir), *arguments], capfd)
    assert _tree(album) == before


def test_apply_and_undo_bring_every_byte_and_time_back(
    idf_process: Idf, album: Path, planned: Path
) -> None:
    before = _tree(album)
    report = _json(idf_process("apply", planned, "--yes", "--json", "-"))
    assert report["run"] == 1
    assert report["skipped"] == []
    assert {Path(item["path"]).name for item in report["done"]} == {
        "a copy.jpg",
        "a small.jpg",
        "b mirrored.jpg",
    }
    for item in report["done"]:
        assert not Path(item["path"]).exists()
        stored = Path(item["stored"])
        assert (
            hashlib.sha256(stored.read_bytes()).hexdigest()
            == (before[str(Path(item["path"]).relative_to(album))][0])
        )
        assert Path(item["keeper"]).is_file()
    assert set(_tree(album)) == {"a.jpg", "b.jpg", "alone.jpg", "damaged.jpg"}

    (run,) = _json(idf_process("history", "--json", "-"))["runs"]
    assert (run["run"], run["files"]) == (1, {"moved": 3})
    assert "3 files (3 moved)" in idf_process("history").stdout
    files = _json(idf_process("history", "1", "--json", "-"))["files"]
    assert [file["state"] for file in files] == ["moved"] * 3
    (backup,) = _json(idf_process("backups", "--json", "-"))["backups"]
    assert backup["files"] == 3
    assert (Path(backup["folder"]) / "README.txt").is_file()

    done = idf_process("undo", "1")
    assert done.returncode == 0
    assert "3 files restored" in done.stdout
    assert _tree(album) == before
    assert "3 restored" in idf_process("history").stdout


def test_undo_of_one_file(idf: Idf, album: Path, planned: Path) -> None:
    idf("apply", planned, "--yes")
    done = idf("undo", "1", "--file", "album/sub/a small.jpg")
    assert "1 file restored" in done.stdout
    assert (album / "sub" / "a small.jpg").is_file()
    assert not (album / "a copy.jpg").exists()
    unknown = idf("undo", "1", "--file", "album/alone.jpg")
    assert unknown.returncode == 2
    assert "alone.jpg" in unknown.stderr


def test_undo_never_replaces_another_file(idf: Idf, album: Path, planned: Path) -> None:
    idf("apply", planned, "--yes")
    (album / "a copy.jpg").write_bytes(b"a new file of that name")
    done = idf("undo", "1", "--strict")
    assert done.returncode == 1
    assert "1 file skipped:" in done.stdout
    assert (album / "a copy.jpg").read_bytes() == b"a new file of that name"
    renamed = idf("undo", "1", "--rename")
    assert renamed.returncode == 0
    assert "a copy.jpg was restored as " in renamed.stdout
    assert (album / "a copy.jpg").read_bytes() == b"a new file of that name"


def test_what_changed_since_the_plan_stays(idf: Idf, album: Path, planned: Path) -> None:
    (album / "b.jpg").write_bytes(b"another picture")  # the keeper of b mirrored.jpg
    done = idf("apply", planned, "--yes", "--strict", "--json", "-")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert [Path(item["path"]).name for item in report["skipped"]] == ["b mirrored.jpg"]
    assert report["skipped"][0]["message"]
    assert (album / "b mirrored.jpg").is_file()
    assert len(report["done"]) == 2


def test_backup_can_lie_elsewhere(idf: Idf, album: Path, planned: Path, tmp_path: Path) -> None:
    (tmp_path / "vault").mkdir()
    idf("apply", planned, "--yes", "--backup-dir", "vault")
    (backup,) = _json(idf("backups", "--json", "-"))["backups"]
    assert Path(backup["folder"]).is_relative_to(tmp_path / "vault")
    assert not (album / MARKER).exists() and not (album.parent / MARKER).exists()
    assert idf("--library", "another", "backups", "vault").stdout.startswith("another library's: ")


def test_a_backup_is_taken_over_when_its_library_is_lost(
    idf: Idf, album: Path, planned: Path, library_dir: Path
) -> None:
    before = _tree(album)
    idf("apply", planned, "--yes", "--backup", "removed")
    shutil.rmtree(library_dir)
    assert "(to adopt it: idf adopt)" in idf("backups", album).stdout
    (taken,) = _json(idf("adopt", album, "--json", "-"))["backups"]
    assert (taken["files"], taken["root"]) == (3, str(album))
    again = idf("adopt", album)
    assert again.returncode == 2 and "no backup" in again.stderr
    assert idf("undo", str(taken["run"])).returncode == 0
    assert _tree(album) == before and not (album.parent / MARKER).exists()


def test_a_strange_backup_needs_the_folder_to_be_confirmed(
    idf: Idf, album: Path, planned: Path, library_dir: Path, tmp_path: Path
) -> None:
    idf("apply", planned, "--yes", "--backup", "removed")
    shutil.rmtree(library_dir)
    away = tmp_path / "stick"
    away.mkdir()
    moved = Path(shutil.move(tmp_path / MARKER, away))
    refused = idf("adopt", moved)
    assert refused.returncode == 4 and "--root" in refused.stderr
    assert "Nothing has been removed yet" in idf("history").stdout
    taken = idf("adopt", moved, "--root", album)
    assert f"restore the files to {album}" in taken.stdout, taken.stderr


def test_a_damaged_file_changes_the_exit_status(idf: Idf, album: Path, planned: Path) -> None:
    idf("apply", planned, "--yes", "--backup", "removed")
    (item, *_) = _json(idf("history", "1", "--json", "-"))["files"]
    stored = Path(item["stored"])
    times = stored.stat()
    stored.write_bytes(stored.read_bytes()[:-1] + b"?")
    os.utime(stored, ns=(times.st_atime_ns, times.st_mtime_ns))
    done = idf("undo", "1")
    assert done.returncode == 1 and "damaged" in done.stdout
    assert not Path(item["path"]).exists() and stored.exists()


def test_purge_frees_space_and_tells_how_much(idf: Idf, album: Path, planned: Path) -> None:
    idf("apply", planned, "--yes", "--backup", "removed")
    (backup,) = _json(idf("backups", "--json", "-"))["backups"]
    report = _json(idf("purge", "1", "--yes", "--json", "-"))
    assert (report["purged"], report["freed"]) == (3, backup["bytes"])
    assert report["kept"] == []
    assert not any(
        path.suffix == ".jpg" for path in album.parent.rglob("*") if MARKER in path.parts
    )
    assert "0 files restored" in idf("undo", "1").stdout


def test_hard_links_take_no_second_space_and_can_be_undone(idf: Idf, album: Path) -> None:
    idf("scan", album, "--mode", "quick")
    before = _tree(album)
    idf("plan", "--action", "hardlink", "--json", "links.json")
    done = idf("apply", "links.json", "--yes")
    assert done.returncode == 0, done.stderr
    assert os.path.samefile(album / "a.jpg", album / "a copy.jpg")
    assert idf("undo", "1").returncode == 0
    assert not os.path.samefile(album / "a.jpg", album / "a copy.jpg")
    assert _tree(album) == before


def test_doctor_checks_the_backups(idf: Idf, album: Path, planned: Path) -> None:
    idf("apply", planned, "--yes")
    well = idf("doctor", "--verify")
    assert well.returncode == 0, well.stdout
    assert "3 files checked" in well.stdout
    assert "DOES NOT WORK" not in well.stdout
    (item, *_) = _json(idf("history", "1", "--json", "-"))["files"]
    Path(item["stored"]).write_bytes(b"damaged on the disk")
    damaged = idf("doctor", "--verify")
    assert damaged.returncode == 1
    assert Path(item["path"]).name in damaged.stdout
