"""Worker processes that start before there is work: they load libraries while files are looked for.

This module itself loads none, so that it can be called before anything else is.
"""

from __future__ import annotations

import os
import subprocess
import threading

from image_duplicate_finder.executors import child

_WORKER = "image_duplicate_finder.executors.worker"
# They are started on a guess. Further ones start when there are files for them.
_MOST = 4


def start_worker() -> subprocess.Popen[bytes]:
    """A worker that starts now."""
    return child.start(_WORKER)


class Spares:
    """Up to ``wanted`` workers that wait for their first request.

    Use as a context manager: leaving it ends those that nobody took.
    """

    def __init__(self, wanted: int) -> None:
        self._lock = threading.Lock()
        self._waiting = [start_worker() for _ in range(min(wanted, _MOST))]

    def __enter__(self) -> Spares:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def take(self) -> subprocess.Popen[bytes]:
        """A waiting worker, or one that starts now; it belongs to the caller from here on."""
        with self._lock:
            if self._waiting:
                return self._waiting.pop()
        return start_worker()

    def close(self) -> None:
        """End those that wait."""
        with self._lock:
            for process in self._waiting:
                child.end(process)
            self._waiting.clear()


def available_cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
