"""Applying a plan: intents into the journal, then check, move and check again, unit by unit.

For each batch of units: INTENT committed -> each unit: checks, moves, checks -> fsync of the
folders -> outcome committed. A unit that fails anywhere is rolled back as a whole. What stays
unsettled, because the disk no longer answers, is settled at the next start.

Merges come first: keepers take over metadata that they lack (:class:`Merging`). Each is journalled,
its old file kept in the backup, read again afterwards, and undone with the run. Where one fails,
the files that it should have taken metadata from stay.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from blake3 import blake3

from image_duplicate_finder.companions import Folder, split
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.messages import Plain, Stays, both
from image_duplicate_finder.model import FileStat, Relation
from image_duplicate_finder.progress import CancelToken, Progress, Stage, Step
from image_duplicate_finder.removal import fs, moves, probe
from image_duplicate_finder.removal.backup import RunBackup, places_for
from image_duplicate_finder.removal.checks import Checks, Matches, Seen, after, check_keeper
from image_duplicate_finder.removal.journal import MERGED, WRITTEN, Item, Journal, State
from image_duplicate_finder.removal.links import (
    ToLink,
    ToMerged,
    ToWritten,
    link_target_of,
    write_beside,
)
from image_duplicate_finder.removal.moves import Method, ToBackup, ToTrash, Where, surely_in_trash
from image_duplicate_finder.removal.plan import (
    LINKS,
    Companion,
    Merge,
    Plan,
    PlanFile,
    PlanItem,
    Reason,
    Refusal,
    root_of,
)
from image_duplicate_finder.removal.probe import Refused
from image_duplicate_finder.settings import DecodeLimits, RemovalAction

BATCH = 32
"""Units between two commits: few enough to lose no time in recovery, enough to share fsyncs."""


_OF_KINDS: Mapping[str, Method] = {MERGED: ToMerged(), WRITTEN: ToWritten()}


METHODS: Mapping[RemovalAction, Method] = {
    RemovalAction.BACKUP: ToBackup(),
    RemovalAction.HARDLINK: ToLink(),
    RemovalAction.REFLINK: ToLink(),
    RemovalAction.SYMLINK: ToLink(),
    RemovalAction.TRASH: ToTrash(),
}


def method_of(item: Item) -> Method:
    """How this item left, and comes back."""
    return _OF_KINDS.get(item.kind) or METHODS[item.action]


def leaves_something(item: Item) -> bool:
    """Whether this program puts something in the item's place when it leaves."""
    return item.kind in _OF_KINDS or item.action in LINKS


def release_trash_links(journal: Journal, items: Sequence[Item]) -> list[Item]:
    """Release the safety links of files that the trash really has; the journal knows first.

    Files that the trash deleted for good, or that may not survive a power cut there, stay
    ``moved``: the safety link is their backup.
    """
    going = [i for i in items if i.action == RemovalAction.TRASH and i.state == State.MOVED]
    try:
        sure = surely_in_trash(going)
    except OSError:
        return list(items)
    trashed = {item.id: replace(item, state=State.TRASHED) for item in sure}
    if trashed:
        journal.update_items(trashed.values())
        for item in trashed.values():
            if probe.status(item.stored) is not None:
                fs.unlink(item.stored)
    return [trashed.get(item.id, item) for item in items]


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
            raise Refused(Reason.OUTSIDE, Stays.OUTSIDE())
        if root not in self._open:
            parents = places_for(root, self._roots, self._protected, self._base)
            self._open[root] = RunBackup.create(self._journal, self._run, root, parents)
        return self._open[root]

    def record(self, event: str, items: Sequence[Item]) -> None:
        """Add lines to the manifests."""
        by_root: dict[str, list[Item]] = {}
        for item in items:
            by_root.setdefault(root_of(item.path, self._roots) or "", []).append(item)
        for found in by_root.values():
            self.of(found[0].path).record(event, found)

    def note_preserved(self, root: str, count: int) -> None:
        """Note in the journal how many files a backup preserves."""
        self._journal.add_backup(replace(self._open[root].backup, preserved=count))

    def new_folders(self) -> set[str]:
        """Folders whose new entries may not be on the disk yet; each is returned once."""
        found: set[str] = set()
        for backup in self._open.values():
            found |= backup.new_folders
            backup.new_folders.clear()
        return found


