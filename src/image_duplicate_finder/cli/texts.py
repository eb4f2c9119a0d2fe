"""How names and figures are written for people."""

from __future__ import annotations

from image_duplicate_finder.printable import printable as shown

__all__ = ["counted", "duration", "shown", "size"]


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
