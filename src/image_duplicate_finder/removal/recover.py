"""What a start does about work that a crash, a kill or a power cut left unfinished.

Removals are finished when the whole unit is in the backup and its keepers stand; otherwise they
are rolled back. An undo goes on to its end, or back. A purge, which a person confirmed, goes on
where each keeper stands when it is looked at again; the other files stay in the backup.
Every step can itself be interrupted and is then simply done again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from image_duplicate_finder.removal import checks, look
from image_duplicate_finder.removal.actions import let_go_of_trashed, method_of
from image_duplicate_finder.removal.apply import folders_of, give_back, sync
from image_duplicate_finder.removal.backup import RunBackup, prune
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.moves import Where
from image_duplicate_finder.removal.purge import finish_purge
from image_duplicate_finder.removal.records import BackupFolder, Item, RunState, State
from image_duplicate_finder.removal.report import RecoveryReport
from image_duplicate_finder.removal.undo import (
    Places,
    check_stored,
    put_back_with_folder_time,
    settle_unit,
)
from image_duplicate_finder.removal.verify import not_in_manifest
from image_duplicate_finder.settings import RemovalAction


def recover(journal: Journal, matches: checks.Matches) -> RecoveryReport:
    """Settle everything unsettled. The caller holds the library's lock."""
    lines: list[str] = []
    interrupted = [run for run in journal.runs() if run.state == RunState.RUNNING]
    unsettled = journal.items(states=(State.INTENT, State.UNDOING, State.PURGING))
    places = Places(journal)
    touched = {run.id for run in interrupted} | {item.run for item in unsettled}
    for (run, _), found in groupby(
        sorted(unsettled, key=lambda i: (i.run, i.unit, i.id)), key=lambda i: (i.run, i.unit)
    ):
        unit = list(found)
        if _drive_is_gone(journal, unit) or _elsewhere(places, unit):
            lines.append(
                f"{unit[0].path}: neither it nor its backup can be reached. Connect the drive "
                "and start again; until then it stays unsettled."
            )
            touched.discard(run)
            continue
        settled = _settle(journal, unit, matches)
        lines += [_line(before, after) for before, after in zip(unit, settled, strict=True)]
    for run in interrupted:
        held = let_go_of_trashed(journal, _with_safety_lines(journal.items(run.id)))
        journal.update_items(item for item in held if item.state == State.MOVED)
    for number in sorted(touched):
        for backup in journal.backups(number):
            try:
                _complete_manifest(journal, backup)
                prune(backup.folder)
            except OSError as error:
                lines.append(f"{backup.folder}: could not be tidied up ({error.strerror}).")
    for run in interrupted:
        journal.end_run(run.id, RunState.INTERRUPTED)
        lines.append(f"Run {run.id}, started {run.started}, had been interrupted; it is settled.")
    return RecoveryReport(tuple(lines))


def _settle(journal: Journal, unit: Sequence[Item], matches: checks.Matches) -> list[Item]:
    """Settle one unit; what was done is on the disk before the journal says so."""
    state = unit[0].state
    if state == State.INTENT:
        settled = _finish_or_return(unit)
    elif state == State.UNDOING:
        settled = _finish_undo(unit)
    else:
        return finish_purge(unit, journal, matches)
    try:
        sync(folder for folder in folders_of(settled) if look.status(folder) is not None)
    except OSError:
        return list(unit)  # nothing is certain; the next start looks again
    journal.update_items(settled)
    return let_go_of_trashed(journal, settled)


def _finish_or_return(unit: Sequence[Item]) -> list[Item]:
    try:
        wheres = [method_of(item).settle(item, item.path) for item in unit]
        if all(where == Where.STORED for where in wheres):
            for item in unit:
                checks.after(item, None)
            return [replace(item, state=State.MOVED) for item in unit]
    except (Refused, OSError):
        pass  # not certain enough to finish: back, or left for the next start
    return [give_back(item) for item in unit]


def _finish_undo(unit: Sequence[Item]) -> list[Item]:
    try:
        for item in unit:
            place = item.destination or item.path
            if method_of(item).settle(item, place) == Where.STORED:
                check_stored(item)
                put_back_with_folder_time(item)
    except (Refused, OSError):
        pass
    return settle_unit(unit)


def _drive_is_gone(journal: Journal, unit: Sequence[Item]) -> bool:
    """Whether nothing of a unit can be seen, nor the backup folder that it was to go to."""
    folders = [backup.folder for backup in journal.backups(unit[0].run)]
    try:
        for item in unit:
            home = [f for f in folders if item.stored.startswith(f + os.sep)]
            if item.action == RemovalAction.TRASH:  # a backup that held nothing is gone for good
                home.append(os.path.dirname(item.path))
            if any(
                look.status(path) is not None
                for path in (item.path, item.destination or item.path, item.stored, *home)
            ):
                return False
    except OSError:
        return True
    return True


def _complete_manifest(journal: Journal, backup: BackupFolder) -> None:
    """Write lines that a power cut tore, from what the journal knows. Raises OSError."""
    if look.status(backup.folder) is not None:
        lacking = not_in_manifest(backup.folder, journal.items(backup.run))
        RunBackup(backup).record("removed", lacking)


def _elsewhere(places: Places, unit: Sequence[Item]) -> bool:
    """Whether files of a unit would come back to another volume than they came from."""
    try:
        for item in unit:
            if item.state != State.PURGING:
                places.check(item)
    except (Refused, OSError):
        return True
    return False


def _with_safety_lines(items: Iterable[Item]) -> list[Item]:
    """Items in the trash whose safety line outlived a crash, as they were before its end."""
    return [
        replace(item, state=State.MOVED)
        for item in items
        if item.action == RemovalAction.TRASH
        and item.state in (State.TRASHED, State.MOVED)
        and look.regular(item.stored) is not None
    ]


def _line(before: Item, after: Item) -> str:
    """What became of one file, for people."""
    path = before.path
    if after.state == State.MOVED:
        return f"{path}: is in the backup as {after.stored}." + (
            f" {after.note}" if after.note else ""
        )
    return {
        State.SKIPPED: f"{path}: its removal was interrupted; it is back in its place.",
        State.TRASHED: f"{path}: is in the system's trash.",
        State.RESTORED: f"{path}: its restoration was finished ({after.destination or path}).",
        State.PURGED: f"{path}: its purge was finished.",
        State.MISSING: f"{path}: is neither in its place nor in the backup; another program "
        "must have taken it.",
    }.get(after.state, f"{path}: is not settled yet. {after.note}")
