"""While a command works: progress and timings on standard error, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TextIO

from image_duplicate_finder import compiled
from image_duplicate_finder.cli.output import counted, shown
from image_duplicate_finder.messages import english
from image_duplicate_finder.progress import CancelToken, Progress, Stage, Step, silent

LINE_SECONDS = 5.0
"""The least time between two plain lines of one stage."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def reporting(quiet: bool = False) -> Iterator[Progress]:
    """A progress that suits standard error, for the time of the ``with`` block."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _bar() as progress:
            yield progress
    else:
        yield PlainLines(sys.stderr)


class PlainLines:
    """Writes a line when a stage begins, every few seconds in it, and when it is complete."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stage: Stage | None = None
        self._line = ""
        self._written = 0.0

    def __call__(self, step: Step, /) -> None:
        """Write the step if it is time to."""
        now = time.monotonic()
        complete = step.total is not None and step.done >= step.total
        if step.stage == self._stage and not complete and now - self._written < LINE_SECONDS:
            return
        line = _plain_line(step)
        if line != self._line:
            self._stage, self._written, self._line = step.stage, now, line
            print(line, file=self._stream, flush=True)


def _plain_line(step: Step) -> str:
    of = "" if step.total is None else f" of {step.total:,}"
    failed = f", {step.failures:,} failed" if step.failures else ""
    return f"{english(step.stage())}: {step.done:,}{of}{failed}"


@contextmanager
def _bar() -> Iterator[Progress]:
    """A bar with counts, speed, time left and the folder or file at hand."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[Stage, int] = {}

        def show(step: Step, /) -> None:
            if step.stage not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=False)  # type: ignore[arg-type]
                tasks[step.stage] = bars.add_task(english(step.stage()), note="")
            failed = f"{counted(step.failures, 'failure')} " if step.failures else ""
            bars.update(
                tasks[step.stage],  # type: ignore[arg-type]
                completed=step.done,
                total=step.total,
                note=escape(failed + shown(step.current)[-40:]),
            )
            if step.done == step.total:
                bars.refresh()  # the next stage may hide this one before it is next drawn

        yield show


@contextmanager
def stoppable() -> Iterator[CancelToken]:
    """A token that SIGINT and SIGTERM cancel during the ``with`` block.

    A second signal ends the program at once, as it would have done without this.
    """
    token = CancelToken()

    def stop(number: int, _frame: FrameType | None) -> None:
        if token.cancelled:
            raise KeyboardInterrupt
        token.cancel()
        compiled.stop()
        again = " (Ctrl-C again: stop now)" if number == signal.SIGINT else ""
        print(f"Stopping; finished work is kept{again} ...", file=sys.stderr, flush=True)

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield token
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(slots=True)
class _Used:
    wall: float = 0.0
    cpu: float = 0.0


class Timings:
    """A progress that hands every step on and notes the seconds between stages.

    CPU seconds are those of this process and of the workers that it has ended; a stage's workers
    end with it.
    """

    def __init__(self, onward: Progress) -> None:
        self._onward = onward
        self._stages: dict[Stage | None, _Used] = {}
        self._current: Stage | None = None
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()

    def __call__(self, step: Step, /) -> None:
        """Note the step and hand it on."""
        if step.stage != self._current:
            self._close()
            self._current = step.stage
        self._onward(step)

    def lines(self, files: int) -> list[str]:
        """The table of a scan of ``files`` files; ends the stage that is under way."""
        self._close()
        rows = [
            ("Start" if stage is None else english(stage()), used.wall, used.cpu)
            for stage, used in self._stages.items()
        ]
        rows.append(("Total", sum(row[1] for row in rows), sum(row[2] for row in rows)))
        head = f"{'stage':24} {'seconds':>9} {'CPU seconds':>12} {'CPU ms per file':>16}"
        return [head] + [
            f"{words:24} {wall:9.2f} {cpu:12.2f} {1000 * cpu / max(1, files):16.3f}"
            for words, wall, cpu in rows
        ]

    def _close(self) -> None:
        wall, cpu = time.perf_counter(), _cpu_seconds()
        used = self._stages.setdefault(self._current, _Used())
        used.wall += wall - self._wall
        used.cpu += cpu - self._cpu
        self._wall, self._cpu = wall, cpu


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
