"""Folders and files that this program makes for itself: private, marked, locked, never pictures.

A folder of its own carries a marker with a signature. Scans pass such folders over wherever they
are and whatever they are called, and nothing in them counts as a picture. Only in them is
anything deleted to make room, and there only what has a name that the program gives. A name alone
proves nothing: people have folders that are called ``views`` too.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from image_duplicate_finder.model import BACKUP_MARKER_NAME

MARKER_NAME = ".idf-own"
NAME_PREFIX = ".idf-"
"""What the names of files begin with that this program has among a person's for a moment."""
_SIGNATURE = b"Signature: ImageDuplicateFinder 5d1c7f0e9a3b4862 "
_CACHE, _TEMPORARY = b"cache\n", b"temporary\n"
_WORDS = (
    b"ImageDuplicateFinder made this folder for pictures that it can make again. Scans pass it\n"
    b"over. Do not keep pictures of your own here.\n"
)

LIBRARY_NAME = "library.sqlite"
CACHE_NAMES = ("thumbnails", "views")
_LIBRARY_NAME = re.compile(
    r"(library|journal)\.sqlite(-wal|-shm|-journal)?|library\.lock(\.json)?"
    r"|entry-secret(\.[0-9a-f]{8})?"
)
_CACHE_ENTRY = re.compile(
    r"([0-9a-f]{64}|[0-9a-f]{24}_[0-9a-f]{24}_[0-9a-f]{12})_[0-9a-z_]{1,60}(\.jpg)?"
)
# What earlier versions stored, without markers in the folders.
_UNMARKED_ENTRY = re.compile(
    r"[0-9a-f]{64}_((160|320|640)_1\.jpg|full_1)"
    r"|[0-9a-f]{24}_[0-9a-f]{24}_[0-9a-f]{12}_(aligned|difference)_[12]"
)
_UNFINISHED_ENTRY = re.compile(r"\.new-[0-9a-z_]{8}")


def default_folder() -> Path:
    """The library in the user's data folder."""
    import platformdirs

    return platformdirs.user_data_path("image-duplicate-finder", appauthor=False) / "library"


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for nobody else to look into."""
    try:
        folder.mkdir(mode=0o700)
    except FileNotFoundError:
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        if not folder.is_dir():
            raise


def make_cache_folder(folder: Path) -> None:
    """Make a folder with the marker, at once. One that exists is left as it is."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    new = Path(tempfile.mkdtemp(prefix=f"{NAME_PREFIX}new-", dir=folder.parent))
    try:
        _mark(new, _CACHE)
        os.rename(new, folder)
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        if not folder.is_dir():  # another thread or program was faster
            raise


def temporary_folder(purpose: str) -> tempfile.TemporaryDirectory[str]:
    """A private folder for pictures that no other scan shall find, deleted with the object."""
    made = tempfile.TemporaryDirectory(prefix=f"idf-{purpose}-", ignore_cleanup_errors=True)
    _mark(Path(made.name), _TEMPORARY)
    return made


