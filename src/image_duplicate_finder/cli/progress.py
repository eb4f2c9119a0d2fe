"""Progress on standard error: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from image_duplicate_finder.cli.texts import counted, shown
from image_duplicate_finder.progress import Progress, Step, silent

LINE_SECONDS = 5.0
"""The least time between two plain lines of one stage."""

_STAGES = {
    "discover": "Looking for pictures",
    "fingerprint": "Reading pictures",
    "candidates": "Looking for pairs",
    "verify": "Checking",
    "look": "Looking closer",
    "group": "Grouping",
    "remove": "Moving into the backup",
    "restore": "Putting back",
    "check": "Checking the backups",
    "adopt": "Reading the backup",
}


def stage_words(stage: str) -> str:
    """What a stage does, for people; the stage itself if it has no words yet."""
    return _STAGES.get(stage, stage.capitalize())


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
        self._stage = ""
        self._line = ""
        self._written = 0.0

    def __call__(self, step: Step, /) -> None:
        """Write the step if it is time to."""
        now = time.monotonic()
        complete = step.total is not None and step.done >= step.total
        if step.stage == self._stage and not complete and now - self._written < LINE_SECONDS:
            return
        line = _line(step)
        if line != self._line:
            self._stage, self._written, self._line = step.stage, now, line
            print(line, file=self._stream, flush=True)


def _line(step: Step) -> str:
    of = "" if step.total is None else f" of {step.total:,}"
    failed = f", {step.failures:,} failed" if step.failures else ""
    return f"{stage_words(step.stage)}: {step.done:,}{of}{failed}"


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
        tasks: dict[str, int] = {}

        def show(step: Step, /) -> None:
            if step.stage not in tasks:
                for task in tasks.values():
                    bars.update(task, visible=False)  # type: ignore[arg-type]
                tasks[step.stage] = bars.add_task(stage_words(step.stage), note="")
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
