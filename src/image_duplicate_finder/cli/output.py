"""What commands write: names and figures for people, and files whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.messages import printable as shown

__all__ = [
    "STANDARD_OUTPUT",
    "check_writable",
    "counted",
    "duration",
    "shown",
    "size",
    "write_pieces",
    "write_whole",
]


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


def size(count: int) -> str:
    """A number of bytes in the decimal units that shops and file managers use.

    >>> size(999), size(1_500_000)
    ('999 bytes', '1.5 MB')
    """
    if count < 1000:
        return counted(count, "byte")
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> counted(1, "file"), counted(12_000, "file"), counted(2, "copy", "copies")
    ('1 file', '12,000 files', '2 copies')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A time span, as exact as a person needs it.

    >>> duration(3.21), duration(75), duration(7322)
    ('3.2 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"
