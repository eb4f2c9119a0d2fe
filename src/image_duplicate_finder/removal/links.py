"""What takes a removed file's place: a link to its keeper, or the file with more metadata.

A hard link, reflink clone or relative symlink is made beside the file under a temporary name and
verified; the file moves into the backup; the link takes its name. Only byte-identical files become
links, so removing a link never removes bytes that are not elsewhere. A file with more metadata is
written beside the old one, read again, and takes its place in the same way.

The file that a symbolic link leads to is all that is left of two, so it is never removed.
:class:`Targets` finds such files by three signs: the symbolic links below the scanned folders,
those that the journal knows of, and :data:`TRACE`, which travels with the file and tells other
libraries.
"""

from __future__ import annotations

import errno
import os
import stat as stat_bits
from collections.abc import Iterable, Iterator, Sequence

from image_duplicate_finder.messages import Stays
from image_duplicate_finder.model import BACKUP_MARKER_NAME, FileStat
from image_duplicate_finder.removal import fs, moves, probe
from image_duplicate_finder.removal.journal import MERGED, WRITTEN, Item, Journal, State
from image_duplicate_finder.removal.moves import Where, restore, taken
from image_duplicate_finder.removal.plan import Reason
from image_duplicate_finder.removal.probe import Refused
from image_duplicate_finder.settings import RemovalAction

TRACE = "user.image-duplicate-finder.links"
"""The extended attribute of a file that links in the place of others lead to: their paths.

Each link is written as its absolute path and its path from the file's folder, so that a folder
that moves as a whole is still understood. Paths end with a NUL.
"""

_NO_LINKS_HERE = frozenset(
    {errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOSYS}
)


_NO_TRACE_HERE = frozenset(
    {
        errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EACCES,
        errno.ENOSPC, errno.EDQUOT, errno.E2BIG, errno.ERANGE,
    }
)  # fmt: skip


def link_target_of(path: str, keeper: str) -> str:
    """The target of a symbolic link at ``path`` that leads to ``keeper``, relative if it can be."""
    return _from(
        os.path.join(fs.realpath(os.path.dirname(keeper)), os.path.basename(keeper)),
        fs.realpath(os.path.dirname(path)),
    )


def _from(path: str, folder: str) -> str:
    """``path`` as seen from a folder; as it is, where that is on another drive of Windows."""
    try:
        return os.path.relpath(path, folder)
    except ValueError:
        return path


class ToLink:
    """The file moves into the backup and a link to its keeper takes its place."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """See :class:`.Method`."""
        if fs.lstat(os.path.dirname(item.stored)).st_dev != seen.device:
            raise Refused(Reason.VOLUME, Stays.LINK_BACKUP_ELSEWHERE())
        link = moves.link_of(item.path, item)
        self._make(item, link)
        moves.move(item.path, item.stored, item, seen)
        fs.rename(link, item.path)

    def restore(self, item: Item, place: str) -> None:
        """See :class:`.Method`."""
        if probe.status(place) is None:
            restore(item, place)
            _untrace(item)
            return
        link = moves.link_of(place, item)
        if not is_ours(item, place):
            raise taken(place)
        fs.rename(place, link)
        if not is_ours(item, link):
            fs.rename(link, place)
            raise taken(place)
        restore(item, place)
        self._discard(item, link, place)
        _untrace(item)

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`.Method`."""
        link = moves.link_of(place, item)
        here, there = probe.status(place), probe.status(item.stored)
        if here is not None and there is not None and os.path.samestat(here, there):
            if probe.one_entry(place, item.stored):
                return Where.PLACE
            fs.unlink(item.stored)  # the first of two steps of a rename
            there = None
        if here is None and there is not None:  # between the file's leaving and the link's coming
            fs.rename(item.stored, place)
            here, there = there, None
        if probe.status(link) is not None and here is not None:
            self._discard(item, link, place)
        if there is not None:
            return Where.STORED
        _untrace(item)
        return Where.PLACE if here is not None else Where.NOWHERE

    @staticmethod
    def _make(item: Item, link: str) -> None:
        """Make the link under its temporary name and check that it is what it should be."""
        keeper = item.keeper or ""
        try:
            if item.action == RemovalAction.HARDLINK:
                fs.link(keeper, link)
            elif item.action == RemovalAction.REFLINK:
                fs.reflink(keeper, link)
            else:
                _trace(item)
                fs.symlink(item.link_target or "", link)
        except OSError as error:
            if error.errno in _NO_LINKS_HERE:
                raise Refused(
                    Reason.LINK,
                    Stays.NO_LINKS(
                        action=item.action.value, path=keeper, reason=os.strerror(error.errno)
                    ),
                ) from error
            raise
        if item.action == RemovalAction.SYMLINK:
            good = os.path.samestat(fs.stat(link), fs.lstat(keeper))
        else:
            good = probe.holds(link, item.content)
        if item.action == RemovalAction.REFLINK:
            fs.set_metadata(link, item.metadata)
        if not good:
            raise Refused(Reason.KEEPER_CHANGED, Stays.LINKED_KEEPER_CHANGED(path=keeper))

    @staticmethod
    def _discard(item: Item, link: str, place: str) -> None:
        """Remove a link of ours that is not in use; its bytes are elsewhere."""
        found = fs.lstat(link)
        begun_or_one_of_two = found.st_size == 0 or found.st_nlink > 1
        if begun_or_one_of_two or is_ours(item, link):
            fs.unlink(link)
        else:  # edited under its old name at the last moment
            fs.rename(link, moves.free_name(place))


