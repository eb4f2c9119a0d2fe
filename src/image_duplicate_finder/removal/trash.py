"""The system's trash, with a safety line.

Some trash cans delete for good (network drives, full cans). So a hard link in the backup holds
the file while it goes. Only when the file was found in the trash, and the trash's name for it is
on the disk, is the safety line let go; else it stays as the backup. Where the trash cannot be
looked into (macOS, Windows), the system must still count another name for the file.
"""

from __future__ import annotations

import configparser
import contextlib
import errno
import os
import sys
import urllib.parse
from collections.abc import Iterable, Iterator

from image_duplicate_finder.model import FileStat
from image_duplicate_finder.removal import fs, look, moves
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.methods import put_back, taken
from image_duplicate_finder.removal.moves import Where
from image_duplicate_finder.removal.plan import Reason
from image_duplicate_finder.removal.records import Item


class ToTrash:
    """The file goes to the system's trash."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """See :class:`methods.Method`. Afterwards ``item.stored`` is the safety line."""
        try:
            fs.link(item.path, item.stored)
        except OSError as error:
            if error.errno in {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK}:
                raise Refused(
                    Reason.VOLUME,
                    "The trash is not safe to use on this volume; remove into the backup instead.",
                ) from error
            raise
        held = look.regular(item.stored)
        if held is None or not moves.same_file(held, seen):
            raise Refused(Reason.CHANGED, "It was replaced while it was being removed.")
        fs.fsync_path(os.path.dirname(item.stored))
        fs.trash(item.path)
        if look.status(item.path) is not None:
            raise Refused(Reason.SYSTEM, "The system's trash did not take it.")

    def put_back(self, item: Item, place: str) -> None:
        """See :class:`methods.Method`."""
        if look.status(place) is not None:
            raise taken(place)
        trashed = find(item)
        if look.status(item.stored) is not None:
            put_back(item, place)
            if trashed is not None:  # the second name of the same file
                fs.unlink(trashed)
                _forget(trashed)
            return
        seen = look.regular(trashed) if trashed is not None else None
        if trashed is None or seen is None:
            raise Refused(
                Reason.GONE, "It is in the system's trash; restore it from there by hand."
            )
        moves.move(trashed, place, item, seen)
        fs.fsync_path(os.path.dirname(place))  # without its note it would not be found again
        _forget(trashed)

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`methods.Method`."""
        here, there = look.status(place), look.status(item.stored)
        if here is not None and there is not None and os.path.samestat(here, there):
            if look.one_entry(place, item.stored):
                return Where.PLACE
            fs.unlink(item.stored)
            there = None
        if there is not None:
            return Where.STORED
        if here is not None:
            return Where.PLACE
        return Where.STORED if find(item) is not None else Where.NOWHERE


def surely_in_trash(items: Iterable[Item]) -> list[Item]:
    """Those whose safety line is not needed any more: the trash has them, also after a power cut.

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
    # Without its note a file cannot be found again, once the safety line is gone.
    found = [(i, name) for i in counted if (name := names.get((*_identity(i), i.path)))]
    folders: set[str] = set()
    for _, name in found:
        folder = os.path.dirname(name)
        info = _info(os.path.dirname(folder), os.path.basename(name))
        for path in (name, info):
            if look.regular(path) is not None:
                fs.fsync_path(path)
        folders |= {folder, os.path.dirname(info)}
        # The first file may have brought the can and folders above it.
        folders.update(filter(fs.writable, look.ancestors(os.path.dirname(folder))))
    for folder in sorted(folders):
        if look.status(folder) is not None:
            fs.fsync_path(folder)
    return [item for item, _ in found]


def _has_another_name(item: Item) -> bool:
    held = look.regular(item.stored)
    return held is not None and held.links > int(item.metadata.get("links", 1))


def _identity(item: Item) -> tuple[int, int]:
    return FileStat.of(fs.lstat(item.stored)).identity


def _names_by_identity(items: Iterable[Item]) -> dict[tuple[int, int, str], str]:
    """All files in the trash cans that these items may have gone to; each can is listed once.

    By device, inode and the path that the note tells.
    """
    cans = {can: top for item in items for can, top in _cans(item.path)}
    wanted = {_identity(item) for item in items}
    found: dict[tuple[int, int, str], str] = {}
    for can, top in cans.items():
        for path in _files_in(can):
            status = look.regular(path)
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

    By inode while the safety line stands, else by original path and content. Raises Refused
    when what it keeps under that path has other bytes now.
    """
    held = look.status(item.stored)
    damaged = None
    for can, top in _cans(item.path):
        for path in _files_in(can):
            found = look.status(path)
            if found is None:
                continue
            if held is not None:
                if os.path.samestat(found, held):
                    return path
            elif (
                found.st_size == item.size
                and _origin(can, top, os.path.basename(path)) == item.path
            ):
                if look.holds(path, item.content):
                    return path
                damaged = path
    if damaged is not None:
        raise Refused(
            Reason.DAMAGED,
            f"Its bytes in the system's trash are not those that were removed: {damaged}. It was "
            "not put back.",
        )
    return None


def _cans(path: str) -> Iterator[tuple[str, str]]:
    """The trash cans that a file of this path may have gone to (freedesktop.org Trash 1.0).

    Each with the folder that the relative paths in its notes start from.
    """
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    yield os.path.join(data, "Trash"), data
    if hasattr(os, "getuid"):
        for folder in look.ancestors(os.path.dirname(path)):
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
