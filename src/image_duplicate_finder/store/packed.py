"""An SQL aggregate for a migration: rows of pairs to the form of ``look_alikes.pairs``."""

from __future__ import annotations

import struct

_RECORD = struct.Struct("<iif")


class PackPairs:
    """``pack_pairs(a, b, cosine)``: records of two int32 and a float32, ordered by pair."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, float]] = []

    def step(self, a: int, b: int, cosine: float) -> None:
        """Take one row."""
        self._rows.append((a, b, cosine))

    def finalize(self) -> bytes:
        """The records of all rows."""
        return b"".join(_RECORD.pack(*row) for row in sorted(self._rows))
