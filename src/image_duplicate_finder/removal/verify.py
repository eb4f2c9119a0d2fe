"""Compares journal and backups with the disk: what ``idf doctor --verify`` tells."""

from __future__ import annotations

import os
from collections.abc import Iterable

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.model import BACKUP_MARKER_NAME
from image_duplicate_finder.progress import Progress, Step
from image_duplicate_finder.removal import fs, look
from image_duplicate_finder.removal.backup import (
    FOLDER_NAME,
    MANIFEST_NAME,
    origin_of,
    read_manifest,
)
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.plan_file import path_from_dict
from image_duplicate_finder.removal.preserve import preserved_files
from image_duplicate_finder.removal.records import UNSETTLED, Item, State
from image_duplicate_finder.removal.report import VerifyReport


def verify(journal: Journal, progress: Progress, folders: tuple[str, ...]) -> VerifyReport:
    """Read every file in the backups and compare it with the journal; changes nothing.

    Also told are rows that are damaged, and what lies on the disk without a row, in backups and
    as whole backups in or beside ``folders``.
    """
    problems: list[str] = []
    items = journal.items(states=(State.MOVED, State.MISSING, *UNSETTLED))
    for number, item in enumerate(items):
        problem = _problem(item)
        if problem:
            problems.append(problem)
        progress(Step("check", number + 1, len(items), item.path, len(problems)))
    problems += [
        f"{row.path or 'a file'}: its row in the journal (run {row.run}, number {row.id}) is "
        "damaged. The manifest of its backup may still know it: idf adopt takes it from there."
        for row in journal.damaged()
    ]
    problems += [
        f"{folder}: the journal's row of this backup is damaged. Its files are known each by "
        "itself."
        for folder in journal.damaged_backups()
    ]
    known = {item.stored for item in journal.items()}
    for backup in journal.backups():
        known |= {stored for stored, _ in preserved_files(backup)}
    here = [backup.folder for backup in journal.backups() if look.status(backup.folder)]
    for folder in here:
        problems += _without_row(folder, known)
        lacking = not_in_manifest(folder, items)
        if lacking:
            problems.append(
                f"{folder}: its manifest lacks {len(lacking)} of its files; lines of it are "
                "damaged. The journal knows them."
            )
    made = {fs.realpath(folder) for folder in here}
    parents = {os.path.dirname(os.path.dirname(b.folder)) for b in journal.backups()}
    for folder in find_backups(tuple(sorted({*folders, *parents}))):
        if fs.realpath(folder) not in made:
            problems.append(
                f"{folder}: a backup that the journal does not know: another library made it, or "
                f"the journal was lost or replaced. To take it over: idf adopt {folder}"
            )
    return VerifyReport(len(items), tuple(problems))


def not_in_manifest(folder: str, items: Iterable[Item]) -> list[Item]:
    """Those that a backup holds without a sound line of its manifest that says so."""
    told = _told(folder)
    return [
        item
        for item in items
        if item.state == State.MOVED
        and item.stored.startswith(folder + os.sep)
        and item.stored not in told
    ]


def _told(folder: str) -> set[str]:
    """The places in a backup that its manifest names for removed files."""
    return {
        os.path.normpath(os.path.join(folder, path_from_dict(line, "stored")))
        for line in read_manifest(folder).sound
        if line.get("event") == "removed" and isinstance(line.get("stored"), str)
    }


def _without_row(folder: str, known: set[str]) -> list[str]:
    """What lies in a backup although the journal does not know it."""
    told = _told(folder)
    return [
        f"{path}: lies in a backup and its manifest, but the journal lost it. To take it back: "
        f"idf adopt {folder}"
        if path in told
        else f"{path}: lies in a backup but is not in the journal; another program put it there."
        for path in _files_below(folder)
        if path not in known and os.path.dirname(path) != folder
    ]


def _problem(item: Item) -> str | None:
    """What is wrong with one item, or None."""
    try:
        if item.state in UNSETTLED:
            return f"{item.path}: unsettled ({item.state}). {item.note or 'Start again to settle.'}"
        if look.regular(item.stored) is None:
            where = "is neither in its place nor" if look.status(item.path) is None else "is not"
            return f"{item.path}: {where} in the backup as {item.stored}."
        if not look.holds(item.stored, item.content):
            return f"{item.path}: its file in the backup, {item.stored}, has changed."
    except OSError as error:
        return f"{item.path}: its file in the backup cannot be read: {error.strerror}."
    return None


def _files_below(folder: str) -> list[str]:
    """All entries below a folder that are no folders, but for the program's own at its top."""
    found: list[str] = []
    for name in fs.names(folder):
        path = os.path.join(folder, name)
        if (fs.lstat(path).st_mode & 0o170000) == 0o040000:
            found += _files_below(path)
        else:
            found.append(path)
    return found


def find_backups(roots: tuple[str, ...]) -> list[str]:
    """Backup folders in ``roots`` or among them, known to a journal or not, sorted.

    Also those that stand beside a root, or further up, and were made for files in it.
    """
    found: set[str] = set()
    for root in roots:
        found.update(folder for folder in (root, *_backups_in(root)) if _is_backup(folder))
        for above in look.ancestors(os.path.dirname(root)):
            for folder in _backups_in(above):
                origin = origin_of(folder) if _is_backup(folder) else None
                if origin is not None and is_inside(fs.realpath(origin.root), fs.realpath(root)):
                    found.add(folder)
    return sorted(found)


def _backups_in(folder: str) -> list[str]:
    parent = folder
    if os.path.basename(folder) != FOLDER_NAME:
        parent = os.path.join(folder, FOLDER_NAME)
    try:
        return [os.path.join(parent, name) for name in fs.names(parent)]
    except OSError:  # not there, not a folder, or not to be looked at
        return []


def _is_backup(folder: str) -> bool:
    try:
        own = (MANIFEST_NAME, BACKUP_MARKER_NAME)
        return all(look.status(os.path.join(folder, name)) is not None for name in own)
    except OSError:
        return False
