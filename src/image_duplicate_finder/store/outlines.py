"""Groups as bulk rules look at them: a few plain values for each file, read as a stream."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from image_duplicate_finder.bulk import BulkFile, BulkGroup
from image_duplicate_finder.store.matches import RELATION_OF

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
