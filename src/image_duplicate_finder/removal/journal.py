"""The journal: what was about to happen to each file, and what did. One SQLite file.

States of an item::

    intent -> moved -> undoing -> restored
       |        +----> purging -> purged
       |        +----> (trash) trashed -> undoing -> restored
       +-> skipped

Recovery settles ``intent``, ``undoing`` and ``purging`` at the next start (see remover.py).

The file is written with ``synchronous=FULL`` in WAL mode, where every commit waits for the disk, so
a committed state is true after a crash or a power cut. Paths, and notes that name them, are BLOBs
(``os.fsencode``), since names need not be UTF-8.

Each row carries a checksum. A row that a failing disk or another program changed is left alone
and reported; the others are not affected.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from blake3 import blake3

from image_duplicate_finder.errors import LibraryDamaged, NotFound
from image_duplicate_finder.messages import (
    Message,
    Problem,
    english,
    message_from_json,
    message_to_json,
)
from image_duplicate_finder.model import Relation
from image_duplicate_finder.own_files import make_file, make_folder
from image_duplicate_finder.removal.probe import Volume
from image_duplicate_finder.settings import BackupMode, RemovalAction


class State(StrEnum):
    """Where an item is; see the module's picture."""

    INTENT = "intent"
    MOVED = "moved"
    TRASHED = "trashed"
    SKIPPED = "skipped"
    UNDOING = "undoing"
    RESTORED = "restored"
    PURGING = "purging"
    PURGED = "purged"
    MISSING = "missing"


MERGED, WRITTEN = "merged", "written"
"""Kinds of items whose place stays in use; see :class:`Item`."""

UNSETTLED = (State.INTENT, State.UNDOING, State.PURGING)


class RunState(StrEnum):
    """``interrupted`` runs were ended by a crash and settled at a later start."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a run, as the journal has it.

    ``path`` is where it was, ``stored`` where its bytes are kept while it is ``moved``;
    ``content`` is its BLAKE3 hash, ``size`` its bytes. ``metadata`` holds mode, owner, times,
    extended attributes and the number of hard links. ``keeper`` is None for companions, whose
    ``kind`` is ``video`` or ``sidecar`` instead of ``picture``. A file that took over metadata is
    ``merged``: stored is the file as it was, and its keeper is what is in its place. A sidecar
    that was not there before is ``written``: stored is a copy of it. ``link_target`` is the target
    of a symbolic link at ``path``. ``destination`` is where an undo puts the file.
    ``folder_before`` and ``folder_after`` are the folder's mtime_ns around the removal, to
    bring that back too. ``adopted`` items come from a manifest that anyone may have written.
    """

    id: int
    run: int
    unit: int
    state: State
    action: RemovalAction
    path: str
    stored: str
    content: bytes
    size: int
    metadata: dict[str, Any] = field(hash=False)
    keeper: str | None = None
    keeper_content: bytes | None = None
    relation: Relation | None = None
    group: int = 0
    kind: str = "picture"
    link_target: str | None = None
    folder_before: int | None = None
    folder_after: int | None = None
    destination: str | None = None
    remark: Message | None = None
    changed: str = ""
    adopted: bool = False

    @property
    def note(self) -> str:
        """The remark in English, or ""."""
        return "" if self.remark is None else english(self.remark)


@dataclass(frozen=True, slots=True)
class Run:
    """One application of a plan. ``counts`` is by state; ``held`` are bytes in the backup."""

    id: int
    plan: str
    action: RemovalAction
    mode: BackupMode
    started: str
    finished: str | None
    state: RunState
    counts: dict[State, int] = field(hash=False, default_factory=dict)
    held: int = 0


@dataclass(frozen=True, slots=True)
class BackupFolder:
    """The folder that one run uses for the files of one root.

    ``mark`` is what its marker file has too, wherever the folder goes. ``volumes`` are those of
    the root and of what was mounted below it.
    """

    run: int
    root: str
    folder: str
    preserved: int = 0
    mark: str = ""
    volumes: tuple[Volume, ...] = ()


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """A row of the journal whose checksum does not match; ``path`` as far as it can be read."""

    id: int
    run: int
    path: str


FILE_NAME = "journal.sqlite"
VERSION = 2

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

