"""Takes a backup folder into the journal that another library made, or one that was lost.

The manifest has all that undo and purge need. Every file is read and compared with it first, and
nothing outside the backup folder is taken for a part of it, whatever the manifest says.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.model import Relation
from image_duplicate_finder.progress import Progress, Step
from image_duplicate_finder.removal import fs, look
from image_duplicate_finder.removal.backup import (
    MANIFEST_NAME,
    origin_of,
    read_lines,
    stored_in,
)
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.plan_file import path_from_dict
from image_duplicate_finder.removal.records import BackupFolder, Item, RunState, State
from image_duplicate_finder.settings import BackupMode, RemovalAction

_PLAN = "adopted"


def adopt(journal: Journal, folder: str, progress: Progress) -> int:
    """Make a run of the backup in ``folder``; returns its number.

    A backup that the journal knows keeps the number it has. A backup that stood in its scanned
    folder may have been moved together with it, as with a drive that has another name now: then
    the files' paths move along. Raises NotFound when the folder is no backup or holds nothing
    any more. The caller holds the library's lock.
    """
    folder = fs.realpath(folder)
    for known in journal.backups():
        if fs.realpath(known.folder) == folder:
            return known.run
    move = _Move.of(folder)
    lines = read_lines(os.path.join(folder, MANIFEST_NAME))
    found = [item for line in lines if (item := _item(line, folder, move)) is not None]
    held: dict[str, Item] = {}
    for number, item in enumerate(found):
        if look.holds(item.stored, item.content):
            held[item.stored] = item
        progress(Step("adopt", number + 1, len(found), item.path, number + 1 - len(held)))
    if not held:
        raise NotFound(f"{folder} is no backup, or nothing is in it any more.")
    run = journal.begin_run(_PLAN, RemovalAction.BACKUP, BackupMode.REMOVED)
    journal.add_backup(BackupFolder(run, move.root, folder))
    journal.add_items([replace(item, run=run) for item in held.values()])
    journal.end_run(run, RunState.DONE)
    return run


@dataclass(frozen=True, slots=True)
class _Move:
    """Where the folder that a backup belongs to stood, and where it stands now."""

    before: str
    root: str

    @classmethod
    def of(cls, folder: str) -> _Move:
        """By what the backup's marker says; without it, nothing was moved."""
        around = os.path.dirname(os.path.dirname(folder))
        origin = origin_of(folder)
        if origin is None:
            return cls(around, around)
        stood_inside = os.path.dirname(os.path.dirname(origin.folder)) == origin.root
        return cls(origin.root, around if stood_inside else origin.root)

    def __call__(self, path: str) -> str:
        """The path now of a file that was at ``path``."""
        if not is_inside(path, self.before):
            return path
        return os.path.join(self.root, os.path.relpath(path, self.before))


def _item(line: dict[str, Any], folder: str, move: _Move) -> Item | None:
    """The item that a line of the manifest tells of; None for other lines and broken ones."""
    try:
        if line["event"] != "removed":
            return None
        keeper = move(path_from_dict(line, "keeper")) if "keeper" in line else None
        return Item(
            id=0,
            run=0,
            unit=int(line["unit"]),
            state=State.MOVED,
            action=RemovalAction(line.get("action", RemovalAction.BACKUP)),
            path=move(path_from_dict(line)),
            stored=stored_in(line, folder),
            content=bytes.fromhex(line["blake3"]),
            size=int(line["bytes"]),
            metadata=dict(line["metadata"]),
            keeper=keeper,
            keeper_content=None if keeper is None else bytes.fromhex(line["keeper_blake3"]),
            relation=None if keeper is None else Relation(line["relation"]),
            group=int(line.get("group", 0)),
            kind=str(line["kind"]),
            aim=path_from_dict(line, "aim") if "aim" in line else None,
        )
    except (KeyError, TypeError, ValueError):
        return None
