"""``idf leakage``: every planted leak between splits is found, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cli.commands import Idf, refused, save_jpeg

Painter = Callable[..., NDArray[np.uint8]]


@pytest.fixture
def data_set(tmp_path: Path, painted: Painter) -> Path:
    """Splits train, val and test with pictures of their own and four planted leaks."""
    folder = tmp_path / "data"
    for split, first in (("train", 20), ("val", 30), ("test", 40)):
        (folder / split / "class").mkdir(parents=True)
        for number in range(first, first + 5):
            save_jpeg(folder / split / "class" / f"{number}.jpg", painted(number))
    train, test, val = (folder / split / "class" for split in ("train", "test", "val"))
    (test / "copy.jpg").write_bytes((train / "20.jpg").read_bytes())
    save_jpeg(test / "small.jpg", cv2.resize(painted(21), None, fx=0.6, fy=0.6))
    save_jpeg(val / "mirrored.jpg", np.ascontiguousarray(painted(22)[:, ::-1]), quality=75)
    save_jpeg(test / "from val.jpg", painted(30), quality=60)
    # Copies within one split are no leak.
    (train / "again.jpg").write_bytes((train / "23.jpg").read_bytes())
    return folder


def _leaks(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (
            f"{leak['first']['split']} {Path(leak['first']['path']).name}",
            f"{leak['second']['split']} {Path(leak['second']['path']).name}",
            leak["relation"],
        )
        for leak in document["leaks"]
    }


def test_every_planted_leak_and_no_other(idf: Idf, data_set: Path) -> None:
    splits = ["--train", data_set / "train", "--val", data_set / "val", "--test", data_set / "test"]
    done = idf("leakage", *splits, "--mode", "quick", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert _leaks(json.loads(done.stdout)) == {
        ("train 20.jpg", "test copy.jpg", "byte_identical"),
        ("train 21.jpg", "test small.jpg", "resized"),
        ("train 22.jpg", "val mirrored.jpg", "rotated"),
        ("val 30.jpg", "test from val.jpg", "reencoded"),
    }
    guarding = idf("leakage", *splits, "--mode", "quick", "--fail", "--quiet")
    assert guarding.returncode == 1
    assert guarding.stderr == ""
    assert guarding.stdout.endswith("20 files compared; 4 pictures leaked.\n")


def test_nothing_leaked_is_no_failure(idf: Idf, data_set: Path, tmp_path: Path) -> None:
    for name in ("copy", "small", "from val"):
        (data_set / "test" / "class" / f"{name}.jpg").unlink()
    splits = ("--train", "data/train", "--test", "data/test")
    done = idf("leakage", *splits, "--mode", "quick", "--fail")
    assert (done.returncode, done.stdout) == (0, "11 files compared; 0 pictures leaked.\n")


def test_splits_must_not_lie_in_one_another(
    data_set: Path, library_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    splits = ["--train", str(data_set), "--test", str(data_set / "test")]
    told = refused(["--library", str(library_dir), "leakage", *splits], capsys)
    assert "lie in one another" in told
