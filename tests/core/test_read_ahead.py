"""Reading ahead: files are in memory before anybody reads them, and never too many at once."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import sys
import time
from pathlib import Path

import pytest

from image_duplicate_finder.executors.messages import FileTask
from image_duplicate_finder.executors.processes import ReadAhead
from tests.patience import wait_until

FILES = 200
pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells what is in memory this way"
)


def in_memory(path: Path) -> bool:
    """Whether the file's first page is in memory; asking does not fetch it (mincore(2))."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 4096, access=mmap.ACCESS_COPY) as view:
        address = ctypes.c_char.from_buffer(view)
        resident = ctypes.create_string_buffer(1)
        try:
            place = ctypes.c_void_p(ctypes.addressof(address))
            if ctypes.CDLL(None, use_errno=True).mincore(place, ctypes.c_size_t(4096), resident):
                raise OSError(ctypes.get_errno(), "mincore")
        finally:
            del address
        return bool(resident.raw[0] & 1)


@pytest.fixture
def cold(tmp_path: Path) -> list[Path]:
    """Files that are on the disk only."""
    files = [tmp_path / f"{number:03}.jpg" for number in range(FILES)]
    for path in files:
        with path.open("wb") as file:
            file.write(os.urandom(64 * 1024))
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if in_memory(files[0]):
        pytest.skip("this file system keeps everything in memory")
    return files


def settled(files: list[Path], least: int) -> int:
    """How many files are in memory, at least ``least``, once that number no longer grows."""
    wait_until(lambda: sum(map(in_memory, files)) >= least, f"{least} files are in memory")
    before = -1
    while (now := sum(map(in_memory, files))) != before:
        before = now
        time.sleep(1)
    return now


def test_the_next_files_are_fetched_but_not_all(cold: list[Path]) -> None:
    tasks = [FileTask(str(path), 64 * 1024, device=1) for path in cold]
    ahead = ReadAhead(tasks)
    try:
        first = settled(cold, 32)
        assert first < FILES
        assert all(in_memory(path) for path in cold[:32])
        for task in tasks[:100]:
            ahead.done(task.path)
        settled(cold, first + 50)
    finally:
        ahead.close()


def test_what_is_not_there_or_no_file_stops_nothing(cold: list[Path], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    odd = [tmp_path / "gone.jpg", tmp_path / "fifo.jpg", tmp_path]
    tasks = [FileTask(str(path), 10, device=1) for path in (*odd, *cold[:20])]
    ahead = ReadAhead(tasks)
    with contextlib.closing(ahead):
        assert settled(cold[:20], 20) == 20
