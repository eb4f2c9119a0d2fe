"""Plans as files, stops, and one removal at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from image_duplicate_finder.errors import LibraryBusy, NotFound, UsageError
from image_duplicate_finder.progress import CancelToken
from image_duplicate_finder.removal import Remover, make_plan, plan_from_dict, plan_to_dict
from image_duplicate_finder.store.lock import LibraryLock
from tests.removal.support import apply, evidence, plan_for, write


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
    assert "a scan" in str(LibraryLock(quick_path).holder())
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
    removals = [evidence(root / "\udcff\udcfe.jpg", root / "keep.jpg")]
    plan = plan_for([*removals, evidence(root / "keep.jpg", root / "keep.jpg")], root)
    text = json.dumps(plan_to_dict(plan))
    text.encode("ascii")
    read = plan_from_dict(json.loads(text))
    assert read == plan
    assert [each.message for each in read.refusals] == [each.message for each in plan.refusals]
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
