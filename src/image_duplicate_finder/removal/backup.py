"""Backup folders that a person understands without this program.

``ImageDuplicateFinder-backup/2026-11-22_10-28-15/`` lies beside the scanned folder, where photo
servers and galleries that watch that folder do not see it, but on the same volume, so that
removal is a rename. Where that is not possible it lies in the scanned folder. Inside,
``removed/`` repeats the folders of the scanned one, and ``preserved/`` holds what the run kept
beyond that. No place is used twice: a run's folder is new, every path occurs once in a run,
moves never replace, and two names that a careless volume would take for one ("a.jpg", "A.JPG")
go into different trees (``removed-2/``).

What is preserved depends on the mode. ``auto``: what stays of the groups that something is
removed from, as long as that takes no space: a reflink clone, else a hard link. ``full``: every
scanned file of such a root, as clones, else as copies, since a hard link would change together with
its original. ``removed``: nothing more. The caller says which files these are.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import itertools
import json
import os
import secrets
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from blake3 import blake3

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.errors import RemovalRefused
from image_duplicate_finder.messages import Message, Note, Problem, Stays
from image_duplicate_finder.model import BACKUP_MARKER_NAME, FileStat
from image_duplicate_finder.progress import CancelToken
from image_duplicate_finder.removal import fs, moves, probe
from image_duplicate_finder.removal.journal import BackupFolder, Item, Journal, State, now
from image_duplicate_finder.removal.plan import Reason
from image_duplicate_finder.removal.plan_file import path_from_dict, path_to_dict
from image_duplicate_finder.removal.probe import Refused, Volume, volume_of, volumes_below
from image_duplicate_finder.settings import BackupMode
from image_duplicate_finder.sources.names import is_no_name_of_windows

FOLDER_NAME = "ImageDuplicateFinder-backup"


MANIFEST_NAME = "manifest.jsonl"


README_NAME = "README.txt"


PRESERVED = "preserved"


_LONG = "long-paths"
# Windows ends folders at 248 characters and files at 260, unless it was set up for more, and says
# that there is no such folder.
_LONGEST_ON_WINDOWS = 247


UNFINISHED = ".idf-moving-unfinished"
"""The name of a copy or second name that is being made; its original is never touched."""


KEEP_OUT = {
    ".nomedia": "",  # Android, Nextcloud, GNOME
    ".noimage": "",  # Nextcloud Photos
    ".trackerignore": "",  # GNOME's search
    ".ignore": "*\n",  # Jellyfin, Emby, ripgrep
    ".plexignore": "*\n",
    ".ppignore": "*\n",  # PhotoPrism
}
"""Files by which programs that index pictures know that a folder is not for them.

Not among them is CACHEDIR.TAG: it would keep backup programs out, too. Spotlight knows no such
file but the ending of a folder's name (see :data:`_ENDING`).
"""

_ENDING = ".noindex" if sys.platform == "darwin" else ""

OWN_FILES = (README_NAME, MANIFEST_NAME, *KEEP_OUT, BACKUP_MARKER_NAME)
"""What a backup has beside the files it holds; pruned in this order."""

_README = """\
This folder was made by ImageDuplicateFinder on {time}.

It holds files that were removed from
    {root}
because another file there shows the same picture. Nothing in here is lost.

removed/      the removed files, in the folders they came from (removed-2/ and so on: more
              files whose names differ only in letter case; long-paths/: files whose path
              would have become too long)
preserved/    further files of the scan, kept so that nothing can get lost (not always there)
manifest.jsonl  one line per file: where it was, its BLAKE3 hash, which file was kept instead
              and why, and when

To take everything back:     idf undo {run}
   or by hand: copy what is in removed/ over {root}
