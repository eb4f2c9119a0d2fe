"""Loops are compiled once, beforehand, and by one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2

from tests.painting import paint_photo


def run(cache: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )


def compiled(cache: Path) -> set[str]:
    return {file.name for file in cache.rglob("*.nbc")}


def test_after_preparing_a_scan_compiles_nothing(tmp_path: Path) -> None:
    photos, cache = tmp_path / "photos", tmp_path / "cache"
    photos.mkdir()
    for number in range(4):
        picture = paint_photo(number)
        cv2.imwrite(str(photos / f"{number}.jpg"), picture)
        cv2.imwrite(str(photos / f"{number} cropped.jpg"), picture[40:320, 60:440])
        cv2.imwrite(str(photos / f"{number} lighter.jpg"), cv2.convertScaleAbs(picture, beta=30))
        cv2.imwrite(str(photos / f"{number} mirrored.jpg"), picture[:, ::-1])
    run(cache, "image_duplicate_finder.compiled")
    before = compiled(cache)
    assert len(before) > 20
    for mode in ("standard", "quick"):
        library = ("--library", str(tmp_path / mode))
        found = run(cache, "image_duplicate_finder", *library, "scan", str(photos), "--mode", mode)
        assert "16 files" in found.stdout + found.stderr
    assert compiled(cache) == before


def test_preparing_again_starts_nothing(tmp_path: Path) -> None:
    stamps = "from image_duplicate_finder import compiled as c; print(*map(c.stamp_of, c.PARTS))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", stamps], env=environment, capture_output=True, text=True, check=True
    )
    for stamp in found.stdout.split():
        Path(stamp).touch()
    run(tmp_path, "image_duplicate_finder.compiled")
    assert not compiled(tmp_path)
