"""Bulk rules on a library's groups, part by part."""

from __future__ import annotations

import time
from bisect import bisect_right

from image_duplicate_finder.bulk import (
    BulkChange,
    BulkGroup,
    BulkOrder,
    BulkPreview,
    BulkStep,
    change,
    preview,
    select_beside,
)
from image_duplicate_finder.library.decisions import Decisions
from image_duplicate_finder.results import DecisionKind, GroupQuery

# Groups that a bulk rule changes in one transaction.
_BULK_PART = 100


class BulkRules(Decisions):
    """One rule for all groups that a query finds."""

    def preview_bulk(self, scan: int, query: GroupQuery, order: BulkOrder) -> BulkPreview:
        """What a bulk rule would change in the groups that a query finds."""
        ids = self._store.groups.ids(scan, query)
        return preview(self._store.groups.outlines(scan, ids), order)

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
        """Carry out a bulk rule on the groups that a query finds, in the order of their numbers.

        With ``seconds`` it ends after about that time, and a call with the returned ``after``
        and ``until`` goes on. Every part is stored whole or not at all. All parts are one
        decision when each call names it as ``onto``.
        """
        ids = [id for id in self._store.groups.ids(scan, query) if id > after]
        last = (ids[-1] if ids else after) if until is None else until
        ids = ids[: bisect_right(ids, last)]
        end = None if seconds is None else time.monotonic() + seconds
        done = 0
        while done < len(ids) and (not done or end is None or time.monotonic() < end):
            part = ids[done : done + _BULK_PART]
            with self.one_decision(scan, DecisionKind.RULE, onto=onto) as facts:
                facts.files += len(part)
                for outline in list(self._store.groups.outlines(scan, part)):
                    self._apply(change(outline, order), outline, order)
            onto = facts.number
            done += len(part)
        return BulkStep(
            after=ids[done - 1] if done else after,
            until=last,
            done=done,
            left=len(ids) - done,
            decision=onto,
        )

    def _apply(self, wanted: BulkChange, outline: BulkGroup, order: BulkOrder) -> None:
        group, select = wanted.group, wanted.select
        if wanted.changes_keeper:
            group = self.choose_keeper(group, wanted.keeper)
            changed = (
                list(self._store.groups.outlines(self.group(group).scan, [group])) if group else []
            )
            if not changed:  # nothing matches the new keeper
                return
            (outline,) = changed
            select = select_beside(wanted, outline, order)
        for value in (True, False):
            self._store.groups.select(
                (
                    (group, file.file)
                    for file in outline.files
                    if (file.file in select) is value and file.selected is not value
                ),
                value,
            )
