"""The system's trash, with a safety line.

Some trash cans delete for good (network drives, full cans). So a hard link in the backup holds
the file while it goes. Only when the system still counts another name for the same file, which
then is the one in the trash, is the safety line let go; else it stays as the backup.
"""

from __future__ import annotations

import configparser
import contextlib
import errno
import os
import urllib.parse
from collections.abc import Iterator

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


def is_in_trash(item: Item) -> bool:
    """Whether the safety line is not the file's only name: the trash really has it."""
    held = look.regular(item.stored)
    links = int(item.metadata.get("links", 1))
    return held is not None and held.links > links


def find(item: Item) -> str | None:
    """Where the freedesktop.org trash keeps the file; None on other systems or when gone.

    By inode while the safety line stands, else by original path and content.
    """
    held = look.status(item.stored)
    for can, top in _cans(item.path):
        try:
            names = fs.names(os.path.join(can, "files"))
        except OSError:
            continue
        for name in names:
            path = os.path.join(can, "files", name)
            found = look.status(path)
            if found is None:
                continue
            if held is not None:
                if os.path.samestat(found, held):
                    return path
            elif (
                found.st_size == item.size
                and _origin(can, top, name) == item.path
                and look.holds(path, item.content)
            ):
                return path
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
