"""Takes a backup folder into the journal that another library made, or one that was lost.

The manifest has all that undo and purge need. Every file is read and compared with it first.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import look
from image_duplicate_finder.removal.backup import MANIFEST_NAME, read_lines
from image_duplicate_finder.removal.journal import BackupFolder, Item, Journal, RunState, State
from image_duplicate_finder.removal.plan_file import path_from_dict
from image_duplicate_finder.settings import BackupMode, RemovalAction

_PLAN = "adopted"


def adopt(journal: Journal, folder: str) -> int:
    """Make a run of the backup in ``folder``; returns its number.

    A backup that the journal knows keeps the number it has. Raises NotFound when the folder is
    no backup or holds nothing any more. The caller holds the library's lock.
    """
    for known in journal.backups():
        if known.folder == folder:
            return known.run
    lines = read_lines(os.path.join(folder, MANIFEST_NAME))
    found = [item for line in lines if (item := _item(line, folder)) is not None]
    held = {item.stored: item for item in found if look.holds(item.stored, item.content)}
    if not held:
        raise NotFound(f"{folder} is no backup, or nothing is in it any more.")
    run = journal.begin_run(_PLAN, RemovalAction.BACKUP, BackupMode.REMOVED)
    root = os.path.dirname(os.path.dirname(folder))
    journal.add_backup(BackupFolder(run, root, folder))
    journal.add_items([replace(item, run=run) for item in held.values()])
    journal.end_run(run, RunState.DONE)
    return run


def _item(line: dict[str, Any], folder: str) -> Item | None:
    """The item that a line of the manifest tells of; None for other lines and broken ones."""
    try:
        if line["event"] != "removed":
            return None
        keeper = path_from_dict(line, "keeper") if "keeper" in line else None
        return Item(
            id=0,
            run=0,
            unit=int(line["unit"]),
            state=State.MOVED,
            action=RemovalAction.BACKUP,
            path=path_from_dict(line),
            stored=os.path.join(folder, path_from_dict(line, "stored")),
            content=bytes.fromhex(line["blake3"]),
            size=int(line["bytes"]),
            metadata=dict(line["metadata"]),
            keeper=keeper,
            keeper_content=None if keeper is None else bytes.fromhex(line["keeper_blake3"]),
            relation=None if keeper is None else Relation(line["relation"]),
            group=int(line.get("group", 0)),
            kind=str(line["kind"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
