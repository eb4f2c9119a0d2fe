"""How long work reports its progress, and how it is asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from image_duplicate_finder.errors import Interrupted
from image_duplicate_finder.messages import Code, Problem


class Stage(Code):
    """The stages of a scan in their order, then those of other long work."""

    DISCOVER = "discover", "Finding pictures"
    FINGERPRINT = "fingerprint", "Reading pictures"
    CANDIDATES = "candidates", "Finding pairs"
    VERIFY = "verify", "Verifying pairs"
    LOOK = "look", "Comparing details"
    GROUP = "group", "Grouping"
    REMOVE = "remove", "Moving files"
    RESTORE = "restore", "Restoring files"
    PURGE = "purge", "Deleting the backup"
    CHECK = "check", "Checking the backups"
    ADOPT = "adopt", "Reading the backup"


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a long piece of work.

    ``total`` is ``None`` while unknown. ``current`` is the folder or file at hand; ``failures``
    counts files that could not be read.
    """

    stage: Stage
    done: int
    total: int | None = None
    current: str = ""
    failures: int = 0


class Progress(Protocol):
    """Receives steps; called from one thread, often, and must return at once."""

    def __call__(self, step: Step, /) -> None: ...


OnProgress = Callable[[int], None]
"""Called now and then with the number of items that are done; what it raises ends the work."""


def silent(_step: Step, /) -> None:
    """Progress that nobody watches."""


class CancelToken:
    """Asks work to stop at its next safe point. Safe to use from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask for a stop."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether a stop was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Interrupted if a stop was asked for: to be called between two pieces of work."""
        if self.cancelled:
            raise Interrupted(Problem.STOPPED())
