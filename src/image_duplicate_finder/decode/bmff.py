"""Items of HEIF and AVIF files (ISO 23008-12 on ISO 14496-12): pictures, maps, their bytes.

Nothing here raises on damaged bytes: what does not hold together is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_MOST_ITEMS = 4096
_MOST_EXTENTS = 4096
_DEEPEST = 3
_AUXILIARY, _DERIVED, _THUMBNAIL = b"auxl", b"dimg", b"thmb"
_PICTURES = frozenset({b"hvc1", b"av01", b"avc1", b"jpeg", b"unci", b"grid", b"iden", b"iovl"})
# Properties that decide how a picture looks; others describe it.
_LOOK = (b"hvcC", b"av1C", b"avcC", b"jpgC", b"irot", b"imir", b"clap", b"colr", b"ispe")


@dataclass(slots=True)
class Item:
    """One item: its type, what its properties say, its bytes, and which items it refers to.

    ``auxiliary`` is the URN of an auxiliary picture ("urn:...:hdrgainmap"), else empty.
    ``properties`` are the boxes that the decoder is set up with. Its bytes are in the file, in the
    metadata's own box (``in_box``) or in another item (``elsewhere``), which is not followed.
    """

    type: bytes = b""
    hidden: bool = False
    auxiliary: str = ""
    properties: list[bytes] = field(default_factory=list)
    extents: list[tuple[int, int]] = field(default_factory=list)
    in_box: bool = False
    elsewhere: bool = False
    references: dict[bytes, tuple[int, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Items:
    """The items of a file by id, the primary one, and what lies in boxes beside them.

    ``boxes`` are the top level's as (type, start of the body, end).
    """

    data: bytes
    primary: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    stored: bytes = b""
    boxes: list[tuple[bytes, int, int]] = field(default_factory=list)

    def coded(self, number: int, depth: int = 0) -> Iterator[bytes]:
        """The bytes that decide an item's look, and those of items that it is made of.

        Raises IndexError where they are not found.
        """
        item = self.items.get(number)
        if item is None or item.elsewhere or depth > _DEEPEST:
            raise IndexError
        yield item.type
        yield from (each for each in item.properties if each.startswith(_LOOK))
        source = self.stored if item.in_box else self.data
        if not item.extents and _DERIVED not in item.references:
            raise IndexError
        for start, size in item.extents:
            yield source[start : start + size]
        for other in item.references.get(_DERIVED, ()):
            yield from self.coded(other, depth + 1)

    def pictures(self) -> list[int]:
        """The pictures that a viewer shows one by one, the primary one first."""
        aside: set[int] = set()
        for item in self.items.values():
            aside.update(item.references.get(_DERIVED, ()))
        shown = [
            number
            for number, item in self.items.items()
            if item.type in _PICTURES
            and not item.hidden
            and number not in aside
            and _AUXILIARY not in item.references
            and _THUMBNAIL not in item.references
        ]
        return sorted(shown, key=lambda number: (number != self.primary, number))


def read_items(data: bytes) -> Items:
    """The items of an ISO base media file; without any where there is no ``meta`` box."""
    found = Items(data)
    for kind, start, end in _boxes(data, 0, len(data)):
        found.boxes.append((kind, start, end))
        if kind == b"meta" and not found.items:
            try:
                _read_meta(found, start + 4, end)
            except (struct.error, IndexError):
                continue
    return found


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1 and at + 16 <= end:
            size = struct.unpack_from(">Q", data, at + 8)[0]
            body = at + 16
        last = end if size == 0 else at + size
        if last < body or last > end:
            last = end
        yield kind, body, last
        at = last


def _read_meta(found: Items, start: int, end: int) -> None:
    data = found.data
    for kind, body, last in _boxes(data, start, end):
        if kind == b"pitm":
            found.primary = int.from_bytes(data[body + 4 : last][: 4 if data[body] else 2], "big")
        elif kind == b"iinf":
            _read_types(found, body, last)
        elif kind == b"iloc":
            _read_places(found, body, last)
        elif kind == b"iref":
            _read_references(found, body, last)
        elif kind == b"idat":
            found.stored = data[body:last]
    for kind, body, last in _boxes(data, start, end):
        if kind == b"iprp":
            _read_properties(found, body, last)


def _read_types(found: Items, body: int, end: int) -> None:
    data = found.data
    first = body + (6 if data[body] == 0 else 8)
    for kind, at, _ in _boxes(data, first, end):
        if kind != b"infe" or len(found.items) >= _MOST_ITEMS:
            continue
        wide = data[at] >= 3
        number = int.from_bytes(data[at + 4 : at + (8 if wide else 6)], "big")
        item = found.items.setdefault(number, Item())
        kind_at = at + (10 if wide else 8)
        item.type = data[kind_at : kind_at + 4]
        item.hidden = bool(data[at + 3] & 1)


def _read_places(found: Items, at: int, end: int) -> None:
    data = found.data
    version = data[at]
    offset_size, length_size = data[at + 4] >> 4, data[at + 4] & 15
    base_size, index_size = data[at + 5] >> 4, data[at + 5] & 15 if version in (1, 2) else 0
    number_size = 4 if version == 2 else 2
    at += 6

    def number(size: int) -> int:
        nonlocal at
        value = int.from_bytes(data[at : at + size], "big")
        at += size
        return value

    for _ in range(min(number(number_size), _MOST_ITEMS)):
        item = found.items.setdefault(number(number_size), Item())
        if version in (1, 2):
            method = number(2) & 15
            item.in_box, item.elsewhere = method == 1, method > 1
        number(2)
        base = number(base_size)
        for _ in range(min(number(2), _MOST_EXTENTS)):
            number(index_size)
            start = base + number(offset_size)
            size = number(length_size)
            item.extents.append((start, size or len(data)))
        if at > end:
            return


def _read_references(found: Items, body: int, end: int) -> None:
    data = found.data
    size = 4 if data[body] else 2
    for kind, at, last in _boxes(data, body + 4, end):
        item = found.items.setdefault(int.from_bytes(data[at : at + size], "big"), Item())
        count = int.from_bytes(data[at + size : at + size + 2], "big")
        numbers = data[at + size + 2 : min(at + size + 2 + count * size, last)]
        item.references[kind] = item.references.get(kind, ()) + tuple(
            int.from_bytes(numbers[i : i + size], "big")
            for i in range(0, len(numbers) // size * size, size)
        )


def _read_properties(found: Items, body: int, end: int) -> None:
    data = found.data
    properties: list[tuple[bytes, bytes]] = []
    for kind, at, last in _boxes(data, body, end):
        if kind == b"ipco":
            properties = [(each, data[a:b]) for each, a, b in _boxes(data, at, last)]
    for kind, at, last in _boxes(data, body, end):
        if kind != b"ipma":
            continue
        size, wide = (4 if data[at] else 2), data[at + 3] & 1
        count = int.from_bytes(data[at + 4 : at + 8], "big")
        at += 8
        for _ in range(min(count, _MOST_ITEMS)):
            if at >= last:
                break
            item = found.items.setdefault(int.from_bytes(data[at : at + size], "big"), Item())
            links = data[at + size]
            at += size + 1
            for _ in range(links):
                index = int.from_bytes(data[at : at + (2 if wide else 1)], "big")
                at += 2 if wide else 1
                index &= 0x7FFF if wide else 0x7F
                if 0 < index <= len(properties):
                    name, value = properties[index - 1]
                    item.properties.append(name + value)
                    if name == b"auxC":
                        item.auxiliary = value[4:].split(b"\0", 1)[0].decode("latin-1")
