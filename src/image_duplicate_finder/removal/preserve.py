"""What a backup keeps beyond the removed files, by its mode.

``auto``: what stays of the groups that something is removed from, as long as that takes no space:
a reflink clone, else a hard link. ``full``: every scanned file of such a root, as clones, else as
copies, since a hard link would change together with its original. ``removed``: nothing more.
Which files these are is the caller's to say.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from image_duplicate_finder.errors import RemovalRefused
from image_duplicate_finder.model import FileStat
from image_duplicate_finder.progress import CancelToken
from image_duplicate_finder.removal import fs, look, moves
from image_duplicate_finder.removal.backup import (
    PRESERVED,
    UNFINISHED,
    RunBackup,
    read_manifest,
    stored_in,
)
from image_duplicate_finder.removal.journal import now
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.plan_file import path_from_dict, path_to_dict
from image_duplicate_finder.removal.records import BackupFolder
from image_duplicate_finder.removal.report import Restated
from image_duplicate_finder.settings import BackupMode

_NOT_HERE = frozenset(
    {errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV, errno.ENOSYS, errno.ENOTTY}
)
_LINES = 1000
_SPARE = 64 << 20
"""Bytes that a full backup leaves free on the volume."""

Way = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Preserved:
    """How many files were preserved, what their links changed, and a sentence or ""."""

    count: int = 0
    restated: tuple[Restated, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Coming:
    """A file that is about to be preserved as ``stored``."""

    path: str
    stored: str
    before: FileStat


def preserve(
    backup: RunBackup, paths: Sequence[str], mode: BackupMode, cancel: CancelToken
) -> Preserved:
    """Preserve files of one root.

    Raises RemovalRefused when the disk fails, or a full backup cannot be made; nothing of it
    is left then.
    """
    if mode == BackupMode.REMOVED or not paths:
        return Preserved()
    made: list[str] = []
    try:
        return _preserve(backup, paths, mode, cancel, made)
    except (OSError, Refused) as error:
        for stored in made:  # made a moment ago of files that were not touched
            with contextlib.suppress(OSError):
                fs.unlink(stored)
        raise RemovalRefused(
            f"The backup could not be made, so nothing was removed: {error}."
        ) from error


def _preserve(
    backup: RunBackup,
    paths: Sequence[str],
    mode: BackupMode,
    cancel: CancelToken,
    made: list[str],
) -> Preserved:
    """See :func:`preserve`; ``made`` gets the places of what was preserved."""
    tried: dict[str, FileStat | None] = {}
    ways = _ways(backup, paths, mode, tried)
    if not ways:
        return Preserved(
            note="This volume keeps copies only at the cost of space, so none were made."
        )
    if mode == BackupMode.FULL and ways == [_copy]:
        _check_space(backup, paths)
    restated: list[Restated] = []
    missed = 0
    for start in range(0, len(paths), _LINES):
        coming, refused = _coming(backup, paths[start : start + _LINES], mode, tried)
        missed += refused
        # The manifest first: nothing is to stand in a backup that it does not tell of.
        backup.record_preserved(_line(one, backup.backup.folder, ways[0]) for one in coming)
        for one in coming:
            if cancel.cancelled:
                break
            try:
                _make(one, ways[0])
            except OSError:
                if mode == BackupMode.FULL:
                    raise
                missed += 1
                continue
            made.append(one.stored)
            if ways == [fs.link]:
                restated += restated_by_link(one.path, one.before)
    note = f"{missed} files could not be preserved as well." if missed else ""
    return Preserved(len(made), tuple(restated), note)


def restated_by_link(path: str, before: FileStat | None) -> list[Restated]:
    """What a hard link that came or went since ``before`` changed in the stat of ``path``.

    Empty where nothing stands any more, or something else. Raises OSError.
    """
    after = look.regular(path)
    if before is None or after is None or not moves.same_file(before, after):
        return []
    return [Restated(path, before, after)]


def _ways(
    backup: RunBackup, paths: Sequence[str], mode: BackupMode, tried: dict[str, FileStat | None]
) -> list[Way]:
    """The ways to keep a second name or copy that this volume knows, tried on one file.

    ``tried`` gets the stat that each file it was tried on had before.
    """
    cheap: list[Way] = [fs.reflink] if mode == BackupMode.FULL else [fs.reflink, fs.link]
    found: list[Way] = []
    for way in cheap:
        trial = os.path.join(backup.backup.folder, UNFINISHED)
        for path in paths:
            try:
                tried.setdefault(path, look.regular(path))
                way(path, trial)
            except OSError as error:
                if error.errno in _NOT_HERE:
                    break
                continue  # this one file is the trouble: ask with the next
            fs.unlink(trial)
            found.append(way)
            break
        if found:
            return found
    return [_copy] if mode == BackupMode.FULL else []


def _copy(path: str, stored: str) -> None:
    """A copy on the disk, compared with what was read."""
    content, _ = look.read_content(path)
    moves.copy(path, stored, content, fs.metadata(path))


def _coming(
    backup: RunBackup,
    paths: Sequence[str],
    mode: BackupMode,
    tried: dict[str, FileStat | None],
) -> tuple[list[_Coming], int]:
    """Places for some files, and how many of them have gone or can have none. Raises OSError."""
    found: list[_Coming] = []
    for path in paths:
        try:
            before = tried.get(path) or look.regular(path)
            if before is not None:  # else deleted since the scan, or no file any more
                found.append(_Coming(path, backup.place_for(path, PRESERVED), before))
        except OSError:
            if mode == BackupMode.FULL:
                raise
    return found, len(paths) - len(found)


def _make(one: _Coming, way: Way) -> None:
    """Keep one file under another name until it is whole. Raises Refused and OSError."""
    unfinished = os.path.join(os.path.dirname(one.stored), UNFINISHED)
    try:
        way(one.path, unfinished)
        if way is fs.reflink:
            fs.set_metadata(unfinished, fs.metadata(one.path), one.path)
        fs.rename(unfinished, one.stored)
    except (OSError, Refused):
        with contextlib.suppress(OSError):
            fs.unlink(unfinished)
        raise


def _line(one: _Coming, folder: str, way: Way) -> dict[str, Any]:
    """What the manifest says of a preserved file."""
    return {
        "event": "preserved",
        "time": now(),
        **path_to_dict(one.path),
        **path_to_dict(os.path.relpath(one.stored, folder), "stored"),
        "bytes": one.before.size,
        "how": "reflink" if way is fs.reflink else "hard link" if way is fs.link else "copy",
    }


def _check_space(backup: RunBackup, paths: Sequence[str]) -> None:
    wanted = sum(found.size for path in paths if (found := look.regular(path)) is not None)
    free = fs.free_space(backup.backup.folder)
    if wanted + _SPARE > free:
        raise RemovalRefused(
            f"A full backup takes {wanted:,} bytes and {free:,} are free on the volume of "
            f"{backup.backup.root}. Free some space, or choose the backup mode 'auto' or "
            "'removed'. Nothing was changed."
        )


def preserved_files(backup: BackupFolder) -> Iterator[tuple[str, str]]:
    """(stored, original) of all preserved files that the manifest of a backup names."""
    for line in read_manifest(backup.folder).sound:
        if line.get("event") != "preserved":
            continue
        with contextlib.suppress(KeyError, TypeError, ValueError):  # a line that someone changed
            yield stored_in(line, backup.folder), path_from_dict(line)
