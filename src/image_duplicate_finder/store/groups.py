"""Groups of a scan: written whole, read by page, edited by a person."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.keeping import BulkGroup
from image_duplicate_finder.messages import Message, Problem, messages_from_json
from image_duplicate_finder.model import FileStat, Group, GroupKind, Lack, Relation
from image_duplicate_finder.results import (
    Facets,
    FileView,
    GroupPage,
    GroupQuery,
    GroupView,
    Listed,
    MemberView,
    Selection,
    Summary,
)
from image_duplicate_finder.store.database import Database, marks, slices
from image_duplicate_finder.store.files import INFO_COLUMNS, info_from_row
from image_duplicate_finder.store.group_rows import (
    OPEN,
    conditions_of,
    insert_groups,
    kinds_of,
    order_of,
    read_outlines,
)
from image_duplicate_finder.store.matches import RELATION_OF, transform_from_json, unpack_places

_FILE_COLUMNS = (
    "file.id, path, file.size, mtime_ns, ctime_ns, device, inode, links, gone, hash, "
    + INFO_COLUMNS
)


class KeeperMatch(NamedTuple):
    """A member of a group of ``scan`` and the keeper that it was asked for with.

    ``chosen``: it is no copy, but a person selected just this file for removal.
    """

    scan: int
    removable: bool
    chosen: bool


class _Head(NamedTuple):
    """A row of ``grouping``."""

    scan: int
    kind: GroupKind
    keeper: int
    reasons: tuple[Message, ...]
    chosen: bool


class GroupStore:
    """Reads and writes ``grouping`` and ``member``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(
        self, scan: int, groups: Iterable[Group], kinds: Sequence[GroupKind] = tuple(GroupKind)
    ) -> None:
        """Store a scan's groups of these kinds in place of those that it had.

        What a person selected in those is selected again.
        """
        where = f"scan = ? AND kind IN ({marks(kinds_of(kinds))})"
        values = (scan, *kinds_of(kinds))
        with self._database.atomic() as connection:
            choices = _choices_in(connection, where, values)
            # Decisions about the groups that go cannot be undone any more.
            connection.execute("DELETE FROM decision WHERE scan = ?", (scan,))
            connection.execute(f"DELETE FROM grouping WHERE {where}", values)
            insert_groups(connection, scan, groups)
            _reapply(connection, scan, choices)

    def replace_one(self, group: int, parts: Sequence[Group]) -> list[int]:
        """Put other groups (a new keeper, two halves) in the place of one; returns their ids."""
        with self._database.atomic() as connection:
            row = connection.execute("SELECT scan FROM grouping WHERE id = ?", (group,)).fetchone()
            if row is None:
                raise NotFound(Problem.NO_GROUP(group=group))
            choices = _choices_in(connection, "grouping.id = ?", (group,))
            connection.execute("DELETE FROM grouping WHERE id = ?", (group,))
            made = insert_groups(connection, row[0], parts)
            _reapply(connection, row[0], choices)
            return made

    def page(self, scan: int, query: GroupQuery) -> GroupPage:
        """The groups of a scan that a query asks for."""
        where, values = conditions_of(scan, query)
        connection = self._database.connection
        total = connection.execute(f"SELECT count(*) FROM grouping WHERE {where}", values)
        rows = connection.execute(
            f"SELECT id FROM grouping WHERE {where} ORDER BY {order_of(query)} LIMIT ? OFFSET ?",
            (*values, query.limit, query.offset),
        )
        ids = [row[0] for row in rows]
        return GroupPage(tuple(self.get_many(ids)), int(total.fetchone()[0]))

    def listed(self, scan: int, query: GroupQuery) -> list[Listed]:
        """All groups that a query finds in its order, whatever its page, without their files."""
        where, values = conditions_of(scan, query)
        rows = self._database.connection.execute(
            f"SELECT id, members FROM grouping WHERE {where} ORDER BY {order_of(query)}", values
        )
        gone = dict(
            self._database.connection.execute(
                "SELECT grouping, count(*) FROM member"
                " WHERE file IN (SELECT id FROM file WHERE gone = 1) GROUP BY grouping"
            )
        )
        return [Listed(group, members + 1, gone.get(group, 0)) for group, members in rows]

    def facets(self, scan: int, query: GroupQuery) -> Facets:
        """How many groups each kind and each relation would show with the other filters."""
        connection = self._database.connection
        where, values = conditions_of(scan, replace(query, kinds=()))
        kinds = connection.execute(
            f"SELECT kind, count(*) FROM grouping WHERE {where} GROUP BY kind", values
        )
        where, values = conditions_of(scan, replace(query, relations=()))
        relations = connection.execute(
            "SELECT relation, count(DISTINCT grouping) FROM member WHERE grouping IN"
            f" (SELECT id FROM grouping WHERE {where}) GROUP BY relation",
            values,
        )
        return Facets(
            kinds={GroupKind(kind): count for kind, count in kinds},
            relations={Relation(relation): count for relation, count in relations},
        )

    def members_between(
        self, scan: int, query: GroupQuery, first: tuple[int, int], last: tuple[int, int]
    ) -> list[tuple[int, int]]:
        """The members (group, file) from one to another in the list that a query gives.

        Nothing where one of the two is not in the list.
        """
        ends = [first, last]
        groups = [listed.group for listed in self.listed(scan, query)]
        places = [groups.index(group) for group, _file in ends if group in groups]
        if len(places) < len(ends):
            return []
        between = groups[min(places) : max(places) + 1]
        found: list[tuple[int, int]] = []
        for part in slices(between):
            members: dict[int, list[tuple[int, int]]] = {}
            for group, file in self._database.connection.execute(
                f"SELECT grouping, file FROM member WHERE grouping IN ({marks(part)})"
                " ORDER BY grouping, position",
                part,
            ):
                members.setdefault(group, []).append((group, file))
            found += [member for group in part for member in members.get(group, [])]
        at = sorted(found.index(end) for end in ends if end in found)
        return found[at[0] : at[1] + 1] if len(at) == len(ends) else []

    def ids(self, scan: int, query: GroupQuery) -> list[int]:
        """The ids of all groups that a query finds, whatever its page, oldest id first."""
        where, values = conditions_of(scan, query)
        rows = self._database.connection.execute(
            f"SELECT id FROM grouping WHERE {where} ORDER BY id", values
        )
        return [row[0] for row in rows]

    def neighbours(self, scan: int, query: GroupQuery, group: int) -> tuple[int | None, int | None]:
        """The groups before and after one in the list that a query gives; None at its ends."""
        where, values = conditions_of(scan, query)
        row = self._database.connection.execute(
            "SELECT before, after FROM (SELECT id,"
            f" lag(id) OVER listed AS before, lead(id) OVER listed AS after FROM grouping"
            f" WHERE {where} WINDOW listed AS (ORDER BY {order_of(query)})) WHERE id = ?",
            (*values, group),
        ).fetchone()
        return (None, None) if row is None else (row[0], row[1])

    def get(self, group: int) -> GroupView:
        """One group. Raises NotFound."""
        found = self.get_many([group])
        if not found:
            raise NotFound(Problem.NO_GROUP(group=group))
        return found[0]

    def get_many(self, ids: Sequence[int]) -> list[GroupView]:
        """Groups in the order of ``ids``; ids that do not exist are left out."""
        heads: dict[int, _Head] = {}
        members: dict[int, list[tuple[int, tuple[Any, ...]]]] = {}
        connection = self._database.connection
        for part in slices(ids):
            for row in connection.execute(
                "SELECT id, scan, kind, keeper, reasons, chosen FROM grouping"
                f" WHERE id IN ({marks(part)})",
                part,
            ):
                reasons = messages_from_json(row[4])
                heads[row[0]] = _Head(row[1], GroupKind(row[2]), row[3], reasons, bool(row[5]))
            for row in connection.execute(
                "SELECT grouping, file, relation, description, transform, mirrored, overlap, score,"
                " selected, decided, witness, lacks, detail, differences"
                f" FROM member WHERE grouping IN ({marks(part)})"
                " ORDER BY grouping, position",
                part,
            ):
                members.setdefault(row[0], []).append((row[1], row[2:]))
        files = self._files(heads, members)
        return [
            GroupView(
                id=group,
                scan=head.scan,
                kind=head.kind,
                keeper=files[head.scan, head.keeper],
                keep_reasons=head.reasons,
                members=tuple(
                    _member(files[head.scan, file], values)
                    for file, values in members.get(group, [])
                ),
                chosen=head.chosen,
            )
            for group in ids
            if (head := heads.get(group)) is not None
        ]

    def _files(
        self,
        heads: dict[int, _Head],
        members: dict[int, list[tuple[int, tuple[Any, ...]]]],
    ) -> dict[tuple[int, int], FileView]:
        wanted: dict[int, set[int]] = {}
        for group, head in heads.items():
            wanted.setdefault(head.scan, set()).update(
                [head.keeper, *(file for file, _ in members.get(group, []))]
            )
        return {
            (scan, view.id): view
            for scan, ids in wanted.items()
            for view in self.files(scan, sorted(ids))
        }

    def files(self, scan: int, ids: Sequence[int]) -> list[FileView]:
        """Files of a scan with what is known of their content, by id."""
        found: list[FileView] = []
        for part in slices(ids):
            rows = self._database.connection.execute(
                f"SELECT {_FILE_COLUMNS}, coalesce(removable, 0)"
                " FROM file JOIN content ON content.id = file.content"
                " LEFT JOIN scan_file ON scan_file.file = file.id AND scan_file.scan = ?"
                f" WHERE file.id IN ({marks(part)}) ORDER BY file.id",
                (scan, *part),
            )
            found.extend(map(_file_view, rows))
        return found

    def scan_of(self, groups: Iterable[int]) -> int | None:
        """The scan that these groups belong to; None unless all of them belong to just one."""
        found: dict[int, int] = {}
        wanted = sorted(groups)
        for part in slices(wanted):
            found.update(
                self._database.connection.execute(
                    f"SELECT id, scan FROM grouping WHERE id IN ({marks(part)})", part
                )
            )
        scans = set(found.values())
        return scans.pop() if len(scans) == 1 and len(found) == len(wanted) else None

    def chosen_keepers(self, scan: int, kinds: Sequence[GroupKind]) -> list[tuple[GroupKind, int]]:
        """The keepers that a person chose in a scan's groups of these kinds."""
        rows = self._database.connection.execute(
            "SELECT kind, keeper FROM grouping WHERE scan = ? AND chosen"
            f" AND kind IN ({marks(kinds_of(kinds))}) ORDER BY id",
            (scan, *kinds_of(kinds)),
        )
        return [(GroupKind(kind), keeper) for kind, keeper in rows]

    def places(self, scan: int, file: int | None = None) -> dict[tuple[GroupKind, int], int]:
        """In which group of each kind the files of a scan are, or one of them."""
        only = "" if file is None else " WHERE file = ?2"
        rows = self._database.connection.execute(
            "SELECT kind, file, id FROM (SELECT kind, keeper AS file, id FROM grouping"
            " WHERE scan = ?1 UNION ALL SELECT kind, file, grouping FROM member"
            f" JOIN grouping ON grouping.id = member.grouping WHERE scan = ?1){only}",
            (scan,) if file is None else (scan, file),
        )
        return {(GroupKind(kind), found): group for kind, found, group in rows}

    def scanned(self, paths: Collection[str]) -> dict[str, FileView]:
        """The files at these paths as scans saw them, by path; those in no scan are left out.

        ``removable`` where no scan that covers a file says otherwise.
        """
        connection = self._database.connection
        scans = [
            row[0] for row in connection.execute("SELECT id FROM scan WHERE superseded_by IS NULL")
        ]
        found: dict[str, FileView] = {}
        for part in slices([os.fsencode(path) for path in paths]):
            ids = [
                row[0]
                for row in connection.execute(
                    f"SELECT id FROM file WHERE path IN ({marks(part)})", part
                )
            ]
            removable: dict[int, int] = {}
            for scan in scans:
                for id, may in connection.execute(
                    f"SELECT file, removable FROM scan_file WHERE scan = ? AND file IN"
                    f" ({marks(ids)})",
                    (scan, *ids),
                ):
                    removable[id] = min(may, removable.get(id, 1))
            found.update(
                (view.path, replace(view, removable=bool(removable[view.id])))
                for view in self.files(0, sorted(removable))
            )
        return found

    def keeper_match(self, group: int, keeper: int, file: int) -> KeeperMatch | None:
        """A file as a member of the group with this keeper, all by number; None if it is none."""
        row = self._database.connection.execute(
            "SELECT grouping.scan, coalesce(removable, 0),"
            " kind <> 'duplicates' AND selected AND decided FROM grouping"
            " JOIN member ON member.grouping = grouping.id"
            " LEFT JOIN scan_file ON scan_file.scan = grouping.scan"
            " AND scan_file.file = member.file"
            " WHERE grouping.id = ? AND keeper = ? AND member.file = ?",
            (group, keeper, file),
        ).fetchone()
        return None if row is None else KeeperMatch(row[0], bool(row[1]), bool(row[2]))

    def select(self, members: Iterable[tuple[int, int]], selected: bool) -> int:
        """Select or unselect (group, file) members; returns how many changed.

        Files that may not be removed are never selected.
        """
        allowed = (
            " AND EXISTS (SELECT 1 FROM grouping JOIN scan_file ON scan_file.scan = grouping.scan"
            " WHERE grouping.id = member.grouping AND scan_file.file = member.file AND removable)"
        )
        with self._database.atomic() as connection:
            # Not total_changes, which also counts what triggers write.
            return connection.executemany(
                "UPDATE member SET selected = ?, decided = 1"
                " WHERE grouping = ? AND file = ? AND selected <> ?"
                + (allowed if selected else ""),
                [(int(selected), group, file, int(selected)) for group, file in members],
            ).rowcount

    def select_found(
        self,
        scan: int,
        query: GroupQuery,
        selected: bool | None,
        relations: Collection[Relation] = (),
    ) -> int:
        """Select (True), unselect (False) or invert (None) members of the groups found.

        ``relations``, if not empty, restricts it to members of these relations. Files that
        may not be removed, or are gone, are never selected; nor are those that only contain
        another picture or look like it, which a person chooses one by one. Returns how many
        changed.
        """
        where, values = conditions_of(scan, query)
        sql = (
            f"UPDATE member SET selected = {'1 - selected' if selected is None else int(selected)},"
            " decided = 1"
            f" WHERE grouping IN (SELECT id FROM grouping WHERE {where})"
        )
        if selected is not None:
            sql += f" AND selected <> {int(selected)}"
        if relations:
            sql += f" AND relation IN ({marks(list(relations))})"
            values += [relation.value for relation in relations]
        if selected is not False:
            sql += (
                " AND (selected OR EXISTS (SELECT 1 FROM scan_file"
                " JOIN file ON file.id = scan_file.file WHERE scan = ?"
                " AND scan_file.file = member.file AND removable AND gone = 0)"
                " AND grouping IN (SELECT id FROM grouping WHERE scan = ? AND kind = 'duplicates'))"
            )
            values += [scan, scan]
        with self._database.atomic() as connection:
            return connection.execute(sql, values).rowcount

    def selection(self, scan: int) -> Selection:
        """The files that are selected, each counted once though it may be in two groups."""
        row = self._database.connection.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM file WHERE gone = 0 AND id IN"
            " (SELECT file FROM member WHERE selected = 1"
            " AND grouping IN (SELECT id FROM grouping WHERE scan = ?))",
            (scan,),
        ).fetchone()
        return Selection(files=row[0], bytes=row[1])

    def outlines(self, scan: int, groups: Sequence[int]) -> Iterator[BulkGroup]:
        """What bulk rules need of groups of a scan, by id, without files that are gone."""
        return read_outlines(self._database.connection, scan, groups)

    def summary(self, scan: int) -> Summary:
        """Counts over all groups of a scan without files that are gone, and groups of such."""
        connection = self._database.connection
        kinds = connection.execute(
            f"SELECT kind, count(*) FROM grouping WHERE scan = ? AND {OPEN} GROUP BY kind", (scan,)
        ).fetchall()
        rows = connection.execute(
            "SELECT member.relation, count(*), sum(file.size),"
            " sum(selected), sum(CASE WHEN selected THEN file.size ELSE 0 END)"
            " FROM member JOIN file ON file.id = member.file"
            " WHERE grouping IN (SELECT id FROM grouping WHERE scan = ?) AND gone = 0"
            " GROUP BY member.relation",
            (scan,),
        ).fetchall()
        return Summary(
            groups={GroupKind(kind): count for kind, count in kinds},
            members={Relation(row[0]): row[1] for row in rows},
            bytes={Relation(row[0]): row[2] for row in rows},
            selected_files=sum(row[3] for row in rows),
            selected_bytes=sum(row[4] for row in rows),
        )