_SECOND = """
ALTER TABLE backup ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE backup ADD COLUMN volumes TEXT NOT NULL DEFAULT '[]';
ALTER TABLE item ADD COLUMN adopted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN checksum BLOB;
ALTER TABLE backup ADD COLUMN checksum BLOB;
ALTER TABLE item ADD COLUMN checksum BLOB;
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
        if version > VERSION:
            raise LibraryDamaged(
                f"The journal has version {version}, this program knows {VERSION}. "
                "Use the newer program that wrote it."
            )
        with self.atomic():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            for schema in (_SCHEMA, _SECOND)[version:]:
                for statement in filter(str.strip, schema.split(";")):
                    self._db.execute(statement)
            if version < VERSION:
                for table in _TABLES:
                    for (row,) in self._db.execute(f"SELECT rowid FROM {table}").fetchall():
                        self._seal(table, row)
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
        self.commit()

    def commit(self) -> None:
        """End :meth:`atomic`: what was written is durable, or this raises and nothing was."""
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _seal(self, table: str, row: int) -> None:
        """Give a row that was just written its checksum."""
        values = self._db.execute(
            f"SELECT {', '.join(_TABLES[table])} FROM {table} WHERE rowid = ?", (row,)
        ).fetchone()
        self._db.execute(
            f"UPDATE {table} SET checksum = ? WHERE rowid = ?", (_checksum(values), row)
        )

    def _rows(self, table: str, where: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Rows with their checksum last. Of a damaged file, those that can be read."""
        query = f"SELECT {', '.join(_TABLES[table])}, checksum FROM {table} WHERE "
        try:
            return self._db.execute(f"{query}{where}", values).fetchall()
        except sqlite3.DatabaseError:
            last = self._db.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()[0] or 0
        found = []
        for number in range(1, int(last) + 1):
            with contextlib.suppress(sqlite3.DatabaseError):
                found += self._db.execute(
                    f"{query}rowid = ? AND {where.partition(' ORDER BY')[0]}", (number, *values)
                ).fetchall()
        return found

    # Writing

    def begin_run(self, plan: str, action: RemovalAction, mode: BackupMode) -> int:
        """A new run; returns its id."""
        with self.atomic():
            cursor = self._db.execute(
                "INSERT INTO run (plan, action, mode, started, state) VALUES (?, ?, ?, ?, ?)",
                (plan, action, mode, now(), RunState.RUNNING),
            )
            number = int(cursor.lastrowid or 0)
            self._seal("run", number)
        return number

    def end_run(self, run: int, state: RunState) -> None:
        """The run is over."""
        with self.atomic():
            self._db.execute(
                "UPDATE run SET finished = ?, state = ? WHERE id = ?", (now(), state, run)
            )
            self._seal("run", run)

    def add_backup(self, backup: BackupFolder) -> None:
        """A folder is about to be made for the run."""
        with self.atomic():
            cursor = self._db.execute(
                "INSERT OR REPLACE INTO backup (run, root, folder, preserved, mark, volumes)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    backup.run,
                    os.fsencode(backup.root),
                    os.fsencode(backup.folder),
                    backup.preserved,
                    backup.mark,
                    json.dumps([volume.to_dict() for volume in backup.volumes]),
                ),
            )
            self._seal("backup", int(cursor.lastrowid or 0))

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
                self._seal("item", added[-1].id)
        return added

    def update_items(self, items: Iterable[Item]) -> None:
        """Commit the present state of items."""
        names = (*_COLUMNS[1:], "checksum")
        assignments = ", ".join(f"{name} = ?" for name in names)
        with self.atomic():
            for item in items:
                row = _to_row(item)
                self._db.execute(
                    f"UPDATE item SET {assignments} WHERE id = ?",
                    (*row[1:], _checksum(row), row[0]),
                )

    def replace_damaged(self, items: Sequence[Item]) -> None:
        """Add items, in place of damaged rows of their run and path where there are such."""
        paths = {(item.run, item.path) for item in items}
        self.add_items(items)
        gone = [row.id for row in self.damaged() if (row.run, row.path) in paths]
        with self.atomic():
            self._db.executemany("DELETE FROM item WHERE id = ?", [(id_,) for id_ in gone])

    def move_to_run(self, items: Iterable[Item], run: int) -> None:
        """Items belong to another run from now on."""
        self.update_items(replace(item, run=run) for item in items)

    # Reading

    def runs(self) -> list[Run]:
        """All runs, the newest first."""
        counts: dict[int, dict[State, int]] = {}
        held: dict[int, int] = {}
        for run, state, count, size in self._db.execute(
            "SELECT run, state, COUNT(*), SUM(bytes) FROM item GROUP BY run, state"
        ):
            if state in set(State):
                counts.setdefault(run, {})[State(state)] = count
            if state == State.MOVED:
                held[run] = size
        rows = self._rows("run", "1 ORDER BY id DESC", ())
        return [_run(row, counts.get(row[0], {}), held.get(row[0], 0)) for row in rows]

    def run(self, run: int) -> Run:
        """One run. Raises NotFound."""
        for found in self.runs():
            if found.id == run:
                return found
        raise NotFound(Problem.NO_RUN(run=run))

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
        rows = self._rows("item", f"{where} ORDER BY id", values)
        found = (_item_of(row) for row in rows)
        return [item for item in found if isinstance(item, Item)]

    def damaged(self, run: int | None = None) -> list[DamagedRow]:
        """The items that cannot be used, because their rows are not as they were written."""
        rows = self._rows("item", "1 ORDER BY id", ())
        found = [item for row in rows if isinstance(item := _item_of(row), DamagedRow)]
        seen = {row[0] for row in rows}
        try:
            numbers = self._db.execute("SELECT id, run FROM item").fetchall()
        except sqlite3.DatabaseError:
            numbers = []
        found += [DamagedRow(id_, number, "") for id_, number in numbers if id_ not in seen]
        return [row for row in found if run is None or row.run == run]

    def backups(self, run: int | None = None) -> list[BackupFolder]:
        """The backup folders of one run or of all."""
        where, values = ("1", ()) if run is None else ("run = ?", (run,))
        rows = self._rows("backup", f"{where} ORDER BY run, root", values)
        return [backup for row in rows if (backup := _backup_of(row)) is not None]

    def damaged_backups(self) -> list[str]:
        """The folders of backups whose rows are damaged, as far as they can be read."""
        return [
            os.fsdecode(row[2]) if isinstance(row[2], bytes) else str(row[2])
            for row in self._rows("backup", "1", ())
            if _backup_of(row) is None
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
    "adopted",
)
_TABLES = {
    "run": ("id", "plan", "action", "mode", "started", "finished", "state"),
    "backup": ("run", "root", "folder", "preserved", "mark", "volumes"),
    "item": _COLUMNS,
}


