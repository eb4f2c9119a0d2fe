"""Worker processes: a file that hangs, crashes or grows costs that file only."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from image_duplicate_finder.executors.engine import LocalExecutor
from image_duplicate_finder.executors.messages import FileTask, Recognised, TaskResult
from image_duplicate_finder.executors.processes import ProcessExecutor, early_worker
from image_duplicate_finder.fingerprint.compute import content_hash
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.model import Failure, Fingerprinted
from image_duplicate_finder.settings import DecodeLimits, Mode, ScanSettings
from tests.conftest import Painter
from tests.patience import PATIENCE

pytestmark = pytest.mark.usefixtures("real_workers")
QUICK = Specs(Mode.QUICK)


def photos(folder: Path, painted: Painter, count: int) -> list[FileTask]:
    tasks = []
    for seed in range(count):
        path = folder / f"{seed:03}.jpg"
        Image.fromarray(painted(seed, width=160, height=120)).save(path)
        tasks.append(FileTask(str(path), path.stat().st_size))
    return tasks


def run(tasks: list[FileTask], limits: DecodeLimits | None = None) -> dict[str, TaskResult]:
    with ProcessExecutor(replace(QUICK, limits=limits or DecodeLimits()), jobs=2) as executor:
        answers = [result for result, _ in executor.map(tasks)]
    found = {answer.path: answer for answer in answers}
    assert len(found) == len(answers), "a file was answered twice"
    return found


def running_workers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            if "executors.child files" in " ".join(child.cmdline()):
                found.append(child)
    return found


def large_png(path: Path, side: int = 9000) -> FileTask:
    """A picture that takes its time and its memory, though the file is small."""
    Image.fromarray(np.zeros((side, side, 3), np.uint8)).save(path, compress_level=1)
    return FileTask(str(path), path.stat().st_size)


def test_every_file_is_answered_once(tmp_path: Path, painted: Painter) -> None:
    tasks = photos(tmp_path, painted, 40)
    found = run(tasks)
    assert set(found) == {task.path for task in tasks}
    for path, answer in found.items():
        assert isinstance(answer, Fingerprinted)
        assert answer.content == content_hash(Path(path).read_bytes())
        assert {each.name for each in answer.fingerprints} == {"perceptual", "proof", "facts"}


def test_known_content_is_not_decoded(tmp_path: Path, painted: Painter) -> None:
    (task,) = photos(tmp_path, painted, 1)
    content = content_hash(Path(task.path).read_bytes())
    answer = run([FileTask(task.path, task.size, (b"?" * 32, content))])[task.path]
    assert isinstance(answer, Recognised)
    assert answer.content == content


def test_a_slow_file_costs_that_file_only(tmp_path: Path, painted: Painter) -> None:
    tasks = photos(tmp_path, painted, 12)
    slow = large_png(tmp_path / "slow.png", side=15000)
    found = run([*tasks[:6], slow, *tasks[6:]], DecodeLimits(seconds=0.5))
    failure = found.pop(slow.path)
    assert isinstance(failure, Failure)
    assert (failure.stage, "longer than 0.5 seconds" in failure.message) == ("timeout", True)
    assert all(isinstance(answer, Fingerprinted) for answer in found.values())
    assert len(found) == 12


def test_a_file_that_needs_too_much_memory_costs_that_file_only(
    tmp_path: Path, painted: Painter
) -> None:
    tasks = photos(tmp_path, painted, 4)
    large = large_png(tmp_path / "large.png")
    found = run([large, *tasks], DecodeLimits(memory=200 * 1024**2))
    failure = found.pop(large.path)
    assert isinstance(failure, Failure)
    assert failure.stage == "memory"
    assert "memory" in failure.message
    assert all(isinstance(answer, Fingerprinted) for answer in found.values())


def test_killed_workers_lose_no_file(tmp_path: Path, painted: Painter) -> None:
    """Workers are killed again and again; a file that was at hand is tried once more."""
    tasks = photos(tmp_path, painted, 600)
    kills = 0
    done = threading.Event()
    pauses = random.Random(1)

    def kill() -> None:
        nonlocal kills
        while kills < 8 and not done.wait(pauses.uniform(0.1, 0.5)):
            for child in psutil.Process().children():
                if "executors.child files" in " ".join(child.cmdline()):
                    os.kill(child.pid, signal.SIGKILL)
                    kills += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        found = run(tasks)
    finally:
        done.set()
        killer.join()
    assert set(found) == {task.path for task in tasks}
    crashed = [answer for answer in found.values() if isinstance(answer, Failure)]
    assert all(answer.stage == "crash" for answer in crashed)
    assert len(crashed) <= kills // 2
    assert kills > 0


def test_leaving_early_ends_the_workers(tmp_path: Path, painted: Painter) -> None:
    with ProcessExecutor(QUICK, jobs=2) as executor:
        next(iter(executor.map(photos(tmp_path, painted, 60))))
        workers = running_workers()
    gone, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert not alive
    assert gone


def test_one_worker_serves_all_steps_of_a_small_scan(tmp_path: Path, painted: Painter) -> None:
    """Also where each step wants other fingerprints, and the worker dies between two of them."""
    few, many = photos(tmp_path, painted, 3), photos(tmp_path, painted, 40)
    steps = ((QUICK, few), (Specs(Mode.STANDARD), many), (Specs(Mode.QUICK, pixels=True), few))
    wanted = ({"perceptual"}, {"perceptual", "keypoints", "colour"}, {"pixels"})
    with LocalExecutor(jobs=2) as executor:
        seen = set()
        for (specs, tasks), names in zip(steps, wanted, strict=True):
            answers = [answer for answer, _ in executor.read(tasks, specs)]
            assert {answer.path for answer in answers} == {task.path for task in tasks}
            for answer in answers:
                assert isinstance(answer, Fingerprinted)
                assert names <= {each.name for each in answer.fingerprints}
            (left,) = running_workers()
            seen.add(left.pid)
        assert len(seen) <= 2, "a step of few files started a worker of its own"
        left.kill()
        assert len(list(executor.read(few, QUICK))) == len(few)
        (left,) = running_workers()
        assert left.pid not in seen
    assert not running_workers()


def test_a_worker_that_came_early_is_used(tmp_path: Path, painted: Painter) -> None:
    few = photos(tmp_path, painted, 3)
    with early_worker(ScanSettings(mode=Mode.QUICK)):
        (early,) = running_workers()
        with ProcessExecutor(Specs(Mode.QUICK, pixels=True), jobs=1) as other:
            assert len(list(other.map(few))) == len(few)
            assert early in running_workers(), "it was made for other fingerprints"
        with LocalExecutor(jobs=1) as executor:
            assert len(list(executor.read(few, QUICK))) == len(few)
            assert running_workers() == [early]
        assert not early.is_running()


@pytest.mark.parametrize("dies", [False, True])
def test_a_worker_that_came_early_leaves_with_its_block(
    tmp_path: Path, painted: Painter, dies: bool
) -> None:
    with early_worker(ScanSettings(mode=Mode.QUICK)):
        (early,) = running_workers()
        with early_worker(ScanSettings(mode=Mode.QUICK)):
            assert running_workers() == [early]
        assert running_workers() == [early], "the outer block still wants it"
        if dies:
            early.kill()
            early.wait(PATIENCE)
            assert len(run(photos(tmp_path, painted, 2))) == 2
    assert not running_workers()


def test_what_became_a_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    (answer,) = run([FileTask(str(tmp_path / "fifo.jpg"), 1)]).values()
    assert isinstance(answer, Failure)
    assert answer.stage == "read"  # and not "timeout"


@pytest.mark.parametrize(("content", "stage"), [(b"", "header"), (b"no picture at all", "header")])
def test_what_is_no_picture_says_so(tmp_path: Path, content: bytes, stage: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    (answer,) = run([FileTask(str(path), len(content))]).values()
    assert isinstance(answer, Failure)
    assert answer.stage == stage
