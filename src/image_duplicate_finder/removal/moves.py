"""How one file leaves its place and comes back: into the backup or to the system's trash.

Within a volume a move is one rename that cannot replace. Across volumes the file is copied
under a temporary name, compared, given its name, and only then is the source taken away: first
renamed aside, checked once more, then removed. :func:`settle` brings any state that an
interruption can leave back to "in its place" or "stored". Temporary names carry the item's number,
so recovery finds them without searching.

Some trash cans delete for good (network drives, full cans). So a hard link in the backup, the
safety link, holds the file while it goes. The link is released only when the file was found in the
trash and its name there is on the disk; otherwise it stays as the backup. Where the trash cannot be
read (macOS, Windows), the system must still count another name for the file.
"""

from __future__ import annotations

import configparser
import contextlib
import errno
import itertools
import os
import sys
import urllib.parse
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Protocol

from blake3 import blake3

from image_duplicate_finder.messages import Stays
from image_duplicate_finder.model import FileStat
from image_duplicate_finder.removal import fs, probe
from image_duplicate_finder.removal.journal import Item
from image_duplicate_finder.removal.plan import Reason
from image_duplicate_finder.removal.probe import Refused

TEMPORARY_PREFIX = ".idf-moving-"
"""Names in the user's folders that begin so are ours and live only while a file moves."""


NAME_BYTES = 255
"""The longest name that common file systems take."""


class Where(Enum):
    """Where an item's bytes are after an interruption was tidied up."""

    PLACE = "place"
    STORED = "stored"
    NOWHERE = "nowhere"


class Method(Protocol):
    """How one file leaves its place and comes back. All raise Refused or OSError."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """Bring the file that was ``seen`` at ``item.path`` to ``item.stored``."""

    def restore(self, item: Item, place: str) -> None:
        """Bring it from ``item.stored`` to ``place``, which must be free."""

    def settle(self, item: Item, place: str) -> Where:
        """Tidy up after an interrupted :meth:`remove` or :meth:`restore`; say where it is."""


class ToBackup:
    """The file moves into the backup."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """See :class:`Method`."""
        move(item.path, item.stored, item, seen)

    def restore(self, item: Item, place: str) -> None:
        """See :class:`Method`."""
        restore(item, place)

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`Method`."""
        return settle(item, place)


def restore(item: Item, place: str) -> None:
    """Move a stored file to ``place``; refuses to replace what is there."""
    if probe.status(item.stored) is None:
        raise Refused(Reason.GONE, Stays.NOT_IN_BACKUP(path=item.stored))
    if probe.status(place) is not None:
        raise taken(place)
    seen = probe.regular(item.stored)
    if seen is None and item.adopted:
        raise Refused(Reason.CHANGED, Stays.PATH_IRREGULAR(path=item.stored))
    if seen is None:  # a folder or link that took the file's name just before it was moved
        fs.rename(item.stored, place)
    else:
        move(item.stored, place, item, seen)


def taken(place: str) -> Refused:
    """The refusal to put a file where another one is now."""
    return Refused(Reason.TAKEN, Stays.TAKEN(path=place))


def part_of(path: str, item: Item) -> str:
    """The temporary name beside ``path`` of a copy that is being written."""
    return _temporary(path, item, "part")


def aside_of(path: str, item: Item) -> str:
    """The temporary name beside ``path`` of a source whose copy is complete."""
    return _temporary(path, item, "aside")


def link_of(path: str, item: Item) -> str:
    """The temporary name beside ``path`` of a link that will be there, or was."""
    return _temporary(path, item, "link")


def _temporary(path: str, item: Item, what: str) -> str:
    mark = blake3(os.fsencode(item.stored)).hexdigest()[:8]
    return os.path.join(os.path.dirname(path), f"{TEMPORARY_PREFIX}{item.id}-{mark}.{what}")


def move(source: str, target: str, item: Item, seen: FileStat) -> None:
    """Bring the file that was ``seen`` at ``source`` to ``target``, which must not exist.

    Raises Refused when ``source`` was another file (it is rolled back), and OSError.
    A file of an adopted backup is copied, so that it is this user's own with nothing but what
    its item says, and no other name of it stays elsewhere.
    """
    if item.adopted and source == item.stored:
        _copy_over(source, target, item)
        return
    try:
        fs.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_over(source, target, item)
        return
    arrived = probe.regular(target)
    if arrived is None or not same_file(arrived, seen):
        raise Refused(Reason.CHANGED, Stays.CHANGED_WHILE_MOVED())


def same_file(one: FileStat, other: FileStat) -> bool:
    """Equal but for the time of the inode change, which a rename sets."""
    return (
        one.identity == other.identity and one.size == other.size and one.mtime_ns == other.mtime_ns
    )


def _copy_over(source: str, target: str, item: Item) -> None:
    part = part_of(target, item)
    seen = copy(source, part, item.content, item.metadata)
    fs.rename(part, target)
    fs.fsync_path(os.path.dirname(target))
    aside = aside_of(source, item)
    fs.rename(source, aside)
    moved = probe.regular(aside)
    if moved is None or not same_file(moved, seen):
        fs.rename(aside, source)
        raise Refused(Reason.CHANGED, Stays.REPLACED_WHILE_COPIED())
    fs.unlink(aside)


