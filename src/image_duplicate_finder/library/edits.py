"""What a person changes in groups: selections, keepers, splits, dismissals, bulk rules."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.keeping import (
    BulkChange,
    BulkGroup,
    BulkOrder,
    BulkStep,
    change,
    select_with_keeper,
)
from image_duplicate_finder.model import Relation
from image_duplicate_finder.results import DecisionKind, GroupQuery, GroupView
from image_duplicate_finder.store import Store

if TYPE_CHECKING:  # loads NumPy and OpenCV, for which nobody waits who only looks
    from image_duplicate_finder.scan.groups import MeasuredClaims


# Groups that a bulk rule changes in one transaction.
_BULK_PART = 100


class Edits:
    """Changes groups of one library, each change a decision that can be undone.

    :class:`.Library` says what each method does.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def select(self, members: Iterable[tuple[int, int]], selected: bool = True) -> int:
        """See :meth:`.Library.select`."""
        members = list(members)
        scan = self._store.groups.scan_of({group for group, _file in members})
        if scan is None:
            return self._store.groups.select(members, selected)
        kind = DecisionKind.SELECTED if selected else DecisionKind.UNSELECTED
        with self._store.undoing.recorded(scan, kind) as facts:
            changed = self._store.groups.select(members, selected)
            facts.files += changed
            return changed

    def select_groups(
        self,
        scan: int,
        query: GroupQuery,
        selected: bool | None,
        relations: Collection[Relation] = (),
    ) -> int:
        """See :meth:`.Library.select_groups`."""
        kinds = {True: DecisionKind.SELECTED, False: DecisionKind.UNSELECTED}
        kind = DecisionKind.INVERTED if selected is None else kinds[selected]
        with self._store.undoing.recorded(scan, kind) as facts:
            changed = self._store.groups.select_found(scan, query, selected, relations)
            facts.files += changed
            return changed

    def choose_keeper(self, group: int, file: int) -> int:
        """See :meth:`.Library.choose_keeper`."""
        from image_duplicate_finder.scan.groups import with_keeper

        view = self._store.groups.get(group)
        claims = self._claims(view.scan)
        done = with_keeper(view, file, claims)
        claims.refuse_unreadable()
        with self._store.undoing.recorded(view.scan, DecisionKind.KEPT) as facts:
            facts.files += 1
            facts.name = next((m.file.path for m in view.members if m.file.id == file), "")
            facts.left += [each.path for each in done.left]
            made = self._store.groups.replace_one(group, done.groups)
        return made[0] if done.groups and done.groups[0].keeper == file else 0

    def split(self, group: int, files: Collection[int]) -> list[int]:
        """See :meth:`.Library.split`."""
        from image_duplicate_finder.scan.groups import split

        view = self._store.groups.get(group)
        claims = self._claims(view.scan)
        done = split(view, files, claims)
        claims.refuse_unreadable()
        with self._store.undoing.recorded(view.scan, DecisionKind.SPLIT) as facts:
            facts.files += len(files)
            facts.left += [each.path for each in done.left]
            return self._store.groups.replace_one(group, done.groups)

    def dismiss(self, group: int, files: Collection[int] | None = None) -> list[int]:
        """See :meth:`.Library.dismiss`."""
        from image_duplicate_finder.scan.groups import with_members

        view = self._store.groups.get(group)
        chosen = {member.file.id for member in view.members} if files is None else set(files)
        gone = [member for member in view.members if member.file.id in chosen]
        left = [member for member in view.members if member.file.id not in chosen]
        with self._store.undoing.recorded(view.scan, DecisionKind.NOT_DUPLICATES) as facts:
            facts.files += len(gone)
            self._store.decisions.dismiss(
                (view.keeper.content, member.file.content) for member in gone
            )
            return self._store.groups.replace_one(group, [with_members(view, left)] if left else [])

    def drop_files(self, scan: int, places: Sequence[str]) -> int:
        """Take the files at or below ``places`` out of a scan and its groups; how many."""
        with self._store.atomic():
            gone = {
                facts.file
                for content in self._store.scans.contents(scan)
                for facts in content.files
                if any(is_inside(facts.path, place) for place in places)
            }
            claims = self._claims(scan)
            groups = self._store.groups
            for group in groups.get_many(groups.ids(scan, GroupQuery())):
                self._without(group, gone, claims)
            self._store.scans.drop_files(scan, gone)
        return len(gone)

    def _without(self, group: GroupView, gone: Collection[int], claims: MeasuredClaims) -> None:
        """Rewrite a group without the files ``gone``."""
        from image_duplicate_finder.scan.groups import regroup, with_members

        files = group.files
        staying = [file for file in files if file.id not in gone]
        if len(staying) == len(files):
            return
        if group.keeper.id in gone:
            self._store.groups.replace_one(group.id, regroup(group.kind, staying, claims))
            return
        members = [member for member in group.members if member.file.id not in gone]
        self._store.groups.replace_one(group.id, [with_members(group, members)] if members else [])

    def apply_bulk(
        self,
        scan: int,
        query: GroupQuery,
        order: BulkOrder,
        *,
        after: int = 0,
        until: int | None = None,
        seconds: float | None = None,
        onto: int | None = None,
    ) -> BulkStep:
        """See :meth:`.Library.apply_bulk`."""
        ids = [id for id in self._store.groups.ids(scan, query) if id > after]
        last = (ids[-1] if ids else after) if until is None else until
        ids = ids[: bisect_right(ids, last)]
        end = None if seconds is None else time.monotonic() + seconds
        done = 0
        while done < len(ids) and (not done or end is None or time.monotonic() < end):
            part = ids[done : done + _BULK_PART]
            with self._store.undoing.recorded(scan, DecisionKind.RULE, onto=onto) as facts:
                facts.files += len(part)
                for outline in list(self._store.groups.outlines(scan, part)):
                    self._apply_to_one(change(outline, order), outline, order)
            onto = facts.number
            done += len(part)
        return BulkStep(
            after=ids[done - 1] if done else after,
            until=last,
            done=done,
            left=len(ids) - done,
            decision=onto,
        )

    def _apply_to_one(self, wanted: BulkChange, outline: BulkGroup, order: BulkOrder) -> None:
        group, select = wanted.group, wanted.select
        if wanted.changes_keeper:
            group = self.choose_keeper(group, wanted.keeper)
            if not group:  # nothing matches the new keeper
                return
            scan = self._store.groups.get(group).scan
            outlines = list(self._store.groups.outlines(scan, [group]))
            if not outlines:
                return
            (outline,) = outlines
            select = select_with_keeper(wanted, outline, order)
        for value in (True, False):
            self._store.groups.select(
                (
                    (group, file.file)
                    for file in outline.files
                    if (file.file in select) is value and file.selected is not value
                ),
                value,
            )

    def _claims(self, scan: int) -> MeasuredClaims:
        from image_duplicate_finder.scan import ScanContext
        from image_duplicate_finder.scan.groups import MeasuredClaims

        record = self._store.scans.get(scan)
        return MeasuredClaims(ScanContext(self._store, record.id, record.settings))
