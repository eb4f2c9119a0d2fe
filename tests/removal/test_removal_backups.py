"""Rules 4 and 5: undo replaces nothing, backups explain themselves, purge keeps the last copy."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from image_duplicate_finder.errors import NotFound, RemovalRefused
from image_duplicate_finder.messages import Stays, both
from image_duplicate_finder.model import BACKUP_MARKER_NAME, FileStat, Relation
from image_duplicate_finder.removal import Remover, State, find_backups
from image_duplicate_finder.removal.backup import FOLDER_NAME, MANIFEST_NAME
from image_duplicate_finder.removal.journal import FILE_NAME, Journal
from image_duplicate_finder.settings import BackupMode
from tests.removal.support import apply, evidence, plan_for, reasons, tree, write


def test_undo_offers_a_new_name_where_the_old_is_taken(root: Path, remover: Remover) -> None:
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    write(root / "copy.jpg", b"a new file of the user")
    refused = remover.undo(report.run)
    assert reasons(refused) == {"copy.jpg": "taken"} and not refused.done
    restored = remover.undo(report.run, rename=True)
    assert restored.done[0].destination == str(root / "copy (restored).jpg")
    assert (root / "copy (restored).jpg").read_bytes() == b"picture"
    assert (root / "copy.jpg").read_bytes() == b"a new file of the user"


def test_undo_of_single_files_and_of_lost_folders(root: Path, remover: Remover) -> None:
    write(root / "deep/er/copy.jpg", b"picture")
    os.chmod(root / "deep/er", 0o750)
    removals = [evidence(root / p, root / "keep.jpg") for p in ("copy.jpg", "deep/er/copy.jpg")]
    report = apply(remover, plan_for(removals, root))
    shutil.rmtree(root / "deep")
    deep = next(item for item in report.done if "deep" in item.path)
    restored = remover.undo(report.run, [deep.id])
    assert [item.path for item in restored.done] == [deep.path]
    assert (root / "deep/er/copy.jpg").exists() and not (root / "copy.jpg").exists()
    assert (root / "deep/er").stat().st_mode & 0o777 == 0o750


def test_a_file_that_was_changed_in_the_backup_is_left_there(root: Path, remover: Remover) -> None:
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    Path(report.done[0].stored).write_bytes(b"edited in the backup")
    assert reasons(remover.undo(report.run)) == {"copy.jpg": "changed"}
    assert any("has changed" in problem for problem in remover.verify().problems)
    assert remover.purge(report.run).purged == 0
    assert Path(report.done[0].stored).exists()


def rot(path: str) -> None:
    """Change a byte as a failing disk does: neither size nor times tell."""
    status = os.stat(path)
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 1
    Path(path).write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_what_the_disk_damaged_is_told_and_stays_in_the_backup(
    root: Path, remover: Remover
) -> None:
    write(root / "other.jpg", b"picture")
    removals = [evidence(root / name, root / "keep.jpg") for name in ("copy.jpg", "other.jpg")]
    report = apply(remover, plan_for(removals, root))
    rotten, whole = sorted(report.done, key=lambda item: item.path)
    rot(rotten.stored)
    undone = remover.undo(report.run, copies=lambda _content: [str(root / "small.jpg")])
    assert [item.path for item in undone.done] == [whole.path]
    (refusal,) = undone.skipped
    assert refusal.reason == "damaged" and not (root / "copy.jpg").exists()
    assert str(root / "keep.jpg") in refusal.message and "small.jpg" not in refusal.message
    assert Path(rotten.stored).exists()
    assert len(remover.verify().problems) == 1


def test_the_kept_picture_is_named_where_no_copy_is_whole(root: Path, remover: Remover) -> None:
    removal = evidence(root / "small.jpg", root / "keep.jpg", Relation.RESIZED)
    report = apply(remover, plan_for([removal], root))
    rot(report.done[0].stored)
    (refusal,) = remover.undo(report.run).skipped
    assert refusal.reason == "damaged" and f"intact: {root / 'keep.jpg'}" in refusal.message


def test_recovery_of_an_undo_puts_no_damaged_file_back(
    root: Path, remover: Remover, quick_path: Path
) -> None:
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    (item,) = report.done
    with Journal(quick_path / "library") as journal:
        journal.update_items([replace(item, state=State.UNDOING, destination=item.path)])
    rot(item.stored)
    remover.recover()
    assert not (root / "copy.jpg").exists() and Path(item.stored).exists()


def test_a_backup_explains_itself(root: Path, remover: Remover) -> None:
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    (backup,) = find_backups((str(root),))
    folder = Path(backup)
    assert (folder / BACKUP_MARKER_NAME).exists()
    text = (folder / "README.txt").read_text()
    assert str(root) in text and f"idf undo {report.run}" in text
    (line,) = [json.loads(x) for x in (folder / MANIFEST_NAME).read_text().splitlines()]
    assert line["path"] == str(root / "copy.jpg") and line["keeper"] == str(root / "keep.jpg")
    assert line["relation"] == "byte_identical" and len(line["blake3"]) == 64
    assert (folder / line["stored"]).read_bytes() == b"picture"
    (info,) = remover.backups()
    assert (info.files, info.size, info.present) == (1, 7, True)


def test_a_backup_outlives_its_library(root: Path, remover: Remover, quick_path: Path) -> None:
    write(root / "odd \udcff.jpg", b"picture")
    before = tree(root)
    removals = [evidence(root / n, root / "keep.jpg") for n in ("copy.jpg", "odd \udcff.jpg")]
    apply(remover, plan_for(removals, root))
    shutil.rmtree(quick_path / "library")
    other = Remover(quick_path / "another library")
    (folder,) = find_backups((str(root),))
    run = other.adopt(folder, roots=[str(root)])
    assert other.adopt(folder) == run
    assert len(other.undo(run).done) == 2
    assert tree(root, folder_times=False).keys() == before.keys()
    assert not (root.parent / FOLDER_NAME).exists()
    with pytest.raises(NotFound):
        other.adopt(str(root), roots=[str(root)])


def test_names_that_differ_only_in_case_do_not_meet_in_the_backup(
    root: Path, remover: Remover
) -> None:
    names = ("IMG.jpg", "img.jpg", "caf\u00e9.jpg", "cafe\u0301.jpg")
    for name in names:
        write(root / name, b"picture")
    report = apply(remover, plan_for([evidence(root / n, root / "keep.jpg") for n in names], root))
    assert len(report.done) == 4
    trees = {Path(item.stored).relative_to(find_backups((str(root),))[0]).parts[0]
             for item in report.done}  # fmt: skip
    assert trees == {"removed", "removed-2"}
    assert len(remover.undo(report.run).done) == 4


def test_auto_preserves_everything_at_no_cost(root: Path, remover: Remover) -> None:
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    scanned = [str(root / n) for n in ("keep.jpg", "copy.jpg", "small.jpg")]
    report = apply(remover, plan, mode=BackupMode.AUTO, scanned=scanned)
    assert report.preserved == 2
    for change in report.stat_changes:
        assert FileStat.of(os.stat(change.path)) == change.after
        assert change.before.links + 1 == change.after.links
    folder = Path(find_backups((str(root),))[0])
    (root / "small.jpg").unlink()
    assert (folder / "preserved/small.jpg").read_bytes() == b"smaller picture"
    assert remover.verify().problems == ()
    purged = remover.purge(report.run)
    assert [Path(r.path).name for r in purged.kept] == ["small.jpg"]  # the last copy stays
    assert not (folder / "preserved/keep.jpg").exists()
    assert remover.purge(report.run, without_keeper=True).freed == len(b"smaller picture")
    assert not folder.exists()


def test_full_makes_independent_copies(root: Path, remover: Remover) -> None:
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    report = apply(remover, plan, mode=BackupMode.FULL, scanned=[str(root / "keep.jpg")])
    assert report.preserved == 1
    with open(root / "keep.jpg", "r+b") as keeper:
        keeper.write(b"EDITED!")
    folder = Path(find_backups((str(root),))[0])
    assert (folder / "preserved/keep.jpg").read_bytes() == b"picture"


def test_a_full_backup_without_space_refuses_before_anything_moves(
    root: Path, remover: Remover, monkeypatch: pytest.MonkeyPatch
) -> None:
    from image_duplicate_finder.removal import fs

    monkeypatch.setattr(fs, "free_space", lambda _folder: 10)
    before = tree(root)
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    with pytest.raises(RemovalRefused, match="are free"):
        apply(remover, plan, mode=BackupMode.FULL, scanned=[str(root / "keep.jpg")])
    assert tree(root) == before and not (root / FOLDER_NAME).exists()
    assert remover.history()[0].state == "stopped"
    assert remover.recover().lines == ()


def test_a_backup_can_lie_on_another_volume(
    tmp_path: Path, other_volume: Path, remover: Remover
) -> None:
    root = other_volume / "photos"
    for name in ("keep.jpg", "copy.jpg"):
        write(root / name, b"picture", 1_234_567_890_123_456_789)
    os.setxattr(root / "copy.jpg", "user.tag", b"beach")
    before = tree(root)
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    report = apply(remover, plan, backup_dir=str(tmp_path))
    assert len(report.done) == 1 and not (root / FOLDER_NAME).exists()
    assert os.stat(report.done[0].stored).st_dev != os.stat(root).st_dev
    assert len(remover.undo(report.run).done) == 1
    assert tree(root) == before


def test_purge_keeps_what_has_no_keeper_any_more(root: Path, remover: Remover) -> None:
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    (root / "keep.jpg").unlink()
    purged = remover.purge(report.run)
    assert (purged.purged, purged.freed) == (0, 0)
    assert "last copy" in purged.kept[0].message
    write(root / "keep.jpg", b"picture")
    purged = remover.purge(report.run)
    assert (purged.purged, purged.freed) == (1, 7)
    assert not (root / FOLDER_NAME).exists()
    assert [item.state for item in remover.items(report.run)] == [State.PURGED]


def test_notes_of_an_older_journal_stay_readable(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as old:
        old.executescript(Path(__file__).with_name("old_journal.sql").read_text("ascii"))
    with Journal(tmp_path) as journal:
        assert not journal.damaged()
        taken, quiet, missing = journal.items()
    stored = "/photos-backup/removed/1\udcff.jpg"
    assert taken.path == "/photos/1\udcff.jpg" and taken.stored == stored
    assert taken.note == (
        f"Its place is taken by another file now, so it stays in the backup as {stored}."
    )
    assert (quiet.remark, quiet.note) == (None, "")
    assert missing.note == "It is neither in its place nor in the backup."


def test_remarks_are_journalled_as_codes(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as old:
        old.executescript(Path(__file__).with_name("old_journal.sql").read_text("ascii"))
    remark = both(Stays.PLACE_TAKEN(path="/backup/\udcff.jpg"), Stays.NO_KEEPER())
    with Journal(tmp_path) as journal:
        journal.update_items([replace(journal.items()[0], remark=remark)])
        assert journal.items()[0].remark == remark and not journal.damaged()
