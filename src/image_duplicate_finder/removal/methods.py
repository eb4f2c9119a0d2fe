"""The ways to remove a file. Each can be undone, and settled after an interruption.

A method knows one file at a time; whole units, checks and the journal are the callers' matter.
"""

from __future__ import annotations

from typing import Protocol

from image_duplicate_finder.model import FileStat
from image_duplicate_finder.removal import fs, look, moves
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.moves import Where
from image_duplicate_finder.removal.plan import Reason
from image_duplicate_finder.removal.records import Item


class Method(Protocol):
    """How one file leaves its place and comes back. All raise Refused or OSError."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """Bring the file that was ``seen`` at ``item.path`` to ``item.stored``."""

    def put_back(self, item: Item, place: str) -> None:
        """Bring it from ``item.stored`` to ``place``, where nothing may stand."""

    def settle(self, item: Item, place: str) -> Where:
        """Tidy up after an interrupted :meth:`remove` or :meth:`put_back`; say where it is."""


class ToBackup:
    """The file moves into the backup."""

    def remove(self, item: Item, seen: FileStat) -> None:
        """See :class:`Method`."""
        moves.move(item.path, item.stored, item, seen)

    def put_back(self, item: Item, place: str) -> None:
        """See :class:`Method`."""
        put_back(item, place)

    def settle(self, item: Item, place: str) -> Where:
        """See :class:`Method`."""
        return moves.settle(item, place)


def put_back(item: Item, place: str) -> None:
    """Move a stored file to ``place``; refuses to replace what stands there."""
    if look.status(item.stored) is None:
        raise Refused(Reason.GONE, f"It is no longer in the backup: {item.stored} is missing.")
    if look.status(place) is not None:
        raise taken(place)
    seen = look.regular(item.stored)
    if seen is None and item.adopted:
        raise Refused(Reason.CHANGED, f"{item.stored} is no regular file any more.")
    if seen is None:  # a folder or link that took the file's name just before it was moved
        fs.rename(item.stored, place)
    else:
        moves.move(item.stored, place, item, seen)


def taken(place: str) -> Refused:
    """The refusal to put a file where another one stands now."""
    return Refused(
        Reason.TAKEN,
        f"Something else stands at {place} now. It can be restored under a new name.",
    )
