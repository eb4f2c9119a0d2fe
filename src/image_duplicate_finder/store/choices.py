"""What a person selected and arranged in groups that are about to be written anew."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from image_duplicate_finder.model import GroupKind
from image_duplicate_finder.store.contents import marks
from image_duplicate_finder.store.group_query import kinds_of


class Choice(NamedTuple):
    """A person's word on one member: remove ``file`` beside ``keeper``, or leave it alone.

    ``copy``: they saw it as a copy of the keeper, in a group of duplicates.
    """

    keeper: int
    file: int
    selected: bool
    copy: bool


def choices_in(
    connection: sqlite3.Connection, where: str, values: Sequence[object]
) -> list[Choice]:
    """What a person chose in the groups that ``where``, a condition on ``grouping``, finds."""
    rows = connection.execute(
        "SELECT keeper, file, selected, kind = 'duplicates' FROM member"
        f" JOIN grouping ON grouping.id = member.grouping WHERE decided = 1 AND {where}",
        values,
    )
    return [
        Choice(keeper, file, bool(selected), bool(copy)) for keeper, file, selected, copy in rows
    ]


def choose_again(connection: sqlite3.Connection, scan: int, choices: Iterable[Choice]) -> None:
    """Apply choices to a scan's groups as they are now.

    A file that was to stay stays. One that was to go goes only beside the keeper that the
    person saw, and not where it is no copy of it any more: then it may be something else, and
    they look again.
    """
    connection.executemany(
        "UPDATE member SET selected = ?1, decided = 1 WHERE file = ?2 AND grouping IN"
        " (SELECT id FROM grouping WHERE id = member.grouping AND scan = ?3"
        " AND (NOT ?1 OR keeper = ?4 AND (kind = 'duplicates' OR NOT ?5)))",
        [(each.selected, each.file, scan, each.keeper, each.copy) for each in choices],
    )


def keepers_for(
    connection: sqlite3.Connection, scan: int, reason: str, kinds: Sequence[GroupKind]
) -> list[tuple[GroupKind, int]]:
    """The keepers of a scan's groups of these kinds that are kept for this reason alone."""
    rows = connection.execute(
        "SELECT kind, keeper FROM grouping WHERE scan = ? AND reasons = ?"
        f" AND kind IN ({marks(kinds_of(kinds))}) ORDER BY id",
        (scan, json.dumps([reason]), *kinds_of(kinds)),
    )
    return [(GroupKind(kind), keeper) for kind, keeper in rows]


def places_in(
    connection: sqlite3.Connection, scan: int, file: int | None = None
) -> dict[tuple[GroupKind, int], int]:
    """In which group of each kind the files of a scan stand, or one of them."""
    only = "" if file is None else " WHERE file = ?2"
    rows = connection.execute(
        "SELECT kind, file, id FROM (SELECT kind, keeper AS file, id FROM grouping"
        " WHERE scan = ?1 UNION ALL SELECT kind, file, grouping FROM member"
        f" JOIN grouping ON grouping.id = member.grouping WHERE scan = ?1){only}",
        (scan,) if file is None else (scan, file),
    )
    return {(GroupKind(kind), found): group for kind, found, group in rows}
