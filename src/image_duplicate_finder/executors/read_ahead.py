"""Have the next files in memory before a worker asks for them.

A worker reads a file and then computes; a slow disk or a network folder stands idle meanwhile,
and the other way round. One thread for each device tells the system, file by file and in order,
what will be read soon, and stays a bounded way ahead of what was answered.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable

from image_duplicate_finder.executors.messages import Task

_BYTES_AHEAD = 48 * 1024 * 1024
_FILES_AHEAD = 64
# Beyond this a worker's own reading is sequential enough for the system to run ahead of it.
_MOST_OF_ONE_FILE = 16 * 1024 * 1024


class ReadAhead:
    """Announces the files of ``tasks`` to the system, in their order, device by device."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._changed = threading.Condition()
        self._ahead: dict[str, int] = {}
        self._bytes: dict[int, int] = {}
        self._closed = False
        queues: dict[int, list[Task]] = {}
        # Not every system can be asked; without it files are just read when they are due.
        if hasattr(os, "posix_fadvise"):
            for task in tasks:
                queues.setdefault(task.device, []).append(task)
        self._device = {task.path: task.device for queue in queues.values() for task in queue}
        for queue in queues.values():
            threading.Thread(target=self._run, args=(queue,), daemon=True).start()

    def done(self, path: str) -> None:
        """``path`` was answered: there is room for another file of its device."""
        with self._changed:
            device = self._device.pop(path, None)
            if device is not None:
                self._bytes[device] = self._bytes.get(device, 0) - self._ahead.pop(path, 0)
                self._changed.notify_all()

    def close(self) -> None:
        """End the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self, tasks: list[Task]) -> None:
        for number, task in enumerate(tasks):
            size = min(task.size, _MOST_OF_ONE_FILE)
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._has_room(tasks, number))  # noqa: B023
                if self._closed:
                    return
                if task.path not in self._device:
                    continue
                self._ahead[task.path] = size
                self._bytes[task.device] = self._bytes.get(task.device, 0) + size
            _announce(task.path, size)

    def _has_room(self, tasks: list[Task], number: int) -> bool:
        behind = tasks[max(0, number - _FILES_AHEAD)]
        few = number < _FILES_AHEAD or behind.path not in self._device
        return few and self._bytes.get(tasks[number].device, 0) < _BYTES_AHEAD


def _announce(path: str, size: int) -> None:
    # Whatever is wrong with the file, the worker that reads it will say so.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.posix_fadvise(descriptor, 0, size, os.POSIX_FADV_WILLNEED)
    except OSError:
        return
    finally:
        os.close(descriptor)