class Application:
    """The removals of one run, unit by unit."""

    def __init__(
        self,
        plan: Plan,
        run: int,
        journal: Journal,
        checks: Checks,
        backups: Backups,
        batch: int = BATCH,
    ) -> None:
        self._plan, self._run, self._batch = plan, run, batch
        self._journal, self._checks, self._backups = journal, checks, backups
        self._method = METHODS[plan.action]
        self.done: list[Item] = []
        self.skipped: list[Refusal] = []

    def apply(self, progress: Progress, cancel: CancelToken) -> bool:
        """Work through the plan; returns False when it was stopped before the end."""
        units = [list(found) for _, found in groupby(self._plan.items, key=lambda i: i.unit)]
        worked = 0
        for start in range(0, len(units), self._batch):
            if cancel.cancelled:
                return False
            batch = units[start : start + self._batch]
            self._apply_batch(batch)
            worked += sum(len(unit) for unit in batch)
            progress(
                Step(
                    Stage.REMOVE,
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
                self._roll_back(unit, refused) if not _all(State.SKIPPED, unit) else unit
                for unit in outcomes
            ]
        items = [item for unit in outcomes for item in unit]
        self._journal.update_items(items)
        with contextlib.suppress(OSError):  # the journal knows; the manifest is for people
            self._backups.record("returned", [i for i in items if i.state == State.SKIPPED])
        items = release_trash_links(self._journal, items)
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
            self.skipped += [refused.of(item.path) for item in unit]
            return None
        return entries

    def _intent(self, planned: PlanItem) -> Item:
        evidence, path = planned.evidence, planned.path
        if probe.status(path) is None:
            raise Refused(Reason.GONE, Stays.GONE())
        self._checks.place(path)
        link_target = None
        if self._plan.action == RemovalAction.SYMLINK:
            link_target = link_target_of(path, evidence.keeper.path)
        return replace(
            self._item(planned, path, evidence.file.content, evidence.file.stat.size),
            keeper=evidence.keeper.path,
            keeper_content=evidence.keeper.content,
            relation=evidence.relation,
            link_target=link_target,
        )

    def _companion_intent(self, planned: PlanItem, companion: Companion) -> Item:
        path = companion.path
        content, stat = probe.read_content(path)
        if stat.size != companion.stat.size or stat.mtime_ns != companion.stat.mtime_ns:
            raise Refused(Reason.CHANGED, Stays.COMPANION_CHANGED(path=path))
        return replace(self._item(planned, path, content, stat.size), kind=companion.kind)

    def _item(self, planned: PlanItem, path: str, content: bytes, size: int) -> Item:
        """The intent to remove a file, with a place in the backup."""
        return Item(
            id=0,
            run=self._run,
            unit=planned.unit,
            state=State.INTENT,
            action=self._plan.action,
            path=path,
            stored=self._backups.of(path).place_for(path),
            content=content,
            size=size,
            metadata=fs.metadata(path),
            group=planned.evidence.group,
        )

    def _remove(self, entries: Sequence[Entry]) -> list[Item]:
        """Remove one unit, or roll it back; returns its items with their new states."""
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
            return self._roll_back(items, as_refused(error))
        return items

    def _roll_back(self, items: Sequence[Item], refused: Refused) -> list[Item]:
        """Put a unit back where it was, as far as the disk allows."""
        outcome = []
        for item in reversed(items):
            returned = roll_back(item)
            why = both(refused.why, returned.remark)
            self.skipped.append(Refusal(item.path, refused.reason, why))
            outcome.append(returned)
        return outcome[::-1]


def roll_back(item: Item) -> Item:
    """Bring an item of a failed or interrupted unit back to its place; return its new state.

    It is ``skipped`` when the file is in its place; ``moved`` when that is taken, so that it
    stays in the backup; still ``intent`` when the disk does not answer.
    """
    method = method_of(item)
    try:
        where = method.settle(item, item.path)
        if where == Where.STORED:
            method.restore(item, item.path)
        if where == Where.NOWHERE:
            return replace(item, state=State.MISSING, remark=Stays.NOWHERE())
    except Refused:
        return replace(item, state=State.MOVED, remark=Stays.PLACE_TAKEN(path=item.stored))
    except OSError as error:
        remark = Stays.NOT_YET_BACK(reason=str(error.strerror))
        return replace(item, state=State.INTENT, remark=remark)
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
    """Any failure as a refusal."""
    if isinstance(error, Refused):
        return error
    what = error.strerror or str(error)
    where = f" ({error.filename})" if error.filename else ""
    return Refused(Reason.SYSTEM, Stays.SYSTEM(what=what + where))


class Merging:
    """The merges of one run. ``plan`` is what is to be removed after them."""

    def __init__(self, plan: Plan, run: int, journal: Journal, backups: Backups) -> None:
        self.plan = plan
        self._run, self._journal, self._backups = run, journal, backups
        self._units = max((item.unit for item in plan.items), default=-1) + 1
        self.done: list[Item] = []
        self.skipped: list[Refusal] = []

    def apply(self, checks: Checks, cancel: CancelToken) -> None:
        """Carry out the merges; afterwards ``plan`` names the keepers as they are now."""
        keepers: dict[str, PlanFile] = {}
        refused: dict[str, Refused] = {}
        # What is known of a keeper comes from the removals, which were proved.
        known = {item.evidence.keeper.path: item.evidence.keeper for item in self.plan.items}
        for merge in self.plan.merges:
            if cancel.cancelled:
                break
            if merge.keeper.path not in known:
                continue
            merge = replace(merge, keeper=known[merge.keeper.path])
            try:
                kept = self._merge(merge, checks)
            except (Refused, OSError) as error:
                reason = as_refused(error)
                refused |= dict.fromkeys(merge.sources, reason)
                self.skipped.append(reason.of(merge.keeper.path))
            else:
                keepers[merge.keeper.path] = kept
        self._follow(keepers, refused)

    def _follow(self, keepers: dict[str, PlanFile], refused: dict[str, Refused]) -> None:
        units = {item.unit for item in self.plan.items if item.path in refused}
        items: list[PlanItem] = []
        for item in self.plan.items:
            if item.unit in units:
                because = refused.get(item.path)
                why = because.why if because else Stays.BELONGS_TO_STAYING()
                self.skipped.append(Refusal(item.path, Reason.MERGE, Stays.NOT_MERGED(reason=why)))
                continue
            keeper = keepers.get(item.evidence.keeper.path)
            if keeper is not None and keeper.content != item.evidence.keeper.content:
                relation = item.evidence.relation
                if relation == Relation.BYTE_IDENTICAL:
                    relation = Relation.PIXEL_IDENTICAL
                evidence = replace(item.evidence, keeper=keeper, relation=relation)
                item = replace(item, evidence=evidence)
            items.append(item)
        self.plan = replace(self.plan, items=tuple(items))

    def _merge(self, merge: Merge, checks: Checks) -> PlanFile:
        """Write what a keeper lacks into it or its sidecar; returns the keeper as it is then."""
        # Decoders take their time to load, and most removals need none.
        from image_duplicate_finder.decode.xmp_writing import sidecar_with, written_into

        keeper = merge.keeper
        checks.place(keeper.path, goes=False)
        check_keeper(keeper.path, keeper.content, None)
        data = _bytes_of(keeper.path)
        if bytes(blake3(data).digest()) != keeper.content:
            raise Refused(Reason.KEEPER_CHANGED, Stays.SCANNED_CHANGED(path=keeper.path))
        try:
            written = written_into(data, merge.additions, DecodeLimits())
        except DecodeError as error:
            raise Refused(
                Reason.MERGE, Plain.ABOUT(path=keeper.path, text=error.message)
            ) from error
        if written is not None:
            self._put(keeper.path, data, written)
            content = bytes(blake3(written).digest())
            found = check_keeper(keeper.path, content, None)
            return replace(keeper, stat=found, content=content)
        sidecar = _sidecar_of(keeper.path)
        old = _bytes_of(sidecar) if probe.status(sidecar) is not None else None
        more = sidecar_with(old, merge.additions)
        if more is None:
            raise Refused(Reason.MERGE, Stays.SIDECAR_FULL(path=sidecar))
        self._put(sidecar, old, more)
        return keeper

    def _put(self, path: str, old: bytes | None, new: bytes) -> None:
        """Bring ``new`` to a path that has ``old``, or nothing. Raises Refused and OSError."""
        seen = probe.regular(path)
        if (seen is None) != (old is None):
            raise Refused(Reason.CHANGED, Stays.CHANGED_WHILE_WRITTEN(path=path))
        content = bytes(blake3(new).digest())
        item = Item(
            id=0,
            run=self._run,
            unit=self._units,
            state=State.INTENT,
            action=RemovalAction.BACKUP,
            path=path,
            stored=self._backups.of(path).place_for(path),
            content=content if old is None else bytes(blake3(old).digest()),
            size=len(new if old is None else old),
            metadata={} if old is None else fs.metadata(path),
            keeper=None if old is None else path,
            keeper_content=None if old is None else content,
            relation=None if old is None else Relation.PIXEL_IDENTICAL,
            kind=WRITTEN if old is None else MERGED,
        )
        self._units += 1
        (item,) = self._journal.add_items([item])
        try:
            self._backups.record("removed", [item])
            sync(self._backups.new_folders())
            self._bring(item, new, seen)
        except (Refused, OSError) as error:
            returned = roll_back(item)
            self._journal.update_items([returned])
            with contextlib.suppress(OSError):
                self._backups.record("returned", [returned])
            refused = as_refused(error)
            raise Refused(Reason.MERGE, both(refused.why, returned.remark)) from error

    def _bring(self, item: Item, new: bytes, seen: FileStat | None) -> None:
        folder = os.path.dirname(item.path)
        before = fs.lstat(folder).st_mtime_ns
        if item.kind == WRITTEN:
            write_beside(item, new, item.stored)
        write_beside(item, new, moves.link_of(item.path, item))
        method_of(item).remove(item, seen or FileStat.of(fs.lstat(item.stored)))
        item = replace(
            item,
            state=State.MOVED,
            folder_before=before,
            folder_after=fs.lstat(folder).st_mtime_ns,
        )
        if not probe.holds(item.path, item.keeper_content or item.content):
            raise Refused(Reason.CHANGED, Stays.CHANGED_WHILE_WRITTEN(path=item.path))
        sync(folders_of([item]))
        self._journal.update_items([item])
        self.done.append(item)


def as_before(items: Iterable[Item], matches: Matches) -> Matches:
    """``matches`` for keepers that took over metadata: their pictures are what they were."""
    before = {
        item.keeper_content: item.content
        for item in items
        if item.kind == MERGED and item.keeper_content is not None
    }

    def still(file: bytes, keeper: bytes) -> bool:
        seen = {keeper}
        while keeper in before and before[keeper] not in seen:
            keeper = before[keeper]
            seen.add(keeper)
        return file in seen or matches(file, keeper)

    return still


def _sidecar_of(path: str) -> str:
    """The XMP sidecar of a picture: the one that it has, or a new one of its whole name."""
    folder, name = os.path.split(path)
    unit = Folder.of(fs.names(folder)).unit(name)
    mine = (*unit.own_sidecars, *(() if unit.stem_sharers else unit.stem_sidecars))
    has = [each for each in mine if split(each)[1] == "xmp"]
    return os.path.join(folder, has[0] if has else f"{name}.xmp")


def _bytes_of(path: str) -> bytes:
    """A file's bytes. Raises OSError."""
    descriptor = fs.open_read(path)
    try:
        pieces = []
        while chunk := fs.read(descriptor):
            pieces.append(chunk)
    finally:
        fs.close(descriptor)
    return b"".join(pieces)
