"""Compares journal and backups with the disk: what ``idf doctor --verify`` tells."""

from __future__ import annotations

import os

from image_duplicate_finder.progress import Progress, Step
from image_duplicate_finder.removal import fs, look
from image_duplicate_finder.removal.backup import FOLDER_NAME, OWN_FILES
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.preserve import preserved_files
from image_duplicate_finder.removal.records import UNSETTLED, Item, State
from image_duplicate_finder.removal.report import VerifyReport


def verify(journal: Journal, progress: Progress) -> VerifyReport:
    """Read every file in the backups and compare it with the journal; changes nothing."""
    problems: list[str] = []
    items = journal.items(states=(State.MOVED, State.MISSING, *UNSETTLED))
    for number, item in enumerate(items):
        problem = _problem(item)
        if problem:
            problems.append(problem)
        progress(Step("check", number + 1, len(items), item.path, len(problems)))
    known = {item.stored for item in journal.items()}
    for backup in journal.backups():
        known |= {stored for stored, _ in preserved_files(backup)}
    for backup in journal.backups():
        if look.status(backup.folder) is not None:
            problems += [
                f"{path}: lies in a backup but is not in the journal; another program put it there."
                for path in _files_below(backup.folder)
                if path not in known and os.path.dirname(path) != backup.folder
            ]
    return VerifyReport(len(items), tuple(problems))


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
    """Backup folders in ``roots`` or among them, known to a journal or not, sorted."""
    found: set[str] = set()
    for root in roots:
        parent = root if os.path.basename(root) == FOLDER_NAME else os.path.join(root, FOLDER_NAME)
        try:
            inside = [os.path.join(parent, name) for name in fs.names(parent)]
        except OSError:  # not there, not a folder, or not to be looked at
            inside = []
        found.update(folder for folder in (root, *inside) if _is_backup(folder))
    return sorted(found)


def _is_backup(folder: str) -> bool:
    try:
        return all(look.status(os.path.join(folder, own)) is not None for own in OWN_FILES)
    except OSError:
        return False
