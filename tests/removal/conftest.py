"""Folders to work in."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from image_duplicate_finder.removal import Remover
from tests.removal.support import MEMORY, write


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A temporary folder in memory where there is such a thing: waiting for disks is spared."""
    base = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="idf-test", dir=base, ignore_cleanup_errors=True) as f:
        yield Path(os.path.realpath(f))


@pytest.fixture
def root(quick_path: Path) -> Path:
    """A folder with a keeper, a copy of it and a smaller picture."""
    top = quick_path / "photos"
    write(top / "keep.jpg", b"picture")
    write(top / "copy.jpg", b"picture")
    write(top / "small.jpg", b"smaller picture")
    return top


@pytest.fixture
def remover(quick_path: Path) -> Remover:
    return Remover(quick_path / "library")


@pytest.fixture
def other_volume(tmp_path: Path) -> Iterator[Path]:
    """A temporary folder on another volume than ``tmp_path``."""
    if not os.access(MEMORY, os.W_OK) or os.stat(MEMORY).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("this machine has one volume only")
    with tempfile.TemporaryDirectory(prefix="idf-test", dir=MEMORY) as folder:
        yield Path(folder)
