"""Directories of TIFF structures (TIFF 6.0, section 2), which EXIF and most RAW formats use too.

Nothing here raises on damaged bytes: what does not hold together is left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

_MOST_ENTRIES = 1000
_MOST_VALUES = 64
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
               16: 8, 17: 8, 18: 8, 129: 1}  # fmt: skip
_NUMBER_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag's value: its TIFF type, its bytes (cut short where the file is), the byte order."""

    kind: int
    value: bytes
    order: str

    def numbers(self) -> tuple[int, ...]:
        """Up to 64 unsigned integers; empty for other types."""
        code = _NUMBER_CODES.get(self.kind)
        if code is None:
            return ()
        count = min(len(self.value) // struct.calcsize("=" + code), _MOST_VALUES)
        return struct.unpack_from(f"{self.order}{count}{code}", self.value)

    def all_numbers(self) -> tuple[int, ...]:
        """Every unsigned integer of a long list, such as the places of strips."""
        code = _NUMBER_CODES.get(self.kind)
        if code is None:
            return ()
        count = len(self.value) // struct.calcsize("=" + code)
        return struct.unpack_from(f"{self.order}{count}{code}", self.value)

    def ratios(self) -> tuple[float, ...]:
        """Fractions (RATIONAL) as floats; those over zero are left out."""
        if self.kind != 5:
            return ()
        pairs = struct.iter_unpack(self.order + "II", self.value[: len(self.value) // 8 * 8])
        return tuple(above / below for above, below in pairs if below)

    def text(self) -> str | None:
        """A printable text, or None."""
        if self.kind not in (2, 129):
            return None
        text = self.value.split(b"\0", 1)[0][:200].decode("utf-8", "replace").strip()
        return text if text and text.isprintable() else None

    def long_text(self) -> str:
        """A text of any length and encoding that is likely, empty without one."""
        if self.kind not in (2, 7, 129):
            return ""
        value = self.value.split(b"\0", 1)[0]
        try:
            return value.decode("utf-8").strip()
        except UnicodeDecodeError:
            return value.decode("latin-1").strip()


Directory = dict[int, Entry]


class _Layout(NamedTuple):
    """How a directory is written, as codes of :mod:`struct` and sizes in bytes."""

    number: str
    number_size: int
    entry: str
    entry_size: int
    offset: str
    offset_size: int


_CLASSIC = _Layout("H", 2, "HHI4s", 12, "I", 4)
_BIG = _Layout("Q", 8, "HHQ8s", 20, "Q", 8)


def byte_order(data: bytes) -> str | None:
    """``<`` or ``>`` for data that starts like a TIFF structure, else None."""
    return {b"II": "<", b"MM": ">"}.get(data[:2])


def is_big(data: bytes) -> bool:
    """Whether it is a BigTIFF, whose offsets have 8 bytes."""
    return data[2:4] in (b"+\0", b"\0+")


def start_offset(data: bytes, order: str) -> int:
    """Where the first directory stands; 0 where the data is too short to say."""
    if is_big(data):
        return int(struct.unpack_from(order + "Q", data, 8)[0]) if len(data) >= 16 else 0
    return int(struct.unpack_from(order + "I", data, 4)[0]) if len(data) >= 8 else 0


def read_directory(data: bytes, order: str, at: int) -> tuple[Directory, int]:
    """The entries of the directory at that offset and the offset of the next one (0: none)."""
    layout = _BIG if is_big(data) else _CLASSIC
    if not 0 < at <= len(data) - layout.number_size:
        return {}, 0
    count = min(struct.unpack_from(order + layout.number, data, at)[0], _MOST_ENTRIES)
    first = at + layout.number_size
    end = first + layout.entry_size * count
    table = data[first:end]
    entries: Directory = {}
    for tag, kind, number, inline in struct.iter_unpack(
        order + layout.entry, table[: len(table) // layout.entry_size * layout.entry_size]
    ):
        size = _TYPE_SIZES.get(kind, 0) * number
        if size <= layout.offset_size:
            value = inline[:size]
        else:
            start = struct.unpack(order + layout.offset, inline)[0]
            value = data[start : start + size]
        entries.setdefault(tag, Entry(kind, value, order))
    if end + layout.offset_size > len(data):
        return entries, 0
    return entries, struct.unpack_from(order + layout.offset, data, end)[0]


def first_number(entry: Entry | None) -> int | None:
    """The first unsigned integer of a value, None without one."""
    numbers = entry.numbers() if entry is not None else ()
    return numbers[0] if numbers else None