To take one file back:       in the web page under History, or copy it by hand
To free the space for good:  idf purge {run}, or delete this folder
"""


_MARKER = "A backup of ImageDuplicateFinder; never scanned."


class RunBackup:
    """The backup folder of one run for one root."""

    def __init__(self, backup: BackupFolder) -> None:
        self.backup = backup
        self._taken: set[str] = set()
        self._numbers = itertools.count(1)
        self.new_folders: set[str] = set()

    @classmethod
    def create(cls, journal: Journal, run: int, root: str, parents: Sequence[str]) -> RunBackup:
        """Make the folder, its README, manifest and marker. Raises Refused and OSError.

        It is made in the first of ``parents`` that allows it. The journal knows the folder before
        it exists.
        """
        for number, parent in enumerate(parents, 1):
            try:
                return cls._create(journal, run, root, os.path.join(parent, FOLDER_NAME))
            except OSError:
                if number == len(parents):
                    raise
        raise AssertionError("there is a place at least")

    @classmethod
    def _create(cls, journal: Journal, run: int, root: str, parent: str) -> RunBackup:
        time = datetime.datetime.now().astimezone()
        with contextlib.suppress(FileExistsError):
            fs.mkdir(parent, 0o755)  # whatever the umask: nobody else may move backups
        if not _is_folder(parent):
            raise Refused(Reason.SYSTEM, Stays.BACKUP_NO_FOLDER(path=parent))
        volumes = tuple(volumes_below(root))
        for number in itertools.count(1):
            name = f"{time:%Y-%m-%d_%H-%M-%S}" + (f"-{number}" if number > 1 else "") + _ENDING
            folder = os.path.join(parent, name)
            if probe.status(folder) is not None:
                continue
            made = cls(BackupFolder(run, root, folder, 0, secrets.token_hex(16), volumes))
            journal.add_backup(made.backup)
            try:
                fs.mkdir(folder, 0o700)
            except FileExistsError:
                continue
            break
        try:
            made._furnish(f"{time:%Y-%m-%d %H:%M:%S}")
        except OSError:
            # Another place is tried, and the journal forgets this one: nothing is left in it.
            with contextlib.suppress(OSError):
                prune(folder)
            raise
        return made

    def _furnish(self, time: str) -> None:
        """Write the files that a backup has from the start. Raises OSError."""
        folder, root, mark = self.backup.folder, self.backup.root, self.backup.mark
        origin = Origin(root, folder, mark, self.backup.volumes, volume_of(folder))
        self._write(BACKUP_MARKER_NAME, f"{_MARKER}\n{json.dumps(origin.to_dict())}\n")
        for own, text in KEEP_OUT.items():
            self._write(own, text)
        self._write(README_NAME, _README.format(time=time, root=root, run=self.backup.run))
        self._write(MANIFEST_NAME, "")
        parent = os.path.dirname(folder)
        for path in (folder, parent, os.path.dirname(parent)):
            fs.fsync_path(path)

    def place_for(self, path: str, tree: str = "removed") -> str:
        """A free place for the file of this path; its folders are made. Raises OSError."""
        relative = os.path.relpath(path, self.backup.root)
        for number in itertools.count(1):
            name = tree if number == 1 else f"{tree}-{number}"
            place = os.path.join(self.backup.folder, name, relative)
            if os.name == "nt" and len(place) > _LONGEST_ON_WINDOWS:
                return self._short_place(path)
            if self._take(place):
                try:
                    self._make_folders(os.path.dirname(place), os.path.dirname(path))
                    if probe.status(place) is None:
                        return place
                except (FileExistsError, NotADirectoryError):
                    continue  # a file of the run has the name of this folder
                except OSError as error:
                    if error.errno != errno.ENAMETOOLONG:
                        raise
                    return self._short_place(path)
        raise AssertionError("counting never ends")

    def _short_place(self, path: str) -> str:
        """A place in a numbered folder, for a path that is too long to be repeated."""
        number = str(next(self._numbers))
        place = os.path.join(self.backup.folder, _LONG, number, os.path.basename(path))
        self._make_folders(os.path.dirname(place), os.path.dirname(path))
        return place

    def _take(self, place: str) -> bool:
        """Reserve a place against names that differ only in case or composition."""
        key = unicodedata.normalize("NFC", place).casefold()
        if key in self._taken:
            return False
        self._taken.add(key)
        return True

    def _make_folders(self, folder: str, model: str) -> None:
        """Make a folder and those above it, as private as the folders they mirror."""
        missing = []
        while probe.status(folder) is None:
            missing.append((folder, model))
            folder, model = os.path.dirname(folder), os.path.dirname(model)
        for path, like in reversed(missing):
            fs.mkdir(path, 0o700)
            found = probe.status(like)
            if found is not None and like.startswith(self.backup.root):
                fs.chmod(path, (found.st_mode & 0o7777) | 0o700)
            self.new_folders.add(os.path.dirname(path))

    def record(self, event: str, items: Iterable[Item]) -> None:
        """Add lines to the manifest; they are on the disk when this returns."""
        append_lines(
            os.path.join(self.backup.folder, MANIFEST_NAME),
            [_manifest_line(event, item, self.backup.folder) for item in items],
        )

    def record_preserved(self, lines: Iterable[dict[str, Any]]) -> None:
        """Add lines about preserved files to the manifest."""
        append_lines(os.path.join(self.backup.folder, MANIFEST_NAME), lines)

    def _write(self, name: str, text: str) -> None:
        descriptor = fs.open_new(os.path.join(self.backup.folder, name))
        try:
            fs.write(descriptor, text.encode("utf-8", "surrogateescape"))
            fs.fsync(descriptor)
        finally:
            fs.close(descriptor)


def append_lines(path: str, lines: Iterable[dict[str, Any]]) -> None:
    """Add JSON lines to a file; a line that a crash cut off is ended first."""
    text = "".join(json.dumps({**line, _SUM: _checksum(line)}) + "\n" for line in lines)
    if not text:
        return
    descriptor = fs.open_append(path)
    try:
        size = fs.fstat(descriptor).st_size
        if size and fs.read_at(descriptor, size - 1) != b"\n":
            text = "\n" + text
        fs.write(descriptor, text.encode("ascii"))
        fs.fsync(descriptor)
    finally:
        fs.close(descriptor)


_SUM = "checksum"


_LONGEST_LINE = 1 << 20


_MOST_BYTES = 1 << 30


def _checksum(line: dict[str, Any]) -> str:
    values = {key: value for key, value in line.items() if key != _SUM}
    return blake3(json.dumps(values, sort_keys=True).encode("ascii")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a manifest: JSON objects as they were written, and how many are damaged."""

    sound: list[dict[str, Any]]
    damaged: int = 0


