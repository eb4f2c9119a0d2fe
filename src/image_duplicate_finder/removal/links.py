"""Replacing a file by a link to its keeper: hard link, reflink clone or relative symlink.

The link is made beside the file under a temporary name and verified; the file moves into the
backup; the link takes its name. Only byte-identical files come here, so removing a link again
never removes bytes that are not elsewhere.
"""

from __future__ import annotations

import errno
import os
import stat as stat_bits

from image_duplicate_finder.model import FileStat
from image_duplicate_finder.removal import fs, look, moves
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.methods import put_back, taken
from image_duplicate_finder.removal.moves import Where
from image_duplicate_finder.removal.plan import Reason
from image_duplicate_finder.removal.records import Item
from image_duplicate_finder.settings import RemovalAction

_NO_LINKS_HERE = frozenset(
    {errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOSYS}
)


def aim_of(path: str, keeper: str) -> str:
    """What a relative symbolic link at ``path`` has to say to lead to ``keeper``."""
    return os.path.relpath(
        os.path.join(fs.realpath(os.path.dirname(keeper)), os.path.basename(keeper)),
        fs.realpath(os.path.dirname(path)),
    )


class ToLink:
    """The file moves into the backup and a link to its keeper takes its place."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """See :class:`methods.Method`."""
        if fs.lstat(os.path.dirname(item.stored)).st_dev != seen.device:
            raise Refused(
                Reason.VOLUME, "Its backup is on another volume; choose to remove it instead."
            )
        link = moves.link_of(item.path, item)
        self._make(item, link)
        moves.move(item.path, item.stored, item, seen)
        fs.rename(link, item.path)

    def put_back(self, item: Item, place: str) -> None:
        """See :class:`methods.Method`."""
        if look.status(place) is None:
            put_back(item, place)
            return
        link = moves.link_of(place, item)
        if not is_ours(item, place):
            raise taken(place)
        fs.rename(place, link)
        if not is_ours(item, link):
            fs.rename(link, place)
            raise taken(place)
        put_back(item, place)
        self._discard(item, link, place)

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`methods.Method`."""
        link = moves.link_of(place, item)
        here, there = look.status(place), look.status(item.stored)
        if here is not None and there is not None and os.path.samestat(here, there):
            if look.one_entry(place, item.stored):
                return Where.PLACE
            fs.unlink(item.stored)  # the first of two steps of a rename
            there = None
        if here is None and there is not None:  # between the file's leaving and the link's coming
            fs.rename(item.stored, place)
            here, there = there, None
        if look.status(link) is not None and here is not None:
            self._discard(item, link, place)
        if there is not None:
            return Where.STORED
        return Where.PLACE if here is not None else Where.NOWHERE

    @staticmethod
    def _make(item: Item, link: str) -> None:
        """Make the link under its temporary name and look whether it is what it should be."""
        keeper = item.keeper or ""
        try:
            if item.action == RemovalAction.HARDLINK:
                fs.link(keeper, link)
            elif item.action == RemovalAction.REFLINK:
                fs.reflink(keeper, link)
            else:
                fs.symlink(item.aim or "", link)
        except OSError as error:
            if error.errno in _NO_LINKS_HERE:
                raise Refused(
                    Reason.LINK,
                    f"This volume makes no {item.action.value} to {keeper} "
                    f"({os.strerror(error.errno)}). Nothing was changed.",
                ) from error
            raise
        if item.action == RemovalAction.SYMLINK:
            good = os.path.samestat(fs.stat(link), fs.lstat(keeper))
        else:
            good = look.holds(link, item.content)
        if item.action == RemovalAction.REFLINK:
            fs.set_metadata(link, item.metadata)
        if not good:
            raise Refused(Reason.KEEPER_CHANGED, f"The keeper {keeper} changed meanwhile.")

    @staticmethod
    def _discard(item: Item, link: str, place: str) -> None:
        """Remove a link of ours that is not in use; its bytes stand elsewhere."""
        found = fs.lstat(link)
        begun_or_one_of_two = found.st_size == 0 or found.st_nlink > 1
        if begun_or_one_of_two or is_ours(item, link):
            fs.unlink(link)
        else:  # edited under its old name at the last moment
            fs.rename(link, moves.free_name(place))


def is_ours(item: Item, path: str) -> bool:
    """Whether a link that this item made stands at ``path``, with nothing of its own in it."""
    found = look.status(path)
    if found is None:
        return False
    if stat_bits.S_ISLNK(found.st_mode):
        return item.aim is not None and fs.readlink(path) == item.aim
    if not stat_bits.S_ISREG(found.st_mode) or item.aim is not None:
        return False
    if look.holds(path, item.content):
        return True
    keeper = look.status(item.keeper) if item.keeper else None
    return keeper is not None and os.path.samestat(found, keeper)
