"""A query for groups in SQL."""

from __future__ import annotations

import os
from collections.abc import Sequence

from image_duplicate_finder.model import GroupKind
from image_duplicate_finder.results import GroupQuery, GroupSort
from image_duplicate_finder.store.contents import marks

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
