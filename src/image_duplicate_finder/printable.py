"""Paths as text that can be shown safely. Pure."""

from __future__ import annotations

_JOINERS = "\u200c\u200d"
"""Invisible, but a part of many scripts and emoji."""


def printable(path: str) -> str:
    """A path as it can be shown: what could hide or reorder text is written as an escape.

    >>> printable("a\\nb\\udcff.jpg")
    'a\\\\x0ab\\\\xff.jpg'
    """
    if path.isprintable():
        return path
    return "".join(
        character if character.isprintable() or character in _JOINERS else _escaped(character)
        for character in path
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode wrote it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