def _file_view(row: Sequence[Any]) -> FileView:
    return FileView(
        id=row[0],
        path=os.fsdecode(row[1]),
        stat=FileStat(*row[2:8]),
        content=row[9],
        info=info_from_row(row[10:19]),
        gone=bool(row[8]),
        removable=bool(row[19]),
    )


def _member(file: FileView, values: tuple[Any, ...]) -> MemberView:
    relation, description, transform, mirrored, overlap, score, selected, decided, *judged = values
    witness, lacks, detail, differences = judged
    return MemberView(
        file=file,
        relation=RELATION_OF[relation],
        description=messages_from_json(description),
        transform=transform_from_json(transform),
        mirrored=mirrored != 0,
        overlap=overlap,
        score=score,
        selected=selected != 0,
        decided=decided != 0,
        witness=witness,
        lacks=tuple(Lack(code) for code in lacks.split(",")) if lacks else (),
        detail=detail,
        differences=unpack_places(differences or b""),
    )


class _Choice(NamedTuple):
    """What a person decided about one member: remove ``file``, of which ``keeper`` stays, or not.

    ``copy``: they saw it as a copy of the keeper, in a group of duplicates.
    """

    keeper: int
    file: int
    selected: bool
    copy: bool


def _choices_in(
    connection: sqlite3.Connection, where: str, values: Sequence[object]
) -> list[_Choice]:
    """What a person chose in the groups that ``where``, a condition on ``grouping``, finds."""
    rows = connection.execute(
        "SELECT keeper, file, selected, kind = 'duplicates' FROM member"
        f" JOIN grouping ON grouping.id = member.grouping WHERE decided = 1 AND {where}",
        values,
    )
    return [
        _Choice(keeper, file, bool(selected), bool(copy)) for keeper, file, selected, copy in rows
    ]


def _reapply(connection: sqlite3.Connection, scan: int, choices: Iterable[_Choice]) -> None:
    """Apply choices to a scan's groups as they are now.

    A file that was to stay stays. One that was to go is selected only with the keeper that the
    person saw, and only if it is still a copy of it: otherwise they have to look again.
    """
    connection.executemany(
        "UPDATE member SET selected = ?1, decided = 1 WHERE file = ?2 AND grouping IN"
        " (SELECT id FROM grouping WHERE id = member.grouping AND scan = ?3"
        " AND (NOT ?1 OR keeper = ?4 AND (kind = 'duplicates' OR NOT ?5)))",
        [(each.selected, each.file, scan, each.keeper, each.copy) for each in choices],
    )
