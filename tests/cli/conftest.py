"""The command ``idf``, here and as a process of its own, and folders of pictures to run it on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder import cli
from tests.cli.commands import Idf, save_jpeg


@pytest.fixture
def idf_command(library_dir: Path) -> list[str]:
    """The start of a command line: ``idf --library DIR``."""
    return [sys.executable, "-m", "image_duplicate_finder", "--library", str(library_dir)]


@pytest.fixture
def idf(
    library_dir: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Idf:
    """Run a verb without a terminal: ``idf("scan", folder)``; what it printed, and its status.

    In this process: to start one and to load what a verb needs takes longer than most verbs.
    """
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
        command = ["--library", str(library_dir), *map(os.fspath, arguments)]
        capfd.readouterr()
        status = cli.run(command)
        printed, said = (text.replace("\r\n", "\n") for text in capfd.readouterr())
        return subprocess.CompletedProcess(["idf", *command], status, printed, said)

    return run


@pytest.fixture
def idf_process(idf_command: list[str], tmp_path: Path) -> Idf:
    """As ``idf``, in a process of its own."""

    def run(*arguments: str | os.PathLike[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*idf_command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )

    return run


@pytest.fixture
def album(tmp_path: Path, painted: Callable[..., NDArray[np.uint8]]) -> Path:
    """Two originals with three copies, one picture alone, and one damaged file.

    ``a.jpg`` with ``a copy.jpg`` (bytes) and ``sub/a small.jpg`` (half the size); ``b.jpg`` with
    ``b mirrored.jpg``; ``alone.jpg``; ``damaged.jpg``.
    """
    folder = tmp_path / "album"
    (folder / "sub").mkdir(parents=True)
    first, second = painted(1), painted(2)
    save_jpeg(folder / "a.jpg", first)
    (folder / "a copy.jpg").write_bytes((folder / "a.jpg").read_bytes())
    save_jpeg(folder / "sub" / "a small.jpg", cv2.resize(first, None, fx=0.5, fy=0.5))
    save_jpeg(folder / "b.jpg", second)
    save_jpeg(folder / "b mirrored.jpg", np.ascontiguousarray(second[:, ::-1]), quality=70)
    save_jpeg(folder / "alone.jpg", painted(3))
    (folder / "damaged.jpg").write_bytes((folder / "b.jpg").read_bytes()[:300])
    return folder
