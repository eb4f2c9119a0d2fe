"""One SQLite file: opened, migrated, and written to in transactions.

WAL with synchronous=NORMAL: what a scan stores can be computed again, so the last moments may
be lost to a power cut, never to a killed process. The journal of removals lives elsewhere with
stricter rules.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from image_duplicate_finder.errors import LibraryBusy, LibraryDamaged, LibraryUnavailable
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.own_files import make_file
from image_duplicate_finder.store.schema import (
    MIGRATIONS,
    PackPairs,
    description_as_codes,
    reasons_as_codes,
    way_back_as_codes,
)

T = TypeVar("T")

_BUSY_SECONDS = 30.0
_SLICE = 900


class _Connection(sqlite3.Connection):
    """Distinguishes what the system refuses for now from a damaged file."""

    path: Path

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        try:
            return super().execute(*arguments)
        except sqlite3.OperationalError as error:
            raise _as_ours(error, self.path) from error

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        try:
            return super().executemany(*arguments)
        except sqlite3.OperationalError as error:
            raise _as_ours(error, self.path) from error


def _as_ours(error: sqlite3.OperationalError, path: Path) -> Exception:
    code = error.sqlite_errorcode & 0xFF  # without the details of extended codes
    if code == sqlite3.SQLITE_FULL:
        return LibraryUnavailable(Problem.DISK_FULL(path=str(path)))
    if code == sqlite3.SQLITE_BUSY:
        return LibraryBusy(Problem.WRITING(path=str(path)))
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return LibraryUnavailable(Problem.UNAVAILABLE(path=str(path), reason=str(error)))
    return error


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # a full disk may have ended it already
        connection.execute("ROLLBACK")


class Database:
    """Connections to one SQLite file, one for each thread that asks.

    Raises LibraryDamaged when the file is no database of ours, or from a newer program; any use
    of it may raise LibraryUnavailable and LibraryBusy. Nothing waits until the disk has what is
    stored in a ``temporary`` one.
    """

    def __init__(self, path: Path, *, temporary: bool = False) -> None:
        self.path = path
        self._synchronous = "OFF" if temporary else "NORMAL"
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        try:
            make_file(path)  # SQLite gives its other files the same permissions
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
            found = self._connect()
            # Of a new file only. Fingerprints of 5 KB would leave half of smaller pages empty.
            found.execute("PRAGMA page_size = 32768")
            found.execute(f"PRAGMA synchronous = {self._synchronous}")
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA foreign_keys = ON")
            found.execute("PRAGMA cache_size = -16000")
            self._local.connection = found
            with self._lock:
                self._opened.append(found)
        return found

    def _connect(self) -> _Connection:
        try:
            found = sqlite3.connect(
                self.path,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
            )
        except sqlite3.OperationalError as error:
            raise _as_ours(error, self.path) from error
        found.path = self.path
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
            _roll_back(connection)
            raise
        try:
            connection.execute("COMMIT")
        except LibraryUnavailable:
            _roll_back(connection)
            raise

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
            connection.create_function("reasons_as_codes", 1, reasons_as_codes, deterministic=True)
            connection.create_function(
                "description_as_codes", 1, description_as_codes, deterministic=True
            )
            connection.create_function(
                "way_back_as_codes", 1, way_back_as_codes, deterministic=True
            )
            for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
                for statement in script.split(";"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")


def slices(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """``values`` in parts that fit into one SQL statement."""
    for start in range(0, len(values), _SLICE):
        yield values[start : start + _SLICE]


def marks(values: Sequence[object]) -> str:
    """Question marks for an SQL IN (...)."""
    return ",".join("?" * len(values))
