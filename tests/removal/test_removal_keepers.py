"""Rules 1, 2 and 7: a keeper stays, files are what the plan says, one file is no duplicate."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Remover
from image_duplicate_finder.removal.backup import FOLDER_NAME
from image_duplicate_finder.settings import BackupMode
from tests.removal.support import apply, contents, evidence, forged, plan_for, reasons, write


def test_two_files_that_stand_on_each_other_both_stay(root: Path, remover: Remover) -> None:
    removals = [
        evidence(root / "copy.jpg", root / "keep.jpg"),
        evidence(root / "keep.jpg", root / "copy.jpg"),
    ]
    plan = plan_for(removals, root)
    assert plan.items == () and {r.reason for r in plan.refusals} == {"keeper_planned"}
    report = apply(remover, forged(plan, *removals))
    assert not report.done and set(reasons(report).values()) == {"keeper_planned"}
    assert (root / "copy.jpg").exists() and (root / "keep.jpg").exists()


def test_of_a_chain_only_the_end_goes(root: Path, remover: Remover) -> None:
    removals = [
        evidence(root / "copy.jpg", root / "keep.jpg"),
        evidence(root / "keep.jpg", root / "small.jpg", Relation.RESIZED),
    ]
    report = apply(remover, plan_for(removals, root))
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
        everything = contents(root, root.parent / FOLDER_NAME)
        assert everything[plans[0].items[0].evidence.file.content] >= 2


def test_a_match_that_the_library_does_not_store_removes_nothing(
    root: Path, remover: Remover
) -> None:
    removal = evidence(root / "small.jpg", root / "keep.jpg", Relation.RESIZED)
    report = remover.apply(
        plan_for([removal], root), matches=lambda *_: False, mode=BackupMode.REMOVED
    )
    assert reasons(report) == {"small.jpg": "no_match"}


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


def test_hard_links_symlinks_and_doubles_are_one_file(root: Path, remover: Remover) -> None:
    os.link(root / "keep.jpg", root / "hard.jpg")
    (root / "soft.jpg").symlink_to("keep.jpg")
    (root / "way").symlink_to(root)
    for name in ("hard.jpg", "way/keep.jpg"):
        removal = evidence(root / name, root / "keep.jpg")
        assert [r.reason for r in plan_for([removal], root).refusals] == ["same_file"]
        assert reasons(apply(remover, forged(plan_for([], root), removal))) == {
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
        removal = evidence(root / "mounted/copy.jpg", root / "keep.jpg")
        report = apply(remover, plan_for([removal], root), protected=[str(root / "reference")])
        assert reasons(report) == {"copy.jpg": "protected"}
    finally:
        subprocess.run(["umount", root / "mounted"], check=True)
