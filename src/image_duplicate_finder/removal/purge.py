"""Purge: the one way to free the space for good. It asks (its callers do) and tells how much.

Even here a group does not lose its last file by accident: what has no keeper any more stays,
unless the person insists.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from image_duplicate_finder.companions import Folder
from image_duplicate_finder.removal import checks, fs, look
from image_duplicate_finder.removal.apply import as_refused
from image_duplicate_finder.removal.backup import prune
from image_duplicate_finder.removal.checks import Matches
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.look import Above, Refused
from image_duplicate_finder.removal.merging import as_before
from image_duplicate_finder.removal.plan import Reason, Refusal
from image_duplicate_finder.removal.preserve import preserved_files, restated_by_link
from image_duplicate_finder.removal.records import UNSETTLED, WRITTEN, BackupFolder, Item, State
from image_duplicate_finder.removal.report import PurgeReport, Restated

_HELD = (State.MOVED, State.TRASHED, State.MISSING, *UNSETTLED)

BATCH = 256
"""Units whose keepers are looked at together, just before their files go."""


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
    restated: list[Restated] = []
    ordered = sorted(wanted, key=lambda item: (item.unit, item.id))
    units = [list(found) for _, found in groupby(ordered, key=lambda item: item.unit)]
    purged, freed = 0, 0
    for start in range(0, len(units), BATCH):
        batch: list[Item] = []
        for unit in units[start : start + BATCH]:
            refused = None if without_keeper else _may_be_last(unit, journal, matches)
            if refused is None:
                batch += unit
            else:
                kept += [Refusal(item.path, refused.reason, refused.message) for item in unit]
        sizes = {item.id: _freed_by(item) for item in batch}
        journal.update_items(replace(item, state=State.PURGING) for item in batch)
        for item in purge_items(batch, journal):
            if item.state == State.PURGED:
                purged, freed = purged + 1, freed + sizes[item.id]
            else:
                kept.append(Refusal(item.path, Reason.CHANGED, item.note))
    if items is None:
        dropped = _drop(journal.backups(run), without_keeper)
        freed += dropped.freed
        kept += dropped.kept
        restated += dropped.restated
    for backup in journal.backups(run):
        try:
            prune(backup.folder)
        except OSError as error:
            kept.append(Refusal(backup.folder, Reason.SYSTEM, as_refused(error).message))
    return PurgeReport(run, purged, freed, tuple(kept), tuple(restated))


@dataclass(frozen=True, slots=True)
class Dropped:
    """What became of preserved files: bytes freed, what stayed and why, whose stat changed."""

    freed: int = 0
    kept: tuple[Refusal, ...] = ()
    restated: tuple[Restated, ...] = ()


def drop_preserved(journal: Journal, run: int) -> Dropped:
    """Take away what a run preserved, when nothing of it is removed any more.

    What its original does not show unchanged stays, as in a purge.
    """
    if journal.items(run, states=_HELD) or journal.damaged(run):
        return Dropped()
    return _drop(journal.backups(run), without_keeper=False)


def _drop(backups: Sequence[BackupFolder], without_keeper: bool) -> Dropped:
    kept: list[Refusal] = []
    restated: list[Restated] = []
    freed = sum(_purge_preserved(each, without_keeper, kept, restated) for each in backups)
    return Dropped(freed, tuple(kept), tuple(restated))


def finish_purge(unit: Sequence[Item], journal: Journal, matches: Matches) -> list[Item]:
    """Go on with the purge of a unit that a crash cut off: looked at again, as at its start.

    What has no keeper by now stays, also where the person had insisted: that was said of the
    files as they were then.
    """
    refused = _may_be_last(unit, journal, as_before(journal.items(), matches))
    if refused is None:
        return purge_items(unit, journal)
    kept = [replace(item, state=State.MOVED, note=refused.message) for item in unit]
    journal.update_items(kept)
    return kept


def purge_items(items: Sequence[Item], journal: Journal) -> list[Item]:
    """Delete stored files whose purge is in the journal and whose keepers were just read."""
    outcome = [_delete(item) for item in items]
    journal.update_items(outcome)
    return outcome


def _delete(item: Item) -> Item:
    try:
        found = look.status(item.stored)
        if found is None:
            if not Above.of(item.stored).in_backup():  # its drive is away, or the person moved it
                return replace(item, state=State.MOVED, note="Its backup is not there now.")
            return replace(item, state=State.PURGED)
        stat = look.regular(item.stored)
        same = stat is not None and (
            (stat.size == item.size and stat.mtime_ns == item.metadata["mtime_ns"])
            or look.holds(item.stored, item.content)
        )
        if not same:
            return replace(
                item,
                state=State.MOVED,
                note=f"{item.stored} is not the file that was put there; it stays.",
            )
        fs.unlink(item.stored)
    except (Refused, OSError) as error:
        return replace(item, state=State.MOVED, note=as_refused(error).message)
    return replace(item, state=State.PURGED)


def _may_be_last(unit: Sequence[Item], journal: Journal, matches: Matches) -> Refused | None:
    """Why a unit's bytes may be the last of their picture, or None when a keeper stands.

    Companions have no keeper of their own, so all pictures of their unit are looked at,
    whichever of its files are to go.
    """
    first = unit[0]
    whole = {item.id: item for item in journal.items(first.run, unit=first.unit)}
    whole.update((item.id, item) for item in unit)
    return _without_keeper(list(whole.values()), matches)


def _without_keeper(unit: Sequence[Item], matches: Matches) -> Refused | None:
    """See :func:`_may_be_last`; ``unit`` is whole.

    A keeper counts only with a match of its own, whatever the removal said that it was.
    """
    if all(item.kind == WRITTEN for item in unit):
        return None  # the file itself stands in its place, and a copy of it goes
    if all(item.keeper is None for item in unit):
        return Refused(Reason.NO_MATCH, "No keeper of it is known; it stays.")
    for item in unit:
        if item.keeper is None or item.keeper_content is None:
            if item.kind == "picture":  # a manifest that someone wrote by hand
                return Refused(Reason.NO_MATCH, "No keeper of it is known; it stays.")
            continue
        if item.content != item.keeper_content and not matches(item.content, item.keeper_content):
            return Refused(
                Reason.NO_MATCH,
                f"This library has no verified match between it and {item.keeper}, so it may be "
                "the last copy; it stays in the backup.",
            )
        try:
            keeper = checks.check_keeper(item.keeper, item.keeper_content, None)
            stored = look.regular(item.stored)
            has_film = _keeps_its_film(unit, item.keeper)
        except Refused as refused:
            return Refused(
                refused.reason,
                f"{refused.message} So this may be the last copy; it stays in the backup.",
            )
        except OSError as error:
            return as_refused(error)
        if stored is not None and (
            keeper.identity == stored.identity or look.one_storage(item.stored, item.keeper)
        ):
            return Refused(Reason.SAME_FILE, f"{item.keeper} is a name of this same file.")
        if not has_film:
            return Refused(
                Reason.UNIT,
                f"{item.keeper} has no moving half any more; this may be the last one.",
            )
    return None


def _keeps_its_film(unit: Sequence[Item], keeper: str) -> bool:
    """Whether the keeper of a Live Photo still has a moving half, where the unit has one."""
    if all(item.kind != "video" for item in unit):
        return True
    folder, name = os.path.split(keeper)
    return bool(Folder.of(fs.names(folder)).unit(name).films)


def _freed_by(item: Item) -> int:
    try:
        found = look.regular(item.stored)
    except OSError:
        return 0
    return found.size if found is not None and found.links == 1 else 0


def _purge_preserved(
    backup: BackupFolder, without_keeper: bool, kept: list[Refusal], restated: list[Restated]
) -> int:
    """Delete preserved files whose originals stand unchanged; returns the freed bytes.

    The others may be the last and are added to ``kept``; originals whose stat changed with the
    unlinked name are added to ``restated``.
    """
    freed = 0
    for path, original in preserved_files(backup):
        if look.status(path) is None:
            continue
        try:
            before = look.regular(original)
            if without_keeper or _same_as_original(path, original):
                size = fs.lstat(path)
                fs.unlink(path)
                freed += size.st_size if size.st_nlink == 1 else 0
                restated += restated_by_link(original, before)
            else:
                kept.append(
                    Refusal(
                        original,
                        Reason.KEEPER_CHANGED,
                        f"It has changed or gone since; {path} may be the last copy and stays.",
                    )
                )
        except (Refused, OSError) as error:
            kept.append(Refusal(original, Reason.SYSTEM, as_refused(error).message))
    return freed


def _same_as_original(path: str, original: str) -> bool:
    mine, theirs = look.regular(path), look.regular(original)
    if mine is None or theirs is None:
        return False
    if mine.identity == theirs.identity:
        return not look.one_entry(path, original)
    return mine.size == theirs.size and look.holds(original, look.read_content(path)[0])
