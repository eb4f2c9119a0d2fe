"""``idf find`` and ``idf compare``: one picture against a scan, and against another one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
    assert idf("find", "unknown.jpg").stdout == "No file of the scan shows it.\n"
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
    assert (other.returncode, other.stdout) == (1, "They do not show the same.\n")
    damaged = idf("compare", album / "a.jpg", album / "damaged.jpg", *quick)
    assert damaged.returncode == 3
    assert "damaged.jpg" in damaged.stderr
    assert idf("compare", album / "a.jpg", album / "a.jpg").returncode == 2
