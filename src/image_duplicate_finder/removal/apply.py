"""Applying a plan: intents into the journal, then check, move and look again, unit by unit.

For each batch of units: INTENT committed -> each unit: checks, moves, checks -> fsync of the
folders -> outcome committed. A unit that fails anywhere is put back as a whole. What stays
unsettled, because the disk does not answer any more, is settled at the next start.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.removal import fs, look
from image_duplicate_finder.removal.actions import METHODS, let_go_of_trashed, method_of
from image_duplicate_finder.removal.backup import RunBackup, places_for
from image_duplicate_finder.removal.checks import Checks, Seen, after
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.links import aim_of
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.moves import Where
from image_duplicate_finder.removal.plan import Companion, Plan, PlanItem, Reason, Refusal, root_of
from image_duplicate_finder.removal.records import Item, State
from image_duplicate_finder.settings import RemovalAction

BATCH = 32
"""Units between two commits: few enough to lose no time in recovery, enough to share fsyncs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A journalled file and the plan's item for it; None for companions."""

    item: Item
    planned: PlanItem | None


class Backups:
    """The backup folders of a run, one for each root, made when the first file needs one.

    ``base`` is where a person wants them. Nothing is made in a ``protected`` folder.
    """

    def __init__(
        self,
        journal: Journal,
        run: int,
        roots: Sequence[str],
        protected: Sequence[str],
        base: str | None,
    ) -> None:
        self._journal, self._run, self._roots = journal, run, roots
        self._protected, self._base = protected, base
        self._open: dict[str, RunBackup] = {}

    def of(self, path: str) -> RunBackup:
        """The backup for a file. Raises Refused and OSError."""
        root = root_of(path, self._roots)
        if root is None:
            raise Refused(Reason.OUTSIDE, "It lies outside the scanned folders.")
        if root not in self._open:
            parents = places_for(root, self._roots, self._protected, self._base)
            self._open[root] = RunBackup.create(self._journal, self._run, root, parents)
        return self._open[root]

    def record(self, event: str, items: Sequence[Item]) -> None:
        """Tell the manifests."""
        by_root: dict[str, list[Item]] = {}
        for item in items:
            by_root.setdefault(root_of(item.path, self._roots) or "", []).append(item)
        for found in by_root.values():
            self.of(found[0].path).record(event, found)

    def note_preserved(self, root: str, count: int) -> None:
        """The journal is to know how many files a backup preserves."""
        self._journal.add_backup(replace(self._open[root].backup, preserved=count))

    def new_folders(self) -> set[str]:
        """Folders whose new entries are not known to be on the disk yet; asked once."""
        found: set[str] = set()
        for backup in self._open.values():
            found |= backup.new_folders
            backup.new_folders.clear()
        return found


