"""A thousand hostile names go through plan, JSON, apply and undo unharmed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from image_duplicate_finder.removal import Remover, plan_from_dict, plan_to_dict
from image_duplicate_finder.removal.backup import MANIFEST_NAME
from image_duplicate_finder.settings import BackupMode
from tests.hostile_names import hostile_names
from tests.removal.support import any_match, evidence, plan_for, tree


def test_a_thousand_hostile_names(quick_path: Path) -> None:
    root = os.fsencode(quick_path) + b"/photos \xff\n"
    os.mkdir(root)
    for folder in (root + b"/keep", root + b"/copies", root + b"/copies/\xe2\x80\xae"):
        os.mkdir(folder)
    keeper = root + b"/keep/keep.jpg"
    names = hostile_names(1000, seed=7)
    paths = [
        (root + b"/copies/" if number % 2 else root + b"/copies/\xe2\x80\xae/") + name
        for number, name in enumerate(names)
    ]
    for number, path in enumerate((keeper, *paths)):
        with open(path, "wb") as file:
            file.write(b"picture")
        os.utime(path, ns=(number, 1_400_000_000_000_000_000 + number))
    before = tree(root)
    removals = [evidence(os.fsdecode(p), os.fsdecode(keeper)) for p in paths]
    plan = plan_for(removals, os.fsdecode(root))
    # Sidecar-like names ("manifest.jsonl" is none) may join units, but nothing may be refused.
    assert len(plan.items) == 1000, plan.refusals
    plan = plan_from_dict(json.loads(json.dumps(plan_to_dict(plan))))

    remover = Remover(quick_path / "library")
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert report.skipped == () and len(report.done) == 1000
    assert not any(os.path.lexists(path) for path in paths)
    manifests = list(quick_path.glob(f"*/*/{MANIFEST_NAME}"))
    assert len(manifests) == 1 and len(manifests[0].read_text().splitlines()) == 1000
    assert remover.verify().problems == ()

    again = Remover(quick_path / "library")
    restored = again.undo(report.run)
    assert restored.skipped == () and len(restored.done) == 1000
    assert tree(root) == before


def test_names_of_full_length_get_new_names_that_fit(quick_path: Path) -> None:
    root = quick_path / "photos"
    for name in ("ä" * 125 + ".jpg", "\udcff" * 251 + ".jpg"):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        (root / "keep.jpg").write_bytes(b"picture")
        path.write_bytes(b"picture")
        remover = Remover(quick_path / "library")
        plan = plan_for([evidence(path, root / "keep.jpg")], root)
        report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
        path.write_bytes(b"taken")
        restored = remover.undo(report.run, rename=True)
        assert len(restored.done) == 1, restored.skipped
        assert Path(restored.done[0].destination or "").read_bytes() == b"picture"
