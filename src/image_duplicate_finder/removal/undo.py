"""Undo and purge: the two ways out of a backup.

Undo brings every file back with its name, times, permissions and attributes, and replaces nothing.
Purge is the only way to free the space for good; callers ask the person first. Even then a group
does not lose its last file by accident: what has no keeper any more stays, unless the person
insists.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

from image_duplicate_finder.companions import Folder
from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.messages import Message, Stays, both, plain
from image_duplicate_finder.progress import CancelToken, Progress, Stage, Step
from image_duplicate_finder.removal import checks, fs, moves, probe
from image_duplicate_finder.removal.apply import (
    BATCH,
    as_before,
    as_refused,
    folders_of,
    leaves_something,
    method_of,
    sync,
)
from image_duplicate_finder.removal.backup import (
    MANIFEST_NAME,
    RunBackup,
    StatChange,
    changed_by_link,
    preserved_files,
    prune,
)
from image_duplicate_finder.removal.checks import Matches
from image_duplicate_finder.removal.journal import (
    UNSETTLED,
    WRITTEN,
    BackupFolder,
    Item,
    Journal,
    State,
)
from image_duplicate_finder.removal.links import is_ours
from image_duplicate_finder.removal.moves import Where, taken
from image_duplicate_finder.removal.plan import Reason, Refusal
from image_duplicate_finder.removal.probe import (
    Ancestors,
    Refused,
    Same,
    Volume,
    recorded_for,
    same,
    volume_of,
)
from image_duplicate_finder.settings import RemovalAction

RESTORABLE = (State.MOVED, State.TRASHED, State.MISSING)
"""Missing ones too: the drive that they are on may be connected again."""

Copies = Callable[[bytes], Iterable[str]]
"""Which files may have just this content."""

_COPIES_TOLD = 3


_KEEPERS_ASKED = 50


def no_copies(_content: bytes) -> Iterable[str]:
    """:data:`Copies` where there is no library to ask."""
    return ()


class Places:
    """Whether the places that files came from are still on the volumes that they were on."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._present: dict[tuple[int, Volume], bool] = {}

    def check(self, item: Item) -> None:
        """Raise Refused where ``item.path`` would lead to another volume; OSError.

        So an unmounted drive's mount point stays empty, and another drive stays as it is.
        """
        folder = fs.realpath(os.path.dirname(item.path))
        if item.adopted and folder != os.path.dirname(item.path):
            raise Refused(Reason.LINK, Stays.LINK_LEADS_AWAY(path=item.path, folder=folder))
        backups = self._journal.backups(item.run)
        volumes = [volume for backup in backups for volume in backup.volumes]
        if not volumes:  # of a version that did not write them down
            roots = [backup.root for backup in backups if is_inside(item.path, backup.root)]
            if probe.status(folder) is None and all(probe.status(r) is None for r in roots):
                raise self._away(item, folder)
            return
        then = recorded_for(os.path.join(folder, "."), volumes) or volumes[0]
        answer = same(then, volume_of(folder))
        if answer == Same.NO or (answer == Same.UNKNOWN and not self._keepers_found(item, then)):
            raise self._away(item, then.mount)

    @staticmethod
    def _away(item: Item, where: str) -> Refused:
        return Refused(Reason.DRIVE, Stays.DRIVE_AWAY(path=where, stored=item.stored))

    def _keepers_found(self, item: Item, volume: Volume) -> bool:
        """Where the system cannot tell: whether what was kept on the volume is there."""
        key = item.run, volume
        if key not in self._present:
            kept = {
                other.keeper: other.keeper_content
                for other in self._journal.items(item.run)
                if other.keeper is not None
                and other.keeper_content is not None
                and is_inside(other.keeper, volume.mount)
            }
            asked = list(islice(kept.items(), _KEEPERS_ASKED))
            self._present[key] = any(probe.holds(path, content) for path, content in asked)
        return self._present[key]


def damaged_rows(journal: Journal, run: int) -> list[Refusal]:
    """What cannot be restored because the journal's row of it is damaged."""
    return [
        Refusal(row.path, Reason.DAMAGED, Stays.ROW_DAMAGED(number=row.id))
        for row in journal.damaged(run)
    ]


