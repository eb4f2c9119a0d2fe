"""Roots to files: in folders, archives, storage, manifests, or written from memory."""

from __future__ import annotations

import glob
import os
import stat as stat_bits
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeGuard

from image_duplicate_finder.errors import DecodeError, FailureStage, UsageError, lacks_permission
from image_duplicate_finder.messages import FailureReason, Message, Problem
from image_duplicate_finder.model import Failure, FileStat, FoundFile
from image_duplicate_finder.own_files import (
    LIBRARY_NAME,
    NAME_PREFIX,
    is_below_own_folder,
    is_library_file,
    is_passed_over,
    is_unmarked_entry,
    own_among,
    temporary_folder,
)
from image_duplicate_finder.sources import (
    archives,
    is_archive,
    is_read_only,
    is_url,
    library_of,
    split_member,
    within,
)
from image_duplicate_finder.sources import stat as source_stat
from image_duplicate_finder.sources.manifest import is_manifest, read_manifest
from image_duplicate_finder.sources.names import MEMBER_MARK, outer, parent
from image_duplicate_finder.sources.storage import check_url, is_wild, objects

if TYPE_CHECKING:
    import pathspec

_LOCAL_URL = "file://"


def clean_roots(roots: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    """Absolute, real paths or URLs without repeats; a root inside another one is dropped.

    A path with wildcards that is no file itself is replaced by all matching paths; ``**`` matches
    any folders. Raises UsageError for what does not exist, or when nothing is given.
    """
    real = {path for root in roots for path in _real(os.fspath(root))}
    if not real:
        raise UsageError(Problem.NO_ROOTS())
    return tuple(
        path
        for path in sorted(real, key=os.fsencode)
        if not any(above in real for above in _holders(path))
    )


def one_picture(path: str | os.PathLike[str]) -> str:
    """The real path or URL of a single picture.

    Raises UsageError for what does not exist or is no single file.
    """
    found = clean_roots([path])
    named = os.fspath(path)
    if len(found) > 1:
        raise UsageError(Problem.SEVERAL_FILES(path=repr(named), count=len(found)))
    (real,) = found
    if is_url(real):
        several, odd = is_archive(real), False
    elif not os.path.exists(real):  # a member of an archive
        several, odd = False, False
    else:
        several = os.path.isdir(real) or is_archive(real) or is_manifest(real)
        odd = not os.path.isfile(real)
    if several:
        raise UsageError(Problem.HOLDS_FILES(path=repr(named)))
    if odd:
        raise UsageError(Problem.NO_PICTURE(path=repr(named)))
    return real


def _real(root: str) -> Iterator[str]:
    root = root.removeprefix(_LOCAL_URL)
    if is_url(root):
        check_url(root)
        yield root.rstrip("/")
        return
    path = outer(root, lambda place: os.path.realpath(os.path.expanduser(place)))
    if os.path.exists(path) or _is_member(path):
        yield path
        return
    fitting = glob.glob(os.path.expanduser(root), recursive=True) if glob.has_magic(root) else []
    if not fitting:
        raise UsageError(Problem.NO_PATH(path=repr(root)))
    for each in fitting:
        yield os.path.realpath(each)


def _is_member(path: str) -> bool:
    """Whether ``path`` names a member that is there in its archive."""
    if split_member(path) is None:
        return False
    try:
        source_stat(path)
    except (OSError, DecodeError):
        return False
    return True


def _holders(path: str) -> Iterator[str]:
    """Other roots in which a walk would find ``path``; archives in folders are not opened."""
    member = split_member(path)
    if member is not None:
        return iter(member[:1])
    return iter(()) if is_archive(path) or is_manifest(path) else folders_above(path)


def folders_above(path: str) -> Iterator[str]:
    """The folders that contain ``path``, the innermost first."""
    separator = "/" if is_url(path) else os.sep
    while (cut := path.rstrip(separator).rfind(separator)) >= 0:
        # The root folder keeps its separator: "/", "C:\\".
        above = path[:cut]
        yield above
        yield above + separator
        path = above


def is_inside(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or below it; both absolute and normalised.

    ``folder`` may be an archive, which contains its members.
    """
    return path == folder or path.startswith((within(folder), folder + MEMBER_MARK))


# Files with these extensions are skipped; all others are judged by their content.
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

# Fields of WebDataset shards that are no pictures; no other files have these extensions.
_SHARD_FIELDS = frozenset(".cls .cls2 .id .inx .index .idx .ten .tb .pth .mp .msg .box".split())

SYSTEM_FOLDERS = frozenset(
    {"__MACOSX", "$RECYCLE.BIN", "SYSTEM VOLUME INFORMATION", "@EADIR", "#RECYCLE", "LOST+FOUND"}
)
"""In capitals: Windows itself writes the name of its recycle bin in more than one way."""


def may_be_image(name: str) -> bool:
    """Whether a file of this name is opened: not if its extension says something else."""
    return _extension(name) not in OTHER_EXTENSIONS


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files a walk lists; see :func:`discover`."""

    recursive: bool = True
    hidden: bool = False
    patterns: pathspec.GitIgnoreSpec | None = None

    def passes_over(self, name: str, relative: str) -> bool:
        """Whether an entry is skipped; a folder's ``relative`` path ends with /."""
        if name.startswith(".") and not self.hidden:
            return True
        if name.upper() in SYSTEM_FOLDERS or name.startswith(NAME_PREFIX):
            return True
        return self.patterns is not None and self.patterns.match_file(relative)

    def takes(self, relative: str) -> bool:
        """Whether a file of an archive or storage is listed, by its whole name with slashes."""
        parts = relative.split("/")
        if len(parts) > 1 and not self.recursive:
            return False
        if not may_be_image(parts[-1]) or _extension(parts[-1]) in _SHARD_FIELDS:
            return False
        return not any(self.passes_over(part, relative) for part in parts)


def _extension(name: str) -> str:
    # os.path.splitext takes six times as long, since it looks for folders too.
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a walk found: ``files`` sorted by path; ``failures`` of folders and files."""

    files: tuple[FoundFile, ...]
    failures: tuple[Failure, ...]


def discover(
    roots: Sequence[str],
    *,
    recursive: bool = True,
    hidden: bool = False,
    exclude: Sequence[str] = (),
    on_folder: Callable[[str, int], bool] | None = None,
) -> Discovery:
    """Find the picture files below ``roots`` (from :func:`clean_roots`).

    ``exclude`` holds .gitignore patterns, matched against paths relative to their root.
    ``on_folder(folder, files so far)`` is called for each folder and returns False to stop.
    Backups of this program and system folders are always skipped.
    """
    choice = Choice(recursive, hidden, _patterns(exclude) if exclude else None)
    found: list[FoundFile] = []
    failures: list[Failure] = []
    for root in roots:
        for item in _found_at(root, choice):
            if isinstance(item, FoundFile):
                found.append(item)
            elif isinstance(item, Failure):
                failures.append(item)
            elif on_folder is not None and not on_folder(item, len(found)):
                break
    # A file that was found in a folder and in a list can be removed.
    found.sort(key=lambda file: not file.removable)
    found.sort(key=attrgetter("path"))
    return Discovery(tuple(_without_doubles(found)), tuple(failures))


def _patterns(lines: Sequence[str]) -> pathspec.GitIgnoreSpec:
    import pathspec  # most scans do without it

    return pathspec.GitIgnoreSpec.from_lines(lines)


def _without_doubles(found: list[FoundFile]) -> list[FoundFile]:
    """Each file once, by the first of its paths."""
    if len({file.stat.inode for file in found}) == len(found):
        return found  # as nearly always: not even two devices share a number
    first: dict[tuple[int, int], FoundFile] = {}
    for file in found:
        first.setdefault(file.stat.identity, file)
    return list(first.values())


def _found_at(root: str, choice: Choice) -> Found:
    if is_url(root) and (is_wild(root) or not is_archive(root)):
        return _in_storage(root, choice)
    if split_member(root) is not None and not os.path.lexists(root):
        return _listed([root])
    if is_archive(root) and not os.path.isdir(root):
        return _in_archive(root, choice)
    if is_manifest(root) and not os.path.isdir(root):
        return _in_manifest(root)
    return _walk(root, choice)


Found = Iterator[FoundFile | Failure | str]
"""Files and failures, and the path of each folder when the walk enters it."""


def _walk(root: str, choice: Choice) -> Found:
    """The files below ``root``, a folder or a single file."""
    if is_below_own_folder(os.path.dirname(root)):
        yield Failure(root, FailureStage.DISCOVER, FailureReason.OWN())
        return
    if not os.path.isdir(root):
        try:
            status = os.stat(root, follow_symlinks=False)
        except OSError as error:
            yield Failure(root, FailureStage.DISCOVER, _reason(error))
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
            yield Failure(folder, FailureStage.DISCOVER, _reason(error, folder=True))
            continue
        names = {entry.name for entry in entries}
        if is_passed_over(folder, names):
            if folder == root:
                yield Failure(root, FailureStage.DISCOVER, FailureReason.OWN())
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
                    # FoundFile(...) takes three times as long.
                    yield tuple.__new__(FoundFile, (entry.path, _entry_stat(entry), root, free))
            except OSError as error:
                yield Failure(entry.path, FailureStage.DISCOVER, _reason(error))
        waiting.extend(sorted(below, reverse=True, key=os.fsencode))


_JUNCTION = 0xA0000003  # IO_REPARSE_TAG_MOUNT_POINT


def _passed_over(entry: os.DirEntry[str], root: str, choice: Choice) -> bool:
    if os.name == "nt" and _is_apart(entry, choice):
        return True
    relative = ""
    if choice.patterns is not None:  # nothing else needs it, and it takes time
        relative = os.path.relpath(entry.path, root)
        if entry.is_dir(follow_symlinks=False):
            relative += "/"
    return choice.passes_over(entry.name, relative)


def _is_apart(entry: os.DirEntry[str], choice: Choice) -> bool:
    """Whether Windows marks an entry as hidden, or it is a junction: links are not followed."""
    status = entry.stat(follow_symlinks=False)
    if getattr(status, "st_reparse_tag", 0) == _JUNCTION:
        return True
    hidden = getattr(status, "st_file_attributes", 0) & stat_bits.FILE_ATTRIBUTE_HIDDEN
    return bool(hidden) and not choice.hidden


def _entry_stat(entry: os.DirEntry[str]) -> FileStat:
    # On Windows the stat of scandir lacks device and inode.
    if os.name == "nt":
        return FileStat.of(os.stat(entry.path, follow_symlinks=False))
    return FileStat.of(entry.stat(follow_symlinks=False))


def _reason(error: OSError, *, folder: bool = False) -> Message:
    """Why a file or folder cannot be read."""
    if lacks_permission(error):
        code = FailureReason.NO_PERMISSION_FOLDER if folder else FailureReason.NO_PERMISSION_FILE
        return code()
    if isinstance(error, FileNotFoundError):
        return (FailureReason.VANISHED_FOLDER if folder else FailureReason.VANISHED_FILE)()
    code = FailureReason.SYSTEM_FOLDER if folder else FailureReason.SYSTEM_FILE
    return code(reason=error.strerror or str(error))


# How many files are listed between two reports of progress.
_REPORT_EVERY = 500
_REQUESTS_AT_ONCE = 16


def _in_archive(archive: str, choice: Choice) -> Found:
    """The pictures in an archive on this machine or behind a URL."""
    yield archive
    try:
        found = archives.members(archive)
    except OSError as error:
        yield Failure(archive, FailureStage.DISCOVER, _reason(error))
        return
    except DecodeError as error:
        yield Failure(archive, FailureStage.DISCOVER, error.message)
        return
    own = own_among(found)
    for name, stat in found.items():
        if name not in own and choice.takes(name.removeprefix("./")):
            yield FoundFile(archive + MEMBER_MARK + name, stat, parent(archive), removable=False)


def _in_storage(url: str, choice: Choice) -> Found:
    """The pictures at or below a URL, or that match its wildcards; in archives too."""
    yield url
    try:
        listed = list(objects(url, recursive=choice.recursive))
        own = own_among(relative for _, relative, _ in listed)
        for number, (place, relative, stat) in enumerate(listed):
            if number % _REPORT_EVERY == 0:
                yield place
            if relative in own:
                continue
            if is_archive(place) and is_wild(url):
                yield from _in_archive(place, choice)
            elif choice.takes(relative):
                yield FoundFile(place, stat, url, removable=False)
    except OSError as error:
        yield Failure(url, FailureStage.DISCOVER, _reason(error, folder=True))


def _in_manifest(path: str) -> Found:
    """The files that a manifest lists; they are never offered for removal.

    Other things may refer to them (labels, splits) of which this program does not know. Raises
    UsageError for a manifest that cannot be read.
    """
    yield from _listed(row.path for row in read_manifest(path))


def _listed(paths: Iterable[str]) -> Found:
    """Files that were named one by one; each one that does not exist is a failure."""
    every = list(paths)
    for start in range(0, len(every), _REPORT_EVERY):
        part = every[start : start + _REPORT_EVERY]
        yield parent(part[0])
        yield from _all(part)


def discover_listed(paths: Iterable[str]) -> Discovery:
    """Files that were named one by one, in the order of their paths."""
    found = _all(sorted(set(paths), key=os.fsencode))
    return Discovery(
        files=tuple(each for each in found if isinstance(each, FoundFile)),
        failures=tuple(each for each in found if isinstance(each, Failure)),
    )


def _all(paths: Sequence[str]) -> list[FoundFile | Failure]:
    """The file at each path; several requests to storage run at once, since answers take long."""
    if not any(map(is_url, paths)):
        return [_one(path) for path in paths]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        return list(pool.map(_one, paths))


def _one(path: str) -> FoundFile | Failure:
    try:
        if is_read_only(path):
            return FoundFile(path, source_stat(path), parent(path), removable=False)
        # Data sets are often made of links: the file that a link leads to is read.
        real = os.path.realpath(path)
        status = os.stat(real)
    except OSError as error:
        return Failure(path, FailureStage.DISCOVER, _reason(error))
    except DecodeError as error:
        return Failure(path, FailureStage.DISCOVER, error.message)
    if is_below_own_folder(parent(real)):
        return Failure(path, FailureStage.DISCOVER, FailureReason.OWN())
    if not stat_bits.S_ISREG(status.st_mode):
        return Failure(path, FailureStage.DISCOVER, FailureReason.NOT_REGULAR())
    return FoundFile(real, FileStat.of(status), parent(real), removable=False)


if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Picture = str | os.PathLike[str] | NDArray[Any] | Image
"""A path (or whatever a scan takes for one), an array, or a Pillow image.

Arrays are uint8: (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA.
"""

_WRITTEN_AS_THEY_ARE = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


@dataclass(frozen=True, slots=True)
class Pictures:
    """Paths of pictures, in the order given; ``positions`` says where each written one came from.

    ``folder`` holds the written ones for as long as this object lives.
    """

    paths: tuple[str, ...]
    positions: Mapping[str, int]
    folder: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)


def as_paths(pictures: Iterable[Picture]) -> Pictures:
    """Paths of ``pictures``; what is in memory is written first.

    Raises UsageError for anything that is no picture.
    """
    folder: tempfile.TemporaryDirectory[str] | None = None
    paths: list[str] = []
    positions: dict[str, int] = {}
    for number, picture in enumerate(pictures):
        if _is_path(picture):
            paths.append(os.fspath(picture))
            continue
        if folder is None:
            folder = temporary_folder("pictures")
        path = os.path.join(os.path.realpath(folder.name), f"{number:06}.png")
        _write(picture, path, number)
        paths.append(path)
        positions[path] = number
    return Pictures(tuple(paths), positions, folder)


def _is_path(picture: object) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(picture, str | os.PathLike)


def _write(picture: object, path: str, number: int) -> None:
    import numpy as np
    from PIL import Image, ImageOps

    if isinstance(picture, np.ndarray):
        shape = picture.shape
        fits = len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))
        if picture.dtype != np.uint8 or not fits or not picture.size:
            raise UsageError(
                f"Picture {number} is an array of {picture.dtype} with shape {shape}. Give uint8 "
                "values, (H, W) for grey, (H, W, 3) for RGB or (H, W, 4) for RGBA."
            )
        picture = Image.fromarray(np.ascontiguousarray(picture))
    if not isinstance(picture, Image.Image):
        raise UsageError(
            f"Picture {number} is a {type(picture).__name__}. Give a path, an array or a Pillow "
            "image."
        )
    upright = ImageOps.exif_transpose(picture)
    if upright.mode not in _WRITTEN_AS_THEY_ARE:
        upright = upright.convert("RGB")
    upright.save(path, "PNG", compress_level=1)
