"""What an apply or an undo did, told the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from image_duplicate_finder.cli.json_output import JsonTarget
from image_duplicate_finder.cli.texts import counted, shown, size
from image_duplicate_finder.errors import Interrupted

if TYPE_CHECKING:
    from image_duplicate_finder.removal import Report

Command = TypeVar("Command", bound=Callable[..., Any])

EXIT_SOME_STAYED = 1
_ALARMING = frozenset({"damaged", "drive"})
"""Reasons that change the exit status also without ``--strict``."""


def strict_option(command: Command) -> Command:
    """Add ``--strict``."""
    return click.option(
        "--strict", is_flag=True, help="End with status 1 if any file stayed where it was."
    )(command)


def tell_report(
    report: Report, done: str, json_to: JsonTarget | None, *, strict: bool, undo: bool = False
) -> int:
    """Write a report and return the exit status; ``done`` is the word for what was done.

    Raises Interrupted when the work was stopped before its end, after telling what was done.
    """
    if json_to is not None:
        from image_duplicate_finder.documents import report_document

        json_to.write(report_document(report))
    if json_to is None or not json_to.is_stdout:
        for line in _lines(report, done, undo):
            click.echo(line)
    if report.stopped:
        raise Interrupted("Stopped before the end; what was done until then is told above.")
    alarming = any(refusal.reason in _ALARMING for refusal in report.skipped)
    return EXIT_SOME_STAYED if alarming or (strict and report.skipped) else 0


def _lines(report: Report, done: str, undo: bool) -> Iterator[str]:
    if report.skipped:
        yield f"{counted(len(report.skipped), 'file')} stayed:"
        yield from (f"  {shown(each.path)}: {each.message}" for each in report.skipped)
    for item in report.done:
        if item.destination is not None and item.destination != item.path:
            yield f"{shown(item.path)} is back as {shown(item.destination)}"
    yield from (f"metadata added: {shown(item.path)}" for item in report.merged)
    yield from report.notes
    if report.preserved:
        yield f"The backup also preserves {counted(report.preserved, 'other file')} of the scan."
    yield f"{counted(len(report.done), 'file')} {done}, {size(report.total_bytes)}."
    if undo and report.done:
        yield f"This was run {report.run}. To take it back: idf undo {report.run}"