def _checksum(values: Sequence[Any]) -> bytes:
    """Sixteen bytes that change with any value of a row."""
    digest = blake3()
    for value in values:
        if isinstance(value, str):
            data = b"s" + value.encode("utf-8", "surrogatepass")
        else:
            data = b"b" + value if isinstance(value, bytes) else repr(value).encode()
        digest.update(b"%d:" % len(data) + data)
    return digest.digest(16)


def _sound(row: tuple[Any, ...]) -> bool:
    return bool(row[-1] == _checksum(row[:-1]))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _encode(path: str | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def _decode(path: bytes | None) -> str | None:
    return None if path is None else os.fsdecode(path)


def _encode_remark(remark: Message | None) -> bytes:
    return b"" if remark is None else message_to_json(remark).encode("ascii")


def _decode_remark(note: bytes) -> Message | None:
    """A remark as this version writes it, or as the plain text of earlier ones."""
    return message_from_json(os.fsdecode(note)) if note else None


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
        _encode(item.link_target),
        item.folder_before,
        item.folder_after,
        _encode(item.destination),
        _encode_remark(item.remark),
        now(),
        int(item.adopted),
    )


def _run(row: tuple[Any, ...], counts: dict[State, int], held: int) -> Run:
    """A run; of a damaged row what can still be understood, since its files matter more."""
    id_, plan, action, mode, started, finished, state, _ = row
    return Run(
        id=id_,
        plan=str(plan),
        action=RemovalAction(action) if action in set(RemovalAction) else RemovalAction.BACKUP,
        mode=BackupMode(mode) if mode in set(BackupMode) else BackupMode.REMOVED,
        started=str(started),
        finished=None if finished is None else str(finished),
        state=RunState(state) if state in set(RunState) else RunState.INTERRUPTED,
        counts=counts,
        held=held,
    )


def _backup_of(row: tuple[Any, ...]) -> BackupFolder | None:
    """A backup folder, or None for a damaged row."""
    if not _sound(row):
        return None
    run, root, folder, preserved, mark, volumes, _ = row
    return BackupFolder(
        run,
        os.fsdecode(root),
        os.fsdecode(folder),
        preserved,
        mark,
        tuple(Volume.from_dict(volume) for volume in json.loads(volumes)),
    )


def _item_of(row: tuple[Any, ...]) -> Item | DamagedRow:
    if not _sound(row):
        path = row[_COLUMNS.index("path")]
        run = row[_COLUMNS.index("run")]
        return DamagedRow(
            row[0],
            run if isinstance(run, int) else 0,
            os.fsdecode(path) if isinstance(path, bytes) else str(path),
        )
    values = dict(zip(_COLUMNS, row[:-1], strict=True))
    values["group"] = values.pop("grp")
    values["size"] = values.pop("bytes")
    values["state"] = State(values["state"])
    values["action"] = RemovalAction(values["action"])
    values["relation"] = None if values["relation"] is None else Relation(values["relation"])
    values["metadata"] = json.loads(values["metadata"])
    values["adopted"] = bool(values["adopted"])
    values["link_target"] = values.pop("aim")
    for name in ("path", "stored", "keeper", "link_target", "destination"):
        values[name] = _decode(values[name])
    values["remark"] = _decode_remark(values.pop("note"))
    return Item(**values)