class ToMerged(ToLink):
    """The file moves into the backup, and the one made by :func:`write_beside` takes its place."""

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`.Method`."""
        _drop(moves.part_of(place, item))
        return super().settle(item, place)

    @staticmethod
    def _make(item: Item, link: str) -> None:
        if not probe.holds(link, item.keeper_content or b""):
            raise Refused(Reason.CHANGED, Stays.NEW_FILE_CHANGED())


class ToWritten:
    """A sidecar that was not there before; ``stored`` is a copy, made first."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """See :class:`.Method`. Removing it again restores that there was none."""
        if not moves.same_file(seen, FileStat.of(fs.lstat(item.stored))):
            raise Refused(Reason.CHANGED, Stays.NEW_COPY_CHANGED())
        fs.rename(moves.link_of(item.path, item), item.path)
        if not probe.holds(item.path, item.content):
            raise Refused(Reason.CHANGED, Stays.NEW_CHANGED())

    def restore(self, item: Item, place: str) -> None:
        """See :class:`.Method`."""
        if place == item.path and probe.status(place) is not None:
            if not is_ours(item, place):
                raise taken(place)
            fs.unlink(place)
        _drop(item.stored)

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`.Method`."""
        _drop(moves.part_of(item.path, item))
        _drop(moves.part_of(item.stored, item))
        _drop(moves.link_of(item.path, item))
        if place == item.path and probe.status(item.stored) is not None and is_ours(item, place):
            return Where.STORED
        _drop(item.stored)
        return Where.PLACE


def write_beside(item: Item, data: bytes, name: str) -> None:
    """Write a file, whole or not at all, to ``name``, with what the item says of its metadata."""
    part = moves.part_of(item.stored if name == item.stored else item.path, item)
    descriptor = fs.open_new(part)
    try:
        fs.write(descriptor, data)
        fs.fsync(descriptor)
    finally:
        fs.close(descriptor)
    if item.metadata:
        fs.set_metadata(part, item.metadata)
        fs.fsync_path(part)
    fs.rename(part, name)
    fs.fsync_path(os.path.dirname(name))


def _drop(path: str) -> None:
    """Unlink a file of ours that is not in use."""
    if probe.status(path) is not None:
        fs.unlink(path)


def is_ours(item: Item, path: str) -> bool:
    """Whether ``path`` is what this item put there, with nothing else in it.

    An adopted item may never have made one: a symbolic link is its own only where the file that
    it leads to says so, and another file only with exactly this content.
    """
    if item.kind in (MERGED, WRITTEN):
        return probe.holds(path, item.keeper_content or item.content)
    found = probe.status(path)
    if found is None:
        return False
    if stat_bits.S_ISLNK(found.st_mode):
        return (
            item.link_target is not None
            and fs.readlink(path) == item.link_target
            and (not item.adopted or _traced(item, path))
        )
    if not stat_bits.S_ISREG(found.st_mode) or item.link_target is not None:
        return False
    if probe.holds(path, item.content):
        return True
    if item.adopted:
        return False
    keeper = probe.status(item.keeper) if item.keeper else None
    return keeper is not None and os.path.samestat(found, keeper)


