"""Groups written as rows, thousands at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from image_duplicate_finder.model import Group
from image_duplicate_finder.store.contents import marks, slices
from image_duplicate_finder.store.looks import pack_places
from image_duplicate_finder.store.matches import transform_to_json


def insert_groups(connection: sqlite3.Connection, scan: int, groups: Iterable[Group]) -> list[int]:
    """Write groups; returns their ids. Called in a transaction: nobody else takes the ids."""
    groups = list(groups)
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'grouping'").fetchone()
    first = 1 if row is None else row[0] + 1
    sizes = _sizes(connection, [member.file for group in groups for member in group.members])
    connection.executemany(
        "INSERT INTO grouping (id, scan, kind, keeper, reasons, members, bytes, newest, score)"
        " VALUES (?,?,?,?,?,?,?,?,?)",
        (
            (
                id,
                scan,
                group.kind.value,
                group.keeper,
                json.dumps(group.reasons),
                len(group.members),
                sum(sizes[member.file][0] for member in group.members),
                max((sizes[member.file][1] for member in group.members), default=0),
                min((member.score for member in group.members), default=1.0),
            )
            for id, group in enumerate(groups, first)
        ),
    )
    connection.executemany(
        "INSERT INTO member (grouping, position, file, relation, words, transform, mirrored,"
        " overlap, score, selected, witness, lacks, detail, differences)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            (
                id,
                position,
                member.file,
                member.relation.value,
                member.words,
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
