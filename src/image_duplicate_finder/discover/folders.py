"""Files below folders of the system, found without opening one."""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Iterator

from image_duplicate_finder.discover.names import Choice, may_be_image
from image_duplicate_finder.model import Failure, FileStat, FoundFile
from image_duplicate_finder.own_files import (
    LIBRARY_NAME,
    is_below_own_folder,
    is_library_file,
    is_passed_over,
    is_unmarked_entry,
)
from image_duplicate_finder.sources import library_of

OWN = "Pictures that this program keeps for itself lie here: a backup, or what it shows in pages."

Found = Iterator[FoundFile | Failure | str]
"""Files and failures, and each folder's path as it is entered."""


def walk(root: str, choice: Choice) -> Found:
    """What lies below ``root``, a folder or a single file."""
    if is_below_own_folder(os.path.dirname(root)):
        yield Failure(root, "discover", OWN)
        return
    if not os.path.isdir(root):
        try:
            status = os.stat(root, follow_symlinks=False)
        except OSError as error:
            yield Failure(root, "discover", reason(error, "file"))
            return
        if stat_bits.S_ISREG(status.st_mode):
            free = library_of(root) is None
            yield FoundFile(root, FileStat.of(status), os.path.dirname(root), free)
        return
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        yield folder
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            yield Failure(folder, "discover", reason(error, "folder"))
            continue
        names = {entry.name for entry in entries}
        if is_passed_over(folder, names):
            if folder == root:
                yield Failure(root, "discover", OWN)
            continue
        name = os.path.basename(folder)
        if LIBRARY_NAME in names:
            entries = [entry for entry in entries if not is_library_file(entry.name)]
        below: list[str] = []
        free = library_of(os.path.join(folder, "")) is None
        for entry in entries:
            try:
                if _passed_over(entry, root, choice):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if choice.recursive:
                        below.append(entry.path)
                elif (
                    entry.is_file(follow_symlinks=False)
                    and may_be_image(entry.name)
                    and not is_unmarked_entry(name, entry.name)
                ):
                    # As FoundFile(...), which takes three times as long.
                    yield tuple.__new__(FoundFile, (entry.path, _entry_stat(entry), root, free))
            except OSError as error:
                yield Failure(entry.path, "discover", reason(error, "file"))
        waiting.extend(sorted(below, reverse=True, key=os.fsencode))


def _passed_over(entry: os.DirEntry[str], root: str, choice: Choice) -> bool:
    relative = ""
    if choice.patterns is not None:  # nothing else asks for it, and it takes its time
        relative = os.path.relpath(entry.path, root)
        if entry.is_dir(follow_symlinks=False):
            relative += "/"
    return choice.passes_over(entry.name, relative)


def _entry_stat(entry: os.DirEntry[str]) -> FileStat:
    # On Windows scandir's own stat lacks device and inode.
    if os.name == "nt":
        return FileStat.of(os.stat(entry.path, follow_symlinks=False))
    return FileStat.of(entry.stat(follow_symlinks=False))


def reason(error: OSError, what: str) -> str:
    """Why a file or folder (``what``) cannot be looked at, in words for people."""
    if isinstance(error, PermissionError):
        return f"You have no permission to read this {what}. Change its permissions and scan again."
    if isinstance(error, FileNotFoundError):
        return f"This {what} vanished while it was being looked at. Scan again."
    return f"The system cannot read this {what}: {error.strerror or error}."
