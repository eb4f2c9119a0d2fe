"""What removal tells its callers when it is done."""

from __future__ import annotations

from dataclasses import dataclass

from image_duplicate_finder.model import FileStat
from image_duplicate_finder.removal.plan import Refusal
from image_duplicate_finder.removal.records import BackupFolder, Item


@dataclass(frozen=True, slots=True)
class Restated:
    """A file whose stat changed with the hard link that a backup holds to it, and nothing else.

    Whoever knows the content of the file with stat ``before`` knows it with ``after``.
    """

    path: str
    before: FileStat
    after: FileStat


@dataclass(frozen=True, slots=True)
class Report:
    """What one apply or undo did.

    ``done`` are the files that were removed or restored, ``skipped`` those that stayed where
    they were, with reasons. ``stopped`` tells that the user stopped it before the end.
    ``preserved`` counts further files that the backup holds without taking space, or as copies.
    ``restated`` lets a library keep what it knows of those. ``merged`` are the files that took over
    metadata. ``notes`` are sentences for people.
    """

    run: int
    done: tuple[Item, ...]
    skipped: tuple[Refusal, ...]
    stopped: bool = False
    preserved: int = 0
    restated: tuple[Restated, ...] = ()
    notes: tuple[str, ...] = ()
    merged: tuple[Item, ...] = ()

    @property
    def total_bytes(self) -> int:
        """Bytes of the files in ``done``."""
        return sum(item.size for item in self.done)


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """``freed`` bytes by deleting ``purged`` files for good; ``kept`` ones with reasons.

    ``restated`` lets a library keep what it knows of files that a hard link preserved.
    """

    run: int
    purged: int
    freed: int
    kept: tuple[Refusal, ...]
    restated: tuple[Restated, ...] = ()


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What was found unfinished and how it was settled, in plain sentences; empty for nothing."""

    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What the journal says against what the disk says; ``problems`` is empty when they agree."""

    checked: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """A backup folder with what it holds now: ``files`` removed ones, of ``size`` bytes."""

    backup: BackupFolder
    started: str
    files: int
    size: int
    present: bool
