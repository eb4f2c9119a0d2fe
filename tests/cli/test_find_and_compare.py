"""``idf find`` and ``idf compare``: one picture against a scan, and against another one."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.cli.commands import Idf, save_jpeg

Painter = Callable[..., NDArray[np.uint8]]


def test_a_picture_is_found_wherever_it_shows_up(
    idf: Idf, album: Path, tmp_path: Path, painted: Painter
) -> None:
    assert idf("scan", album, "--mode", "quick").returncode == 0
    save_jpeg(tmp_path / "example.jpg", painted(1, 480, 360), quality=60)
    document = json.loads(idf("find", "example.jpg", "--json", "-").stdout)
    assert document["example"]["path"] == str(tmp_path / "example.jpg")
    assert {Path(hit["path"]).name for hit in document["files"]} == {
        "a.jpg",
        "a copy.jpg",
        "a small.jpg",
    }
    assert str(album / "a.jpg") in idf("find", "example.jpg").stdout
    save_jpeg(tmp_path / "unknown.jpg", painted(77))
    assert idf("find", "unknown.jpg").stdout == "No file of the scan matches.\n"
    # Nothing of the example was stored.
    assert json.loads(idf("groups", "--json", "-").stdout)["files"] == 7


def test_two_pictures_are_compared_as_a_scan_would(idf: Idf, album: Path) -> None:
    quick = ("--mode", "quick")
    smaller = idf("compare", album / "sub" / "a small.jpg", album / "a.jpg", *quick)
    assert smaller.returncode == 0, smaller.stderr
    assert smaller.stdout.startswith(f"{album}/sub/a small.jpg: ")
    assert f"\nkeep {album}/a.jpg: " in smaller.stdout
    document = json.loads(
        idf("compare", album / "b.jpg", album / "b mirrored.jpg", *quick, "--json", "-").stdout
    )
    (group,) = document["groups"]
    assert group["members"][0]["mirrored"]

    other = idf("compare", album / "a.jpg", album / "b.jpg", *quick)
    assert (other.returncode, other.stdout) == (1, "They do not show the same picture.\n")
    damaged = idf("compare", album / "a.jpg", album / "damaged.jpg", *quick)
    assert damaged.returncode == 3
    assert "damaged.jpg" in damaged.stderr
    assert idf("compare", album / "a.jpg", album / "a.jpg").returncode == 2


def test_the_picture_of_a_comparison_shows_outline_and_differences(
    idf: Idf, tmp_path: Path, painted: Painter
) -> None:
    original = painted(47, 640, 480)
    crop = original[80:440, 100:560].copy()
    crop[300:340, 40:420] = 255  # a caption
    crop[310:330, 60:400:12] = 0
    save_jpeg(tmp_path / "original.jpg", original)
    save_jpeg(tmp_path / "crop.jpg", crop)
    told = idf("compare", "crop.jpg", "original.jpg", "--picture", "both.png")
    assert told.returncode == 0, told.stderr
    sheet = cv2.imread(str(tmp_path / "both.png"))[..., ::-1].astype(int)
    kept, difference = sheet[:, : 640 + 24], sheet[:, -(640 + 12) :]
    line = (np.abs(kept - (255, 64, 64)).max(axis=2) < 40).nonzero()
    # The crop's outline, where the crop was cut out.
    assert abs(line[1].min() - (12 + 100)) <= 4 and abs(line[1].max() - (12 + 560)) <= 4
    hot = (difference.max(axis=2) - difference.min(axis=2) > 80).nonzero()
    assert 80 + 300 - 8 <= np.median(hot[0]) - 12 <= 80 + 340 + 8  # the caption
    again = idf("compare", "crop.jpg", "original.jpg", "--picture", "both.png")
    assert again.returncode == 2 and "already exists" in again.stderr
    other = idf("compare", "crop.jpg", "original.jpg", "--picture", "both.xyz")
    assert other.returncode == 2 and ".png" in other.stderr


def test_a_pasted_part_is_found_and_folders_narrow_the_search(
    idf: Idf, tmp_path: Path, painted: Painter
) -> None:
    """A part of a picture has neither its hash nor its look: the words find it."""
    for folder in ("here", "there"):
        (tmp_path / "photos" / folder).mkdir(parents=True)
        for seed in range(200, 240):
            pixels = painted(seed + (40 if folder == "there" else 0), 480, 360)
            save_jpeg(tmp_path / "photos" / folder / f"{seed}.jpg", pixels)
    whole = painted(205, 480, 360)
    poster = painted(300, 480, 360)
    poster[60:240, 200:440] = cv2.resize(whole, (240, 180), interpolation=cv2.INTER_AREA)
    save_jpeg(tmp_path / "photos" / "there" / "poster.jpg", poster)
    assert idf("scan", tmp_path / "photos").returncode == 0
    save_jpeg(tmp_path / "example.jpg", whole[20:340, 30:450])

    def found(*options: str | Path) -> set[str]:
        document = json.loads(idf("find", "example.jpg", "--json", "-", *options).stdout)
        return {
            str(Path(hit["path"]).relative_to(tmp_path / "photos"))
            for hit in document["files"]
            if hit["relation"] != "similar"
        }

    assert found() == {"here/205.jpg", "there/poster.jpg"}
    assert found("--in", tmp_path / "photos" / "there") == {"there/poster.jpg"}


def test_what_is_no_single_picture_is_refused_in_one_line(
    idf: Idf, album: Path, tmp_path: Path
) -> None:
    assert idf("scan", album, "--mode", "quick").returncode == 0
    os.mkfifo(tmp_path / "fifo.jpg")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(album / "a.jpg", "a.jpg")
        archive.write(album / "b.jpg", "b.jpg")
    (tmp_path / "list.csv").write_text(f"path\n{album / 'a.jpg'}\n")
    (tmp_path / "empty.jpg").touch()
    for name, words in (
        ("fifo.jpg", "not a regular file"),
        ("two.zip", "contains or lists several files"),
        ("list.csv", "contains or lists several files"),
        ("empty.jpg", "empty"),
    ):
        for verb in (("compare", album / "a.jpg", name), ("find", name)):
            told = idf(*verb)
            assert told.returncode in (2, 3, 4), (verb, told.stdout)
            assert words in told.stderr
            assert "Traceback" not in told.stderr
    odd = tmp_path / "a[1]*.jpg"
    shutil.copy(album / "a.jpg", odd)
    assert "identical file" in idf("compare", odd.name, album / "a.jpg").stdout
    (tmp_path / "link.jpg").symlink_to(album / "a.jpg")
    assert "a copy.jpg" in idf("find", "link.jpg").stdout
    nowhere = idf("compare", odd.name, album / "b.jpg", "--picture", "missing/both.png")
    assert nowhere.returncode == 2 and "no folder" in nowhere.stderr


def test_unlike_pictures_are_compared_to_the_end(
    idf: Idf, tmp_path: Path, painted: Painter
) -> None:
    """Also thin ones and single pixels, where every index is at a loss."""
    save_jpeg(tmp_path / "photo.jpg", painted(5))
    save_jpeg(tmp_path / "thin.jpg", np.tile(np.arange(2000, dtype=np.uint8)[None, :, None], 3))
    save_jpeg(tmp_path / "dot.jpg", np.zeros((1, 1, 3), np.uint8))
    for name in ("thin.jpg", "dot.jpg"):
        told = idf("compare", "photo.jpg", name)
        assert (told.returncode, told.stdout) == (1, "They do not show the same picture.\n"), (
            told.stderr
        )
