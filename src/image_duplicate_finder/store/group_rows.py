"""Groups as rows: how a query finds them, how they are written, and their outlines."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from image_duplicate_finder.keeping import BulkFile, BulkGroup
from image_duplicate_finder.messages import messages_to_json
from image_duplicate_finder.model import Group, GroupKind
from image_duplicate_finder.results import GroupQuery, GroupSort
from image_duplicate_finder.store.database import marks, slices
from image_duplicate_finder.store.matches import RELATION_OF, pack_places, transform_to_json

_ORDER = {
    GroupSort.SPACE: "bytes",
    GroupSort.COUNT: "members",
    GroupSort.DATE: "newest",
    GroupSort.SIMILARITY: "score",
    GroupSort.PIXELS: (
        "(SELECT width * height FROM content JOIN file ON file.content = content.id"
        " WHERE file.id = keeper)"
    ),
    GroupSort.PATH: "(SELECT path FROM file WHERE file.id = keeper)",
}

OPEN = (
    "id NOT IN (SELECT grouping FROM member WHERE file IN (SELECT id FROM file WHERE gone = 1)"
    " AND NOT EXISTS (SELECT 1 FROM member other JOIN file ON file.id = other.file"
    " WHERE other.grouping = member.grouping AND gone = 0))"
)
"""The condition on ``grouping`` that a member is still there."""


def kinds_of(kinds: Sequence[GroupKind]) -> list[str]:
    """The stored names of kinds."""
    return [kind.value for kind in kinds]


def order_of(query: GroupQuery) -> str:
    """The ORDER BY that a query asks for; equal groups follow their numbers."""
    down = (query.sort is not GroupSort.PATH) != query.reverse
    return f"{_ORDER[query.sort]} {'DESC' if down else 'ASC'}, id"


def conditions_of(scan: int, query: GroupQuery) -> tuple[str, list[object]]:
    """What a query asks of rows of ``grouping``: an SQL condition and its values."""
    where, values = ["scan = ?"], [scan]  # type: tuple[list[str], list[object]]
    if query.kinds:
        where.append(f"kind IN ({marks(kinds_of(query.kinds))})")
        values += kinds_of(query.kinds)
    if query.relations:
        where.append(
            "id IN (SELECT grouping FROM member WHERE relation IN"
            f" ({','.join('?' * len(query.relations))}))"
        )
        values += [relation.value for relation in query.relations]
    if query.text:
        escaped = query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where.append(_with_file("shown LIKE ? ESCAPE '\\'"))
        values += [f"%{escaped}%"] * 2
    if query.folder:
        prefix = os.fsencode(query.folder.rstrip(os.sep) + os.sep)
        where.append(_with_file("path >= ? AND path < ?"))
        values += [prefix, prefix[:-1] + bytes([prefix[-1] + 1])] * 2
    if query.min_bytes:
        where.append("bytes >= ?")
        values.append(query.min_bytes)
    if query.selected_only:
        where.append("id IN (SELECT grouping FROM member WHERE selected = 1)")
    if query.open_only:
        where.append(OPEN)
    return " AND ".join(where), values


def _with_file(condition: str) -> str:
    return (
        f"(keeper IN (SELECT id FROM file WHERE {condition}) OR id IN (SELECT grouping FROM member"
        f" WHERE file IN (SELECT id FROM file WHERE {condition})))"
    )


def insert_groups(connection: sqlite3.Connection, scan: int, groups: Iterable[Group]) -> list[int]:
    """Write groups; returns their ids. Called in a transaction: nobody else takes the ids."""
    groups = list(groups)
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'grouping'").fetchone()
    first = 1 if row is None else row[0] + 1
    sizes = _sizes(connection, [member.file for group in groups for member in group.members])
    connection.executemany(
        "INSERT INTO grouping (id, scan, kind, keeper, reasons, members, bytes, newest, score,"
        " chosen) VALUES (?,?,?,?,?,?,?,?,?,?)",
        (
            (
                id,
                scan,
                group.kind.value,
                group.keeper,
                messages_to_json(group.keep_reasons),
                len(group.members),
                sum(sizes[member.file][0] for member in group.members),
                max((sizes[member.file][1] for member in group.members), default=0),
                min((member.score for member in group.members), default=1.0),
                int(group.chosen),
            )
            for id, group in enumerate(groups, first)
        ),
    )
    connection.executemany(
        "INSERT INTO member (grouping, position, file, relation, description, transform, mirrored,"
        " overlap, score, selected, witness, lacks, detail, differences)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            (
                id,
                position,
                member.file,
                member.relation.value,
                messages_to_json(member.description),
                transform_to_json(member.transform),
                int(member.mirrored),
                member.overlap,
                member.score,
                int(member.selected),
                member.witness,
                ",".join(member.lacks),
                member.detail,
                pack_places(member.differences) or None,
            )
            for id, group in enumerate(groups, first)
            for position, member in enumerate(group.members)
        ),
    )
    return list(range(first, first + len(groups)))


def _sizes(connection: sqlite3.Connection, files: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Bytes of files and when they were changed (0: before 1970), by id."""
    found: dict[int, tuple[int, int]] = {}
    for part in slices(files):
        rows = connection.execute(
            f"SELECT id, size, max(mtime_ns, 0) FROM file WHERE id IN ({marks(part)})", part
        )
        found.update((id, (size, mtime)) for id, size, mtime in rows)
    return found