def is_cache(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder carries the marker of a cache, with its signature."""
    return _kind_of(folder) == _CACHE


def _kind_of(folder: str | os.PathLike[str]) -> bytes | None:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(os.path.join(folder, MARKER_NAME), flags)
    except (OSError, ValueError):
        return None
    try:
        first = os.read(descriptor, 200).split(b"\n")[0] + b"\n"
    except OSError:
        return None
    finally:
        os.close(descriptor)
    kind = first.removeprefix(_SIGNATURE)
    return kind if kind in (_CACHE, _TEMPORARY) else None


def is_passed_over(folder: str, names: Collection[str]) -> bool:
    """Whether a scan that meets a folder with these names in it passes it over."""
    if BACKUP_MARKER_NAME in names:
        return True
    return MARKER_NAME in names and _kind_of(folder) is not None


def is_below_own_folder(folder: str) -> bool:
    """Whether ``folder``, or one above it, is a backup or a cache."""
    return any(
        os.path.lexists(os.path.join(above, BACKUP_MARKER_NAME)) or is_cache(above)
        for above in (folder, *map(str, Path(folder).parents))
    )


def is_library_file(name: str) -> bool:
    """Whether a file in a library's folder is one of the program's own."""
    return _LIBRARY_NAME.fullmatch(name) is not None


def own_among(names: Iterable[str]) -> frozenset[str]:
    """Those files of an archive or storage, by their names with slashes, that are not pictures.

    Markers are believed by their names here.
    """
    parted = [(name, *name.rpartition("/")[::2]) for name in names]
    marked = {folder for _, folder, last in parted if last in (MARKER_NAME, BACKUP_MARKER_NAME)}
    libraries = {folder for _, folder, last in parted if last == LIBRARY_NAME}
    return frozenset(
        name
        for name, folder, last in parted
        if (folder in libraries and is_library_file(last))
        or is_unmarked_entry(folder.rpartition("/")[2], last)
        or _lies_in(folder, marked)
    )


def _lies_in(folder: str, marked: Collection[str]) -> bool:
    while marked:
        if folder in marked:
            return True
        if not folder:
            return False
        folder = folder.rpartition("/")[0]
    return False


def is_cache_entry(folder: str, name: str) -> bool:
    """Whether a file in a cache has a name that this program gives there."""
    return _UNFINISHED_ENTRY.fullmatch(name) is not None or (
        name.startswith(folder) and _CACHE_ENTRY.fullmatch(name) is not None
    )


def is_unmarked_entry(folder: str, name: str) -> bool:
    """Whether both names say that a file is in a cache that an earlier version made."""
    return len(folder) == 2 and name[:2] == folder and _UNMARKED_ENTRY.fullmatch(name) is not None


def cache_folder(library: Path, name: str) -> Path:
    """Where a library's cache is or will be: never in a folder of somebody else."""
    for number in itertools.count(1):
        folder = library / (name if number == 1 else f"{name}-{number}")
        if is_cache(folder) or not os.path.lexists(folder):
            return folder
    raise AssertionError("counting never ends")


def make_file(path: Path) -> None:
    """Have a file at ``path`` that nobody else can read: made empty, or closed to others.

    Nothing happens where the system refuses it: whoever opens the file next says why.
    """
    with contextlib.suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
        _close_to_others(path)


def write_private(path: Path, data: bytes, *, new: bool = True) -> None:
    """Write a file that nobody else can read, not even for a moment."""
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    flags |= os.O_EXCL if new else os.O_TRUNC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)


def secure_library(library: Path) -> None:
    """Close a library that an earlier version left open to others, and mark its caches.

    The folder itself only if nothing else lies in it: a person may keep a library among files
    that others are to see. What the system refuses stays as it is.
    """
    with contextlib.suppress(OSError):
        entries = list(os.scandir(library))
        own = True
        for entry in entries:
            if entry.name in CACHE_NAMES and not entry.is_symlink():
                _adopt_cache(Path(entry.path))
            if is_library_file(entry.name) or is_cache(entry.path):
                _close_to_others(Path(entry.path))
            else:
                own = False
        if own:
            _close_to_others(library)


def _adopt_cache(folder: Path) -> None:
    """Mark a cache of an earlier version, if each single file in it evidently is one of ours."""
    if is_cache(folder) or not folder.is_dir():
        return
    parts = list(os.scandir(folder))
    if not parts:
        return  # nothing tells whose it is
    for part in parts:
        if not part.is_dir(follow_symlinks=False):
            return
        for entry in os.scandir(part):
            known = is_unmarked_entry(part.name, entry.name) or _UNFINISHED_ENTRY.fullmatch(
                entry.name
            )
            if not known or not entry.is_file(follow_symlinks=False):
                return
    for part in parts:
        _mark(Path(part.path), _CACHE)
    _mark(folder, _CACHE)


def _mark(folder: Path, kind: bytes) -> None:
    with contextlib.suppress(FileExistsError):
        write_private(folder / MARKER_NAME, _SIGNATURE + kind + _WORDS)


def _close_to_others(path: Path) -> None:
    """Take the permissions of all others from a file or folder of ours."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            path.chmod(mode & ~0o077)


_POLL_SECONDS = 0.05

if sys.platform == "win32":
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Lock an open file for this descriptor alone; False if another one holds the lock."""
        try:
            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Release what :func:`try_lock` locked."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file for this descriptor alone; False if another one holds the lock.

        The lock ends with the process. Raises OSError where the drive does not support locks.
        """
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(descriptor: int) -> None:
        """Release what :func:`try_lock` locked."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock on a file, which is made where it is missing, and hold it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not try_lock(descriptor):
            time.sleep(_POLL_SECONDS)
        yield
        unlock(descriptor)
    finally:
        os.close(descriptor)