def copy(source: str, part: str, content: bytes, metadata: dict[str, object]) -> FileStat:
    """Write a copy of ``source`` to the new file ``part``, synced and compared.

    Returns the stat of the bytes that were read. Raises Refused when they do not hash to
    ``content``, and OSError.
    """
    reading = fs.open_read(source)
    try:
        digest = blake3()
        writing = fs.open_new(part)
        try:
            before = FileStat.of(fs.fstat(reading))
            while chunk := fs.read(reading):
                digest.update(chunk)
                fs.write(writing, chunk)
            after = FileStat.of(fs.fstat(reading))
            fs.fsync(writing)
        finally:
            fs.close(writing)
    finally:
        fs.close(reading)
    fs.set_metadata(part, metadata, source if "uid" in metadata else None)
    fs.fsync_path(part)
    if not before.unchanged(after) or digest.digest() != content:
        raise Refused(Reason.CHANGED, Stays.CHANGED_WHILE_COPIED())
    if probe.read_content(part)[0] != content:
        raise Refused(Reason.SYSTEM, Stays.COPY_DIFFERS())
    return after


def settle(item: Item, place: str) -> Where:
    """Remove what an interrupted move left between ``place`` and ``item.stored``.

    Nothing is unlinked unless the same content was just read under the other name. Raises
    OSError when the disk does not answer; then nothing is decided.
    """
    stored = item.stored
    for end, other in ((place, stored), (stored, place)):
        _settle_aside(end, other, item)
    for end, source in ((place, stored), (stored, place)):
        _settle_part(end, source, item)
    if probe.holds(place, item.content) and probe.holds(stored, item.content):
        if probe.one_entry(place, stored):  # someone made its folder a way into the backup
            return Where.PLACE
        # Two steps of a rename without the system's help, or a copy whose source is still there.
        fs.unlink(stored)
    if probe.status(stored) is not None:
        return Where.STORED
    return Where.PLACE if probe.status(place) is not None else Where.NOWHERE


def _settle_aside(end: str, other: str, item: Item) -> None:
    """A source that was renamed aside goes back, unless its copy is complete."""
    aside = aside_of(end, item)
    if probe.status(aside) is None:
        return
    if probe.status(end) is None:
        fs.rename(aside, end)
    elif probe.holds(aside, item.content) and (
        probe.holds(other, item.content) or probe.holds(end, item.content)
    ):
        fs.unlink(aside)
    else:  # it was written until the last moment, and its name was taken
        fs.rename(aside, free_name(end))


def _settle_part(end: str, source: str, item: Item) -> None:
    """An unfinished copy is deleted, unless it is complete and its source is gone."""
    part = part_of(end, item)
    if probe.status(part) is None:
        return
    if (
        probe.status(source) is None
        and probe.status(end) is None
        and probe.holds(part, item.content)
    ):
        fs.rename(part, end)
    else:
        fs.unlink(part)


def free_name(path: str) -> str:
    """A name beside ``path`` that nothing has: "a.jpg" becomes "a (restored).jpg"."""
    folder, name = os.path.split(path)
    stem, extension = os.path.splitext(name)
    for number in itertools.count(1):
        mark = " (restored)" if number == 1 else f" (restored {number})"
        room = NAME_BYTES - len(os.fsencode(mark + extension))
        candidate = os.path.join(folder, cut(stem, room) + mark + extension)
        if probe.status(candidate) is None:
            return candidate
    raise AssertionError("counting never ends")


def cut(name: str, room: int) -> str:
    """The longest beginning of a name that takes at most ``room`` bytes."""
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return name


class ToTrash:
    """The file goes to the system's trash."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """See :class:`Method`. Afterwards ``item.stored`` is the safety link."""
        try:
            fs.link(item.path, item.stored)
        except OSError as error:
            if error.errno in {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK}:
                raise Refused(Reason.VOLUME, Stays.TRASH_UNSAFE()) from error
            raise
        held = probe.regular(item.stored)
        if held is None or not same_file(held, seen):
            raise Refused(Reason.CHANGED, Stays.REPLACED_WHILE_REMOVED())
        fs.fsync_path(os.path.dirname(item.stored))
        fs.trash(item.path)
        if probe.status(item.path) is not None:
            raise Refused(Reason.SYSTEM, Stays.TRASH_REFUSED())

    def restore(self, item: Item, place: str) -> None:
        """See :class:`Method`."""
        if probe.status(place) is not None:
            raise taken(place)
        trashed = find(item)
        if probe.status(item.stored) is not None:
            restore(item, place)
            if trashed is not None:  # the second name of the same file
                fs.unlink(trashed)
                _forget(trashed)
            return
        seen = probe.regular(trashed) if trashed is not None else None
        if trashed is None or seen is None:
            raise Refused(Reason.GONE, Stays.IN_TRASH())
        move(trashed, place, item, seen)
        fs.fsync_path(os.path.dirname(place))  # without its note it would not be found again
        _forget(trashed)

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`Method`."""
        here, there = probe.status(place), probe.status(item.stored)
        if here is not None and there is not None and os.path.samestat(here, there):
            if probe.one_entry(place, item.stored):
                return Where.PLACE
            fs.unlink(item.stored)
            there = None
        if there is not None:
            return Where.STORED
        if here is not None:
            return Where.PLACE
        return Where.STORED if find(item) is not None else Where.NOWHERE


