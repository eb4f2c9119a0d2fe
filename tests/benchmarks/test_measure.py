"""Measuring real process trees."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil

from benchmarks.measure import measured
from benchmarks.stages import StageClock
from image_duplicate_finder.progress import Step
from tests.patience import PATIENCE

MIB = 2**20

GREEDY_CHILD = """
import subprocess, sys
child = "import time; block = bytearray(b'x' * 200 * 2**20); time.sleep(4.0)"
subprocess.run([sys.executable, "-c", child], check=True)
print("done")
"""

ENDLESS_CHILD = """
import subprocess, sys, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
child.wait()
"""


def test_memory_of_children_counts() -> None:
    run = measured([sys.executable, "-c", GREEDY_CHILD])
    assert run.status == 0
    assert run.output == "done\n"
    assert 200 * MIB < run.memory < 480 * MIB


def test_cpu_time_of_children_counts() -> None:
    busy = "import time\nwhile time.process_time() < 0.6: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    run = measured([sys.executable, "-c", code])
    assert run.cpu >= 0.6


def test_a_tree_that_runs_too_long_is_stopped_whole(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    run = measured([sys.executable, "-c", ENDLESS_CHILD, note], timeout=10)
    assert run.status is None
    deadline = time.monotonic() + PATIENCE
    while not _is_over(int(note.read_text())):
        assert time.monotonic() < deadline, "a child of the stopped command lives on"
        time.sleep(0.05)


def _is_over(pid: int) -> bool:
    """Gone, or ended and merely not collected by its new parent."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_failure_keeps_its_status_and_its_words() -> None:
    run = measured([sys.executable, "-c", "import sys; sys.exit('went wrong')"])
    assert run.status == 1
    assert "went wrong" in run.output


def test_what_a_command_prints_is_noticed_when_it_comes() -> None:
    code = (
        "import time; print('a', flush=True); time.sleep(1); print('b', flush=True); time.sleep(1)"
    )
    seen: list[float] = []

    def note(seconds: float) -> bool:
        seen.append(seconds)
        return False

    run = measured([sys.executable, "-c", code], on_output=note)
    first, second = seen
    assert second - first > 0.8
    assert second < run.wall - 0.5


def test_a_command_is_stopped_when_its_output_is_enough() -> None:
    code = "import time; print('a', flush=True); time.sleep(600)"
    run = measured([sys.executable, "-c", code], on_output=lambda _seconds: True)
    assert run.status != 0
    assert run.wall < 300


def test_the_cost_of_a_stage_that_comes_twice_is_added_up() -> None:
    clock = StageClock()
    for stage in ("verify", "group", "verify"):
        clock(Step(stage, 0))
        clock(Step(stage, 1))
        busy = time.process_time() + 0.2
        while time.process_time() < busy:
            pass
    costs = clock.costs()
    assert set(costs) == {"start", "verify", "group"}
    assert costs["verify"]["cpu_s"] >= 0.4
    assert costs["group"]["cpu_s"] >= 0.2
