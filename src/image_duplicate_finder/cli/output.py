"""Files that a verb writes: whole, or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from image_duplicate_finder.errors import UsageError

STANDARD_OUTPUT = Path("-")


def check_writable(path: Path | None) -> None:
    """Raise UsageError for what cannot be written, before the work and not after it."""
    if path is None or path == STANDARD_OUTPUT:
        return
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file.")
    if not os.access(path.absolute().parent, os.W_OK):
        raise UsageError(f"Nothing can be written to {path.absolute().parent}.")


def write_pieces(path: Path, pieces: Iterable[str | bytes]) -> None:
    """Write text (as UTF-8) or bytes to a file, or to standard output for ``-``.

    Raises UsageError when that fails.
    """
    encoded = (
        piece.encode("utf-8", "backslashreplace") if isinstance(piece, str) else piece
        for piece in pieces
    )
    if path == STANDARD_OUTPUT:
        sys.stdout.flush()
        for piece in encoded:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return

    def write(unfinished: Path) -> None:
        with unfinished.open("wb") as file:
            file.writelines(encoded)

    write_whole(path, write)


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` make a file that then takes the name ``path``. Raises UsageError."""
    path = path.absolute()
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise UsageError(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
