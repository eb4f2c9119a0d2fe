"""Moving one file so that it can never be lost, whatever instruction is the last.

Within a volume a move is one rename that cannot replace. Across volumes the file is copied
under a temporary name, compared, given its name, and only then is the source taken away: first
renamed aside, looked at once more, then removed. :func:`settle` brings any state that an
interruption can leave back to "in its place" or "stored".

Temporary names carry the item's number, so recovery finds them without looking around.
"""

from __future__ import annotations

import errno
import itertools
import os
from enum import Enum

from blake3 import blake3

from image_duplicate_finder.model import FileStat
from image_duplicate_finder.removal import fs, look
from image_duplicate_finder.removal.look import Refused
from image_duplicate_finder.removal.plan import Reason
from image_duplicate_finder.removal.records import Item

TEMPORARY_PREFIX = ".idf-moving-"
"""Names in the user's folders that begin so are ours and live only while a file moves."""


NAME_BYTES = 255
"""The longest name that common file systems take."""


class Where(Enum):
    """Where an item's bytes are after an interruption was tidied up."""

    PLACE = "place"
    STORED = "stored"
    NOWHERE = "nowhere"


def part_of(path: str, item: Item) -> str:
    """The temporary name beside ``path`` of a copy that is being written."""
    return _temporary(path, item, "part")


def aside_of(path: str, item: Item) -> str:
    """The temporary name beside ``path`` of a source whose copy is complete."""
    return _temporary(path, item, "aside")


def link_of(path: str, item: Item) -> str:
    """The temporary name beside ``path`` of a link that will stand there, or stood there."""
    return _temporary(path, item, "link")


def _temporary(path: str, item: Item, what: str) -> str:
    mark = blake3(os.fsencode(item.stored)).hexdigest()[:8]
    return os.path.join(os.path.dirname(path), f"{TEMPORARY_PREFIX}{item.id}-{mark}.{what}")


def move(source: str, target: str, item: Item, seen: FileStat) -> None:
    """Bring the file that was ``seen`` at ``source`` to ``target``, which must not exist.

    Raises Refused when what stood at ``source`` was another file (it is put back), and OSError.
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
    arrived = look.regular(target)
    if arrived is None or not same_file(arrived, seen):
        raise Refused(Reason.CHANGED, "It was changed or replaced while it was being moved.")


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
    moved = look.regular(aside)
    if moved is None or not same_file(moved, seen):
        fs.rename(aside, source)
        raise Refused(Reason.CHANGED, "It was changed or replaced while it was being copied.")
    fs.unlink(aside)


def copy(source: str, part: str, content: bytes, metadata: dict[str, object]) -> FileStat:
    """Write a copy of ``source`` to the new file ``part``, on the disk and compared.

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
        raise Refused(Reason.CHANGED, "It changed while it was being copied.")
    if look.read_content(part)[0] != content:
        raise Refused(Reason.SYSTEM, "Its copy on the other volume differs. Check that volume.")
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
    if look.holds(place, item.content) and look.holds(stored, item.content):
        if look.one_entry(place, stored):  # someone made its folder a way into the backup
            return Where.PLACE
        # Two steps of a rename without the system's help, or a copy whose source still stands.
        fs.unlink(stored)
    if look.status(stored) is not None:
        return Where.STORED
    return Where.PLACE if look.status(place) is not None else Where.NOWHERE


def _settle_aside(end: str, other: str, item: Item) -> None:
    """A source that was renamed aside goes back, unless its copy made it superfluous."""
    aside = aside_of(end, item)
    if look.status(aside) is None:
        return
    if look.status(end) is None:
        fs.rename(aside, end)
    elif look.holds(aside, item.content) and (
        look.holds(other, item.content) or look.holds(end, item.content)
    ):
        fs.unlink(aside)
    else:  # someone wrote it to the last, and someone else took its name
        fs.rename(aside, free_name(end))


def _settle_part(end: str, source: str, item: Item) -> None:
    """A copy that was being written goes, unless its source went and it is complete."""
    part = part_of(end, item)
    if look.status(part) is None:
        return
    if look.status(source) is None and look.status(end) is None and look.holds(part, item.content):
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
        if look.status(candidate) is None:
            return candidate
    raise AssertionError("counting never ends")


def cut(name: str, room: int) -> str:
    """The longest beginning of a name that takes at most ``room`` bytes."""
    while len(os.fsencode(name)) > room:
        name = name[:-1]
    return name
