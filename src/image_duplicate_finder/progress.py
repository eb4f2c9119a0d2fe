"""How long work tells what it is doing, and how it is asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a long piece of work.

    ``stage`` is one of ``discover``, ``fingerprint``, ``candidates``, ``verify``, ``look``,
    ``group``
    for a scan, ``remove`` or ``restore`` for a removal. ``total`` is ``None`` while unknown.
    ``current`` is the folder or file at hand; ``failures`` counts files that could not be read.
    """

    stage: str
    done: int
    total: int | None = None
    current: str = ""
    failures: int = 0


class Progress(Protocol):
    """Receives steps; called from one thread, often, and must return at once."""

    def __call__(self, step: Step, /) -> None: ...


Tell = Callable[[int], None]
"""Hears now and then for how many items the work is done; what it raises ends the work."""


def silent(_step: Step, /) -> None:
    """The progress that says nothing."""


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
