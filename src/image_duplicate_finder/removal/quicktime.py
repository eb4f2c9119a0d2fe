"""Reads the one thing of a QuickTime film that removal needs: its Live Photo identifier.

Apple, "QuickTime File Format", Metadata Atoms: ``moov/meta`` holds ``keys`` (a list of key
names) and ``ilst`` (values by the number of their key); the value's atom is ``data`` with a
4-byte type and a 4-byte locale before the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from image_duplicate_finder.removal import fs

_KEY = b"com.apple.quicktime.content.identifier"
_LARGEST_MOOV = 16 << 20


def content_identifier(path: str) -> str | None:
    """The content identifier of the film at ``path``; None where it has none or is no film."""
    try:
        with open(fs.open_read(path), "rb") as film:
            moov = _find_moov(film)
    except OSError:
        return None
    if moov is None:
        return None
    try:
        return _identifier(moov)
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


def _find_moov(film: BinaryIO) -> bytes | None:
    """The body of the ``moov`` atom, found without reading the pictures before it."""
    position = 0
    while len(header := film.read(8)) == 8:
        size, kind = struct.unpack(">I4s", header)
        skip = 8
        if size == 1:
            (size,) = struct.unpack(">Q", film.read(8))
            skip = 16
        if kind == b"moov":
            wanted = size - skip if size else _LARGEST_MOOV
            return film.read(min(wanted, _LARGEST_MOOV))
        if size < skip:
            return None
        position += size
        film.seek(position)
    return None


def _atoms(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of the atoms in ``data``."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if size < 8:
            return
        yield kind, data[position + 8 : position + size]
        position += size


def _identifier(moov: bytes) -> str | None:
    for kind, meta in _atoms(moov):
        if kind != b"meta":
            continue
        # ISO files have 4 bytes of version and flags before the atoms, QuickTime has not.
        body = meta if meta[4:8] in (b"hdlr", b"keys", b"ilst") else meta[4:]
        parts = dict(_atoms(body))
        keys = _key_names(parts.get(b"keys", b""))
        if _KEY not in keys:
            continue
        number = struct.pack(">I", keys.index(_KEY) + 1)
        for found, value in _atoms(parts.get(b"ilst", b"")):
            if found == number:
                for inner, data in _atoms(value):
                    if inner == b"data":
                        return data[8:].decode("utf-8")
    return None


def _key_names(keys: bytes) -> list[bytes]:
    """The names in a ``keys`` atom: version, count, then (size, namespace, name) each."""
    return [name for _, name in _atoms(keys[8:])]
