"""Ways in which a folder, a link or a manifest could lead removal to the wrong file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from image_duplicate_finder.removal import (
    Remover,
    State,
    find_backups,
    look_around,
    make_plan,
)
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.links import TRACE
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.removal.faulty import Faults, Interference, faults
from tests.removal.support import (
    any_match,
    apply,
    evidence,
    forged,
    plan_for,
    reasons,
    tree,
    write,
)


def backup_of(root: Path) -> Path:
    (folder,) = find_backups((str(root),))
    return Path(folder)


def detour(folder: Path, to: Path) -> None:
    """Make a folder a link to another one."""
    if not folder.is_symlink():
        folder.rename(folder.with_name(folder.name + " away"))
        folder.symlink_to(to)


def test_a_folder_that_becomes_a_way_into_a_protected_one(quick_path: Path) -> None:
    """At any step: the equal file in the protected folder stays."""

    def attempt(top: Path, disturbed_by: Callable[[Path], Faults]) -> Faults:
        root, safe = top / "photos", top / "safe"
        for path in (root / "keep.jpg", root / "in/copy.jpg", root / "in/more.jpg"):
            write(path, b"picture")
        write(safe / "copy.jpg", b"picture")
        removals = [evidence(root / "in" / n, root / "keep.jpg") for n in ("copy.jpg", "more.jpg")]
        plan = plan_for(removals, root)
        with faults(disturbed_by(top)) as disturbance:
            apply(Remover(top / "library"), plan, protected=[str(safe)])
        assert (safe / "copy.jpg").read_bytes() == b"picture"
        return disturbance

    calls = attempt(quick_path / "quiet", lambda _top: Faults(error=0)).calls
    assert len(calls) > 100
    for step in range(1, len(calls) + 1):

        def at_step(top: Path, step: int = step) -> Faults:
            return Interference(step, lambda: detour(top / "photos/in", top / "safe"))

        attempt(quick_path / str(step), at_step)


def test_a_keeper_behind_a_link_into_a_backup_does_not_count(root: Path, remover: Remover) -> None:
    write(root / "x/keep.jpg", b"picture")
    late = plan_for([evidence(root / "copy.jpg", root / "x/keep.jpg")], root)
    apply(remover, plan_for([evidence(root / "x/keep.jpg", root / "copy.jpg")], root))
    detour(root / "x", backup_of(root) / "removed/x")
    assert reasons(apply(remover, late)) == {"copy.jpg": "keeper_gone"}
    assert (root / "copy.jpg").exists()


def test_what_is_in_a_backup_stays_there_by_any_way(root: Path, remover: Remover) -> None:
    write(root / "x/copy.jpg", b"picture")
    removal = evidence(root / "x/copy.jpg", root / "keep.jpg")
    stored = Path(apply(remover, plan_for([removal], root)).done[0].stored)
    detour(root / "x", stored.parent)
    assert reasons(apply(remover, plan_for([removal], root))) == {"copy.jpg": "outside"}
    assert stored.exists() and remover.verify().problems == ()


@pytest.mark.parametrize("first", [0, 1])
def test_a_sidecar_that_is_a_keeper_stays(root: Path, remover: Remover, first: int) -> None:
    """A thumbnail that was scanned as a file of its own can be both."""
    write(root / "film.thm", b"picture")
    write(root / "film.jpg", b"still")
    write(root / "still.jpg", b"still")
    removals = [
        evidence(root / "copy.jpg", root / "film.thm"),
        evidence(root / "film.jpg", root / "still.jpg"),
    ]
    plan = plan_for(removals if first == 0 else removals[::-1], root)
    assert [len(item.companions) for item in plan.items] == [0, 0]
    assert len(apply(remover, plan).done) == 2
    assert (root / "film.thm").exists()


def linked(root: Path, remover: Remover) -> int:
    """``copy.jpg`` becomes a symbolic link to ``keep.jpg``; the run."""
    removal = evidence(root / "copy.jpg", root / "keep.jpg")
    report = apply(remover, plan_for([removal], root, RemovalAction.SYMLINK))
    assert (root / "copy.jpg").is_symlink()
    return report.run


def without_trace(root: Path) -> None:
    """As on a volume without extended attributes."""
    for path in root.rglob("*"):
        if path.is_file() and TRACE in os.listxattr(path):
            os.removexattr(path, TRACE)


@pytest.mark.parametrize("purged", [False, True])
@pytest.mark.parametrize("library", ["library", "another library"])
@pytest.mark.parametrize("sign", ["trace", "walk", "both"])
def test_the_target_of_a_link_stays(
    root: Path, remover: Remover, quick_path: Path, purged: bool, library: str, sign: str
) -> None:
    write(root / "best.jpg", b"picture")
    run = linked(root, remover)
    removal = evidence(root / "keep.jpg", root / "best.jpg")
    if sign == "walk":
        without_trace(root)
    if purged:
        assert remover.purge(run).purged == 1
    other = Remover(quick_path / library)
    roots = [str(root)]
    if sign == "trace":  # the link stands in a folder that this library was never told of
        (root / "in").mkdir()
        for name in ("keep.jpg", "best.jpg"):
            (root / name).rename(root / "in" / name)
        (root / "copy.jpg").unlink()
        (root / "copy.jpg").symlink_to("in/keep.jpg")
        os.setxattr(root / "in/keep.jpg", TRACE, os.fsencode(root / "copy.jpg") + b"\0")
        removal = evidence(root / "in/keep.jpg", root / "in/best.jpg")
        roots = [str(root / "in")]
    around = look_around([removal], roots)
    assert [r.reason for r in make_plan([removal], roots=roots, surroundings=around).refusals] == [
        "link"
    ]
    bare = forged(plan_for([], roots), removal)
    assert reasons(apply(other, bare)) == {"keep.jpg": "link"}
    assert (root / "copy.jpg").read_bytes() == b"picture"


def test_a_chain_of_links_and_one_in_a_hidden_folder_hold_their_target(
    root: Path, remover: Remover
) -> None:
    write(root / "best.jpg", b"picture")
    (root / ".hidden").mkdir()
    (root / ".hidden/one").symlink_to("../two.jpg")
    (root / "two.jpg").symlink_to("keep.jpg")
    removal = evidence(root / "keep.jpg", root / "best.jpg")
    assert reasons(apply(remover, plan_for([removal], root))) == {"keep.jpg": "link"}
    (root / "two.jpg").unlink()  # the other one leads to nothing now
    assert apply(remover, plan_for([removal], root)).done


def test_a_folder_that_moves_takes_the_trace_along(root: Path, remover: Remover) -> None:
    write(root / "best.jpg", b"picture")
    write(root / "in/copy.jpg", b"picture")
    removal = evidence(root / "in/copy.jpg", root / "keep.jpg")
    assert apply(remover, plan_for([removal], root, RemovalAction.SYMLINK)).done
    moved = root.rename(root.with_name("moved"))
    assert (moved / "in/copy.jpg").read_bytes() == b"picture"
    removal = evidence(moved / "keep.jpg", moved / "best.jpg")
    assert [r.reason for r in plan_for([removal], moved).refusals] == ["link"]


def test_an_undone_link_leaves_no_trace(root: Path, remover: Remover) -> None:
    write(root / "best.jpg", b"picture")
    before = tree(root)
    run = linked(root, remover)
    assert TRACE in os.listxattr(root / "keep.jpg")
    assert remover.undo(run).done
    assert tree(root) == before
    assert apply(remover, plan_for([evidence(root / "keep.jpg", root / "best.jpg")], root)).done


# Two paths to one entry of a folder


def test_purge_keeps_preserved_files_that_a_folder_leads_to(root: Path, remover: Remover) -> None:
    write(root / "x/other.jpg", b"the only one")
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    scanned = [str(root / "x/other.jpg")]
    report = apply(remover, plan, mode=BackupMode.AUTO, scanned=scanned)
    shutil.rmtree(root / "x")
    (root / "x").symlink_to(backup_of(root) / "preserved/x")
    kept = remover.purge(report.run).kept
    assert [Path(refusal.path).name for refusal in kept] == ["other.jpg"]
    assert (root / "x/other.jpg").read_bytes() == b"the only one"


@pytest.mark.parametrize("action", [RemovalAction.BACKUP, RemovalAction.HARDLINK])
def test_recovery_does_not_take_one_file_for_two(
    root: Path, remover: Remover, quick_path: Path, action: RemovalAction
) -> None:
    """Cut off just after the move; then the person makes the folder a link into the backup."""
    write(root / "x/copy.jpg", b"picture")
    plan = plan_for([evidence(root / "x/copy.jpg", root / "keep.jpg")], root, action)
    (item,) = apply(remover, plan).done
    (root / "x/copy.jpg").unlink(missing_ok=True)
    with Journal(quick_path / "library") as journal:
        journal.update_items([replace(item, state=State.INTENT)])
    detour(root / "x", Path(item.stored).parent)
    (root / "keep.jpg").unlink()
    remover.recover()
    assert Path(item.stored).read_bytes() == b"picture"


# Purge


@pytest.mark.parametrize("fate", ["gone", "other bytes", "a link to it", "the same file", "intact"])
def test_recovery_of_a_purge_looks_at_each_keeper_again(
    root: Path, remover: Remover, quick_path: Path, fate: str
) -> None:
    """Cut off after the intent to purge; what happens then is seen before anything goes."""
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    (item,) = report.done
    with Journal(quick_path / "library") as journal:
        journal.update_items([replace(item, state=State.PURGING)])
    keeper = root / "keep.jpg"
    if fate != "intact":
        keeper.unlink()
    if fate == "other bytes":
        keeper.write_bytes(b"PICTURE")
    elif fate == "a link to it":
        keeper.symlink_to(item.stored)
    elif fate == "the same file":
        keeper.hardlink_to(item.stored)
    (line,) = remover.recover().lines
    assert Path(item.stored).exists() == (fate != "intact"), line
    state = remover.items(report.run)[0].state
    assert state == (State.PURGED if fate == "intact" else State.MOVED)
    if fate in ("gone", "other bytes"):
        assert [i.path for i in remover.undo(report.run).done] == [str(root / "copy.jpg")]


def test_recovery_of_a_purge_looks_at_the_keepers_of_the_whole_unit(
    root: Path, remover: Remover, quick_path: Path
) -> None:
    """The picture is purged, its sidecar not yet; then the keeper goes."""
    write(root / "copy.xmp", b"rating")
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    picture, sidecar = sorted(report.done, key=lambda item: item.kind)
    os.unlink(picture.stored)
    with Journal(quick_path / "library") as journal:
        journal.update_items(
            [replace(picture, state=State.PURGED), replace(sidecar, state=State.PURGING)]
        )
    (root / "keep.jpg").unlink()
    remover.recover()
    assert Path(sidecar.stored).exists()


def test_a_companion_is_not_purged_without_the_keeper_of_its_picture(
    root: Path, remover: Remover
) -> None:
    write(root / "copy.xmp", b"rating")
    report = apply(remover, plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root))
    (sidecar,) = [item for item in report.done if item.kind == "sidecar"]
    (root / "keep.jpg").unlink()
    assert remover.purge(report.run, [sidecar.id]).purged == 0
    assert Path(sidecar.stored).exists()


def test_the_last_moving_half_of_a_live_photo_stays(root: Path, quick_path: Path) -> None:
    for base in ("keep", "copies"):
        write(root / base / "live.heic", b"picture")
        write(root / base / "live.mov", b"film")
    plan = plan_for([evidence(root / "copies/live.heic", root / "keep/live.heic")], root)
    remover = Remover(quick_path / "library")
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    (root / "keep/live.mov").unlink()
    assert {r.reason for r in remover.purge(report.run).kept} == {"unit"}
    write(root / "keep/live.mov", b"film")
    assert remover.purge(report.run).purged == 2


def test_originals_of_purged_links_are_restated(root: Path, remover: Remover) -> None:
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    scanned = [str(root / "keep.jpg"), str(root / "small.jpg")]
    report = apply(remover, plan, mode=BackupMode.AUTO, scanned=scanned)
    if not report.stat_changes:
        pytest.skip("this volume has reflinks")
    purged = remover.purge(report.run)
    assert {r.path for r in purged.stat_changes} == set(scanned)
    assert all(os.stat(r.path).st_ctime_ns == r.after.ctime_ns for r in purged.stat_changes)
