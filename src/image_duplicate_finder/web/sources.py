"""The bytes of scanned files, and of no others.

A file is named by its number within a scan; what is read is handed out only if it still is
what the scan saw there, so a path that was swapped since then gives nothing.
"""

from __future__ import annotations

import os
import stat
import threading

from blake3 import blake3

from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.model import FileStat
from image_duplicate_finder.results import FileView
from image_duplicate_finder.settings import DecodeLimits

LIMITS = DecodeLimits()
# Decoding is heavy: pages ask for dozens of pictures at once, and memory is finite.
_AT_ONCE = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))


def decoding_slot() -> threading.BoundedSemaphore:
    """Hold this while decoding: as many pictures at once as there are cores."""
    return _AT_ONCE


def read_scanned(file: FileView) -> bytes:
    """The bytes of a scanned file. Raises NotFound if it is not there as it was scanned."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(file.path, flags | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise NotFound(f"The file cannot be read any more: {error.strerror}.") from error
    with os.fdopen(handle, "rb") as opened:
        found = os.fstat(opened.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > LIMITS.bytes:
            raise NotFound("There is no image file at this path any more. Scan again.")
        data = opened.read()
    if not file.stat.unchanged(FileStat.of(found)) and blake3(data).digest() != file.content:
        raise NotFound("The file changed since the scan. Scan again to see it.")
    return data