def read_manifest(folder: str) -> Lines:
    """What the manifest of a backup says. Raises OSError.

    Lines of versions before checksums are taken as they are. A manifest can come from anywhere: it
    is read within limits, and never through a link.
    """
    path = os.path.join(folder, MANIFEST_NAME)
    sound: list[dict[str, Any]] = []
    damaged = 0
    if probe.regular(path) is None:
        return Lines(sound)
    with open(fs.open_read(path), "rb") as manifest:
        while manifest.tell() < _MOST_BYTES and (text := manifest.readline(_LONGEST_LINE)):
            if not text.strip():
                continue
            line = _object(text)
            if line is None or line.get(_SUM, _checksum(line)) != _checksum(line):
                damaged += 1
            else:
                sound.append(line)
    return Lines(sound, damaged)


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def stored_in(line: dict[str, Any], folder: str) -> str:
    """The place in the backup that a manifest's line names.

    A manifest can come from anywhere, so a place that leads out of the backup, by its name or
    through a link, is none. Raises ValueError for it, and KeyError for a line that names none.
    """
    place = os.path.normpath(os.path.join(folder, path_from_dict(line, "stored")))
    if place == folder or not is_inside(place, folder):
        raise ValueError(f"{place!r} lies outside the backup")
    check_names(place)
    if not is_inside(fs.realpath(os.path.dirname(place)), fs.realpath(folder)):
        raise ValueError(f"{place!r} leads out of the backup")
    return place


def check_names(path: str) -> None:
    """Raise ValueError for a path that Windows would take for something else than it says."""
    parts = os.path.splitdrive(path)[1].split(os.sep) if os.name == "nt" else ()
    if any(map(is_no_name_of_windows, parts)):
        raise ValueError(f"{path!r} has a name that Windows does not know as a file's")


def not_in_manifest(folder: str, items: Iterable[Item]) -> list[Item]:
    """Items whose files are in a backup without a sound line in its manifest."""
    named = named_in_manifest(folder)
    return [
        item
        for item in items
        if item.state == State.MOVED
        and item.stored.startswith(folder + os.sep)
        and item.stored not in named
    ]