_KEEPERS = (
    "(SELECT id AS grouping, keeper AS file, NULL AS relation, 0 AS selected, 0 AS position"
    " FROM grouping WHERE id IN (SELECT value FROM json_each(?2)))"
)
_MEMBERS = (
    "(SELECT grouping, file, relation, selected, position FROM member"
    " WHERE grouping IN (SELECT value FROM json_each(?2)))"
)


def read_outlines(
    connection: sqlite3.Connection, scan: int, groups: Sequence[int]
) -> Iterator[BulkGroup]:
    """Groups of a scan in the order of their numbers; files that are gone are left out.

    Fifty thousand groups come as a stream: kept all at once, their parts would cost more time
    in Python's search for garbage than in the database.
    """
    ids = json.dumps(list(groups))
    members = groupby(_rows(connection, _MEMBERS, scan, ids), key=itemgetter(0))
    number, rows = next(members, (-1, iter(())))
    for keeper in _rows(connection, _KEEPERS, scan, ids):
        # A group whose keeper is gone has members, but nothing that a rule could weigh.
        while -1 < number < keeper[0]:
            number, rows = next(members, (-1, iter(())))
        files = [_file(keeper)]
        if number == keeper[0]:
            files.extend(map(_file, rows))
        yield BulkGroup(keeper[0], files)


def _rows(
    connection: sqlite3.Connection, source: str, scan: int, ids: str
) -> Iterator[tuple[int, int, str | None, bytes, int, int, int, str, int, int, int]]:
    return connection.execute(
        "SELECT grouping, file.id, relation, path, file.size, width * height, mtime_ns,"
        f" format, lossless, selected, coalesce(removable, 0) FROM {source} AS one"
        " CROSS JOIN file ON file.id = one.file JOIN content ON content.id = file.content"
        " LEFT JOIN scan_file ON scan_file.scan = ?1 AND scan_file.file = file.id"
        " WHERE gone = 0 ORDER BY grouping, position",
        (scan, ids),
    )


def _file(
    row: tuple[int, int, str | None, bytes, int, int, int, str, int, int, int],
) -> BulkFile:
    _, file, relation, path, size, pixels, mtime, format, lossless, selected, removable = row
    return BulkFile(
        file,
        None if relation is None else RELATION_OF[relation],
        os.fsdecode(path),
        size,
        pixels,
        mtime,
        format,
        lossless != 0,
        selected != 0,
        removable != 0,
    )
