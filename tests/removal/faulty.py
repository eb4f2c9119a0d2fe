"""Makes single file-system calls of removal fail, or kills the process at them.

The functions of ``removal.fs`` and the journal's commit are replaced by counting ones; the
code under test has no hooks of its own.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import inspect
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from image_duplicate_finder.removal import fs
from image_duplicate_finder.removal.journal import Journal

ERRORS = (errno.EIO, errno.ENOSPC, errno.EACCES, errno.EXDEV)
_PARTS_OF_RENAME = ("rename_exclusively", "rename_by_link")
SEAM = tuple(
    name
    for name, found in inspect.getmembers(fs, inspect.isfunction)
    if found.__module__ == fs.__name__ and not name.startswith("_") and name not in _PARTS_OF_RENAME
)

CHANGES = (
    *("chmod", "link", "mkdir", "open_append", "open_new", "reflink", "rename", "rmdir"),
    *("set_attribute", "set_metadata", "set_times", "symlink", "touch", "trash", "unlink"),
    *("write", "commit"),
)
"""The calls that leave something else behind: to be killed between others changes nothing."""


@dataclass
class Faults:
    """What to do at which call.

    ``at`` is the number of the call, from 1; with ``onwards`` all later ones are hit too, as
    when a drive is pulled out. ``error`` is raised instead of the call; without it the process
    is killed, before the call or ``after`` it. ``only`` limits the count to these functions.
    """

    at: int = 0
    error: int | None = None
    onwards: bool = False
    after: bool = False
    only: tuple[str, ...] = ()
    calls: list[str] = field(default_factory=list)

    def hit(self, name: str) -> bool:
        """Count a call; whether it is the one."""
        if self.only and name not in self.only:
            return False
        self.calls.append(name)
        return len(self.calls) == self.at or (self.onwards and 0 < self.at < len(self.calls))

    def run(self, name: str, function: Callable[..., Any], *values: Any) -> Any:
        """Carry out a call, or what shall happen instead."""
        if not self.hit(name):
            return function(*values)
        if self.error is not None:
            path = values[0] if values and isinstance(values[0], str) else None
            raise OSError(self.error, os.strerror(self.error), path)
        if self.after:
            with contextlib.suppress(OSError):
                function(*values)
        os.kill(os.getpid(), signal.SIGKILL)
        return None


class Interference(Faults):
    """Lets the outside do something just before one call, which then runs as ever."""

    def __init__(self, at: int, happen: Callable[[], None]) -> None:
        super().__init__(at=at, error=0)
        self._happen = happen

    def hit(self, name: str) -> bool:
        if super().hit(name):
            self._happen()
        return False


@contextlib.contextmanager
def faults(plan: Faults) -> Iterator[Faults]:
    """Let the faults happen within a ``with`` block."""
    originals = {name: getattr(fs, name) for name in SEAM}
    commit = Journal.commit
    for name, function in originals.items():

        @functools.wraps(function)
        def wrapped(*values: Any, _name: str = name, _function: Any = function) -> Any:
            return plan.run(_name, _function, *values)

        setattr(fs, name, wrapped)
    if plan.error is None:  # SQLite meets a failing disk by itself; being killed is ours to do
        Journal.commit = lambda journal: plan.run("commit", commit, journal)  # type: ignore
    try:
        yield plan
    finally:
        for name, function in originals.items():
            setattr(fs, name, function)
        Journal.commit = commit  # type: ignore


@contextlib.contextmanager
def two_step_renames() -> Iterator[None]:
    """A system without an exclusive rename: every rename is a link and an unlink."""
    original = fs.rename_exclusively
    fs.rename_exclusively = lambda source, target, _call: fs.rename_by_link(source, target)
    try:
        yield
    finally:
        fs.rename_exclusively = original
