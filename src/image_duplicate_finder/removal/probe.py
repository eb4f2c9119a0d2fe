"""What is at a path right now: stats, content, the folders above it and its volume.

Volumes matter because a drive can be unmounted, so that its mount point is an empty folder of
another volume, or another drive can be mounted in its place. A removal records the volumes of its
folders; an undo checks them before it writes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat as stat_bits
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from blake3 import blake3

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.messages import Message, Stays
from image_duplicate_finder.model import BACKUP_MARKER_NAME, FileStat
from image_duplicate_finder.own_files import is_cache, is_unmarked_entry
from image_duplicate_finder.removal import fs
from image_duplicate_finder.removal.plan import Reason, Refusal

_FINE_TICK, _SECONDS_TICK = 15_000_000, 2_100_000_000  # nanoseconds
_NOTHING_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})


class Refused(Exception):
    """A file stays where it is; ``reason`` and ``why`` say more. Never leaves removal."""

    def __init__(self, reason: Reason, why: Message) -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why

    def of(self, path: str) -> Refusal:
        """The refusal of one file for this reason."""
        return Refusal(path, self.reason, self.why)


def status(path: str) -> os.stat_result | None:
    """The status of whatever is at ``path``, links not followed; None for nothing."""
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
            raise Refused(Reason.CHANGED, Stays.PATH_IRREGULAR(path=path))
        digest = blake3()
        while chunk := fs.read(descriptor):
            digest.update(chunk)
        after = fs.fstat(descriptor)
    finally:
        fs.close(descriptor)
    if not FileStat.of(before).unchanged(FileStat.of(after)):
        raise Refused(Reason.CHANGED, Stays.CHANGED_WHILE_READ(path=path))
    return digest.digest(), FileStat.of(after)


def holds(path: str, content: bytes) -> bool:
    """Whether ``path`` is a regular file with exactly this content that can be read."""
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
class Ancestors:
    """The real folders above a path at this moment: their paths, and device and inode of each."""

    paths: tuple[str, ...]
    identities: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, path: str) -> Ancestors:
        """The folders above ``path``, all links resolved. Raises OSError."""
        paths = tuple(ancestors(fs.realpath(os.path.dirname(path))))
        found = [fs.stat(folder) for folder in paths]
        return cls(paths, frozenset((status.st_dev, status.st_ino) for status in found))

    @classmethod
    def of_folder(cls, folder: str) -> Ancestors:
        """The same for a file in ``folder``, which need not exist yet."""
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
    return is_unmarked_entry(os.path.basename(folder), name) or Ancestors.of(path).in_cache()


class Folders:
    """A set of folders that answers for real paths, whatever leads there: links, mounts or case.

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

    def contains(self, ancestors: Ancestors) -> bool:
        """Whether a path with these ancestors lies in one of the folders."""
        return any(folder in self._paths for folder in ancestors.paths) or not (
            ancestors.identities.isdisjoint(self._identities)
        )


def ancestors(folder: str) -> list[str]:
    """The folder and all folders above it."""
    found = [folder]
    while (above := os.path.dirname(found[-1])) != found[-1]:
        found.append(above)
    return found


