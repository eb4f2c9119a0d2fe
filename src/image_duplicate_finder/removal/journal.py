"""The journal: what was about to happen to each file, and what did. One SQLite file.

It is written with ``synchronous=FULL`` in WAL mode, where every commit waits for the disk, so a
state that was committed is true after a crash or a power cut. Paths, and notes that
name them, are BLOBs (``os.fsencode``), since names need not be UTF-8.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from image_duplicate_finder.errors import LibraryDamaged, NotFound
from image_duplicate_finder.model import Relation
from image_duplicate_finder.own_files import make_file, make_folder
from image_duplicate_finder.removal.records import BackupFolder, Item, Run, RunState, State
from image_duplicate_finder.settings import BackupMode, RemovalAction

FILE_NAME = "journal.sqlite"
VERSION = 1

_SCHEMA = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plan TEXT NOT NULL,
    action TEXT NOT NULL,
    mode TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    state TEXT NOT NULL
);
CREATE TABLE backup (
    run INTEGER NOT NULL REFERENCES run(id),
    root BLOB NOT NULL,
    folder BLOB NOT NULL,
    preserved INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, root)
);
CREATE TABLE item (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES run(id),
    unit INTEGER NOT NULL,
    state TEXT NOT NULL,
    action TEXT NOT NULL,
    path BLOB NOT NULL,
    stored BLOB NOT NULL,
    content BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    keeper BLOB,
    keeper_content BLOB,
    relation TEXT,
    grp INTEGER NOT NULL,
    kind TEXT NOT NULL,
    aim BLOB,
    folder_before INTEGER,
    folder_after INTEGER,
    destination BLOB,
    note BLOB NOT NULL,
    changed TEXT NOT NULL
);
CREATE INDEX item_run ON item (run, unit);
CREATE INDEX item_state ON item (state);
"""


def now() -> str:
    """The time as ISO 8601 with the zone."""
    return datetime.datetime.now().astimezone().isoformat(timespec="milliseconds")


