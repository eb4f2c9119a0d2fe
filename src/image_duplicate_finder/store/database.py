"""One SQLite file: opened, migrated, and written to in transactions.

WAL with synchronous=NORMAL: what a scan stores can be computed again, so the last moments may
be lost to a power cut, never to a killed process. The journal of removals lives elsewhere with
stricter rules.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from image_duplicate_finder.errors import LibraryDamaged
from image_duplicate_finder.own_files import make_file
from image_duplicate_finder.store.packed import PackPairs
from image_duplicate_finder.store.schema import MIGRATIONS

_BUSY_SECONDS = 30.0


class Database:
    """Connections to one SQLite file, one for each thread that asks.

    Raises LibraryDamaged when the file is no database of ours, or from a newer program.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        try:
            make_file(path)  # SQLite gives the files beside it the same permissions
            self._migrate()
        except sqlite3.DatabaseError as error:
            raise LibraryDamaged(
                f"The library file {path} cannot be used ({error}). Move it away and scan again, "
                "or name another folder with --library."
            ) from error

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            # Of a new file only. Fingerprints of 5 KB would leave half of smaller pages empty.
            found.execute("PRAGMA page_size = 32768")
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = NORMAL")
            found.execute("PRAGMA foreign_keys = ON")
            found.execute("PRAGMA cache_size = -16000")
            self._local.connection = found
            with self._lock:
                self._opened.append(found)
        return found

    @contextmanager
    def atomic(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is stored or, when an error leaves the block, nothing."""
        connection = self.connection
        if connection.in_transaction:
            yield connection
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
        self._local = threading.local()

    def _migrate(self) -> None:
        with self.atomic() as connection:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > len(MIGRATIONS):
                raise LibraryDamaged(
                    f"The library {self.path} was made by a newer version of this program. "
                    "Update the program, or name another folder with --library."
                )
            # typeshed knows only aggregates of one value.
            connection.create_aggregate("pack_pairs", 3, PackPairs)  # type: ignore[arg-type]
            for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
                for statement in script.split(";"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
