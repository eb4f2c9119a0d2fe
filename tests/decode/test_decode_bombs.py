"""Giants, bombs and knots end within the limits, most of them by their header alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.decode.bombs import BOMBS

# Honest files within the pixel limit, or bombs in parts that are never unpacked.
DECODED = {
    "PNG, 14,000 x 14,000 palette of one colour": 400,
    "PNG, 4,000,000,000 frames promised": 200,
    "GIF, 100,000 frames": 200,
    "TIFF, directory that follows itself": 200,
    "TIFF, 10,000 x 10,000 of zeros, deflated": 400,
    "JPEG, 100 deep XMP packets and an EXIF knot": 300,
}
FAILURE_MIB = 300
PROBE = Path(__file__).with_name("probe.py")


@pytest.mark.parametrize("name", BOMBS)
def test_bomb_ends_within_the_limits(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name]())
    run = subprocess.run(
        [sys.executable, str(PROBE), str(path)], capture_output=True, text=True, check=True
    )
    result = json.loads(run.stdout)
    assert result["outcome"] == ("decoded" if name in DECODED else "failure"), result
    assert result["peak_mib"] - result["start_mib"] < DECODED.get(name, FAILURE_MIB), result
    assert len(result["message"]) > 10