def _trace(item: Item) -> None:
    """Record on the keeper that a link at the item's path leads to it, where the volume allows."""
    entries = _entries(item.keeper or "")
    wanted = [entry for entry in _ways(item) if entry not in entries]
    try:
        _set_entries(item.keeper or "", [*entries, *wanted])
    except OSError as error:  # the other two signs are left
        if error.errno not in _NO_TRACE_HERE:
            raise


def _untrace(item: Item) -> None:
    """Remove the item's link from the record on its keeper."""
    if item.action != RemovalAction.SYMLINK or item.keeper is None:
        return
    entries = _entries(item.keeper)
    left = [entry for entry in entries if entry not in _ways(item)]
    if left != entries:
        _set_entries(item.keeper, left)


def _traced(item: Item, link: str) -> bool:
    """Whether the file at the end of a symbolic link has the item's path on record."""
    target = fs.realpath(link)
    ways = item.path, _from(item.path, os.path.dirname(target))
    entries = _entries(target)
    return any(os.fsencode(way) in entries for way in ways)


def _ways(item: Item) -> tuple[bytes, bytes]:
    keeper = fs.realpath(os.path.dirname(item.keeper or ""))
    path = os.path.join(fs.realpath(os.path.dirname(item.path)), os.path.basename(item.path))
    return os.fsencode(path), os.fsencode(_from(path, keeper))


def _entries(path: str) -> list[bytes]:
    """The links that are on record on a file. Raises OSError when the disk does not say."""
    value = fs.attribute(path, TRACE) if probe.regular(path) is not None else None
    return (value or b"").split(b"\0")[:-1]


def _set_entries(path: str, entries: Sequence[bytes]) -> None:
    fs.set_attribute(path, TRACE, b"".join(entry + b"\0" for entry in entries))
    fs.fsync_path(path)


class Targets:
    """The files that symbolic links lead to, as far as they can be known from here."""

    def __init__(self, links: Iterable[str]) -> None:
        self._links: dict[tuple[int, int], list[str]] = {}
        for link in links:
            identity = _led_to(link)
            if identity is not None:
                self._links.setdefault(identity, []).append(link)

    def link_to(self, path: str, identity: tuple[int, int]) -> str | None:
        """A symbolic link that leads to the file at this moment, or None. Raises OSError."""
        folder = fs.realpath(os.path.dirname(path))
        traced = (os.path.join(folder, os.fsdecode(entry)) for entry in _entries(path))
        known: list[str] = [*self._links.get(identity, ()), *map(os.path.normpath, traced)]
        for link in known:
            if _led_to(link) == identity:
                return link
        return None


def _led_to(link: str) -> tuple[int, int] | None:
    """Device and inode of the file at the end of a symbolic link; None for anything else."""
    try:
        if not stat_bits.S_ISLNK(fs.lstat(link).st_mode):
            return None
        found = fs.stat(link)
    except OSError:  # nothing there, a loop, or it leads to nothing already
        return None
    return (found.st_dev, found.st_ino) if stat_bits.S_ISREG(found.st_mode) else None


def links_below(roots: Iterable[str]) -> Iterator[str]:
    """All symbolic links below some folders, backups left out. What cannot be read is skipped."""
    waiting, seen = list(roots), set[str]()
    while waiting:
        folder = waiting.pop()
        if folder in seen:
            continue
        seen.add(folder)
        try:
            links, folders = fs.links_and_folders(folder)
            if probe.status(os.path.join(folder, BACKUP_MARKER_NAME)) is not None:
                continue
        except OSError:
            continue
        yield from links
        waiting += folders


def links_of(journal: Journal) -> list[str]:
    """Where the journal says that symbolic links took the place of files, also of purged ones."""
    states = (State.MOVED, State.MISSING, State.PURGING, State.PURGED, State.UNDOING)
    return [item.path for item in journal.items(states=states, actions=(RemovalAction.SYMLINK,))]
