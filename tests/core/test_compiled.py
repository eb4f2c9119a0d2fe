"""Loops are compiled once. That this leaves nothing to compile, the start script's test shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_preparing_again_starts_nothing(tmp_path: Path) -> None:
    stamps = "from image_duplicate_finder import compiled as c; print(*map(c.stamp_of, c.PARTS))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", stamps], env=environment, capture_output=True, text=True, check=True
    )
    for stamp in found.stdout.split():
        Path(stamp).touch()
    prepare = [sys.executable, "-m", "image_duplicate_finder.compiled"]
    subprocess.run(prepare, env=environment, check=True)
    assert not list(tmp_path.rglob("*.nbc"))
