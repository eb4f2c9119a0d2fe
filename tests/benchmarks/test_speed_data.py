"""The folders of the speed benchmarks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image

from benchmarks.photos import Photo, list_photos, write
from benchmarks.speed_data import COPIES, make_camera, make_many
from benchmarks.tools import chosen, find_python

Painter = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, painted: Painter) -> list[Photo]:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(3):
        write(folder / f"{seed}.jpg", painted(seed, 400 + 100 * seed, 410))
    return list_photos([folder])


def test_a_small_folder_is_the_start_of_a_large_one(photos: list[Photo], tmp_path: Path) -> None:
    make_many(photos, tmp_path / "small", 1, 15)
    make_many(photos, tmp_path / "large", 1, 35)
    small = {path.name: path.read_bytes() for path in (tmp_path / "small").rglob("*.jpg")}
    large = {path.name: path.read_bytes() for path in (tmp_path / "large").rglob("*.jpg")}
    assert (len(small), len(large)) == (15, 35)
    assert small.items() <= large.items()


def test_too_few_photos_are_an_error(photos: list[Photo], tmp_path: Path) -> None:
    tiles = 4 + 4 + 6
    make_many(photos, tmp_path / "all", 1, tiles * COPIES)
    with pytest.raises(ValueError, match="make 140 files only"):
        make_many(photos, tmp_path / "more", 1, tiles * COPIES + 1)


def test_photos_like_a_cameras_have_facts_and_copies(photos: list[Photo], tmp_path: Path) -> None:
    make_camera(photos, tmp_path, 1, count=5)
    files = [Image.open(path) for path in tmp_path.iterdir()]
    assert [file.size for file in files] == [(4240, 3180)] * 5
    assert sum("progressive" in file.info for file in files) == 3
    assert all(file.getexif().get(ExifTags.Base.Make) == "Maker" for file in files)


def test_the_decode_loop_reads_every_file_and_minds_bad_ones(
    photos: list[Photo], tmp_path: Path
) -> None:
    make_many(photos, tmp_path, 1, 8)
    command = [sys.executable, "-m", "benchmarks.decode_loop", tmp_path, "--jobs", "2"]
    assert subprocess.run(command).returncode == 0
    picture = next(tmp_path.rglob("*.jpg"))
    picture.write_bytes(picture.read_bytes()[:700])
    assert subprocess.run(command, capture_output=True).returncode == 1


def test_tools_are_found_by_name() -> None:
    assert [tool.name for tool in chosen(["imagehash", "ours", "ours-quick"])] == [
        "imagehash",
        "ours-quick",
        "ours-standard",
        "ours-thorough",
    ]
    with pytest.raises(ValueError, match="no tool 'unheard'"):
        chosen(["unheard"])


def test_a_python_that_does_not_exist_is_an_error() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert find_python(version).exists()
    with pytest.raises(RuntimeError, match=r"No Python 3\.99"):
        find_python("3.99")
