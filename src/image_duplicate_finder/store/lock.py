"""One program at a time on one library: a lock that the operating system keeps.

The lock dies with the process that holds it, so one left by a killed program is simply taken
over. A small text file next to it says who holds it, for the message to the next one.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from image_duplicate_finder.errors import LibraryBusy, UsageError
from image_duplicate_finder.messages import Message, Problem
from image_duplicate_finder.own_files import make_folder, try_lock, unlock, write_private

_FILE_NAME = "library.lock"
_HOLDER_NAME = "library.lock.json"
_POLL_SECONDS = 0.05

_held: set[int] = set()
_held_guard = threading.Lock()


def _release_in_child() -> None:
    # A forked worker inherits the descriptor and would keep the lock after the parent's death.
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_child)


class LibraryLock:
    """The exclusive lock of the library in ``folder`` (made where it is missing)."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)

    @contextlib.contextmanager
    def acquire(self, purpose: str, wait: float = 0.0) -> Iterator[None]:
        """Hold the lock for the length of a ``with`` block.

        ``purpose`` says what for, in words that fit "... is busy with ..." ("a scan").
        ``wait`` is how many seconds to wait for another holder to end. Raises LibraryBusy, with
        the holder's purpose, process id and start, when it does not end within that time.
        Threads of one process exclude each other too.
        """
        make_folder(self._folder)
        descriptor = os.open(self._folder / _FILE_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            until = time.monotonic() + wait
            while not _try_lock(descriptor):
                if time.monotonic() >= until:
                    raise LibraryBusy(self._busy_message())
                time.sleep(_POLL_SECONDS)
            with _held_guard:
                _held.add(descriptor)
            try:
                self._say_who(purpose)
                yield
            finally:
                with _held_guard:
                    _held.discard(descriptor)
                (self._folder / _HOLDER_NAME).unlink(missing_ok=True)
                unlock(descriptor)
        finally:
            os.close(descriptor)

    def holder(self) -> Message | None:
        """What holds the lock now, or None when it is free."""
        make_folder(self._folder)
        descriptor = os.open(self._folder / _FILE_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _try_lock(descriptor):
                unlock(descriptor)
                return None
            return self._busy_message()
        finally:
            os.close(descriptor)

    def _say_who(self, purpose: str) -> None:
        holder = {
            "purpose": purpose,
            "pid": os.getpid(),
            "program": Path(sys.argv[0]).name or "python",
            "since": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        }
        with contextlib.suppress(OSError):  # on a full disk nobody learns who it is
            write_private(self._folder / _HOLDER_NAME, json.dumps(holder).encode(), new=False)

    def _busy_message(self) -> Message:
        try:
            holder = json.loads((self._folder / _HOLDER_NAME).read_text(encoding="utf-8"))
            who: str | Message = (
                f"{holder['purpose']} ({holder['program']}, process {holder['pid']}, "
                f"since {holder['since'].replace('T', ' ')})"
            )
        except (OSError, ValueError, KeyError):
            who = Problem.ANOTHER_PROGRAM()
        return Problem.BUSY(folder=str(self._folder), who=who)


def _try_lock(descriptor: int) -> bool:
    try:
        return try_lock(descriptor)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(Problem.NO_LOCKS(reason=reason)) from error
