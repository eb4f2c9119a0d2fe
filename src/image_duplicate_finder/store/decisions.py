"""What a person decided, and how to undo it.

While a decision about groups is carried out, triggers of this connection write down the statement
that reverts each changed row (Hipp, "Automatic Undo/Redo Using SQLite"). So whatever a decision
does is undone whole, and no decision has to know its own inverse.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.results import DecisionKind, DecisionRecord, DismissedPair, Undone
from image_duplicate_finder.store.database import Database, marks, slices


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

    def undismiss(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
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
        """Remember that a person chose to remove a content although the keeper has another one.

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


_KEYS = {"grouping": ("id",), "member": ("grouping", "position"), "dismissed": ("first", "second")}
"""The tables that decisions change, with the columns that name a row."""

_GROUP = {"grouping": "id", "member": "grouping", "dismissed": None}
_MOST_STEPS = 2_000_000


@dataclass(slots=True)
class Facts:
    """What is stored with a decision; filled in while it is carried out."""

    number: int
    files: int = 0
    name: str = ""
    left: list[str] = field(default_factory=list)


class UndoStore:
    """Reads and writes ``decision`` and ``decision_step``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running = threading.local()

    @contextmanager
    def recorded(
        self, scan: int, kind: DecisionKind, *, onto: int | None = None
    ) -> Iterator[Facts]:
        """Record what happens to groups in this block, one transaction, as one decision.

        Within another one it is a part of that. With ``onto`` it goes on with an earlier
        decision, if that is the latest one. What changes nothing is no decision.
        """
        outer: Facts | None = getattr(self._running, "facts", None)
        if outer is not None:
            yield outer
            return
        with self._database.atomic() as connection:
            latest = self._latest(connection, scan)
            if latest is not None and latest.id == onto:
                facts = Facts(latest.id, latest.files, latest.name, list(latest.left))
            else:
                facts = Facts(_begin(connection, scan, kind))
            self._running.facts = facts
            try:
                _install(connection, facts.number)
                yield facts
                _uninstall(connection)
            finally:
                self._running.facts = None
            _end(connection, facts)

    def latest(self, scan: int) -> DecisionRecord | None:
        """The decision about a scan that can be undone now."""
        return self._latest(self._database.connection, scan)

    def undo(self, scan: int, decision: int | None = None) -> Undone | None:
        """Take back the latest decision about a scan; None where there is none.

        Raises UsageError where ``decision`` is not the latest one, or its groups have been
        changed by something else since.
        """
        with self._database.atomic() as connection:
            latest = self._latest(connection, scan)
            if latest is None:
                return None
            if decision is not None and latest.id != decision:
                raise UsageError(Problem.LATER_DECISIONS())
            connection.execute("PRAGMA defer_foreign_keys = ON")
            touched: set[int] = set()
            try:
                for group, way_back in connection.execute(
                    "SELECT grouping, way_back FROM decision_step WHERE decision = ?"
                    " ORDER BY id DESC",
                    (latest.id,),
                ).fetchall():
                    connection.execute(way_back)
                    if group is not None:
                        touched.add(group)
                connection.execute("DELETE FROM decision WHERE id = ?", (latest.id,))
            except sqlite3.IntegrityError as error:
                raise UsageError(Problem.CANNOT_BE_UNDONE()) from error
            return Undone(latest, _existing(connection, touched))

    def _latest(self, connection: sqlite3.Connection, scan: int) -> DecisionRecord | None:
        row = connection.execute(
            "SELECT id, at, kind, facts FROM decision WHERE scan = ? ORDER BY id DESC LIMIT 1",
            (scan,),
        ).fetchone()
        return None if row is None else _record(scan, row)


def _record(scan: int, row: tuple[int, float, str, str]) -> DecisionRecord:
    facts = json.loads(row[3])
    return DecisionRecord(
        id=row[0],
        scan=scan,
        when=row[1],
        kind=DecisionKind(row[2]),
        files=int(facts.get("files", 0)),
        name=str(facts.get("name", "")),
        left=tuple(facts.get("left", ())),
    )


def _begin(connection: sqlite3.Connection, scan: int, kind: DecisionKind) -> int:
    found = connection.execute(
        "INSERT INTO decision (scan, at, kind, facts) VALUES (?,?,?,'{}') RETURNING id",
        (scan, time.time(), kind.value),
    ).fetchone()
    return int(found[0])


def _end(connection: sqlite3.Connection, facts: Facts) -> None:
    held = connection.execute(
        "SELECT 1 FROM decision_step WHERE decision = ? LIMIT 1", (facts.number,)
    ).fetchone()
    if held is None:
        connection.execute("DELETE FROM decision WHERE id = ?", (facts.number,))
        return
    connection.execute(
        "UPDATE decision SET facts = ? WHERE id = ?",
        (
            json.dumps({"files": facts.files, "name": facts.name, "left": facts.left}),
            facts.number,
        ),
    )
    # What was decided long ago goes, so that a library does not grow for ever.
    connection.execute(
        "DELETE FROM decision WHERE id <> ?1 AND id <= (SELECT decision FROM decision_step"
        " WHERE id <= (SELECT max(id) FROM decision_step) - ?2 ORDER BY id DESC LIMIT 1)",
        (facts.number, _MOST_STEPS),
    )


def _install(connection: sqlite3.Connection, number: int) -> None:
    """Triggers that write down the way back of every change to groups."""
    for table, keys in _KEYS.items():
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        one_of = {when: _where(keys, when) for when in ("NEW", "OLD")}
        old = " || ',' || ".join(f"quote(OLD.{column})" for column in columns)
        sets = " || ".join(
            f"CASE WHEN OLD.{column} IS NOT NEW.{column}"
            f" THEN ', {column} = ' || quote(OLD.{column}) ELSE '' END"
            for column in columns
        )
        ways = {
            "INSERT": ("NEW", f"'DELETE FROM {table} WHERE ' || {one_of['NEW']}"),
            "DELETE": (
                "OLD",
                f"'INSERT INTO {table} ({', '.join(columns)}) VALUES (' || {old} || ')'",
            ),
            "UPDATE": (
                "NEW",
                f"'UPDATE {table} SET {keys[0]} = {keys[0]}' || {sets} || ' WHERE ' ||"
                f" {one_of['NEW']}",
            ),
        }
        for event, (row, way_back) in ways.items():
            group = _GROUP[table]
            connection.execute(
                f"CREATE TEMP TRIGGER {_trigger(table, event)} AFTER {event} ON main.{table} BEGIN"
                " INSERT INTO decision_step (decision, grouping, way_back) VALUES"
                f" ({number}, {'NULL' if group is None else f'{row}.{group}'}, {way_back}); END"
            )


def _uninstall(connection: sqlite3.Connection) -> None:
    for table in _KEYS:
        for event in ("INSERT", "DELETE", "UPDATE"):
            connection.execute(f"DROP TRIGGER {_trigger(table, event)}")


def _trigger(table: str, event: str) -> str:
    return f"decision_{table}_{event.lower()}"


def _where(keys: tuple[str, ...], row: str) -> str:
    """SQL text that names a row, as an SQL expression."""
    return " || ' AND ' || ".join(f"'{key} = ' || quote({row}.{key})" for key in keys)


def _existing(connection: sqlite3.Connection, groups: set[int]) -> tuple[int, ...]:
    found: list[int] = []
    for part in slices(sorted(groups)):
        found += [
            row[0]
            for row in connection.execute(
                f"SELECT id FROM grouping WHERE id IN ({marks(part)})", part
            )
        ]
    return tuple(found)
