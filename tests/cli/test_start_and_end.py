"""How ``idf`` starts and ends: soon, with what it needs, and with everything done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from image_duplicate_finder import compiled
from image_duplicate_finder.executors import child, processes
from image_duplicate_finder.own_files import LIBRARY_NAME
from tests.cli.commands import Idf


def _run(
    before: str, *arguments: str, stdout: int | None = None
) -> subprocess.CompletedProcess[str]:
    program = f"""
import atexit, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from image_duplicate_finder.cli import main
{before}
sys.argv = ["idf", *{arguments}]
main()
"""
    return subprocess.run(
        [sys.executable, "-c", program],
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )


def test_threads_and_registered_functions_come_to_their_end(tmp_path: Path) -> None:
    """Also a pool that nobody shut down does not keep the program."""
    done = tmp_path / "done"
    ended = _run(
        f"""
def work():
    time.sleep(0.5)
    open({str(done)!r}, "a").write("thread ")
threading.Thread(target=work).start()
ThreadPoolExecutor(1).submit(int)
atexit.register(lambda: open({str(done)!r}, "a").write("atexit"))
""",
        "--version",
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("ImageDuplicateFinder")
    assert done.read_text() == "thread atexit"


def test_nothing_is_taken_apart_before_the_end() -> None:
    ended = _run(
        """
class Kept:
    def __del__(self, os=os):
        os.write(1, b"taken apart")
kept = Kept()
""",
        "--version",
    )
    assert ended.returncode == 0
    assert "taken apart" not in ended.stdout


def test_the_status_is_that_of_the_command() -> None:
    ended = _run("", "find", "--no-such-option")
    assert ended.returncode == 2
    assert "no-such-option" in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_disk_that_is_full_is_no_success() -> None:
    with open("/dev/full", "w") as full:
        ended = _run("", "--help", stdout=full.fileno())
    assert ended.returncode != 0
    assert "No space left" in ended.stderr


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, library_dir: Path) -> list[tuple[int, bool]]:
    """Of each worker that a command starts its process, and whether there was a library then."""
    noted = []
    start = child.start

    def note(work: child.Work) -> subprocess.Popen[bytes]:
        worker = start(work)
        noted.append((worker.pid, (library_dir / LIBRARY_NAME).exists()))
        return worker

    monkeypatch.setattr(child, "start", note)
    monkeypatch.setattr(processes, "available_cores", lambda: 1)
    return noted


def test_a_first_scan_begins_with_its_worker_and_no_other_scan_has_one_too_many(
    idf: Idf, album: Path, started: list[tuple[int, bool]]
) -> None:
    scan = ("scan", album, "--mode", "quick", "--jobs", "1")
    assert idf(*scan).returncode == 0
    assert [there for _, there in started] == [False]
    assert idf(*scan).returncode == 0
    assert len(started) == 1, "nothing was left to read"
    (album / "a.jpg").rename(album / "renamed.jpg")
    assert idf(*scan).returncode == 0
    assert [there for _, there in started] == [False, True]


def test_a_first_scan_of_nothing_leaves_no_worker(
    idf: Idf, tmp_path: Path, started: list[tuple[int, bool]]
) -> None:
    assert idf("scan", tmp_path / "missing", "--mode", "quick").returncode == 2
    ((worker, _),) = started
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_what_is_looked_for_in_a_scan_of_another_mode_is_read_as_that_scan_did(
    idf: Idf, album: Path, started: list[tuple[int, bool]]
) -> None:
    """Also where a worker that came early expects a scan of the usual mode."""
    compiled.prepare("keypoints")
    assert idf("scan", album, "--mode", "quick", "--jobs", "1").returncode == 0
    started.clear()
    assert str(album / "a.jpg") in idf("find", album / "a.jpg").stdout
    assert len(started) == 2
    for worker, _ in started:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
