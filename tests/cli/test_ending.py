"""How ``idf`` ends: soon, and with everything that still has to be done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


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