class Application:
    """One run of :func:`apply_units`."""

    def __init__(
        self, plan: Plan, run: int, journal: Journal, checks: Checks, backups: Backups
    ) -> None:
        self._plan, self._run = plan, run
        self._journal, self._checks, self._backups = journal, checks, backups
        self._method = METHODS[plan.action]
        self.done: list[Item] = []
        self.skipped: list[Refusal] = []

    def apply(self, progress: Progress, cancel: CancelToken) -> bool:
        """Work through the plan; returns False when it was stopped before the end."""
        units = [list(found) for _, found in groupby(self._plan.items, key=lambda i: i.unit)]
        worked = 0
        for start in range(0, len(units), BATCH):
            if cancel.cancelled:
                return False
            batch = units[start : start + BATCH]
            self._apply_batch(batch)
            worked += sum(len(unit) for unit in batch)
            progress(
                Step(
                    "remove",
                    worked,
                    len(self._plan.items),
                    current=batch[-1][-1].path,
                    failures=len(self.skipped),
                )
            )
        return True

    def _apply_batch(self, units: Sequence[list[PlanItem]]) -> None:
        prepared = [entries for unit in units if (entries := self._prepare(unit))]
        flat = [entry for entries in prepared for entry in entries]
        if not flat:
            return
        with_ids = iter(self._journal.add_items([entry.item for entry in flat]))
        prepared = [[replace(e, item=next(with_ids)) for e in entries] for entries in prepared]
        outcomes = [[entry.item for entry in entries] for entries in prepared]
        try:
            self._backups.record("removed", [item for unit in outcomes for item in unit])
            sync(self._backups.new_folders())
            outcomes = [self._remove(entries) for entries in prepared]
            sync(folders_of(i for unit in outcomes for i in unit if i.state == State.MOVED))
        except OSError as error:
            refused = as_refused(error)
            outcomes = [
                self._give_back(unit, refused) if not _all(State.SKIPPED, unit) else unit
                for unit in outcomes
            ]
        items = [item for unit in outcomes for item in unit]
        self._journal.update_items(items)
        with contextlib.suppress(OSError):  # the journal knows; the manifest is for people
            self._backups.record("returned", [i for i in items if i.state == State.SKIPPED])
        items = let_go_of_trashed(self._journal, items)
        self.done += [item for item in items if item.state in (State.MOVED, State.TRASHED)]

    def _prepare(self, unit: list[PlanItem]) -> list[Entry] | None:
        """The intents of a unit, or None (with refusals noted) when it cannot go."""
        try:
            entries = []
            for planned in unit:
                self._checks.by_plan(planned)
                entries.append(Entry(self._intent(planned), planned))
                entries += [
                    Entry(self._companion_intent(planned, companion), None)
                    for companion in planned.companions
                ]
        except (Refused, OSError) as error:
            refused = as_refused(error)
            self.skipped += [Refusal(i.path, refused.reason, refused.message) for i in unit]
            return None
        return entries

    def _intent(self, planned: PlanItem) -> Item:
        wish, path = planned.evidence, planned.path
        if look.status(path) is None:
            raise Refused(Reason.GONE, "It is no longer there.")
        self._checks.place(path)
        aim = None
        if self._plan.action == RemovalAction.SYMLINK:
            aim = aim_of(path, wish.keeper.path)
        return Item(
            id=0,
            run=self._run,
            unit=planned.unit,
            state=State.INTENT,
            action=self._plan.action,
            path=path,
            stored=self._backups.of(path).place_for(path),
            content=wish.file.content,
            size=wish.file.stat.size,
            metadata=fs.metadata(path),
            keeper=wish.keeper.path,
            keeper_content=wish.keeper.content,
            relation=wish.relation,
            group=wish.group,
            aim=aim,
        )

    def _companion_intent(self, planned: PlanItem, companion: Companion) -> Item:
        path = companion.path
        content, stat = look.read_content(path)
        if stat.size != companion.stat.size or stat.mtime_ns != companion.stat.mtime_ns:
            raise Refused(
                Reason.CHANGED, f"{path}, which belongs to it, changed since the plan was made."
            )
        return Item(
            id=0,
            run=self._run,
            unit=planned.unit,
            state=State.INTENT,
            action=self._plan.action,
            path=path,
            stored=self._backups.of(path).place_for(path),
            content=content,
            size=stat.size,
            metadata=fs.metadata(path),
            group=planned.evidence.group,
            kind=companion.kind,
        )

    def _remove(self, entries: Sequence[Entry]) -> list[Item]:
        """Remove one unit, or put it back; returns its items with their new states."""
        items = [entry.item for entry in entries]
        seen: list[Seen] = []
        try:
            seen = [self._checks.before(entry.item, entry.planned) for entry in entries]
            for number, item in enumerate(items):
                folder = os.path.dirname(item.path)
                before = fs.lstat(folder).st_mtime_ns
                self._method.remove(item, seen[number].file)
                items[number] = replace(
                    item,
                    state=State.MOVED,
                    folder_before=before,
                    folder_after=fs.lstat(folder).st_mtime_ns,
                )
            for item, look_before in zip(items, seen, strict=True):
                after(item, look_before)
        except (Refused, OSError) as error:
            return self._give_back(items, as_refused(error))
        return items

    def _give_back(self, items: Sequence[Item], refused: Refused) -> list[Item]:
        """Put a unit back where it was, as far as the disk lets."""
        outcome = []
        for item in reversed(items):
            returned = give_back(item)
            message = refused.message + (f" {returned.note}" if returned.note else "")
            self.skipped.append(Refusal(item.path, refused.reason, message))
            outcome.append(returned)
        return outcome[::-1]


def give_back(item: Item) -> Item:
    """Bring an item of a failed or interrupted unit back to its place; tells its new state.

    It is ``skipped`` when the file is in its place; ``moved`` when that is taken, so that it
    stays in the backup; still ``intent`` when the disk does not answer.
    """
    method = method_of(item)
    try:
        where = method.settle(item, item.path)
        if where == Where.STORED:
            method.put_back(item, item.path)
        if where == Where.NOWHERE:
            return replace(
                item, state=State.MISSING, note="It is neither in its place nor in the backup."
            )
    except Refused:
        return replace(
            item,
            state=State.MOVED,
            note=f"Its place is taken by another file now, so it stays in the backup as "
            f"{item.stored}.",
        )
    except OSError as error:
        return replace(
            item,
            state=State.INTENT,
            note=f"It could not be put back now ({error.strerror}); the next start will do it.",
        )
    return replace(item, state=State.SKIPPED, folder_before=None, folder_after=None)


def folders_of(items: Iterable[Item]) -> set[str]:
    """The folders whose entries change when these items move."""
    found: set[str] = set()
    for item in items:
        found |= {os.path.dirname(item.path), os.path.dirname(item.stored)}
        if item.destination is not None:
            found.add(os.path.dirname(item.destination))
    return found


def _all(state: State, items: Iterable[Item]) -> bool:
    return all(item.state == state for item in items)


def sync(folders: Iterable[str]) -> None:
    """Wait until the entries of these folders are on the disk. Raises OSError."""
    for folder in sorted(folders):
        fs.fsync_path(folder)


def as_refused(error: Refused | OSError) -> Refused:
    """Any failure as a refusal in plain words."""
    if isinstance(error, Refused):
        return error
    what = error.strerror or str(error)
    where = f" ({error.filename})" if error.filename else ""
    return Refused(Reason.SYSTEM, f"The system refused: {what}{where}. Nothing was changed.")