def surely_in_trash(items: Iterable[Item]) -> list[Item]:
    """Those whose safety link can be released: the trash has them, even after a power cut.

    Raises OSError when the disk does not say so.
    """
    counted = [item for item in items if _has_another_name(item)]
    if not counted:
        return []
    if sys.platform in ("darwin", "win32"):
        for item in counted:
            fs.fsync_path(item.stored)
        fs.sync_all()
        return counted
    names = _names_by_identity(counted)
    # Without its note a file cannot be found again, once the safety link is gone.
    found = [(i, name) for i in counted if (name := names.get((*_identity(i), i.path)))]
    folders: set[str] = set()
    for _, name in found:
        folder = os.path.dirname(name)
        info = _info(os.path.dirname(folder), os.path.basename(name))
        for path in (name, info):
            if probe.regular(path) is not None:
                fs.fsync_path(path)
        folders |= {folder, os.path.dirname(info)}
        # The first file may have brought the can and folders above it.
        folders.update(filter(fs.writable, probe.ancestors(os.path.dirname(folder))))
    for folder in sorted(folders):
        if probe.status(folder) is not None:
            fs.fsync_path(folder)
    return [item for item, _ in found]


def _has_another_name(item: Item) -> bool:
    held = probe.regular(item.stored)
    return held is not None and held.links > int(item.metadata.get("links", 1))


def _identity(item: Item) -> tuple[int, int]:
    return FileStat.of(fs.lstat(item.stored)).identity


def _names_by_identity(items: Iterable[Item]) -> dict[tuple[int, int, str], str]:
    """All files in the trash cans that these items may be in; each can is listed once.

    By device, inode and the path in the note.
    """
    cans = {can: top for item in items for can, top in _cans(item.path)}
    wanted = {_identity(item) for item in items}
    found: dict[tuple[int, int, str], str] = {}
    for can, top in cans.items():
        for path in _files_in(can):
            status = probe.regular(path)
            if status is not None and status.identity in wanted:
                origin = _origin(can, top, os.path.basename(path))
                found[(*status.identity, origin or "")] = path
    return found


def _files_in(can: str) -> list[str]:
    folder = os.path.join(can, "files")
    try:
        return [os.path.join(folder, name) for name in fs.names(folder)]
    except OSError:  # not there, or another user's
        return []


def find(item: Item) -> str | None:
    """Where the freedesktop.org trash keeps the file; None on other systems or when gone.

    By inode while the safety link exists, else by original path and content. Raises Refused
    when what it keeps under that path has other bytes now.
    """
    held = probe.status(item.stored)
    damaged = None
    for can, top in _cans(item.path):
        for path in _files_in(can):
            found = probe.status(path)
            if found is None:
                continue
            if held is not None:
                if os.path.samestat(found, held):
                    return path
            elif (
                found.st_size == item.size
                and _origin(can, top, os.path.basename(path)) == item.path
            ):
                if probe.holds(path, item.content):
                    return path
                damaged = path
    if damaged is not None:
        raise Refused(Reason.DAMAGED, Stays.TRASH_DAMAGED(path=damaged))
    return None


def _cans(path: str) -> Iterator[tuple[str, str]]:
    """The trash cans that a file of this path may have gone to (freedesktop.org Trash 1.0).

    Each with the folder that the relative paths in its notes start from.
    """
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    yield os.path.join(data, "Trash"), data
    if hasattr(os, "getuid"):
        for folder in probe.ancestors(os.path.dirname(path)):
            if os.path.ismount(folder):
                yield os.path.join(folder, ".Trash", str(os.getuid())), folder
                yield os.path.join(folder, f".Trash-{os.getuid()}"), folder


def _info(can: str, name: str) -> str:
    return os.path.join(can, "info", f"{name}.trashinfo")


def _origin(can: str, top: str, name: str) -> str | None:
    """The original path that the can remembers for one of its files."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(_info(can, name), encoding="utf-8")
        written = parser["Trash Info"]["Path"]
    except (OSError, KeyError, configparser.Error, UnicodeDecodeError):
        return None
    path = os.fsdecode(urllib.parse.unquote_to_bytes(written))
    return os.path.join(top, path)


def _forget(trashed: str) -> None:
    """Remove the note of a file that left the trash; one that stays behind harms nothing."""
    folder, name = os.path.split(trashed)
    with contextlib.suppress(OSError):
        fs.unlink(_info(os.path.dirname(folder), name))
