"""Rule 6: from where files may go, by the real place of each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image_duplicate_finder.removal import Remover
from image_duplicate_finder.removal.backup import FOLDER_NAME
from tests.removal.support import apply, evidence, forged, plan_for, reasons, write


def test_protected_folders_hold_at_plan_and_apply_time(root: Path, remover: Remover) -> None:
    write(root / "reference/copy.jpg", b"picture")
    removal = evidence(root / "reference/copy.jpg", root / "keep.jpg")
    plan = plan_for([removal], root, protected=[str(root / "reference")])
    assert [r.reason for r in plan.refusals] == ["protected"]
    free = plan_for([removal], root)
    report = apply(remover, free, protected=[str(root / "reference")])
    assert reasons(report) == {"copy.jpg": "protected"}
    assert reasons(apply(remover, forged(plan, removal))) == {"copy.jpg": "protected"}


def test_only_chosen_folders_are_removed_from(root: Path, remover: Remover) -> None:
    write(root / "inbox/copy.jpg", b"picture")
    removals = [evidence(root / p, root / "keep.jpg") for p in ("copy.jpg", "inbox/copy.jpg")]
    plan = plan_for(removals, root, only_from=[str(root / "inbox")])
    assert [Path(i.path).parent.name for i in plan.items] == ["inbox"]
    report = apply(remover, forged(plan, *removals))
    assert [Path(i.path).parent.name for i in report.done] == ["inbox"]


def test_a_symlinked_way_into_a_protected_folder_is_seen(root: Path, remover: Remover) -> None:
    write(root / "reference/copy.jpg", b"picture")
    (root / "way").symlink_to(root / "reference")
    removal = evidence(root / "way/copy.jpg", root / "keep.jpg")
    report = apply(remover, plan_for([removal], root, protected=[str(root / "reference")]))
    assert reasons(report) == {"copy.jpg": "protected"}


def test_files_outside_the_roots_and_in_backups_stay(root: Path, remover: Remover) -> None:
    outside = write(root.parent / "elsewhere/copy.jpg", b"picture")
    removal = evidence(outside, root / "keep.jpg")
    assert [r.reason for r in plan_for([removal], root).refusals] == ["outside"]
    (root / "way").symlink_to(root.parent / "elsewhere")
    through = evidence(root / "way/copy.jpg", root / "keep.jpg")
    assert reasons(apply(remover, plan_for([through], root))) == {"copy.jpg": "outside"}
    plan = plan_for([evidence(root / "copy.jpg", root / "keep.jpg")], root)
    report = apply(remover, plan, backup_dir=str(root))
    stored = report.done[0].stored
    assert reasons(apply(remover, plan_for([evidence(stored, root / "keep.jpg")], root))) == {
        "copy.jpg": "backup"
    }


@pytest.mark.parametrize("way", ["itself", "below", "link", "missing", "the folder of backups"])
def test_no_backup_is_made_in_a_protected_folder(
    root: Path, remover: Remover, tmp_path: Path, way: str
) -> None:
    safe = root / "reference"
    write(safe / "s.jpg", b"safe")
    places = {
        "itself": safe,
        "below": safe / "deep",
        "link": tmp_path / "way",
        "missing": safe / "new",
        "the folder of backups": tmp_path / "other",
    }
    place = places[way]
    if way == "below":
        place.mkdir()
    if way == "link":
        os.symlink(safe, place)
    if way == "the folder of backups":
        safe = place / FOLDER_NAME
        write(safe / "s.jpg", b"safe")
    before = sorted(safe.rglob("*"))
    file, keeper = write(root / "1.jpg", b"one"), write(root / "2.jpg", b"one")
    plan = plan_for([evidence(file, keeper)], root, protected=[str(safe)])
    report = apply(remover, plan, backup_dir=str(place))
    assert report.done == () and set(reasons(report).values()) == {"protected"}
    assert sorted(safe.rglob("*")) == before


def test_where_the_place_for_backups_is_protected_another_is_taken(
    root: Path, remover: Remover
) -> None:
    safe = root.parent / FOLDER_NAME
    write(safe / "s.jpg", b"safe")
    file, keeper = write(root / "1.jpg", b"one"), write(root / "2.jpg", b"one")
    report = apply(remover, plan_for([evidence(file, keeper)], root, protected=[str(safe)]))
    assert len(report.done) == 1
    assert [path.name for path in safe.iterdir()] == ["s.jpg"]
    assert Path(report.done[0].stored).is_relative_to(root)
