"""Links in the place of files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Remover
from image_duplicate_finder.settings import RemovalAction
from tests.removal.support import apply, evidence, plan_for, reasons, tree, write


def test_only_identical_bytes_become_links(root: Path) -> None:
    removal = evidence(root / "small.jpg", root / "keep.jpg", Relation.RESIZED)
    plan = plan_for([removal], root, RemovalAction.HARDLINK)
    assert [r.reason for r in plan.refusals] == ["link"]


def test_reflinks_where_the_volume_has_none_change_nothing(
    quick_path: Path, root: Path, remover: Remover
) -> None:
    before = tree(root)
    removal = evidence(root / "copy.jpg", root / "keep.jpg")
    report = apply(remover, plan_for([removal], root, RemovalAction.REFLINK))
    if report.done:
        pytest.skip("this volume has reflinks")
    assert reasons(report) == {"copy.jpg": "link"}
    assert tree(root, folder_times=False) == {
        path: replace(entry, mtime_ns=0) if entry.kind == "folder" else entry
        for path, entry in before.items()
    }


def test_an_edited_link_is_not_overwritten_by_undo(root: Path, remover: Remover) -> None:
    removal = evidence(root / "copy.jpg", root / "keep.jpg")
    report = apply(remover, plan_for([removal], root, RemovalAction.HARDLINK))
    (root / "copy.jpg").unlink()
    write(root / "copy.jpg", b"edited")
    assert reasons(remover.undo(report.run)) == {"copy.jpg": "taken"}
    assert (root / "copy.jpg").read_bytes() == b"edited"
    assert remover.undo(report.run, rename=True).done
    assert (root / "copy (restored).jpg").read_bytes() == b"picture"
