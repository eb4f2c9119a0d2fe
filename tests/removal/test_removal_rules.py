"""The ten rules of docs/safety.md, each on real files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from image_duplicate_finder.errors import LibraryBusy, NotFound, RemovalRefused, UsageError
from image_duplicate_finder.model import BACKUP_MARKER_NAME, FileStat, Relation
from image_duplicate_finder.progress import CancelToken
from image_duplicate_finder.removal import (
    Evidence,
    Plan,
    PlanItem,
    Remover,
    Report,
    State,
    find_backups,
    look_around,
    make_plan,
    plan_from_dict,
    plan_to_dict,
)
from image_duplicate_finder.removal.backup import FOLDER_NAME, MANIFEST_NAME
from image_duplicate_finder.removal.plan import identified
from image_duplicate_finder.settings import BackupMode, RemovalAction
from image_duplicate_finder.store.lock import LibraryLock
from tests.removal.support import (
    any_match,
    contents,
    evidence,
    plan_file,
    plan_for,
    reasons,
    tree,
    write,
)


@pytest.fixture
def root(quick_path: Path) -> Path:
    top = quick_path / "photos"
    write(top / "keep.jpg", b"picture")
    write(top / "copy.jpg", b"picture")
    write(top / "small.jpg", b"smaller picture")
    return top


@pytest.fixture
def remover(quick_path: Path) -> Remover:
    return Remover(quick_path / "library")


def apply(remover: Remover, plan: Plan, **options: object) -> Report:
    options.setdefault("mode", BackupMode.REMOVED)
    return remover.apply(plan, matches=any_match, **options)  # type: ignore[arg-type]


def forged(plan: Plan, *wishes: Evidence) -> Plan:
    """A plan that no make_plan wrote: all wishes, unchecked."""
    return identified(replace(plan, items=tuple(PlanItem(w, n) for n, w in enumerate(wishes))))


# Rule 1: a keeper stays


def test_two_files_that_stand_on_each_other_both_stay(root: Path, remover: Remover) -> None:
    wishes = [
        evidence(root / "copy.jpg", root / "keep.jpg"),
        evidence(root / "keep.jpg", root / "copy.jpg"),
    ]
    plan = plan_for(wishes, root)
    assert plan.items == () and {r.reason for r in plan.refusals} == {"keeper_planned"}
    report = apply(remover, forged(plan, *wishes))
    assert not report.done and set(reasons(report).values()) == {"keeper_planned"}
    assert (root / "copy.jpg").exists() and (root / "keep.jpg").exists()


def test_of_a_chain_only_the_end_goes(root: Path, remover: Remover) -> None:
    wishes = [
        evidence(root / "copy.jpg", root / "keep.jpg"),
        evidence(root / "keep.jpg", root / "small.jpg", Relation.RESIZED),
    ]
    report = apply(remover, plan_for(wishes, root))
    assert [Path(i.path).name for i in report.done] == ["keep.jpg"]
    assert (root / "copy.jpg").exists()


def test_two_plans_that_remove_each_others_keepers(root: Path, remover: Remover) -> None:
    one = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    other = plan_for([evidence(root / "keep.jpg", root / "copy.jpg")], root)
    assert apply(remover, one).done
    assert reasons(apply(remover, other)) == {"keep.jpg": "keeper_gone"}
    assert (root / "keep.jpg").exists()


def test_two_programs_with_two_libraries_never_remove_both(quick_path: Path) -> None:
    """Each looks for its keeper after its own file has left, so one of the two gives way."""
    for attempt in range(12):
        root = quick_path / f"photos{attempt}"
        write(root / "a.jpg", b"picture")
        write(root / "b.jpg", b"picture")
        plans = [
            plan_for([evidence(root / "a.jpg", root / "b.jpg")], root),
            plan_for([evidence(root / "b.jpg", root / "a.jpg")], root),
        ]
        children = []
        for number, plan in enumerate(plans):
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    apply(Remover(quick_path / f"library{attempt}-{number}"), plan)
                    status = 0
                finally:
                    os._exit(status)
            children.append(child)
        assert all(os.waitpid(child, 0)[1] == 0 for child in children)
        assert (root / "a.jpg").exists() or (root / "b.jpg").exists()
        assert contents(root)[plans[0].items[0].evidence.file.content] == 2


def test_a_match_that_the_library_does_not_store_removes_nothing(
    root: Path, remover: Remover
) -> None:
    wish = evidence(root / "small.jpg", root / "keep.jpg", Relation.RESIZED)
    report = remover.apply(
        plan_for([wish], root), matches=lambda *_: False, mode=BackupMode.REMOVED
    )
    assert reasons(report) == {"small.jpg": "no_match"}


# Rule 2: files are what the plan says


@pytest.mark.parametrize("who", ["copy.jpg", "keep.jpg"])
def test_same_size_and_time_do_not_hide_a_change(root: Path, remover: Remover, who: str) -> None:
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    stat = os.stat(root / who)
    (root / who).write_bytes(b"PICTURE")
    os.utime(root / who, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    report = apply(remover, plan)
    assert not report.done and (root / "copy.jpg").exists()


def test_a_touched_file_with_the_same_bytes_still_goes(root: Path, remover: Remover) -> None:
    plan = plan_for([evidence(root / "small.jpg", root / "keep.jpg", Relation.RESIZED)], root)
    os.utime(root / "small.jpg")
    os.chmod(root / "keep.jpg", 0o640)
    assert len(apply(remover, plan).done) == 1


# Rule 4: undo replaces nothing


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
    wishes = [evidence(root / p, root / "keep.jpg") for p in ("copy.jpg", "deep/er/copy.jpg")]
    report = apply(remover, plan_for(wishes, root))
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


# Rule 5: backups


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
    wishes = [evidence(root / n, root / "keep.jpg") for n in ("copy.jpg", "odd \udcff.jpg")]
    apply(remover, plan_for(wishes, root))
    shutil.rmtree(quick_path / "library")
    other = Remover(quick_path / "another library")
    (folder,) = find_backups((str(root),))
    run = other.adopt(folder)
    assert other.adopt(folder) == run
    assert len(other.undo(run).done) == 2
    assert tree(root, folder_times=False).keys() == before.keys()
    assert not (root / FOLDER_NAME).exists()
    with pytest.raises(NotFound):
        other.adopt(str(root))


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
    for restated in report.restated:
        assert FileStat.of(os.stat(restated.path)) == restated.after
        assert restated.before.links + 1 == restated.after.links
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


# Rule 6: protected folders


def test_protected_folders_hold_at_plan_and_apply_time(root: Path, remover: Remover) -> None:
    write(root / "reference/copy.jpg", b"picture")
    wish = evidence(root / "reference/copy.jpg", root / "keep.jpg")
    plan = plan_for([wish], root, protected=[str(root / "reference")])
    assert [r.reason for r in plan.refusals] == ["protected"]
    free = plan_for([wish], root)
    report = apply(remover, free, protected=[str(root / "reference")])
    assert reasons(report) == {"copy.jpg": "protected"}
    assert reasons(apply(remover, forged(plan, wish))) == {"copy.jpg": "protected"}


def test_only_chosen_folders_are_removed_from(root: Path, remover: Remover) -> None:
    write(root / "inbox/copy.jpg", b"picture")
    wishes = [evidence(root / p, root / "keep.jpg") for p in ("copy.jpg", "inbox/copy.jpg")]
    plan = plan_for(wishes, root, only_from=[str(root / "inbox")])
    assert [Path(i.path).parent.name for i in plan.items] == ["inbox"]
    report = apply(remover, forged(plan, *wishes))
    assert [Path(i.path).parent.name for i in report.done] == ["inbox"]


def test_a_symlinked_way_into_a_protected_folder_is_seen(root: Path, remover: Remover) -> None:
    write(root / "reference/copy.jpg", b"picture")
    (root / "way").symlink_to(root / "reference")
    wish = evidence(root / "way/copy.jpg", root / "keep.jpg")
    report = apply(remover, plan_for([wish], root, protected=[str(root / "reference")]))
    assert reasons(report) == {"copy.jpg": "protected"}


def test_files_outside_the_roots_and_in_backups_stay(root: Path, remover: Remover) -> None:
    outside = write(root.parent / "elsewhere/copy.jpg", b"picture")
    wish = evidence(outside, root / "keep.jpg")
    assert [r.reason for r in plan_for([wish], root).refusals] == ["outside"]
    (root / "way").symlink_to(root.parent / "elsewhere")
    through = evidence(root / "way/copy.jpg", root / "keep.jpg")
    assert reasons(apply(remover, plan_for([through], root))) == {"copy.jpg": "outside"}
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    stored = report.done[0].stored
    assert reasons(apply(remover, plan_for([evidence(stored, root / "keep.jpg")], root))) == {
        "copy.jpg": "backup"
    }


# Rule 7: one file under several names


def test_hard_links_symlinks_and_doubles_are_one_file(root: Path, remover: Remover) -> None:
    os.link(root / "keep.jpg", root / "hard.jpg")
    (root / "soft.jpg").symlink_to("keep.jpg")
    (root / "way").symlink_to(root)
    for name in ("hard.jpg", "way/keep.jpg"):
        wish = evidence(root / name, root / "keep.jpg")
        assert [r.reason for r in plan_for([wish], root).refusals] == ["same_file"]
        assert reasons(apply(remover, forged(plan_for([], root), wish))) == {
            Path(name).name: "same_file"
        }
    soft = evidence(root / "soft.jpg", root / "keep.jpg")
    assert reasons(apply(remover, plan_for([soft], root))) == {"soft.jpg": "changed"}
    assert (root / "soft.jpg").is_symlink() and (root / "keep.jpg").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="bind mounts need an administrator")
def test_bind_mounts_are_seen_through(root: Path, remover: Remover) -> None:
    write(root / "reference/copy.jpg", b"picture")
    (root / "mounted").mkdir()
    done = subprocess.run(["mount", "--bind", root / "reference", root / "mounted"], check=False)
    if done.returncode:
        pytest.skip("this machine allows no bind mounts")
    try:
        double = evidence(root / "mounted/copy.jpg", root / "reference/copy.jpg")
        assert [r.reason for r in plan_for([double], root).refusals] == ["same_file"]
        wish = evidence(root / "mounted/copy.jpg", root / "keep.jpg")
        report = apply(remover, plan_for([wish], root), protected=[str(root / "reference")])
        assert reasons(report) == {"copy.jpg": "protected"}
    finally:
        subprocess.run(["umount", root / "mounted"], check=True)


# Links


def test_only_identical_bytes_become_links(root: Path) -> None:
    wish = evidence(root / "small.jpg", root / "keep.jpg", Relation.RESIZED)
    plan = plan_for([wish], root, RemovalAction.HARDLINK)
    assert [r.reason for r in plan.refusals] == ["link"]


def test_reflinks_where_the_volume_has_none_change_nothing(
    quick_path: Path, root: Path, remover: Remover
) -> None:
    before = tree(root)
    wish = evidence(root / "copy.jpg", root / "keep.jpg")
    report = apply(remover, plan_for([wish], root, RemovalAction.REFLINK))
    if report.done:
        pytest.skip("this volume has reflinks")
    assert reasons(report) == {"copy.jpg": "link"}
    assert tree(root, folder_times=False) == {
        path: replace(entry, mtime_ns=0) if entry.kind == "folder" else entry
        for path, entry in before.items()
    }


def test_an_edited_link_is_not_overwritten_by_undo(root: Path, remover: Remover) -> None:
    wish = evidence(root / "copy.jpg", root / "keep.jpg")
    report = apply(remover, plan_for([wish], root, RemovalAction.HARDLINK))
    (root / "copy.jpg").unlink()
    write(root / "copy.jpg", b"edited")
    assert reasons(remover.undo(report.run)) == {"copy.jpg": "taken"}
    assert (root / "copy.jpg").read_bytes() == b"edited"
    assert remover.undo(report.run, rename=True).done
    assert (root / "copy (restored).jpg").read_bytes() == b"picture"


# Locks, stops, plans as files


def test_one_removal_at_a_time(root: Path, remover: Remover, quick_path: Path) -> None:
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    with LibraryLock(quick_path / "library").acquire("a scan"):
        with pytest.raises(LibraryBusy, match=rf"busy with a scan .*process {os.getpid()}"):
            apply(remover, plan)
        assert remover.history() == []  # looking is always possible
    assert apply(remover, plan).done


def test_the_lock_of_a_killed_program_is_taken_over(quick_path: Path) -> None:
    script = (
        "import sys, time; from image_duplicate_finder.store.lock import LibraryLock\n"
        "with LibraryLock(sys.argv[1]).acquire('a scan'):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(quick_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(LibraryBusy), LibraryLock(quick_path).acquire("a removal"):
        pass
    assert "a scan" in (LibraryLock(quick_path).holder() or "")
    holder.kill()
    with LibraryLock(quick_path).acquire("a removal", wait=10):
        pass
    holder.wait()


def test_a_forked_worker_does_not_keep_the_lock(quick_path: Path) -> None:
    reading, writing = os.pipe()
    with LibraryLock(quick_path).acquire("a scan"):
        child = os.fork()
        if child == 0:
            os.read(reading, 1)
            os._exit(0)
    with LibraryLock(quick_path).acquire("a removal"):
        pass
    os.write(writing, b"x")
    os.waitpid(child, 0)


def test_a_stop_keeps_what_was_done(root: Path, remover: Remover) -> None:
    names = [f"c{n}.jpg" for n in range(70)]
    for name in names:
        write(root / name, b"picture")
    cancel = CancelToken()
    plan = plan_for([evidence(root / n, root / "keep.jpg") for n in names], root)
    report = apply(remover, plan, progress=lambda _step: cancel.cancel(), cancel=cancel)
    assert report.stopped and 0 < len(report.done) < 70
    assert remover.history()[0].state == "stopped"
    assert len(remover.undo(report.run).done) == len(report.done)


def test_plans_survive_json(root: Path, remover: Remover) -> None:
    write(os.fsencode(root) + b"/\xff\xfe.jpg", b"picture")
    wishes = [evidence(root / "\udcff\udcfe.jpg", root / "keep.jpg")]
    plan = plan_for([*wishes, evidence(root / "keep.jpg", root / "keep.jpg")], root)
    text = json.dumps(plan_to_dict(plan))
    text.encode("ascii")
    assert plan_from_dict(json.loads(text)) == plan
    assert apply(remover, plan_from_dict(json.loads(text))).done
    with pytest.raises(UsageError):
        plan_from_dict({"version": 1})


def test_a_plan_is_independent_of_its_json_order_and_names_bytes(root: Path) -> None:
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    assert plan.total_bytes == 7
    assert (
        make_plan([evidence(root / "copy.jpg", root / "keep.jpg")], roots=[str(root)]).id == plan.id
    )


def test_unknown_runs_are_told(remover: Remover) -> None:
    for work in (remover.undo, remover.purge, remover.items):
        with pytest.raises(NotFound, match="run 7"):
            work(7)


# Rule 10: what the system refuses


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user")
def test_a_folder_that_may_not_be_written_is_told(quick_path: Path) -> None:
    root = quick_path / "photos"
    write(root / "keep.jpg", b"picture")
    write(root / "locked/copy.jpg", b"picture")
    for path in (quick_path, root, root / "locked"):
        os.chmod(path, 0o777)
    os.chmod(root / "locked", 0o555)
    plan = plan_for([evidence(root / "locked/copy.jpg", root / "keep.jpg")], root)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgid(65534)
            os.setuid(65534)
            report = apply(Remover(quick_path / "library"), plan)
            status = 0 if "Permission denied" in report.skipped[0].message else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert (root / "locked/copy.jpg").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small volume")
def test_a_full_disk_loses_nothing(quick_path: Path) -> None:
    library = quick_path / "library"
    library.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(library)]
    if subprocess.run(options, check=False).returncode:
        pytest.skip("this machine allows no mounts")
    try:
        root = quick_path / "photos"
        write(root / "keep.jpg", b"picture")
        for number in range(200):
            write(root / f"c{number}.jpg", b"picture")
        wishes = [evidence(root / f"c{n}.jpg", root / "keep.jpg") for n in range(200)]
        plan, before = plan_for(wishes, root), tree(root)
        remover = Remover(library)
        remover.recover()
        with open(library / "ballast", "wb") as ballast:
            ballast.write(b"\0" * 850_000)
        with pytest.raises(RemovalRefused, match="Nothing is lost"):
            apply(remover, plan)
        (library / "ballast").unlink()
        remover.recover()
        for run in remover.history():
            remover.undo(run.id)
        after = tree(root)
        assert after.keys() == before.keys()
        assert remover.verify().problems == ()
    finally:
        subprocess.run(["umount", library], check=True)


def test_paths_that_would_become_too_long_have_a_place(root: Path, remover: Remover) -> None:
    folder = str(root)
    while len(folder) < 3850:
        folder += "/" + "d" * 200
    long = write(folder + "/" + "n" * (4090 - len(folder) - 4) + ".jpg", b"picture")
    report = apply(remover, plan_for([evidence(long, root / "keep.jpg")], root))
    assert len(report.done) == 1 and not os.path.lexists(long), report.skipped
    assert "long-paths" in report.done[0].stored
    assert len(remover.undo(report.run).done) == 1 and os.path.exists(long)


def test_look_around_passes_over_folders_that_cannot_be_read(root: Path) -> None:
    wish = evidence(root / "copy.jpg", root / "keep.jpg")
    gone = replace(wish.file, path=str(root / "gone/copy.jpg"))
    around = look_around([replace(wish, file=gone)])
    assert around.folders[str(root / "gone")] == ()
    assert plan_file(root / "keep.jpg").content == wish.keeper.content