class Journal:
    """The journal in ``library_dir``. One object per thread; close it, or use ``with``."""

    def __init__(self, library_dir: str | os.PathLike[str]) -> None:
        folder = Path(library_dir)
        make_folder(folder)
        try:
            make_file(folder / FILE_NAME)
            self._db = sqlite3.connect(folder / FILE_NAME, isolation_level=None, timeout=30.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA foreign_keys=ON")
            self._migrate()
        except sqlite3.DatabaseError as error:
            raise LibraryDamaged(
                f"The journal {folder / FILE_NAME} cannot be opened: {error}. The backups "
                "themselves are complete without it: see the README.txt in each."
            ) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == VERSION:
            return
        if version != 0:
            raise LibraryDamaged(
                f"The journal has version {version}, this program knows {VERSION}. "
                "Use the newer program that wrote it."
            )
        with self.atomic():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={VERSION}")

    @contextlib.contextmanager
    def atomic(self) -> Iterator[None]:
        """All writes of a ``with`` block become durable together, or none of them."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._commit()

    def _commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    # Writing

    def begin_run(self, plan: str, action: RemovalAction, mode: BackupMode) -> int:
        """A new run; returns its id."""
        with self.atomic():
            cursor = self._db.execute(
                "INSERT INTO run (plan, action, mode, started, state) VALUES (?, ?, ?, ?, ?)",
                (plan, action, mode, now(), RunState.RUNNING),
            )
        return int(cursor.lastrowid or 0)

    def end_run(self, run: int, state: RunState) -> None:
        """The run is over."""
        with self.atomic():
            self._db.execute(
                "UPDATE run SET finished = ?, state = ? WHERE id = ?", (now(), state, run)
            )

    def add_backup(self, backup: BackupFolder) -> None:
        """A folder is about to be made for the run."""
        with self.atomic():
            self._db.execute(
                "INSERT OR REPLACE INTO backup (run, root, folder, preserved) VALUES (?, ?, ?, ?)",
                (
                    backup.run,
                    os.fsencode(backup.root),
                    os.fsencode(backup.folder),
                    backup.preserved,
                ),
            )

    def add_items(self, items: Sequence[Item]) -> list[Item]:
        """Commit new items, most often INTENTs; returns them with their ids."""
        added = []
        with self.atomic():
            for item in items:
                cursor = self._db.execute(
                    f"INSERT INTO item ({', '.join(_COLUMNS[1:])}) "
                    f"VALUES ({', '.join('?' * (len(_COLUMNS) - 1))})",
                    _to_row(item)[1:],
                )
                added.append(replace(item, id=int(cursor.lastrowid or 0)))
        return added

    def update_items(self, items: Iterable[Item]) -> None:
        """Commit the present state of items."""
        assignments = ", ".join(f"{name} = ?" for name in _COLUMNS[1:])
        with self.atomic():
            for item in items:
                row = _to_row(item)
                self._db.execute(f"UPDATE item SET {assignments} WHERE id = ?", (*row[1:], row[0]))

    # Reading

    def runs(self) -> list[Run]:
        """All runs, the newest first."""
        counts: dict[int, dict[State, int]] = {}
        held: dict[int, int] = {}
        for run, state, count, size in self._db.execute(
            "SELECT run, state, COUNT(*), SUM(bytes) FROM item GROUP BY run, state"
        ):
            counts.setdefault(run, {})[State(state)] = count
            if state == State.MOVED:
                held[run] = size
        return [
            Run(
                id=id_,
                plan=plan,
                action=RemovalAction(action),
                mode=BackupMode(mode),
                started=started,
                finished=finished,
                state=RunState(state),
                counts=counts.get(id_, {}),
                held=held.get(id_, 0),
            )
            for id_, plan, action, mode, started, finished, state in self._db.execute(
                "SELECT id, plan, action, mode, started, finished, state FROM run ORDER BY id DESC"
            )
        ]

    def run(self, run: int) -> Run:
        """One run. Raises NotFound."""
        for found in self.runs():
            if found.id == run:
                return found
        raise NotFound(f"There is no run {run}. `idf history` lists them.")

    def items(
        self,
        run: int | None = None,
        states: Sequence[State] = tuple(State),
        actions: Sequence[RemovalAction] = tuple(RemovalAction),
        unit: int | None = None,
    ) -> list[Item]:
        """Items in the order they were written, of one run (or one unit of it) or of all."""
        values: list[Any] = [*states, *actions]
        where = f"state IN ({_marks(states)}) AND action IN ({_marks(actions)})"
        if run is not None:
            where, values = f"{where} AND run = ?", [*values, run]
        if unit is not None:
            where, values = f"{where} AND unit = ?", [*values, unit]
        query = f"SELECT {', '.join(_COLUMNS)} FROM item WHERE {where} ORDER BY id"
        return [_from_row(row) for row in self._db.execute(query, values)]

    def backups(self, run: int | None = None) -> list[BackupFolder]:
        """The backup folders of one run or of all."""
        query = "SELECT run, root, folder, preserved FROM backup"
        values: tuple[int, ...] = ()
        if run is not None:
            query, values = f"{query} WHERE run = ?", (run,)
        return [
            BackupFolder(run_, os.fsdecode(root), os.fsdecode(folder), preserved)
            for run_, root, folder, preserved in self._db.execute(
                f"{query} ORDER BY run, root", values
            )
        ]


_COLUMNS = (
    "id",
    "run",
    "unit",
    "state",
    "action",
    "path",
    "stored",
    "content",
    "bytes",
    "metadata",
    "keeper",
    "keeper_content",
    "relation",
    "grp",
    "kind",
    "aim",
    "folder_before",
    "folder_after",
    "destination",
    "note",
    "changed",
)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _encode(path: str | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def _decode(path: bytes | None) -> str | None:
    return None if path is None else os.fsdecode(path)


def _to_row(item: Item) -> tuple[Any, ...]:
    return (
        item.id,
        item.run,
        item.unit,
        item.state,
        item.action,
        _encode(item.path),
        _encode(item.stored),
        item.content,
        item.size,
        json.dumps(item.metadata),
        _encode(item.keeper),
        item.keeper_content,
        item.relation,
        item.group,
        item.kind,
        _encode(item.aim),
        item.folder_before,
        item.folder_after,
        _encode(item.destination),
        os.fsencode(item.note),
        now(),
    )


def _from_row(row: tuple[Any, ...]) -> Item:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["group"] = values.pop("grp")
    values["size"] = values.pop("bytes")
    values["state"] = State(values["state"])
    values["action"] = RemovalAction(values["action"])
    values["relation"] = None if values["relation"] is None else Relation(values["relation"])
    values["metadata"] = json.loads(values["metadata"])
    for name in ("path", "stored", "keeper", "aim", "destination", "note"):
        values[name] = _decode(values[name])
    return Item(**values)
