"""Roots to files: walks folders without opening a file, and reports what it passes over.

Symbolic links are never followed, so loops end. Only regular files are listed: a FIFO, socket
or device is never opened. Hard links and bind-mounted doubles of a file (equal device and
inode) are one file: the first path in sorted order stands for all.
"""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pathspec

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.model import BACKUP_MARKER_NAME, Failure, FileStat, FoundFile

# What these names say is believed; every other file is looked into by content.
OTHER_EXTENSIONS = frozenset(
    """
    .txt .md .html .htm .css .js .json .jsonl .xml .xmp .aae .csv .tsv .pdf .doc .docx .xls
    .xlsx .ppt .pptx .odt .ods .odp .zip .tar .gz .bz2 .xz .7z .rar .cbz .cbr .mp3 .m4a
    .flac .wav .ogg .opus .mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .3gp .wmv .mts .m2ts
    .thm .lrv .py .pyc .c .h .cpp .rs .java .go .sh .bat .exe .dll .so .dylib .o .a .db
    .sqlite .sqlite3 .log .ini .cfg .toml .yaml .yml .lock .iso .img .dmg .deb .rpm .apk
    .svg .svgz .eps .ai .ttf .otf .woff .woff2 .npy .npz .parquet .h5 .pt .onnx .srt .vtt
    .ics .eml .torrent .lnk .url .part .tmp .crdownload .swp .bak .pickle .pkl .ds_store
    """.split()
)

_SYSTEM_FOLDERS = frozenset(
    {"$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle", "lost+found"}
)


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a walk found: ``files`` sorted by path; ``failures`` of folders and files.

    ``aliases`` are further paths of files already listed (hard links, bind mounts), as
    (path, listed path).
    """

    files: tuple[FoundFile, ...]
    failures: tuple[Failure, ...]
    aliases: tuple[tuple[str, str], ...]


def clean_roots(roots: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    """Absolute, real folders or files without repeats; a root inside another one is dropped.

    Raises UsageError for a path that does not exist, or when none is given.
    """
    real: list[str] = []
    for root in roots:
        path = os.path.realpath(os.path.expanduser(os.fspath(root)))
        if not os.path.exists(path):
            raise UsageError(f"There is no folder or file {os.fspath(root)!r}. Check the spelling.")
        real.append(path)
    if not real:
        raise UsageError("Name at least one folder to search.")
    kept: list[str] = []
    for path in sorted(set(real), key=os.fsencode):
        if not any(is_inside(path, other) for other in kept):
            kept.append(path)
    return tuple(kept)


def is_inside(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or lies below it; both absolute and normalised."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def discover(
    roots: Sequence[str],
    *,
    recursive: bool = True,
    hidden: bool = False,
    exclude: Sequence[str] = (),
    on_folder: Callable[[str, int], bool] | None = None,
) -> Discovery:
    """Find the picture files below ``roots`` (from :func:`clean_roots`).

    ``exclude`` holds patterns in the way of .gitignore, matched against paths relative to
    their root. ``on_folder(folder, files so far)`` is called for each folder and returns
    False to stop. Backups of this program and system folders are always passed over.
    """
    patterns = pathspec.GitIgnoreSpec.from_lines(exclude) if exclude else None
    found: list[FoundFile] = []
    failures: list[Failure] = []
    for root in roots:
        for item in _walk(root, recursive=recursive, hidden=hidden, patterns=patterns):
            if isinstance(item, FoundFile):
                found.append(item)
            elif isinstance(item, Failure):
                failures.append(item)
            elif on_folder is not None and not on_folder(item, len(found)):
                break
    found.sort(key=lambda file: os.fsencode(file.path))
    files: list[FoundFile] = []
    aliases: list[tuple[str, str]] = []
    listed: dict[tuple[int, int], str] = {}
    for file in found:
        first = listed.setdefault(file.stat.identity, file.path)
        if first == file.path:
            files.append(file)
        else:
            aliases.append((file.path, first))
    return Discovery(tuple(files), tuple(failures), tuple(aliases))


def _walk(
    root: str, *, recursive: bool, hidden: bool, patterns: pathspec.GitIgnoreSpec | None
) -> Iterator[FoundFile | Failure | str]:
    """Files and failures below ``root``, and each folder's path as it is entered."""
    if not os.path.isdir(root):
        try:
            status = os.stat(root, follow_symlinks=False)
        except OSError as error:
            yield Failure(root, "discover", _reason(error, "file"))
            return
        if stat_bits.S_ISREG(status.st_mode):
            yield FoundFile(root, FileStat.of(status), os.path.dirname(root))
        return
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        yield folder
        try:
            with os.scandir(folder) as listing:
                entries = list(listing)
        except OSError as error:
            yield Failure(folder, "discover", _reason(error, "folder"))
            continue
        if any(entry.name == BACKUP_MARKER_NAME for entry in entries):
            continue
        below: list[str] = []
        for entry in entries:
            try:
                if _passed_over(entry, root, hidden, patterns):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if recursive:
                        below.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and may_be_image(entry.name):
                    yield FoundFile(entry.path, _entry_stat(entry), root)
            except OSError as error:
                yield Failure(entry.path, "discover", _reason(error, "file"))
        waiting.extend(sorted(below, reverse=True, key=os.fsencode))


def _passed_over(
    entry: os.DirEntry[str], root: str, hidden: bool, patterns: pathspec.GitIgnoreSpec | None
) -> bool:
    if entry.name.startswith(".") and not hidden:
        return True
    if entry.name in _SYSTEM_FOLDERS:
        return True
    if patterns is None:
        return False
    relative = os.path.relpath(entry.path, root)
    if entry.is_dir(follow_symlinks=False):
        relative += "/"
    return patterns.match_file(relative)


def _entry_stat(entry: os.DirEntry[str]) -> FileStat:
    # On Windows scandir's own stat lacks device and inode.
    if os.name == "nt":
        return FileStat.of(os.stat(entry.path, follow_symlinks=False))
    return FileStat.of(entry.stat(follow_symlinks=False))


def may_be_image(name: str) -> bool:
    """Whether a file of this name is looked into: not if its extension says something else."""
    return os.path.splitext(name)[1].lower() not in OTHER_EXTENSIONS


def _reason(error: OSError, what: str) -> str:
    if isinstance(error, PermissionError):
        return f"You have no permission to read this {what}. Change its permissions and scan again."
    if isinstance(error, FileNotFoundError):
        return f"This {what} vanished while it was being looked at. Scan again."
    return f"The system cannot read this {what}: {error.strerror or error}."
