"""Options that several commands share, and what they are turned into."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from image_duplicate_finder.cli.output import STANDARD_OUTPUT, check_writable, write_pieces
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.model import GroupKind, Relation
from image_duplicate_finder.own_files import LIBRARY_NAME, default_folder
from image_duplicate_finder.settings import Mode

if TYPE_CHECKING:
    from image_duplicate_finder.library import Library
    from image_duplicate_finder.results import GroupQuery, ScanRecord


Command = TypeVar("Command", bound=Callable[..., Any])


_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


def library_folder(context: click.Context) -> Path | None:
    """The folder that ``--library`` named; None for the user's own library."""
    folder: Path | None = context.find_root().obj
    return folder


def has_library(context: click.Context) -> bool:
    """Whether there is a library in that folder already; it is not opened."""
    return ((library_folder(context) or default_folder()) / LIBRARY_NAME).exists()


@contextmanager
def open_library(context: click.Context) -> Iterator[Library]:
    """The library that ``--library`` named, or the user's own; tells what it had to settle."""
    from image_duplicate_finder.library import Library

    with Library.open(library_folder(context)) as library:
        for line in library.recovered:
            click.echo(line, err=True)
        yield library


def confirmed(question: str, yes: bool) -> bool:
    """Whether the person wants it: ``--yes``, or an answer on a terminal. Raises UsageError.

    Without a terminal nobody could answer, so nothing is asked and nothing is done.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "This needs --yes, because there is no terminal to ask on. Nothing was done."
        )
    return click.confirm(question, default=False, err=True)


def yes_option(command: Command) -> Command:
    """Add ``--yes``."""
    return click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")(command)


def choice(kind: type[StrEnum]) -> click.Choice[str]:
    """A choice among the values of an enumeration."""
    return click.Choice([member.value for member in kind])


def thorough_option(command: Command) -> Command:
    """Add ``--mode`` to a command that looks as hard as it can unless told otherwise."""
    return click.option(
        "--mode",
        type=choice(Mode),
        default=Mode.THOROUGH.value,
        show_default=True,
        help="Scan depth, as in idf scan.",
    )(command)


def scan_option(command: Command) -> Command:
    """Add ``--scan``: which scan is meant."""
    return click.option(
        "--scan",
        "scan_number",
        type=click.IntRange(min=1),
        metavar="N",
        help="Use scan N instead of the latest one.",
    )(command)


def chosen_scan(library: Library, number: int | None) -> ScanRecord:
    """The scan that ``--scan`` means. Raises NotFound."""
    return library.latest_scan() if number is None else library.scan_record(number)


def query_options(command: Command) -> Command:
    """Add the options that choose groups, handed on as keyword arguments of :func:`query`."""
    options = (
        click.option(
            "--kind",
            "kinds",
            multiple=True,
            type=choice(GroupKind),
            help="Only groups of this kind. Repeatable.",
        ),
        click.option(
            "--relation",
            "relations",
            multiple=True,
            type=choice(Relation),
            help="Only groups with a member of this relation. Repeatable.",
        ),
        click.option("--text", default="", help="Only groups with TEXT in a path."),
        click.option(
            "--below",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Only groups with a file in DIR or its subfolders.",
        ),
        click.option(
            "--min-bytes",
            default=0,
            type=click.IntRange(min=0),
            metavar="N",
            help="Only groups whose copies add up to at least N bytes.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def query(
    *,
    kinds: tuple[str, ...],
    relations: tuple[str, ...],
    text: str,
    below: Path | None,
    min_bytes: int,
    **others: Any,
) -> GroupQuery:
    """The query that the options of :func:`query_options` describe; ``others`` pass through."""
    from image_duplicate_finder.results import GroupQuery

    return GroupQuery(
        kinds=tuple(map(GroupKind, kinds)),
        relations=tuple(map(Relation, relations)),
        text=text,
        folder="" if below is None else str(below.resolve()),
        min_bytes=min_bytes,
        **others,
    )


def strict_option(command: Command) -> Command:
    """Add ``--strict``."""
    return click.option(
        "--strict", is_flag=True, help="Exit with status 1 if any file was skipped."
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json`` to a command, handed to it as ``json_to``: a :class:`JsonTarget` or None."""
    return click.option(
        "--json",
        "json_to",
        metavar="FILE|-",
        callback=lambda _context, _parameter, value: None if value is None else JsonTarget(value),
        help="Write the result as one JSON document to FILE, or to standard output with -.",
    )(command)


class JsonTarget:
    """Where the document goes. What cannot be written is said before the work, not after it."""

    def __init__(self, target: str) -> None:
        self.name = target
        self._path = Path(target)
        self.is_stdout = self._path == STANDARD_OUTPUT
        check_writable(self._path)

    def write(self, document: dict[str, Any]) -> None:
        """Write the document; a file is replaced whole, or not at all."""
        from image_duplicate_finder.documents import as_text

        write_pieces(self._path, as_text(document))


class ByteSize(click.ParamType[int]):
    """A number of bytes, such as ``500M`` or ``2 GiB`` (powers of 1,024)."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The bytes that ``value`` names."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
        if size <= 0:
            self.fail(f"{value!r} is not a size. Write 500M or 2G, for example.", param, ctx)
        return size
