"""Loops are compiled once. That this leaves nothing to compile, the start script's test shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from image_duplicate_finder.compiled import prepare


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


def test_loops_are_loaded_without_what_compiling_needs_and_more_can_be_compiled_after() -> None:
    prepare("keypoints")
    program = """
import sys
import numba
import numpy as np
from image_duplicate_finder.fingerprint import keypoints

picture = np.random.default_rng(1).integers(0, 256, (150, 200), np.uint8)
before = keypoints.extract(picture).to_bytes()
registry = "numba.typed.typeddict"
print(registry in sys.modules)


@numba.njit
def squares(values):
    found = {0: np.zeros(len(values))}
    for k in range(len(values)):
        found[0][k] = values[k] ** 2
    return found[0].sum()


print(squares(np.arange(4)))
print(registry in sys.modules, keypoints.extract(picture).to_bytes() == before)
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["False", "14.0", "True", "True"]
