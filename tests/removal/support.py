"""Folders full of copies to remove, and ways to tell whether anything was lost."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from blake3 import blake3

from image_duplicate_finder.model import FileStat, Relation
from image_duplicate_finder.removal import (
    Evidence,
    Plan,
    PlanFile,
    PlanItem,
    Remover,
    Report,
    make_plan,
)
from image_duplicate_finder.removal.backup import FOLDER_NAME
from image_duplicate_finder.removal.checks import look_around
from image_duplicate_finder.removal.plan import Surroundings, identified
from image_duplicate_finder.settings import BackupMode, RemovalAction

MEMORY = Path("/dev/shm")
"""A folder in memory, where Linux has it; another volume than the disk."""


def content_of(path: str | os.PathLike[str]) -> bytes:
    """The BLAKE3 hash of a file's bytes."""
    with open(path, "rb") as file:
        return blake3(file.read()).digest()


def plan_file(path: str | os.PathLike[str], identifier: str | None = None) -> PlanFile:
    """A file as a scan would know it."""
    path = os.fspath(path)
    return PlanFile(path, FileStat.of(os.lstat(path)), content_of(path), identifier)


def evidence(
    file: str | os.PathLike[str],
    keeper: str | os.PathLike[str],
    relation: Relation = Relation.BYTE_IDENTICAL,
) -> Evidence:
    """Evidence for removing one file in favour of another."""
    return Evidence(plan_file(file), plan_file(keeper), relation)


def plan_for(
    removals: Iterable[Evidence],
    root: str | os.PathLike[str] | Sequence[str],
    action: RemovalAction = RemovalAction.BACKUP,
    **options: Sequence[str],
) -> Plan:
    """A plan over one root, made as the program makes it."""
    roots = [os.fspath(root)] if isinstance(root, str | os.PathLike) else list(root)
    removals = list(removals)
    around: Surroundings = look_around(removals, roots, links=False)
    return make_plan(removals, roots=roots, action=action, surroundings=around, **options)


def any_match(_file: bytes, _keeper: bytes) -> bool:
    """The library that stores a match for all pairs."""
    return True


def apply(remover: Remover, plan: Plan, **options: object) -> Report:
    """Apply a plan in a library that stores a match for all pairs; keeps only what is removed."""
    options.setdefault("mode", BackupMode.REMOVED)
    return remover.apply(plan, matches=any_match, **options)  # type: ignore[arg-type]


def forged(plan: Plan, *removals: Evidence) -> Plan:
    """A plan that no make_plan wrote: all removals, unchecked."""
    return identified(replace(plan, items=tuple(PlanItem(w, n) for n, w in enumerate(removals))))


def write(path: str | os.PathLike[str], data: bytes, mtime_ns: int | None = None) -> str:
    """Make a file with its folders; returns its path."""
    path = os.fspath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


@dataclass(frozen=True)
class Entry:
    """All of a file or folder that an undo has to bring back."""

    kind: str
    mode: int
    mtime_ns: int
    content: bytes
    xattrs: tuple[tuple[str, bytes], ...]


def tree(root: str | os.PathLike[str], folder_times: bool = True) -> dict[bytes, Entry]:
    """A digest of everything below ``root`` but for backups; folders count with their times."""
    found: dict[bytes, Entry] = {}
    top = os.fsencode(root)
    for folder, folders, names in os.walk(top):
        if os.fsencode(FOLDER_NAME) in folders:
            folders.remove(os.fsencode(FOLDER_NAME))
        for name in folders + names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            kind, content = "file", b""
            if stat.S_ISLNK(status.st_mode):
                kind, content = "link", os.readlink(path)
            elif stat.S_ISDIR(status.st_mode):
                kind = "folder"
            elif stat.S_ISREG(status.st_mode):
                content = content_of(path)
            xattrs = tuple(
                (key, os.getxattr(path, key, follow_symlinks=False))
                for key in os.listxattr(path, follow_symlinks=False)
            )
            timed = kind == "file" or (folder_times and kind == "folder")
            mtime = status.st_mtime_ns if timed else 0
            found[os.path.relpath(path, top)] = Entry(
                kind, stat.S_IMODE(status.st_mode), mtime, content, xattrs
            )
    return found


def contents(*roots: str | os.PathLike[str]) -> Counter[bytes]:
    """How often each content stands under the roots, backups and temporary files included."""
    found: Counter[bytes] = Counter()
    for root in roots:
        for folder, _, names in os.walk(os.fsencode(root)):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISREG(os.lstat(path).st_mode):
                    found[content_of(path)] += 1
    return found


def reasons(report: Report) -> dict[str, str]:
    """Why each file was skipped, by its name."""
    return {Path(refusal.path).name: refusal.reason.value for refusal in report.skipped}
