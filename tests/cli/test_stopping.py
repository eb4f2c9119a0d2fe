"""Ctrl-C and SIGTERM: an orderly end with status 130, and nothing done twice afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cli.commands import Idf, save_jpeg
from tests.patience import PATIENCE, wait_until

PICTURES = 300

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of many pictures that are not alike, so that the time goes into reading."""
    folder = tmp_path / "many"
    folder.mkdir()
    random = np.random.default_rng(5)
    for number in range(PICTURES):
        coarse = random.integers(0, 256, (12, 16, 3), np.uint8)
        picture = cv2.resize(coarse, (800, 600), interpolation=cv2.INTER_CUBIC)
        save_jpeg(folder / f"{number:03}.jpg", np.asarray(picture, np.uint8))
    return folder


def _start(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start a scan in a process group of its own, and wait until it reads."""
    process = subprocess.Popen(
        [*command, "scan", folder, "--mode", "quick", "--jobs", "1", "--json", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert process.stderr
    for line in process.stderr:
        if line.startswith("Reading pictures"):
            return process
    pytest.fail(f"the scan ended: {process.wait()}")


@pytest.mark.parametrize(
    ("send", "number"),
    [
        # A terminal's Ctrl-C goes to the whole group, workers included.
        pytest.param(os.killpg, signal.SIGINT, id="Ctrl-C in a terminal"),
        pytest.param(os.kill, signal.SIGINT, id="SIGINT"),
        pytest.param(os.kill, signal.SIGTERM, id="SIGTERM"),
    ],
)
def test_a_stopped_scan_keeps_what_it_did(
    idf: Idf,
    idf_command: list[str],
    many: Path,
    send: Callable[[int, int], None],
    number: signal.Signals,
) -> None:
    process = _start(idf_command, many)
    send(process.pid, number)
    printed, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    assert printed == ""
    assert "Stopping; finished work is kept" in told
    assert "Traceback" not in told

    again = idf("scan", many, "--mode", "quick", "--json", "-")
    assert again.returncode == 0
    document = json.loads(again.stdout)
    assert document["files"] == PICTURES
    assert document["failures"] == []


def test_a_scan_that_waits_for_the_compiler_is_stopped(
    idf_command: list[str], many: Path, tmp_path: Path
) -> None:
    compiled = tmp_path / "compiled"
    process = subprocess.Popen(
        [*idf_command, "scan", many],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(compiled)},
    )
    wait_until(lambda: any(compiled.glob("compiling-*")), "it compiles")
    process.terminate()
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert not list(compiled.glob("compiled-*")), "it waited until loops were compiled"


def test_a_second_scan_of_the_library_is_refused_meanwhile(
    idf: Idf, idf_command: list[str], many: Path
) -> None:
    process = _start(idf_command, many)
    try:
        refused = idf("scan", many, "--mode", "quick")
        assert process.poll() is None, "the first scan was over too early to prove anything"
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert refused.returncode == 4
    assert "is busy with a scan" in refused.stderr
    assert str(process.pid) in refused.stderr


def test_a_reader_that_leaves_is_no_error(idf: Idf, idf_command: list[str], album: Path) -> None:
    idf("scan", album, "--mode", "quick")
    process = subprocess.Popen(
        [*idf_command, "groups", "--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=PATIENCE) == 141
    assert told == b""


def test_a_stopped_removal_tells_what_it_did_and_can_be_undone(
    idf: Idf, idf_command: list[str], tmp_path: Path, painted: Callable[..., NDArray[np.uint8]]
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    save_jpeg(folder / "original.jpg", painted(6, 160, 120))
    for number in range(1000):
        (folder / f"copy {number}.jpg").write_bytes((folder / "original.jpg").read_bytes())
    everything = sorted(path.name for path in folder.iterdir())
    assert idf("scan", folder, "--mode", "quick").returncode == 0
    assert idf("plan", "--json", "plan.json").returncode == 0

    process = subprocess.Popen(
        [*idf_command, "apply", tmp_path / "plan.json", "--yes", "--json", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    assert process.stderr.readline().startswith("Moving files")
    process.send_signal(signal.SIGTERM)
    printed, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    report = json.loads(printed)
    assert report["stopped"]
    assert 0 < len(report["done"]) < 1000
    assert report["skipped"] == []

    assert idf("undo", "1").returncode == 0
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == everything
