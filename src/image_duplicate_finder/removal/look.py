"""What stands at a path right now: stats, content, and whether it is inside a folder."""

from __future__ import annotations

import contextlib
import errno
import os
import stat as stat_bits
import time
from collections.abc import Iterable
from dataclasses import dataclass

from blake3 import blake3

from image_duplicate_finder.model import BACKUP_MARKER_NAME, FileStat
from image_duplicate_finder.own_files import is_cache, is_unmarked_entry
from image_duplicate_finder.removal import fs
from image_duplicate_finder.removal.plan import Reason

_FINE_TICK, _SECONDS_TICK = 15_000_000, 2_100_000_000  # nanoseconds
_NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})


class Refused(Exception):
    """A file stays where it is; ``reason`` and the message tell why. Never leaves removal."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def status(path: str) -> os.stat_result | None:
    """The status of whatever stands at ``path``, links not followed; None for nothing."""
    try:
        return fs.lstat(path)
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return None
        raise


def _followed(path: str) -> os.stat_result | None:
    try:
        return fs.stat(path)
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return None
        raise


def regular(path: str) -> FileStat | None:
    """The stat of the regular file at ``path``; None where there is none."""
    found = status(path)
    return FileStat.of(found) if found is not None and stat_bits.S_ISREG(found.st_mode) else None


def read_content(path: str) -> tuple[bytes, FileStat]:
    """The BLAKE3 hash of a file's bytes and the stat that these bytes have.

    Raises Refused when ``path`` is no regular file or changes while it is read, and OSError.
    """
    descriptor = fs.open_read(path)
    try:
        before = fs.fstat(descriptor)
        if not stat_bits.S_ISREG(before.st_mode):
            raise Refused(Reason.CHANGED, f"{path} is no regular file any more.")
        digest = blake3()
        while chunk := fs.read(descriptor):
            digest.update(chunk)
        after = fs.fstat(descriptor)
    finally:
        fs.close(descriptor)
    if not FileStat.of(before).unchanged(FileStat.of(after)):
        raise Refused(Reason.CHANGED, f"{path} changed while it was read.")
    return digest.digest(), FileStat.of(after)


def holds(path: str, content: bytes) -> bool:
    """Whether a regular file with just this content stands at ``path`` and can be read."""
    try:
        return regular(path) is not None and read_content(path)[0] == content
    except Refused:
        return False
    except OSError as error:
        if error.errno in _NOTHING_THERE | {errno.ELOOP}:
            return False
        raise


def check_readable(path: str) -> None:
    """Raises OSError when the file cannot be opened and read."""
    descriptor = fs.open_read(path)
    try:
        fs.read(descriptor)
    finally:
        fs.close(descriptor)


@dataclass(frozen=True, slots=True)
class Above:
    """The real folders above a path at this moment: their paths, and device and inode of each."""

    paths: tuple[str, ...]
    identities: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, path: str) -> Above:
        """Look at the folders above ``path``, all links resolved. Raises OSError."""
        paths = tuple(ancestors(fs.realpath(os.path.dirname(path))))
        found = [fs.stat(folder) for folder in paths]
        return cls(paths, frozenset((status.st_dev, status.st_ino) for status in found))

    @classmethod
    def in_folder(cls, folder: str) -> Above:
        """The same for what would be put into ``folder``, which need not exist yet."""
        paths = tuple(ancestors(fs.realpath(folder)))
        found = [there for path in paths if (there := _followed(path)) is not None]
        return cls(paths, frozenset((status.st_dev, status.st_ino) for status in found))

    def in_backup(self) -> bool:
        """Whether one of them is a backup of this program."""
        return any(
            status(os.path.join(folder, BACKUP_MARKER_NAME)) is not None for folder in self.paths
        )

    def in_cache(self) -> bool:
        """Whether one of them holds pictures that this program made to show them."""
        return any(is_cache(folder) for folder in self.paths)


def is_made_to_show(path: str) -> bool:
    """Whether a file is a picture that this program made to show it, and may delete any time."""
    folder, name = os.path.split(path)
    return is_unmarked_entry(os.path.basename(folder), name) or Above.of(path).in_cache()


class Folders:
    """A set of folders that answers for real paths: through links, doubles and letter case.

    A path is inside when one of its real ancestors is the same folder (device and inode) as one
    of the set, or lies below it by name. Answers are never kept: a folder can become a link to
    another one at any time.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._paths = [fs.realpath(folder) for folder in folders]
        self._identities: set[tuple[int, int]] = set()
        for folder in self._paths:
            with contextlib.suppress(OSError):  # a folder that is not there holds nothing
                found = fs.stat(folder)
                self._identities.add((found.st_dev, found.st_ino))

    def __bool__(self) -> bool:
        return bool(self._paths)

    def hold(self, above: Above) -> bool:
        """Whether what has these folders above it lies in one of the set."""
        return any(folder in self._paths for folder in above.paths) or not (
            above.identities.isdisjoint(self._identities)
        )


def ancestors(folder: str) -> list[str]:
    """The folder and all folders above it."""
    found = [folder]
    while (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found


def one_entry(path: str, other: str) -> bool:
    """Whether two paths lead to one entry of one folder, so that unlinking one unlinks both.

    True as well where that cannot be told from two links of a file: nothing may be unlinked
    then. Raises OSError.
    """
    mine, theirs = regular(path), regular(other)
    if mine is None or theirs is None:
        return False
    if mine.identity != theirs.identity:
        return one_storage(path, other)
    folders = [fs.stat(os.path.dirname(p)) for p in (path, other)]
    return mine.links == 1 or os.path.samestat(*folders)


def one_storage(path: str, other: str) -> bool:
    """Whether two paths of different device and inode show the same stored file.

    Union mounts (overlayfs, mergerfs), and one network share under two names, give a file
    another identity for each way that leads to it. So ``path`` is touched: its permissions are
    set to what they are, which moves the time of its inode change. Where that moves the other's
    as well, twice, it is the same file. False where this system or these rights do not allow
    the experiment; :meth:`.checks.after` looks again once the file has left. Raises OSError.
    """
    return touched_together(path, other) is True


def touched_together(path: str, other: str) -> bool | None:
    """What :func:`one_storage` finds out; None where the experiment cannot be made."""
    answer: bool | None = None
    for _ in range(2):
        mine, theirs = regular(path), regular(other)
        if mine is None or theirs is None:
            return None
        _let_the_clock_move(max(mine.ctime_ns, theirs.ctime_ns))
        if not fs.touch(path):
            return None
        moved, seen = regular(path), regular(other)
        if moved is None or seen is None or moved.ctime_ns == mine.ctime_ns:
            return None  # this volume keeps no such time
        answer = seen.ctime_ns != theirs.ctime_ns
        if not answer:
            return False
    return answer


def _let_the_clock_move(changed_ns: int) -> None:
    """Wait until a change now has another time than one at ``changed_ns``.

    File systems take the time from a clock that ticks every few milliseconds, or round it to
    seconds.
    """
    tick = _SECONDS_TICK if changed_ns % 1_000_000_000 == 0 else _FINE_TICK
    age = time.time_ns() - changed_ns
    if 0 <= age < tick:
        time.sleep((tick - age) / 1_000_000_000)
