"""Which method carries out which action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from image_duplicate_finder.removal import fs, look
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.removal.links import ToLink
from image_duplicate_finder.removal.merge import ToMerged, ToWritten
from image_duplicate_finder.removal.methods import Method, ToBackup
from image_duplicate_finder.removal.plan import LINKS
from image_duplicate_finder.removal.records import MERGED, WRITTEN, Item, State
from image_duplicate_finder.removal.trash import ToTrash, surely_in_trash
from image_duplicate_finder.settings import RemovalAction

_OF_KINDS: Mapping[str, Method] = {MERGED: ToMerged(), WRITTEN: ToWritten()}
METHODS: Mapping[RemovalAction, Method] = {
    RemovalAction.BACKUP: ToBackup(),
    RemovalAction.HARDLINK: ToLink(),
    RemovalAction.REFLINK: ToLink(),
    RemovalAction.SYMLINK: ToLink(),
    RemovalAction.TRASH: ToTrash(),
}


def method_of(item: Item) -> Method:
    """How this item left, and comes back."""
    return _OF_KINDS.get(item.kind) or METHODS[item.action]


def leaves_something(item: Item) -> bool:
    """Whether something of this program's stands at the item's place after it left."""
    return item.kind in _OF_KINDS or item.action in LINKS


def let_go_of_trashed(journal: Journal, items: Sequence[Item]) -> list[Item]:
    """Unlink the safety lines of files that the trash really has; the journal knows first.

    Files that the trash deleted for good, or that may not survive a power cut there, stay
    ``moved``: the safety line is their backup.
    """
    going = [i for i in items if i.action == RemovalAction.TRASH and i.state == State.MOVED]
    try:
        sure = surely_in_trash(going)
    except OSError:
        return list(items)
    trashed = {item.id: replace(item, state=State.TRASHED) for item in sure}
    if trashed:
        journal.update_items(trashed.values())
        for item in trashed.values():
            if look.status(item.stored) is not None:
                fs.unlink(item.stored)
    return [trashed.get(item.id, item) for item in items]
