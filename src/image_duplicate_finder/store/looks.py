"""What closer looks at pairs of contents found, a packed row for each pair.

A row of version 1 is little-endian: flags (1 mirrored, 2 another shot, 4 drawing), nine numbers
of the 3 x 3 transform (float32), the figures of :class:`~model.Look` in the order of ``_FIGURES``
(float32), and up to six differences: two boxes (four uint32 each) and a strength (float32).
Strongest first, they stay below 300 bytes. An empty row says that the two could not be aligned.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from image_duplicate_finder.model import Box, Difference, Look, homogeneous
from image_duplicate_finder.store.contents import marks, slices
from image_duplicate_finder.store.database import Database

Pair = tuple[int, int]

_FIGURES = (
    *("worst", "tone", "chroma", "detail", "coherence", "rest_a", "rest_b"),
    *("border_a", "border_b", "differing", "recoloured", "sharpened"),
)
_HEAD = struct.Struct(f"<B9f{len(_FIGURES)}f")
_PLACE = struct.Struct("<8If")
_MOST_PLACES = 5
_MIRRORED, _ANOTHER_SHOT, _DRAWING = 1, 2, 4


def pack_places(differences: Sequence[Difference]) -> bytes:
    """The strongest differences as stored."""
    return b"".join(
        _PLACE.pack(*each.in_a, *each.in_b, each.strength) for each in differences[:_MOST_PLACES]
    )


def unpack_places(data: bytes) -> tuple[Difference, ...]:
    """Differences from how they are stored."""
    return tuple(
        Difference(Box(*values[:4]), Box(*values[4:8]), values[8])
        for values in _PLACE.iter_unpack(data)
    )


def pack(look: Look | None) -> bytes:
    """A look as stored."""
    if look is None:
        return b""
    flags = look.mirrored * _MIRRORED + look.another_shot * _ANOTHER_SHOT + look.drawing * _DRAWING
    matrix = [value for row in homogeneous(look.transform) for value in row]
    head = _HEAD.pack(flags, *matrix, *(getattr(look, name) for name in _FIGURES))
    return head + pack_places(look.differences)


def unpack(data: bytes) -> Look | None:
    """A look from how it is stored."""
    if not data:
        return None
    flags, *numbers = _HEAD.unpack_from(data)
    rows = tuple((numbers[at], numbers[at + 1], numbers[at + 2]) for at in (0, 3, 6))
    return Look(
        transform=rows[:2] if rows[2] == (0.0, 0.0, 1.0) else rows,
        mirrored=bool(flags & _MIRRORED),
        differences=unpack_places(data[_HEAD.size :]),
        another_shot=bool(flags & _ANOTHER_SHOT),
        drawing=bool(flags & _DRAWING),
        **dict(zip(_FIGURES, numbers[9:], strict=True)),
    )


class LookStore:
    """Reads and writes ``look``: one row for each pair of contents ``(low id, high id)``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, version: int, looks: Mapping[Pair, Look | None]) -> None:
        """Store looks from the first to the second content of each pair."""
        self._database.connection.executemany(
            "INSERT OR REPLACE INTO look (a, b, version, data) VALUES (?,?,?,?)",
            [(a, b, version, pack(look)) for (a, b), look in looks.items()],
        )

    def known(self, version: int, contents: Iterable[int]) -> dict[Pair, Look | None]:
        """All looks of this version among ``contents``."""
        wanted = set(contents)
        found: dict[Pair, Look | None] = {}
        for part in slices(sorted(wanted)):
            rows = self._database.connection.execute(
                f"SELECT a, b, data FROM look WHERE version = ? AND a IN ({marks(part)})",
                (version, *part),
            )
            found.update(((a, b), unpack(data)) for a, b, data in rows if b in wanted)
        return found
