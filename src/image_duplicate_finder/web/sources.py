"""The bytes of scanned files, and of no others.

A file is named by its number within a scan; what is read is handed out only if it still is
what the scan saw there, so a path that was swapped since then gives nothing.
"""

from __future__ import annotations

import os
import threading

from image_duplicate_finder.results import FileView
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources import read_as_scanned

LIMITS = DecodeLimits()
# Decoding is heavy: pages ask for dozens of pictures at once, and memory is finite.
_AT_ONCE = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))


def decoding_slot() -> threading.BoundedSemaphore:
    """Hold this while decoding: as many pictures at once as there are cores."""
    return _AT_ONCE


def read_scanned(file: FileView) -> bytes:
    """The bytes of a scanned file. Raises NotFound if it is not there as it was scanned."""
    return read_as_scanned(file.path, file.stat, file.content, LIMITS)
