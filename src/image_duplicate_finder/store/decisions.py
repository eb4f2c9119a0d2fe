"""What a person decided: pairs that are not duplicates, and preferences of the page."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from image_duplicate_finder.results import DismissedPair
from image_duplicate_finder.store.database import Database


class DecisionStore:
    """Reads and writes ``dismissed`` and ``preference``. Pairs are known by content hash."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def dismiss(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Remember pairs of content hashes as not duplicates."""
        now = time.time()
        self._database.connection.executemany(
            "INSERT OR REPLACE INTO dismissed VALUES (?,?,?)",
            [(min(pair), max(pair), now) for pair in pairs if pair[0] != pair[1]],
        )

    def take_back(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Forget that pairs were dismissed."""
        self._database.connection.executemany(
            "DELETE FROM dismissed WHERE first = ? AND second = ?",
            [(min(pair), max(pair)) for pair in pairs],
        )

    def dismissed_ids(self) -> set[tuple[int, int]]:
        """Dismissed pairs as ordered content ids, for the contents that are stored."""
        return set(
            self._database.connection.execute(
                "SELECT min(x.id, y.id), max(x.id, y.id) FROM dismissed"
                " JOIN content x ON x.hash = first JOIN content y ON y.hash = second"
            )
        )

    def dismissed(self) -> list[DismissedPair]:
        """All dismissed pairs, the latest first, each with a path of its contents if known."""
        path_of = (
            "(SELECT path FROM file JOIN content ON content.id = file.content"
            " WHERE content.hash = {} AND gone = 0 ORDER BY path LIMIT 1)"
        )
        rows = self._database.connection.execute(
            f"SELECT first, second, at, {path_of.format('first')}, {path_of.format('second')}"
            " FROM dismissed ORDER BY at DESC, first, second"
        )
        return [
            DismissedPair(
                first=row[0],
                second=row[1],
                when=row[2],
                first_path=None if row[3] is None else os.fsdecode(row[3]),
                second_path=None if row[4] is None else os.fsdecode(row[4]),
            )
            for row in rows
        ]

    def remember_chosen(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Remember that a person chose to remove a content beside a keeper of another content.

        Of pictures that contain others or look like them: nothing else says later that a removal
        was meant, since no match makes it safe.
        """
        now = time.time()
        self._database.connection.executemany(
            "INSERT OR REPLACE INTO chosen VALUES (?,?,?)", [(*pair, now) for pair in pairs]
        )

    def was_chosen(self, pair: tuple[bytes, bytes]) -> bool:
        """Whether :meth:`remember_chosen` knows a pair of content and keeper."""
        row = self._database.connection.execute(
            "SELECT 1 FROM chosen WHERE content = ? AND keeper = ?", pair
        ).fetchone()
        return row is not None

    def preference(self, name: str, default: str = "") -> str:
        """A stored preference."""
        row = self._database.connection.execute(
            "SELECT value FROM preference WHERE name = ?", (name,)
        ).fetchone()
        return default if row is None else str(row[0])

    def set_preference(self, name: str, value: str) -> None:
        """Store a preference."""
        self._database.connection.execute(
            "INSERT OR REPLACE INTO preference VALUES (?,?)", (name, value)
        )
