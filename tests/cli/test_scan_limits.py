"""``idf scan``: what it may take of the machine, and how long its stages took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from tests.cli.commands import Idf, refused, save_jpeg
from tests.patience import PATIENCE

pytestmark = pytest.mark.usefixtures("real_workers")
Painter = Callable[..., NDArray[np.uint8]]


def test_timings_name_every_stage(idf_process: Idf, album: Path) -> None:
    done = idf_process("scan", album, "--mode", "quick", "--timings", "--json", "-")
    json.loads(done.stdout)
    table = done.stderr[done.stderr.index("CPU ms per file") :].splitlines()[1:]
    stages = {line[:24].strip(): [float(word) for word in line[24:].split()] for line in table}
    assert {"Finding pictures", "Reading pictures", "Grouping", "Total"} <= set(stages)
    assert stages["Reading pictures"][1] > 0  # the workers' CPU time is in it
    together = stages.pop("Total")
    assert together[0] == pytest.approx(sum(row[0] for row in stages.values()), abs=0.1)


def test_a_folder_that_did_not_change_is_scanned_without_what_computes(
    idf: Idf, album: Path, library_dir: Path
) -> None:
    """Nobody waits for NumPy and OpenCV who has nothing for them to do."""
    arguments = ["--library", str(library_dir), "scan", str(album)]
    first = idf(*arguments)
    script = (
        f"import sys; from image_duplicate_finder.cli import run; run({arguments});"
        "print('loaded:', [name for name in ('numpy', 'cv2') if name in sys.modules])"
    )
    second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert second.stdout.endswith("loaded: []\n")
    assert first.returncode == 0


def test_a_picture_beyond_the_memory_limit_is_reported_and_the_rest_goes_on(
    idf: Idf, tmp_path: Path, painted: Painter
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    save_jpeg(folder / "small.jpg", painted(1))
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    cv2.imwrite(str(folder / "large.png"), np.tile(noise, (170, 170, 1)))
    done = idf("scan", folder, "--mode", "quick", "--memory-limit", "300M", "--json", "-")
    document = json.loads(done.stdout)
    (failure,) = document["failures"]
    assert Path(failure["path"]).name == "large.png"
    assert "300 MB" in failure["message"]
    again = json.loads(idf("scan", folder, "--mode", "quick", "--json", "-").stdout)
    assert again["failures"] == []


def test_sizes_that_are_none_are_refused(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("much", "0", "-1G", "2X"):
        assert "is not a size" in refused(["scan", str(album), "--memory-limit", wrong], capsys)


@pytest.mark.skipif(not hasattr(os, "nice"), reason="the system knows no niceness")
def test_a_nice_scan_and_its_workers_step_back(
    library_dir: Path, tmp_path: Path, painted: Painter
) -> None:
    for number in range(40):
        save_jpeg(tmp_path / f"{number}.jpg", painted(number))
    command = [sys.executable, "-m", "image_duplicate_finder", "--library", library_dir]
    mine = psutil.Process().nice()
    expected = min(19, mine + 7)
    with subprocess.Popen(
        [*command, "scan", tmp_path, "--mode", "quick", "--nice", "7", "-q"]
    ) as scan:
        process = psutil.Process(scan.pid)
        seen: set[int] = set()
        end = time.monotonic() + PATIENCE
        while scan.poll() is None and time.monotonic() < end and seen != {expected}:
            try:
                seen = {child.nice() for child in process.children()}
            except psutil.NoSuchProcess:
                continue
            time.sleep(0.01)  # the processor is for the scan
        assert seen == {expected}
        assert scan.wait() == 0
