"""Folders to work in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.removal.support import MEMORY


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A temporary folder in memory where there is such a thing: waiting for disks is spared."""
    base = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="idf-test", dir=base, ignore_cleanup_errors=True) as f:
        yield Path(os.path.realpath(f))


@pytest.fixture
def other_volume(tmp_path: Path) -> Iterator[Path]:
    """A temporary folder on another volume than ``tmp_path``."""
    if not os.access(MEMORY, os.W_OK) or os.stat(MEMORY).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("this machine has one volume only")
    with tempfile.TemporaryDirectory(prefix="idf-test", dir=MEMORY) as folder:
        yield Path(folder)