def one_entry(path: str, other: str) -> bool:
    """Whether two paths lead to one entry of one folder, so that unlinking one unlinks both.

    Also true where it cannot be distinguished from two links of a file: then nothing may be
    unlinked. Raises OSError.
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
    the experiment; :func:`.checks.after` checks again once the file has left. Raises OSError.
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
    """Wait until a change made now gets a later time than ``changed_ns``.

    File systems take the time from a clock that ticks every few milliseconds, or round it to
    seconds.
    """
    tick = _SECONDS_TICK if changed_ns % 1_000_000_000 == 0 else _FINE_TICK
    age = time.time_ns() - changed_ns
    if 0 <= age < tick:
        time.sleep((tick - age) / 1_000_000_000)


_LASTING = frozenset({"ext2", "ext3", "ext4", "btrfs", "bcachefs", "zfs", "tmpfs"})
"""File systems whose number (statvfs) belongs to the volume; elsewhere it follows the device."""

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "afpfs"})
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Same(Enum):
    """Whether two paths were on one volume."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Volume:
    """A mounted volume, as far as the system reports it.

    ``mount`` is the mount point, ``inside`` the folder of the volume that is mounted there,
    ``source`` what is mounted; ``uuid`` and ``number`` identify the file system, ``device`` is
    its number until the next mount.
    """

    mount: str
    device: int = 0
    kind: str = ""
    source: str = ""
    inside: str = "/"
    uuid: str = ""
    number: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON; names that are not UTF-8 stay as escaped surrogates."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Volume:
        """What :meth:`to_dict` wrote. Raises KeyError, TypeError and ValueError."""
        mount, kind, source, inside, uuid = (
            str(values[name]) for name in ("mount", "kind", "source", "inside", "uuid")
        )
        device, number = int(values["device"]), int(values["number"])
        return cls(mount, device, kind, source, inside, uuid, number)


def same(then: Volume, now: Volume) -> Same:
    """Whether ``now`` is the volume that ``then`` was, mounted at the same place."""
    if then.uuid and now.uuid and then.uuid != now.uuid:
        return Same.NO
    if then.kind != now.kind:
        return Same.NO
    numbers = bool(then.number and now.number)
    if then.kind in _LASTING and numbers and then.number != now.number:
        return Same.NO
    if then.mount != now.mount or then.inside != now.inside:
        return Same.UNKNOWN  # a bind mount that is not there looks like the volume around it
    if then.uuid and then.uuid == now.uuid:
        return Same.YES
    if numbers and then.number == now.number:
        return Same.YES
    if then.kind in _NETWORK and then.source == now.source:
        return Same.YES
    if not numbers and then.device == now.device and then.source == now.source:
        return Same.YES
    return Same.UNKNOWN


def same_drive(one: Volume, other: Volume) -> bool:
    """Whether both are surely one file system, wherever it was mounted."""
    if one.kind != other.kind or one.inside != other.inside:
        return False
    if one.uuid and other.uuid:
        return one.uuid == other.uuid
    return one.kind in _LASTING and bool(one.number) and one.number == other.number


def volume_of(path: str) -> Volume:
    """The volume that ``path`` is on, or would be. Raises OSError."""
    while status(path) is None and (above := os.path.dirname(path)) != path:
        path = above
    return _described(fs.realpath(path), _mounts())


def volumes_below(root: str) -> list[Volume]:
    """The volume of ``root``, and those that are mounted below it. Raises OSError."""
    mounts = _mounts()
    real = fs.realpath(root)
    places = dict.fromkeys([real, *(m.mount for m in mounts if is_inside(m.mount, real))])
    return [_described(place, mounts) for place in places if status(place) is not None]


def recorded_for(path: str, volumes: Iterable[Volume]) -> Volume | None:
    """Which of some recorded volumes ``path`` was on."""
    holding = [v for v in volumes if path == v.mount or is_inside(path, v.mount)]
    return max(holding, key=lambda v: len(v.mount), default=None)


def _described(path: str, mounts: list[Volume]) -> Volume:
    device, number = fs.volume_numbers(path)
    uuid = fs.volume_uuid(device)
    if not mounts:
        while not os.path.ismount(path) and (above := os.path.dirname(path)) != path:
            path = above
        return Volume(path, device, sys.platform, uuid=uuid, number=number)
    mount = recorded_for(path, mounts) or Volume("/")
    return Volume(mount.mount, device, mount.kind, mount.source, mount.inside, uuid, number)


def _mounts() -> list[Volume]:
    """All mounts of this process (Linux), the uppermost of each place; empty elsewhere."""
    found: dict[str, Volume] = {}
    for line in fs.mounts().splitlines():
        before, dash, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if dash and len(fields) >= 5 and len(rest) >= 2:
            mount = _plain(fields[4])
            found[mount] = Volume(
                mount, kind=rest[0], source=_plain(rest[1]), inside=_plain(fields[3])
            )
    return list(found.values())


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)
