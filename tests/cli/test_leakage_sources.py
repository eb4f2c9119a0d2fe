"""``idf leakage`` on real photos, and on splits that are lists, links and archives."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cli.commands import Idf, refused, save_jpeg
from tests.sources.holders import jpeg, write_tar

Painter = Callable[..., NDArray[np.uint8]]
Edit = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def _recoloured(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    hue, saturation, value = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV))
    turned = cv2.merge([np.asarray((hue.astype(int) + 40) % 180, np.uint8), saturation, value])
    return np.asarray(cv2.cvtColor(turned, cv2.COLOR_HSV2RGB), np.uint8)


EDITS: dict[str, tuple[Edit, set[str]]] = {
    "resized": (
        lambda a: np.asarray(cv2.resize(a, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)),
        {"resized"},
    ),
    "cropped": (lambda a: a[60:-90, 80:-120], {"cropped", "edited"}),
    "mirrored": (lambda a: a[:, ::-1], {"rotated"}),
    "recoloured": (_recoloured, {"edited", "reencoded"}),
}


def _pairs(document: dict[str, list[dict[str, dict[str, str]]]]) -> dict[tuple[str, str], str]:
    return {
        (Path(leak["first"]["path"]).name, Path(leak["second"]["path"]).name): str(leak["relation"])
        for leak in document["leaks"]
    }


@pytest.mark.slow
def test_every_planted_leak_of_real_photos_and_nothing_else(
    idf: Idf, shared_data: Path, tmp_path: Path
) -> None:
    photos = sorted((shared_data / "photos" / "osie").glob("*.jpg"))[::7]
    assert len(photos) == 100
    train, test = tmp_path / "train", tmp_path / "test"
    for folder, part in ((train, photos[:70]), (test, photos[70:])):
        folder.mkdir()
        for photo in part:
            shutil.copy(photo, folder / photo.name)
    planted: dict[tuple[str, str], set[str]] = {}
    sources = iter(photos)
    for _ in range(4):
        photo = next(sources)
        shutil.copy(photo, test / f"copy {photo.name}")
        planted[photo.name, f"copy {photo.name}"] = {"byte_identical"}
        for name, (edit, relations) in EDITS.items():
            photo = next(sources)
            pixels = cv2.cvtColor(cv2.imread(str(photo)), cv2.COLOR_BGR2RGB)
            save_jpeg(test / f"{name} {photo.name}", np.ascontiguousarray(edit(pixels)), 88)
            planted[photo.name, f"{name} {photo.name}"] = relations

    done = idf(
        "leakage", "--train", train, "--test", test, "--fail", "--quiet",
        "--json", "leaks.json", "--csv", "leaks.csv", "--html", "leaks.html",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    found = _pairs(json.loads((tmp_path / "leaks.json").read_text()))
    assert found.keys() == planted.keys()
    assert {pair for pair in found if found[pair] not in planted[pair]} == set()

    with (tmp_path / "leaks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(Path(row["first_path"]).name, Path(row["second_path"]).name) for row in rows} == set(
        planted
    )
    page = (tmp_path / "leaks.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 2 * len(planted)
    assert not re.search(r"https?://|<script", page)


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        save_jpeg(folder / f"{number}.jpg", painted(number))
    save_jpeg(folder / "0 again.jpg", painted(0), quality=60)
    return folder


def test_a_manifest_names_the_splits(idf: Idf, tmp_path: Path, photos: Path) -> None:
    listed = [
        ("0.jpg", "train"), ("1.jpg", "train"), ("0 again.jpg", "test"), ("2.jpg", "test"),
        # One file in two splits, and one that nobody uses.
        ("3.jpg", "train"), ("3.jpg", "test"), ("1.jpg", ""),
    ]  # fmt: skip
    text = "file_name,split\n" + "".join(f"photos/{name},{split}\n" for name, split in listed)
    (tmp_path / "splits.csv").write_text(text)
    done = idf("leakage", "--manifest", "splits.csv", "--mode", "quick", "--json", "-")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert _pairs(document) == {
        ("0.jpg", "0 again.jpg"): "reencoded",
        ("3.jpg", "3.jpg"): "byte_identical",
    }
    assert document["files"] == 6


@pytest.mark.skipif(not hasattr(os, "link"), reason="no hard links here")
def test_splits_made_of_hard_links(idf: Idf, tmp_path: Path, photos: Path) -> None:
    for split, names in (("train", ("0", "1")), ("test", ("1", "2"))):
        (tmp_path / split).mkdir()
        for name in names:
            os.link(photos / f"{name}.jpg", tmp_path / split / f"{split} {name}.jpg")
    done = idf("leakage", "--train", "train", "--test", "test", "--mode", "quick", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert _pairs(json.loads(done.stdout)) == {("train 1.jpg", "test 1.jpg"): "byte_identical"}


def test_shards_and_several_roots(idf: Idf, tmp_path: Path, photos: Path, painted: Painter) -> None:
    write_tar(tmp_path / "test-0.tar", {"a.jpg": jpeg(painted(4), 70), "a.cls": b"1"})
    write_tar(tmp_path / "test-1.tar", {"b.jpg": jpeg(painted(40))})
    done = idf(
        "leakage", "--train", photos / "4.jpg", "--train", photos / "5.jpg",
        "--test", "test-*.tar", "--mode", "quick", "--fail",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert f"train {photos}/4.jpg" in done.stdout
    assert f"test  {tmp_path}/test-0.tar!/a.jpg" in done.stdout
    assert done.stdout.endswith("4 files compared; 1 picture leaked.\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--train", "photos"], "needs --train and --test"),
        ([], "or a manifest"),
        (["--manifest", "list.csv", "--train", "photos"], "or a manifest"),
        (["--manifest", "list.csv"], "names 1 splits"),
    ],
)
def test_splits_that_make_no_sense(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text("path,split\nphotos/0.jpg,train\n")
    assert told in refused(["--library", "library", "leakage", *arguments], capsys)