@dataclass(slots=True)
class Restoration:
    """One undo of a run, wholly or in part.

    ``rename`` gives new names where one is taken; ``copies`` gives the files that the library
    knows to have a content.
    """

    journal: Journal
    backups: Sequence[BackupFolder]
    rename: bool = False
    copies: Copies = no_copies
    batch: int = BATCH
    done: list[Item] = field(default_factory=list)
    skipped: list[Refusal] = field(default_factory=list)
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        self.places = Places(self.journal)

    def restore(self, items: Sequence[Item], progress: Progress, cancel: CancelToken) -> bool:
        """Put items back, the last removed first; returns False when stopped before the end.

        ``items`` are whole units, in the order of their ids.
        """
        ordered = sorted(items, key=lambda item: (-item.unit, -item.id))
        units = [list(found) for _, found in groupby(ordered, key=lambda item: item.unit)]
        worked = 0
        for start in range(0, len(units), self.batch):
            if cancel.cancelled:
                return False
            batch = units[start : start + self.batch]
            self._restore_batch(batch)
            worked += sum(len(unit) for unit in batch)
            progress(
                Step(
                    Stage.RESTORE,
                    worked,
                    len(items),
                    current=batch[-1][-1].path,
                    failures=len(self.skipped),
                )
            )
        return True

    def _restore_batch(self, units: Sequence[list[Item]]) -> None:
        prepared = [ready for unit in units if (ready := self._prepare(unit))]
        if not prepared:
            return
        self.journal.update_items(
            replace(item, state=State.UNDOING) for unit in prepared for item in unit
        )
        outcomes = [self._restore_unit(unit) for unit in prepared]
        items = [item for unit in outcomes for item in unit]
        restored = [item for item in items if item.state == State.RESTORED]
        with contextlib.suppress(OSError):  # a power cut may then undo the undo; nothing is lost
            sync(f for f in folders_of(restored) if probe.status(f) is not None)
        self.journal.update_items(items)
        self._record_restored(restored)
        self.done += restored

    def _prepare(self, unit: list[Item]) -> list[Item] | None:
        """The unit with its destinations, or None when it cannot go back (noted)."""
        try:
            return [self._with_destination(item) for item in unit]
        except (Refused, OSError) as error:
            refused = as_refused(error)
            self.skipped += [refused.of(item.path) for item in unit]
            return None

    def _with_destination(self, item: Item) -> Item:
        place = item.path
        self.places.check(item)
        if probe.status(place) is not None and not (
            leaves_something(item) and is_ours(item, place)
        ):
            if not self.rename:
                raise taken(place)
            place = moves.free_name(place)
        if item.state != State.TRASHED:
            self._check_stored(item)
        bits = 0o755 if item.adopted else 0o7777
        self._make_folder(os.path.dirname(place), os.path.dirname(item.stored), bits)
        return replace(item, destination=place)

    def _check_stored(self, item: Item) -> None:
        """As :func:`check_stored`; a refusal of a damaged file says where its bytes are intact."""
        try:
            check_stored(item)
        except Refused as refused:
            if refused.reason != Reason.DAMAGED:
                raise
            raise Refused(refused.reason, both(refused.why, self._instead(item))) from refused

    def _instead(self, item: Item) -> Message:
        """Where a person finds the content of a damaged file. Every file named was just read."""
        others = [item.keeper] if item.keeper and item.keeper_content == item.content else []
        others += [
            other.stored
            for other in self.journal.items(states=(State.MOVED,))
            if other.content == item.content and other.stored != item.stored
        ]
        others += [path for path in self.copies(item.content) if path != item.path]
        whole: list[str] = []
        for path in dict.fromkeys(others):
            with contextlib.suppress(OSError):
                if len(whole) < _COPIES_TOLD and probe.holds(path, item.content):
                    whole.append(path)
        if whole:
            return Stays.WHOLE_COPIES(copies=", ".join(whole))
        with contextlib.suppress(Refused, OSError):
            if item.keeper and item.keeper_content:
                checks.check_keeper(item.keeper, item.keeper_content, None)
                return Stays.WHOLE_KEEPER(keeper=item.keeper)
        return Stays.NO_WHOLE_COPY()

    def _make_folder(self, folder: str, mirror: str, bits: int) -> None:
        """Make a folder that is gone again, with the permissions that its mirror kept."""
        missing = []
        while probe.status(folder) is None:
            missing.append((folder, mirror))
            folder, mirror = os.path.dirname(folder), os.path.dirname(mirror)
        kept = {backup.folder for backup in self.backups}
        for path, like in reversed(missing):
            fs.mkdir(path)
            found = probe.status(like)
            if found is not None and any(like.startswith(f"{k}{os.sep}") for k in kept):
                fs.chmod(path, found.st_mode & bits)

    def _restore_unit(self, unit: list[Item]) -> list[Item]:
        """Put one unit back, or leave all of it where it was."""
        try:
            for item in unit:
                restore_with_folder_time(item)
        except (Refused, OSError) as error:
            outcome = settle_unit(unit)
            refused = as_refused(error)
            self.skipped += [
                refused.of(item.path) for item in outcome if item.state != State.RESTORED
            ]
            return outcome
        return [replace(item, state=State.RESTORED) for item in unit]

    def _record_restored(self, items: Sequence[Item]) -> None:
        for backup in self.backups:
            inside = [i for i in items if i.stored.startswith(backup.folder + os.sep)]
            manifest = os.path.join(backup.folder, MANIFEST_NAME)
            with contextlib.suppress(OSError):  # the journal knows; the manifest is for people
                if inside and probe.status(manifest) is not None:
                    RunBackup(backup).record("restored", inside)


