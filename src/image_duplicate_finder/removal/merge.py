"""Putting a file with more metadata in the place of the file as it was, and taking that back.

The new file is written beside the old one and read again; the old one moves into the backup; the
new one takes its name. See :mod:`links`, which does the same with links.
"""

from __future__ import annotations

import os

from image_duplicate_finder.model import FileStat
from image_duplicate_finder.removal import fs, look, moves
from image_duplicate_finder.removal.links import ToLink, is_ours
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.methods import taken
from image_duplicate_finder.removal.moves import Where
from image_duplicate_finder.removal.plan import Reason
from image_duplicate_finder.removal.records import Item


class ToMerged(ToLink):
    """The file moves into the backup, and the one made by :func:`write_beside` takes its place."""

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`methods.Method`."""
        _drop(moves.part_of(place, item))
        return super().settle(item, place)

    @staticmethod
    def _make(item: Item, link: str) -> None:
        if not look.holds(link, item.keeper_content or b""):
            raise Refused(Reason.CHANGED, "Its new file was changed before it took its place.")


class ToWritten:
    """A sidecar that was not there before; ``stored`` is a copy, made first."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """See :class:`methods.Method`. What goes is that there was none."""
        if not moves.same_file(seen, FileStat.of(fs.lstat(item.stored))):
            raise Refused(Reason.CHANGED, "Its copy was changed while it was being written.")
        fs.rename(moves.link_of(item.path, item), item.path)
        if not look.holds(item.path, item.content):
            raise Refused(Reason.CHANGED, "It was changed while it was being written.")

    def put_back(self, item: Item, place: str) -> None:
        """See :class:`methods.Method`."""
        if place == item.path and look.status(place) is not None:
            if not is_ours(item, place):
                raise taken(place)
            fs.unlink(place)
        _drop(item.stored)

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`methods.Method`."""
        _drop(moves.part_of(item.path, item))
        _drop(moves.part_of(item.stored, item))
        _drop(moves.link_of(item.path, item))
        if place == item.path and look.status(item.stored) is not None and is_ours(item, place):
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
    if look.status(path) is not None:
        fs.unlink(path)
