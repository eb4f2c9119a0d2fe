"""Backups that come from outside, or that a person moved: what they may write, and where."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from image_duplicate_finder.errors import IdfError, NotFound, RemovalRefused
from image_duplicate_finder.library import Library
from image_duplicate_finder.model import BACKUP_MARKER_NAME
from image_duplicate_finder.removal import Remover, State, find_backups
from image_duplicate_finder.removal.backup import FOLDER_NAME, MANIFEST_NAME
from image_duplicate_finder.removal.links import TRACE
from image_duplicate_finder.settings import Mode, RemovalAction, ScanSettings
from tests.removal.support import MEMORY, apply, content_of, evidence, plan_for, tree, write


@pytest.fixture
def other(quick_path: Path) -> Remover:
    """A library that made none of the backups."""
    return Remover(quick_path / "another library")


def backup_of(root: Path) -> Path:
    (folder,) = find_backups((str(root),))
    return Path(folder)


def strange_backup(stick: Path, root: Path, *lines: dict[str, Any]) -> Path:
    """A backup that nobody made with this program: its files, its manifest and its marker."""
    folder = stick / FOLDER_NAME / "2026-01-01_00-00-00"
    texts = []
    for number, line in enumerate(lines, 1):
        data = b"strange %d" % number
        stored = Path(write(folder / f"removed/{number}", data))
        entry = {
            "event": "removed", "stored": f"removed/{number}", "blake3": content_of(stored).hex(),
            "bytes": len(data), "kind": "picture", "unit": number, "action": "backup",
            "metadata": {"mode": 0o644, "uid": 0, "gid": 0, "atime_ns": 1, "mtime_ns": 1,
                         "links": 1, "xattrs": {}},
            "keeper": str(root / "k.jpg"), "keeper_blake3": content_of(stored).hex(),
            "relation": "byte_identical", "group": 0,
        }  # fmt: skip
        texts.append(json.dumps({**entry, **line}))
    write(folder / MANIFEST_NAME, "\n".join(texts).encode())
    origin = json.dumps({"root": str(root), "folder": str(folder)})
    write(folder / BACKUP_MARKER_NAME, f"A backup\n{origin}\n".encode())
    return folder


# Only below what a person confirmed


def test_nothing_is_written_that_nobody_confirmed(quick_path: Path, other: Remover) -> None:
    home = quick_path / "home"
    home.mkdir()
    folder = strange_backup(
        quick_path / "stick", home, {"path": str(home / "a.jpg")}, {"path": str(home / "b.jpg")}
    )
    offer = other.offer(str(folder))
    assert (offer.root, offer.files, offer.own) == (str(home), 2, False)
    for roots in ([], [str(quick_path / "stick")], [str(home / "deeper")]):
        with pytest.raises(RemovalRefused, match="--root"):
            other.adopt(str(folder), roots=roots)
    assert other.history() == []
    run = other.adopt(str(folder), roots=[str(home)])
    assert len(other.undo(run).done) == 2 and (home / "a.jpg").read_bytes() == b"strange 1"


@pytest.mark.parametrize(
    "path",
    [
        ".bashrc", ".config/autostart/evil.desktop", ".ssh/authorized_keys", "bin/ls",
        "AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Startup/a.jpg", "run.desktop",
        "Library/LaunchAgents/com.evil.plist", "x/.hidden/a.jpg", "Makefile", "photo.jpg.exe",
    ],
)  # fmt: skip
def test_what_programs_start_needs_its_name(quick_path: Path, other: Remover, path: str) -> None:
    home = quick_path / "home"
    home.mkdir()
    folder = strange_backup(
        quick_path / "stick", home, {"path": str(home / path)}, {"path": str(home / "a.jpg")}
    )
    assert other.offer(str(folder)).delicate == (str(home / path),)
    run = other.adopt(str(folder), roots=[str(home)])
    assert [item.path for item in other.items(run)] == [str(home / "a.jpg")]
    run = other.adopt(str(folder), roots=[str(home)], names=[str(home / path)])
    other.undo(run)
    assert (home / path).read_bytes() == b"strange 1"


@pytest.mark.parametrize(
    "path", ["/home/../etc/passwd.jpg", "etc/a.jpg", "/", "", "//a/b.jpg", "/a/./b.jpg", "/a/b/"]
)
def test_odd_paths_are_passed_over(quick_path: Path, other: Remover, path: str) -> None:
    folder = strange_backup(quick_path / "stick", quick_path, {"path": path})
    with pytest.raises(NotFound):
        other.adopt(str(folder), roots=["/", str(quick_path)])


def test_nothing_goes_through_a_link(quick_path: Path, other: Remover) -> None:
    home, away = quick_path / "home", quick_path / "away"
    for folder in (home, away):
        folder.mkdir()
    (home / "album").symlink_to(away)
    (home / "later").mkdir()
    backup = strange_backup(
        quick_path / "stick",
        home,
        {"path": str(home / "album/a.jpg")},
        {"path": str(home / "later/b.jpg")},
    )
    run = other.adopt(str(backup), roots=[str(home)])
    assert [item.path for item in other.items(run)] == [str(home / "later/b.jpg")]
    (home / "later").rmdir()
    (home / "later").symlink_to(away)
    assert [refusal.reason for refusal in other.undo(run).skipped] == ["link"]
    assert list(away.iterdir()) == []


@pytest.mark.parametrize("same", [False, True])
def test_a_link_of_the_person_is_never_replaced(
    quick_path: Path, other: Remover, same: bool
) -> None:
    """Also where it leads to the very bytes that the backup brings."""
    home = quick_path / "home"
    write(home / "target.jpg", b"strange 1" if same else b"mine")
    (home / "a.jpg").symlink_to("target.jpg")
    line = {"path": str(home / "a.jpg"), "action": "symlink", "aim": "target.jpg"}
    line["keeper"] = str(home / "target.jpg")
    folder = strange_backup(quick_path / "stick", home, line)
    run = other.adopt(str(folder), roots=[str(home)])
    assert [refusal.reason for refusal in other.undo(run).skipped] == ["taken"]
    assert (home / "a.jpg").is_symlink()


def test_a_file_that_calls_itself_its_keeper_is_never_replaced(
    quick_path: Path, other: Remover
) -> None:
    home = quick_path / "home"
    write(home / "a.jpg", b"mine")
    os.link(home / "a.jpg", home / "second name.jpg")
    line = {"path": str(home / "a.jpg"), "action": "hardlink", "keeper": str(home / "a.jpg")}
    folder = strange_backup(quick_path / "stick", home, line)
    run = other.adopt(str(folder), roots=[str(home)])
    assert [refusal.reason for refusal in other.undo(run).skipped] == ["taken"]
    assert (home / "a.jpg").read_bytes() == b"mine"


def test_what_comes_back_is_a_plain_file_of_this_user(quick_path: Path, other: Remover) -> None:
    """No set-user-ID bit, no other owner, no privileged attribute, no name elsewhere."""
    home = quick_path / "home"
    home.mkdir()
    attributes = {"user.tag": "YQ==", "trusted.x": "YQ==", "security.x": "YQ==", TRACE: "YQ=="}
    metadata = {"mode": 0o6755, "uid": 12, "gid": 34, "atime_ns": 5, "mtime_ns": 7}
    line = {"path": str(home / "new/a.jpg"), "metadata": {**metadata, "xattrs": attributes}}
    folder = strange_backup(quick_path / "stick", home, line)
    stored = folder / "removed/1"
    os.chmod(stored, 0o6755)
    os.chmod(stored.parent, 0o2777)
    os.setxattr(stored, "user.other", b"x")
    os.link(stored, quick_path / "second name")
    run = other.adopt(str(folder), roots=[str(home)])
    assert other.undo(run).done
    status = os.stat(home / "new/a.jpg")
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (
        0o755, os.getuid(), os.getgid(),
    )  # fmt: skip
    assert status.st_nlink == 1 and status.st_mtime_ns == 7
    assert os.listxattr(home / "new/a.jpg") == ["user.tag"]
    assert os.stat(home / "new").st_mode & 0o7022 == 0


def test_a_manifest_reaches_no_file_outside_its_backup(quick_path: Path, other: Remover) -> None:
    home = quick_path / "home"
    home.mkdir()
    victim = Path(write(quick_path / "elsewhere/victim.jpg", b"strange 1"))
    folder = strange_backup(quick_path / "stick", home, {"path": str(home / "a.jpg")})
    (folder / "way").symlink_to(victim.parent)
    line = json.loads((folder / MANIFEST_NAME).read_text())
    ways = ("../../../elsewhere/victim.jpg", str(victim), "way/victim.jpg", ".", "", "a\0b")
    lines: list[object] = [{**line, "stored": way} for way in ways]
    lines += [{**line, "event": "preserved", "stored": way, "path": str(victim)} for way in ways]
    lines += [{"event": "preserved"}, {"event": "removed", "stored": 7}, 7, None]
    (folder / MANIFEST_NAME).write_text("".join(json.dumps(one) + "\n" for one in lines))
    with pytest.raises(NotFound):
        other.adopt(str(folder), roots=[str(home)])
    text = "".join(json.dumps(one) + "\n" for one in [line, *lines])
    (folder / MANIFEST_NAME).write_text(text)
    run = other.adopt(str(folder), roots=[str(home)])
    assert [item.stored for item in other.items(run)] == [str(folder / "removed/1")]
    other.purge(run, without_keeper=True)
    assert victim.read_bytes() == b"strange 1"


def test_a_companion_without_a_picture_has_no_keeper(quick_path: Path, other: Remover) -> None:
    home = quick_path / "home"
    home.mkdir()
    line = {"path": str(home / "a.xmp"), "kind": "sidecar"}
    folder = strange_backup(quick_path / "stick", home, line)
    run = other.adopt(str(folder), roots=[str(home)])
    assert other.purge(run).purged == 0 and (folder / "removed/1").exists()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from([2**63, -1, 10**400, "\ud800", "..", "/", "removed/1", "symlink"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
FIELDS = st.sampled_from(
    "event path path_bytes stored stored_bytes blake3 bytes kind unit action metadata keeper "
    "keeper_bytes keeper_blake3 relation group aim aim_bytes checksum".split()
)
METADATA = st.dictionaries(
    st.sampled_from("mode uid gid atime_ns mtime_ns links xattrs".split()), JSON, max_size=3
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    changes=st.dictionaries(FIELDS, JSON | METADATA, max_size=4),
    metadata=METADATA,
    marker=JSON | st.dictionaries(st.sampled_from(["root", "folder", "own", "volumes"]), JSON),
    tail=st.binary(max_size=30),
)
def test_no_manifest_raises_anything_but_an_answer(
    changes: dict[str, object], metadata: dict[str, object], marker: object, tail: bytes
) -> None:
    base = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="idf-test", dir=base) as top:
        home = Path(top) / "home"
        home.mkdir()
        whole = {"mode": 0o644, "atime_ns": 1, "mtime_ns": 1, "xattrs": {}, **metadata}
        line = {"path": str(home / "a.jpg"), "metadata": whole, **changes}
        folder = strange_backup(Path(top) / "stick", home, line)
        with open(folder / MANIFEST_NAME, "ab") as manifest:
            manifest.write(b"\n" + tail)
        with open(folder / BACKUP_MARKER_NAME, "a") as file:
            file.seek(0)
            file.write(json.dumps(marker) + "\n")
        remover = Remover(Path(top) / "library")
        try:
            remover.offer(str(folder))
            run = remover.adopt(str(folder), roots=[str(home)])
        except IdfError:
            return
        remover.verify()
        remover.undo(run)
        outside = {path.name for path in Path(top).iterdir()} - {"home", "stick", "library"}
        assert not outside


# Backups that moved


def test_a_moved_backup_goes_back_to_where_its_files_came_from(
    root: Path, remover: Remover, quick_path: Path
) -> None:
    before = tree(root)
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    desk = quick_path / "Desktop/photos"
    write(desk / "keep.jpg", b"picture")
    moved = Path(shutil.move(backup_of(root), desk / "old things"))
    assert [refusal.reason for refusal in remover.undo(report.run).skipped] == ["gone"]
    assert remover.offer(str(moved)).own
    run = remover.adopt(str(moved))
    assert [i.stored for i in remover.items(run)] == [str(moved / "removed/copy.jpg")]
    assert remover.items(report.run) == []
    assert remover.verify().problems == ()
    assert len(remover.undo(run).done) == 1
    assert tree(root, folder_times=False).keys() == before.keys()
    assert sorted(p.name for p in desk.iterdir()) == ["keep.jpg"]


def test_a_moved_backup_goes_back_whatever_its_manifest_says(
    root: Path, remover: Remover, quick_path: Path
) -> None:
    apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    moved = backup_of(root).rename(quick_path / "moved")
    (moved / MANIFEST_NAME).write_text("nothing\n")
    assert remover.undo(remover.adopt(str(moved))).done
    assert (root / "copy.jpg").exists()


def test_a_moved_backup_follows_pictures_that_moved_with_it(
    quick_path: Path, remover: Remover
) -> None:
    root = quick_path / "drive/photos"
    for name in ("keep.jpg", "copy.jpg"):
        write(root / name, b"picture")
    apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    now = root.parent.rename(quick_path / "same drive") / "photos"
    folder = str(backup_of_moved(now))
    assert remover.offer(folder).root == str(now)
    assert remover.undo(remover.adopt(folder)).done
    assert (now / "copy.jpg").exists() and not root.parent.exists()


def test_a_copied_backup_is_no_moved_one(root: Path, remover: Remover, quick_path: Path) -> None:
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    copy = Path(shutil.copytree(backup_of(root), quick_path / "copy of it"))
    assert not remover.offer(str(copy)).own
    run = remover.adopt(str(copy), roots=[str(root)])
    assert run != report.run
    assert remover.undo(report.run).done
    assert [r.reason for r in remover.undo(run).skipped] == ["taken"]


def test_a_backup_that_moved_with_its_folder_comes_back_there(
    quick_path: Path, remover: Remover, other: Remover
) -> None:
    """A drive that has another name on another computer; the keepers tell that it is the one."""
    root = quick_path / "drive/photos"
    for name in ("keep.jpg", "copy.jpg"):
        write(root / name, b"picture")
    apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    now = root.parent.rename(quick_path / "same drive") / "photos"
    folder = str(backup_of_moved(now))
    assert find_backups((str(now.parent),)) == [folder]
    assert other.offer(folder).root == str(now)
    run = other.adopt(folder, roots=[str(now)])
    (item,) = other.items(run)
    assert (item.path, item.keeper) == (str(now / "copy.jpg"), str(now / "keep.jpg"))
    assert len(other.undo(run).done) == 1
    assert (now / "copy.jpg").exists() and not root.parent.exists()


def backup_of_moved(root: Path) -> Path:
    (folder,) = (root.parent / FOLDER_NAME).iterdir()
    return folder


def test_a_backup_that_moved_beside_other_pictures_stays_with_its_own(
    quick_path: Path, remover: Remover, other: Remover
) -> None:
    root = quick_path / "drive/photos"
    for name in ("keep.jpg", "copy.jpg"):
        write(root / name, b"picture")
    apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    elsewhere = quick_path / "elsewhere"
    write(elsewhere / "photos/keep.jpg", b"another picture")
    shutil.move(root.parent / FOLDER_NAME, elsewhere / FOLDER_NAME)
    assert other.offer(str(backup_of_moved(elsewhere / "photos"))).root == str(root)


def test_a_backup_elsewhere_comes_back_where_it_was(
    root: Path, remover: Remover, quick_path: Path, other: Remover
) -> None:
    elsewhere = quick_path / "backups"
    elsewhere.mkdir()
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    apply(remover, plan, backup_dir=str(elsewhere))
    assert other.undo(other.adopt(str(backup_of(elsewhere)), roots=[str(root)])).done
    assert (root / "copy.jpg").exists()


@pytest.mark.parametrize("action", [RemovalAction.HARDLINK, RemovalAction.SYMLINK])
def test_links_of_a_lost_library_are_undone(
    root: Path, remover: Remover, other: Remover, action: RemovalAction
) -> None:
    """A symbolic link is known as one of this program by what the file says that it leads to."""
    before = tree(root)
    apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root, action))
    report = other.undo(other.adopt(str(backup_of(root)), roots=[str(root)]))
    assert report.skipped == () and tree(root, folder_times=False).keys() == before.keys()
    assert not (root / "copy.jpg").is_symlink() and os.stat(root / "copy.jpg").st_nlink == 1


# What the journal lost


def test_doctor_finds_backups_that_a_lost_journal_knew(
    root: Path, remover: Remover, quick_path: Path
) -> None:
    apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    folder = backup_of(root)
    for path in (quick_path / "library").glob("journal.sqlite*"):
        path.unlink()
    (problem,) = remover.verify(folders=[str(root)]).problems
    assert str(folder) in problem and "idf adopt" in problem
    assert remover.undo(remover.adopt(str(folder), roots=[str(root)])).done
    assert remover.verify(folders=[str(root)]).problems == ()


def test_an_older_journal_takes_the_newer_backup_and_its_rows_over(
    root: Path, remover: Remover, quick_path: Path
) -> None:
    write(root / "more.jpg", b"picture")
    apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    saved = shutil.copytree(quick_path / "library", quick_path / "saved")
    apply(remover, plan_for([evidence(root / "more.jpg", root / "keep.jpg")], root))
    shutil.rmtree(quick_path / "library")
    shutil.move(saved, quick_path / "library")
    (problem,) = remover.verify(folders=[str(root)]).problems
    folder = problem.split(": ")[0]
    run = remover.adopt(folder, roots=[str(root)])
    assert [item.path for item in remover.undo(run).done] == [str(root / "more.jpg")]


def test_a_damaged_row_costs_that_row_and_the_manifest_brings_it_back(
    root: Path, remover: Remover, quick_path: Path
) -> None:
    import sqlite3

    for name in ("b.jpg", "c.jpg"):
        write(root / name, b"picture")
    removals = [evidence(root / n, root / "keep.jpg") for n in ("b.jpg", "c.jpg", "copy.jpg")]
    report = apply(remover, plan_for(removals, root))
    with sqlite3.connect(quick_path / "library/journal.sqlite") as db:
        db.execute("UPDATE item SET path = CAST('/etc/x.jpg' AS BLOB) WHERE id = 2")
    undone = remover.undo(report.run)
    assert [Path(i.path).name for i in undone.done] == ["copy.jpg", "b.jpg"]
    (refusal,) = undone.skipped
    assert refusal.reason == "damaged" and "number 2" in refusal.message
    assert any("number 2" in problem for problem in remover.verify().problems)
    assert remover.adopt(str(backup_of(root)), roots=[str(root)]) == report.run
    assert remover.undo(report.run).done and (root / "c.jpg").exists()


@pytest.mark.parametrize("column", ["state", "stored", "content", "metadata", "run", "keeper"])
def test_no_damaged_row_is_believed(
    root: Path, remover: Remover, quick_path: Path, column: str
) -> None:
    import sqlite3

    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    with sqlite3.connect(quick_path / "library/journal.sqlite") as db:
        db.execute("PRAGMA foreign_keys=OFF")
        value = 77 if column == "run" else "purging" if column == "state" else b"{}"
        db.execute(f"UPDATE item SET {column} = ?", (value,))
    remover.recover()
    remover.purge(report.run)
    assert Path(report.done[0].stored).exists()
    assert remover.verify().problems
    remover.history()


def test_a_damaged_line_of_a_manifest_costs_that_line(
    root: Path, remover: Remover, other: Remover
) -> None:
    write(root / "b.jpg", b"picture")
    removals = [evidence(root / n, root / "keep.jpg") for n in ("b.jpg", "copy.jpg")]
    apply(remover, plan_for(removals, root))
    manifest = backup_of(root) / MANIFEST_NAME
    first, second = manifest.read_text().splitlines()
    manifest.write_text(first.replace("b.jpg", "x.jpg") + "\n" + second + "\n")
    assert any("lacks 1 of its files" in problem for problem in remover.verify().problems)
    offer = other.offer(str(backup_of(root)))
    assert (offer.files, offer.damaged) == (1, 1)
    run = other.adopt(str(backup_of(root)), roots=[str(root)])
    assert [(i.path, i.state) for i in other.items(run)] == [(str(root / "copy.jpg"), State.MOVED)]


def test_a_backup_in_a_place_of_its_own_is_found_without_the_journal(
    quick_path: Path, painted: Callable[..., NDArray[np.uint8]]
) -> None:
    photos, vault = quick_path / "photos", quick_path / "vault"
    photos.mkdir()
    vault.mkdir()
    cv2.imwrite(str(photos / "a.png"), painted(1))
    shutil.copy(photos / "a.png", photos / "b.png")
    with Library.open(quick_path / "library") as library:
        scan = library.scan([photos], ScanSettings(mode=Mode.QUICK, jobs=1))
        assert library.apply(library.plan(scan.id), backup_dir=vault).done
        for path in (quick_path / "library").glob("journal.sqlite*"):
            path.unlink()
        (problem,) = library.verify_backups().problems
    assert str(vault) in problem and "idf adopt" in problem