def check_stored(item: Item) -> None:
    """Raise Refused unless the backup has just the bytes that were removed; OSError."""
    found = probe.regular(item.stored)
    if found is None:
        raise Refused(Reason.GONE, Stays.NOT_IN_BACKUP(path=item.stored))
    try:
        if probe.holds(item.stored, item.content):
            return
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise Refused(Reason.DAMAGED, Stays.BACKUP_UNREADABLE(path=item.stored)) from error
    if found.size == item.size and found.mtime_ns == item.metadata["mtime_ns"]:
        raise Refused(Reason.DAMAGED, Stays.BACKUP_DAMAGED(path=item.stored))
    raise Refused(Reason.CHANGED, Stays.BACKUP_CHANGED(path=item.stored))


def restore_with_folder_time(item: Item) -> None:
    """Bring a file to its destination; its folder gets back the time it had before.

    The folder's time comes back only when nothing else happened in it since the removal.
    Raises Refused and OSError.
    """
    place = item.destination or item.path
    folder = os.path.dirname(place)
    untouched = (
        item.folder_before is not None
        and place == item.path
        and fs.lstat(folder).st_mtime_ns == item.folder_after
    )
    method_of(item).restore(item, place)
    if untouched and item.folder_before is not None:
        with contextlib.suppress(OSError):  # must not make the undo fail
            fs.set_times(folder, fs.lstat(folder).st_atime_ns, item.folder_before)


def settle_unit(unit: Sequence[Item]) -> list[Item]:
    """After a failed or interrupted undo: all of a unit restored, or all of it back in store.

    What came back from the system's trash stays in its place, though: its safety link is gone.
    Items keep ``undoing`` when the disk does not answer, for the next start to settle.
    """
    outcome = []
    try:
        wheres = [method_of(i).settle(i, i.destination or i.path) for i in unit]
        if all(where == Where.PLACE for where in wheres):
            return [replace(item, state=State.RESTORED) for item in unit]
        for item, where in zip(unit, wheres, strict=True):
            place = item.destination or item.path
            if where == Where.PLACE and item.action == RemovalAction.TRASH:
                outcome.append(replace(item, state=State.RESTORED))
                continue
            seen = probe.regular(place) if where == Where.PLACE else None
            if seen is not None:
                moves.move(place, item.stored, item, seen)
            outcome.append(replace(item, state=_state_in_store(item, where), destination=None))
    except (Refused, OSError) as error:
        return [replace(item, state=State.UNDOING, remark=as_refused(error).why) for item in unit]
    return outcome


def _state_in_store(item: Item, where: Where) -> State:
    if item.action == RemovalAction.TRASH and probe.status(item.stored) is None:
        return State.TRASHED
    return State.MISSING if where == Where.NOWHERE else State.MOVED


PURGE_BATCH = 256
"""Units whose keepers are checked together, just before their files go."""


