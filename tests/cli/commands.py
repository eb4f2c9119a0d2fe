"""What tests of the command line share: a type, and pictures on disk."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder.cli import run

Idf = Callable[..., subprocess.CompletedProcess[str]]


def save_jpeg(path: Path, pixels: NDArray[np.uint8], quality: int = 90) -> None:
    """Write RGB pixels; works for any name, also where OpenCV cannot open the file itself."""
    coded = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    path.write_bytes(coded.tobytes())


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Check that wrong usage ends with status 2 and prints no result; what it said instead.

    Runs in this process: nothing but words is made.
    """
    assert run(arguments) == 2, arguments
    printed, told = capsys.readouterr()
    assert printed == ""
    assert told
    return told