def named_in_manifest(folder: str) -> set[str]:
    """The places in a backup that its manifest names for removed files."""
    return {
        os.path.normpath(os.path.join(folder, path_from_dict(line, "stored")))
        for line in read_manifest(folder).sound
        if line.get("event") == "removed" and isinstance(line.get("stored"), str)
    }


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a backup was made: ``folder`` is its own path then, for the files of ``root``.

    ``mark`` is what the journal of its library calls it; ``volumes`` are those of the root, and
    ``own`` is the one that it was made on. Early versions left these out.
    """

    root: str
    folder: str
    mark: str = ""
    volumes: tuple[Volume, ...] = ()
    own: Volume | None = None

    def to_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        return {
            **path_to_dict(self.root, "root"),
            **path_to_dict(self.folder, "folder"),
            "mark": self.mark,
            "volumes": [volume.to_dict() for volume in self.volumes],
            "own": self.own and self.own.to_dict(),
        }


def origin_of(folder: str) -> Origin | None:
    """What the marker of a backup says of its origin; None where it says nothing."""
    marker = os.path.join(folder, BACKUP_MARKER_NAME)
    if probe.regular(marker) is None:
        return None
    with open(fs.open_read(marker), "rb") as file:
        texts = file.read(_LONGEST_LINE).splitlines()
    for values in filter(None, map(_object, texts)):
        try:
            own = values.get("own")
            return Origin(
                path_from_dict(values, "root"),
                path_from_dict(values, "folder"),
                str(values.get("mark", "")),
                tuple(Volume.from_dict(volume) for volume in values.get("volumes", ())),
                None if own is None else Volume.from_dict(own),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            continue
    return None


def places_for(
    root: str, roots: Sequence[str], protected: Sequence[str], base: str | None
) -> list[str]:
    """Where the backup of a root's files may be made, the best place first. Raises OSError.

    Beside the scanned folders where that is the same volume, may be written and is not
    protected; else in ``root``. ``base`` is the place that a person named instead. Raises
    Refused when that one is protected.
    """
    guarded = probe.Folders(protected)

    def is_protected(place: str) -> bool:
        return guarded.contains(probe.Ancestors.of_folder(os.path.join(place, FOLDER_NAME)))

    if base is not None:
        if is_protected(base):
            raise Refused(Reason.PROTECTED, Stays.BACKUP_PROTECTED(folder=base))
        return [base]
    beside = os.path.dirname(root)
    while any(beside == other or is_inside(beside, other) for other in roots):
        beside = os.path.dirname(beside)
    above = probe.Ancestors.of(os.path.join(beside, FOLDER_NAME))
    suits = (
        beside != os.path.dirname(beside)  # nobody wants it in /
        and fs.stat(beside).st_dev == fs.stat(root).st_dev
        and volume_of(beside).mount == volume_of(root).mount
        and fs.writable(beside)
        and not is_protected(beside)
        and not above.in_backup()
    )
    places = [beside, root] if suits else [root]
    if is_protected(root):
        places.remove(root)
    if not places:
        raise Refused(Reason.PROTECTED, Stays.BACKUP_PROTECTED(folder=root))
    return places


def _manifest_line(event: str, item: Item, folder: str) -> dict[str, Any]:
    line: dict[str, Any] = {
        "event": event,
        "time": now(),
        **path_to_dict(item.path),
        **path_to_dict(os.path.relpath(item.stored, folder), "stored"),
        "blake3": item.content.hex(),
        "bytes": item.size,
        "kind": item.kind,
        "unit": item.unit,
        "action": item.action,
        "metadata": item.metadata,
    }
    if item.keeper is not None:
        line.update(path_to_dict(item.keeper, "keeper"))
        line["keeper_blake3"] = (item.keeper_content or b"").hex()
        line["relation"] = item.relation
        line["group"] = item.group
    if item.link_target is not None:
        line.update(path_to_dict(item.link_target, "aim"))
    if item.destination is not None:
        line.update(path_to_dict(item.destination, "destination"))
    return line


def prune(folder: str) -> bool:
    """Remove empty folders of a backup; returns whether all of it was empty and is gone.

    Only files that this program writes itself are unlinked, and only when nothing else is left.
    """
    if probe.status(folder) is None:
        _remove_parent_if_empty(folder)
        return True
    _drop_unfinished(folder)
    for name in fs.names(folder):
        path = os.path.join(folder, name)
        if name not in OWN_FILES and _is_folder(path):
            _prune_empty(path)
    if any(name not in OWN_FILES for name in fs.names(folder)):
        return False
    for name in OWN_FILES:  # the marker goes last: until then no scan looks in here
        with contextlib.suppress(FileNotFoundError):
            fs.unlink(os.path.join(folder, name))
    fs.rmdir(folder)
    _remove_parent_if_empty(folder)
    return True


def _remove_parent_if_empty(folder: str) -> None:
    """Remove the folder of all backups of a root, unless others are in it or it is not ours."""
    parent = os.path.dirname(folder)
    if os.path.basename(parent) == FOLDER_NAME:
        _remove_if_empty(parent)


def _remove_if_empty(folder: str) -> None:
    """Remove a folder unless something is in it."""
    with contextlib.suppress(OSError):
        fs.rmdir(folder)


def _is_folder(path: str) -> bool:
    found = probe.status(path)
    return found is not None and (found.st_mode & 0o170000) == 0o040000


def _drop_unfinished(folder: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        fs.unlink(os.path.join(folder, UNFINISHED))


def _prune_empty(folder: str) -> None:
    _drop_unfinished(folder)
    for name in fs.names(folder):
        path = os.path.join(folder, name)
        if _is_folder(path):
            _prune_empty(path)
    _remove_if_empty(folder)


_NOT_HERE = frozenset(
    {errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV, errno.ENOSYS, errno.ENOTTY}
)


_LINES = 1000


_SPARE = 64 << 20
"""Bytes that a full backup leaves free on the volume."""

Way = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class StatChange:
    """A file whose stat changed with the hard link that a backup holds to it, and nothing else.

    What was known of the file with stat ``before`` holds with ``after``.
    """

    path: str
    before: FileStat
    after: FileStat


@dataclass(frozen=True, slots=True)
class Preserved:
    """How many files were preserved, what their links changed, and what else there is to say."""

    count: int = 0
    stat_changes: tuple[StatChange, ...] = ()
    remark: Message | None = None


@dataclass(frozen=True, slots=True)
class _Coming:
    """A file that is about to be preserved as ``stored``."""

    path: str
    stored: str
    before: FileStat


def preserve(
    backup: RunBackup, paths: Sequence[str], mode: BackupMode, cancel: CancelToken
) -> Preserved:
    """Preserve files of one root.

    Raises RemovalRefused when the disk fails, or a full backup cannot be made; nothing of it
    is left then.
    """
    if mode == BackupMode.REMOVED or not paths:
        return Preserved()
    made: list[str] = []
    try:
        return _preserve(backup, paths, mode, cancel, made)
    except (OSError, Refused) as error:
        for stored in made:  # made a moment ago of files that were not touched
            with contextlib.suppress(OSError):
                fs.unlink(stored)
        reason = error.why if isinstance(error, Refused) else str(error)
        raise RemovalRefused(Problem.BACKUP_FAILED(reason=reason)) from error


def _preserve(
    backup: RunBackup,
    paths: Sequence[str],
    mode: BackupMode,
    cancel: CancelToken,
    made: list[str],
) -> Preserved:
    """See :func:`preserve`; ``made`` gets the places of what was preserved."""
    tried: dict[str, FileStat | None] = {}
    ways = _ways(backup, paths, mode, tried)
    if not ways:
        return Preserved(remark=Note.NO_FREE_COPIES())
    if mode == BackupMode.FULL and ways == [_copy]:
        _check_space(backup, paths)
    stat_changes: list[StatChange] = []
    missed = 0
    for start in range(0, len(paths), _LINES):
        coming, refused = _coming(backup, paths[start : start + _LINES], mode, tried)
        missed += refused
        # The manifest first: nothing may be in a backup that it does not list.
        backup.record_preserved(_line(one, backup.backup.folder, ways[0]) for one in coming)
        for one in coming:
            if cancel.cancelled:
                break
            try:
                _make(one, ways[0])
            except OSError:
                if mode == BackupMode.FULL:
                    raise
                missed += 1
                continue
            made.append(one.stored)
            if ways == [fs.link]:
                stat_changes += changed_by_link(one.path, one.before)
    remark = Note.NOT_PRESERVED(count=missed) if missed else None
    return Preserved(len(made), tuple(stat_changes), remark)


def changed_by_link(path: str, before: FileStat | None) -> list[StatChange]:
    """What a hard link made or removed since ``before`` changed in the stat of ``path``.

    Empty where nothing is there any more, or another file. Raises OSError.
    """
    after = probe.regular(path)
    if before is None or after is None or not moves.same_file(before, after):
        return []
    return [StatChange(path, before, after)]


def _ways(
    backup: RunBackup, paths: Sequence[str], mode: BackupMode, tried: dict[str, FileStat | None]
) -> list[Way]:
    """The ways to keep a second name or copy that this volume supports, tried on one file.

    ``tried`` gets the stat that each file it was tried on had before.
    """
    cheap: list[Way] = [fs.reflink] if mode == BackupMode.FULL else [fs.reflink, fs.link]
    found: list[Way] = []
    for way in cheap:
        trial = os.path.join(backup.backup.folder, UNFINISHED)
        for path in paths:
            try:
                tried.setdefault(path, probe.regular(path))
                way(path, trial)
            except OSError as error:
                if error.errno in _NOT_HERE:
                    break
                continue  # this one file is the trouble: ask with the next
            fs.unlink(trial)
            found.append(way)
            break
        if found:
            return found
    return [_copy] if mode == BackupMode.FULL else []


def _copy(path: str, stored: str) -> None:
    """A copy on the disk, compared with what was read."""
    content, _ = probe.read_content(path)
    moves.copy(path, stored, content, fs.metadata(path))


def _coming(
    backup: RunBackup,
    paths: Sequence[str],
    mode: BackupMode,
    tried: dict[str, FileStat | None],
) -> tuple[list[_Coming], int]:
    """Places for some files, and how many of them are gone or cannot be placed. Raises OSError."""
    found: list[_Coming] = []
    for path in paths:
        try:
            before = tried.get(path) or probe.regular(path)
            if before is not None:  # else deleted since the scan, or no file any more
                found.append(_Coming(path, backup.place_for(path, PRESERVED), before))
        except OSError:
            if mode == BackupMode.FULL:
                raise
    return found, len(paths) - len(found)


def _make(one: _Coming, way: Way) -> None:
    """Keep one file under another name until it is whole. Raises Refused and OSError."""
    unfinished = os.path.join(os.path.dirname(one.stored), UNFINISHED)
    try:
        way(one.path, unfinished)
        if way is fs.reflink:
            fs.set_metadata(unfinished, fs.metadata(one.path), one.path)
        fs.rename(unfinished, one.stored)
    except (OSError, Refused):
        with contextlib.suppress(OSError):
            fs.unlink(unfinished)
        raise


def _line(one: _Coming, folder: str, way: Way) -> dict[str, Any]:
    """What the manifest says of a preserved file."""
    return {
        "event": "preserved",
        "time": now(),
        **path_to_dict(one.path),
        **path_to_dict(os.path.relpath(one.stored, folder), "stored"),
        "bytes": one.before.size,
        "how": "reflink" if way is fs.reflink else "hard link" if way is fs.link else "copy",
    }


def _check_space(backup: RunBackup, paths: Sequence[str]) -> None:
    wanted = sum(found.size for path in paths if (found := probe.regular(path)) is not None)
    free = fs.free_space(backup.backup.folder)
    if wanted + _SPARE > free:
        raise RemovalRefused(
            Problem.BACKUP_SPACE(needed=wanted, count=free, root=backup.backup.root)
        )


def preserved_files(backup: BackupFolder) -> Iterator[tuple[str, str]]:
    """(stored, original) of all preserved files that the manifest of a backup names."""
    for line in read_manifest(backup.folder).sound:
        if line.get("event") != "preserved":
            continue
        with contextlib.suppress(KeyError, TypeError, ValueError):  # a line that someone changed
            yield stored_in(line, backup.folder), path_from_dict(line)
