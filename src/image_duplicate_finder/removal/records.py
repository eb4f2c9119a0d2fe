"""What the journal knows: runs, their backup folders and items, and the states of these.

States of an item::

    intent -> moved -> undoing -> restored
       |        +----> purging -> purged
       |        +----> (trash) trashed -> undoing -> restored
       +-> skipped

``intent``, ``undoing`` and ``purging`` are left by recovery at the next start, one way or the
other (see recover.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal.volumes import Volume
from image_duplicate_finder.settings import BackupMode, RemovalAction


class State(StrEnum):
    """Where an item is; see the module's picture."""

    INTENT = "intent"
    MOVED = "moved"
    TRASHED = "trashed"
    SKIPPED = "skipped"
    UNDOING = "undoing"
    RESTORED = "restored"
    PURGING = "purging"
    PURGED = "purged"
    MISSING = "missing"


MERGED, WRITTEN = "merged", "written"
"""Kinds of items whose place stays in use; see :class:`Item`."""

UNSETTLED = (State.INTENT, State.UNDOING, State.PURGING)


class RunState(StrEnum):
    """``interrupted`` runs were ended by a crash and settled at a later start."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a run, as the journal has it.

    ``path`` is where it was, ``stored`` where its bytes are kept while it is ``moved``;
    ``content`` is its BLAKE3 hash, ``size`` its bytes. ``metadata`` holds mode, owner, times,
    extended attributes and the number of hard links. ``keeper`` is None for companions, whose
    ``kind`` is ``video`` or ``sidecar`` instead of ``picture``. A file that took over metadata is
    ``merged``: stored is the file as it was, and its keeper is what stands in its place. A sidecar
    that was not there before is ``written``: stored is a copy of it. ``aim`` is what a symbolic
    link at ``path`` says. ``destination`` is where an undo put the file or is putting it.
    ``folder_before`` and ``folder_after`` are the folder's mtime_ns around the removal, to
    bring that back too. ``adopted`` items come from a manifest that anyone may have written.
    """

    id: int
    run: int
    unit: int
    state: State
    action: RemovalAction
    path: str
    stored: str
    content: bytes
    size: int
    metadata: dict[str, Any] = field(hash=False)
    keeper: str | None = None
    keeper_content: bytes | None = None
    relation: Relation | None = None
    group: int = 0
    kind: str = "picture"
    aim: str | None = None
    folder_before: int | None = None
    folder_after: int | None = None
    destination: str | None = None
    note: str = ""
    changed: str = ""
    adopted: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One application of a plan. ``counts`` is by state; ``held`` are bytes in the backup."""

    id: int
    plan: str
    action: RemovalAction
    mode: BackupMode
    started: str
    finished: str | None
    state: RunState
    counts: dict[State, int] = field(hash=False, default_factory=dict)
    held: int = 0


@dataclass(frozen=True, slots=True)
class BackupFolder:
    """The folder that one run uses for the files of one root.

    ``mark`` is what its marker file has too, wherever the folder goes. ``volumes`` are those of
    the root and of what was mounted below it.
    """

    run: int
    root: str
    folder: str
    preserved: int = 0
    mark: str = ""
    volumes: tuple[Volume, ...] = ()


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """A row of the journal that is not as it was written; ``path`` as far as it can be read."""

    id: int
    run: int
    path: str