_HELD = (State.MOVED, State.TRASHED, State.MISSING, *UNSETTLED)


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """``freed`` bytes by deleting ``purged`` files for good; ``kept`` ones with reasons.

    ``stat_changes`` lets a library keep what it knows of files that a hard link preserved.
    """

    run: int
    purged: int
    freed: int
    kept: tuple[Refusal, ...]
    stat_changes: tuple[StatChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """What became of preserved files: bytes freed, what stayed and why, whose stat changed."""

    freed: int = 0
    kept: tuple[Refusal, ...] = ()
    stat_changes: tuple[StatChange, ...] = ()


def purge(
    journal: Journal,
    run: int,
    items: Sequence[int] | None,
    without_keeper: bool,
    matches: Matches,
) -> PurgeReport:
    """Delete a run's files in the backup for good. The caller holds the library's lock."""
    matches = as_before(journal.items(), matches)
    chosen = None if items is None else set(items)
    wanted = [
        item
        for item in journal.items(run, states=(State.MOVED, State.MISSING))
        if chosen is None or item.id in chosen
    ]
    kept: list[Refusal] = []
    stat_changes: list[StatChange] = []
    ordered = sorted(wanted, key=lambda item: (item.unit, item.id))
    units = [list(found) for _, found in groupby(ordered, key=lambda item: item.unit)]
    purged, freed = 0, 0
    for start in range(0, len(units), PURGE_BATCH):
        batch: list[Item] = []
        for unit in units[start : start + PURGE_BATCH]:
            refused = None if without_keeper else _may_be_last(unit, journal, matches)
            if refused is None:
                batch += unit
            else:
                kept += [refused.of(item.path) for item in unit]
        sizes = {item.id: _freed_by(item) for item in batch}
        journal.update_items(replace(item, state=State.PURGING) for item in batch)
        for item in purge_items(batch, journal):
            if item.state == State.PURGED:
                purged, freed = purged + 1, freed + sizes[item.id]
            else:
                kept.append(Refusal(item.path, Reason.CHANGED, item.remark or plain("")))
    if items is None:
        dropped = _drop(journal.backups(run), without_keeper)
        freed += dropped.freed
        kept += dropped.kept
        stat_changes += dropped.stat_changes
    for backup in journal.backups(run):
        try:
            prune(backup.folder)
        except OSError as error:
            kept.append(Refusal(backup.folder, Reason.SYSTEM, as_refused(error).why))
    return PurgeReport(run, purged, freed, tuple(kept), tuple(stat_changes))


def drop_preserved(journal: Journal, run: int) -> Dropped:
    """Take away what a run preserved, when nothing of it is removed any more.

    A file whose original has changed stays, as in a purge.
    """
    if journal.items(run, states=_HELD) or journal.damaged(run):
        return Dropped()
    return _drop(journal.backups(run), without_keeper=False)


def _drop(backups: Sequence[BackupFolder], without_keeper: bool) -> Dropped:
    kept: list[Refusal] = []
    stat_changes: list[StatChange] = []
    freed = sum(_purge_preserved(each, without_keeper, kept, stat_changes) for each in backups)
    return Dropped(freed, tuple(kept), tuple(stat_changes))


def finish_purge(unit: Sequence[Item], journal: Journal, matches: Matches) -> list[Item]:
    """Go on with the purge of a unit that a crash cut off, checked again as at its start.

    What has no keeper by now stays, even if the person had insisted: that was about the files as
    they were then.
    """
    refused = _may_be_last(unit, journal, as_before(journal.items(), matches))
    if refused is None:
        return purge_items(unit, journal)
    kept = [replace(item, state=State.MOVED, remark=refused.why) for item in unit]
    journal.update_items(kept)
    return kept


def purge_items(items: Sequence[Item], journal: Journal) -> list[Item]:
    """Delete stored files whose purge is in the journal and whose keepers were just read."""
    outcome = [_delete(item) for item in items]
    journal.update_items(outcome)
    return outcome


def _delete(item: Item) -> Item:
    try:
        found = probe.status(item.stored)
        if found is None:
            if not Ancestors.of(
                item.stored
            ).in_backup():  # its drive is away, or the person moved it
                return replace(item, state=State.MOVED, remark=Stays.BACKUP_AWAY())
            return replace(item, state=State.PURGED)
        stat = probe.regular(item.stored)
        same = stat is not None and (
            (stat.size == item.size and stat.mtime_ns == item.metadata["mtime_ns"])
            or probe.holds(item.stored, item.content)
        )
        if not same:
            return replace(
                item,
                state=State.MOVED,
                remark=Stays.NOT_PUT_THERE(path=item.stored),
            )
        fs.unlink(item.stored)
    except (Refused, OSError) as error:
        return replace(item, state=State.MOVED, remark=as_refused(error).why)
    return replace(item, state=State.PURGED)


def _may_be_last(unit: Sequence[Item], journal: Journal, matches: Matches) -> Refused | None:
    """Why a unit's bytes may be the last of their picture, or None when a keeper is there.

    Companions have no keeper of their own, so all pictures of their unit are checked,
    whichever of its files are to go.
    """
    first = unit[0]
    whole = {item.id: item for item in journal.items(first.run, unit=first.unit)}
    whole.update((item.id, item) for item in unit)
    return _without_keeper(list(whole.values()), matches)


def _without_keeper(unit: Sequence[Item], matches: Matches) -> Refused | None:
    """See :func:`_may_be_last`; ``unit`` is whole.

    A keeper counts only with a match of its own, whatever the removal recorded.
    """
    if all(item.kind == WRITTEN for item in unit):
        return None  # the file itself is in its place, and a copy of it goes
    if all(item.keeper is None for item in unit):
        return Refused(Reason.NO_MATCH, Stays.NO_KEEPER())
    for item in unit:
        if item.keeper is None or item.keeper_content is None:
            if item.kind == "picture":  # a manifest that someone wrote by hand
                return Refused(Reason.NO_MATCH, Stays.NO_KEEPER())
            continue
        if item.content != item.keeper_content and not matches(item.content, item.keeper_content):
            return Refused(Reason.NO_MATCH, Stays.KEEPER_NO_MATCH(path=item.keeper))
        try:
            keeper = checks.check_keeper(item.keeper, item.keeper_content, None)
            stored = probe.regular(item.stored)
            has_film = _keeps_its_film(unit, item.keeper)
        except Refused as refused:
            return Refused(refused.reason, Stays.LAST_COPY(reason=refused.why))
        except OSError as error:
            return as_refused(error)
        if stored is not None and (
            keeper.identity == stored.identity or probe.one_storage(item.stored, item.keeper)
        ):
            return Refused(Reason.SAME_FILE, Stays.KEEPER_IS_STORED(path=item.keeper))
        if not has_film:
            return Refused(Reason.UNIT, Stays.LAST_VIDEO(path=item.keeper))
    return None


def _keeps_its_film(unit: Sequence[Item], keeper: str) -> bool:
    """Whether the keeper of a Live Photo still has a moving half, where the unit has one."""
    if all(item.kind != "video" for item in unit):
        return True
    folder, name = os.path.split(keeper)
    return bool(Folder.of(fs.names(folder)).unit(name).films)


def _freed_by(item: Item) -> int:
    try:
        found = probe.regular(item.stored)
    except OSError:
        return 0
    return found.size if found is not None and found.links == 1 else 0


def _purge_preserved(
    backup: BackupFolder, without_keeper: bool, kept: list[Refusal], stat_changes: list[StatChange]
) -> int:
    """Delete preserved files whose originals are unchanged; returns the freed bytes.

    The others may be the last and are added to ``kept``; originals whose stat changed with the
    unlinked name are added to ``stat_changes``.
    """
    freed = 0
    for path, original in preserved_files(backup):
        if probe.status(path) is None:
            continue
        try:
            before = probe.regular(original)
            if without_keeper or _same_as_original(path, original):
                size = fs.lstat(path)
                fs.unlink(path)
                freed += size.st_size if size.st_nlink == 1 else 0
                stat_changes += changed_by_link(original, before)
            else:
                kept.append(
                    Refusal(original, Reason.KEEPER_CHANGED, Stays.ORIGINAL_CHANGED(path=path))
                )
        except (Refused, OSError) as error:
            kept.append(Refusal(original, Reason.SYSTEM, as_refused(error).why))
    return freed


def _same_as_original(path: str, original: str) -> bool:
    mine, theirs = probe.regular(path), probe.regular(original)
    if mine is None or theirs is None:
        return False
    if mine.identity == theirs.identity:
        return not probe.one_entry(path, original)
    return mine.size == theirs.size and probe.holds(original, probe.read_content(path)[0])
