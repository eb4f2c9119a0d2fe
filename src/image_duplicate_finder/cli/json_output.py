"""``--json FILE|-``: one JSON document, to a file or alone on standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from image_duplicate_finder.errors import UsageError

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """Add ``--json`` to a verb, handed to it as ``json_to``: a :class:`JsonTarget` or None."""
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
        self.is_stdout = target == "-"
        self._path = Path(target).absolute()
        if self.is_stdout:
            return
        if self._path.is_dir():
            raise UsageError(f"{target} is a folder; name a file for the JSON document.")
        if not os.access(self._path.parent, os.W_OK):
            raise UsageError(f"The JSON document cannot be written to {self._path.parent}.")

    def write(self, document: dict[str, Any]) -> None:
        """Write the document; a file is replaced whole, or not at all."""
        from image_duplicate_finder.documents import as_text

        text = "".join(as_text(document))
        if self.is_stdout:
            sys.stdout.write(text)
            return
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        try:
            unfinished.write_text(text, encoding="ascii")
            unfinished.replace(self._path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise UsageError(
                f"The JSON document could not be written to {self._path}: {error.strerror}."
            ) from error
