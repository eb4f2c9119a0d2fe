"""Backups against the journal: verify those that it knows, adopt those that it does not.

A manifest can come from anyone, on a stick or in a download, so nothing in it that could do harm
is trusted: files come back only below folders that the person confirmed, never through or over
links, without set-user-ID bits, foreign owners or privileged attributes, and what programs start by
themselves is confirmed by name. Every file is read and compared first.

A backup of this journal that a person moved is another matter: there the journal says where the
files came from, and the manifest is not used.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from image_duplicate_finder.companions import FILM_EXTENSIONS, SIDECAR_EXTENSIONS, split
from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.errors import NotFound, RemovalRefused
from image_duplicate_finder.formats import PICTURE_EXTENSIONS
from image_duplicate_finder.messages import BackupProblem, Message, Problem, both, english
from image_duplicate_finder.model import BACKUP_MARKER_NAME, Relation
from image_duplicate_finder.progress import Progress, Stage, Step
from image_duplicate_finder.removal import fs, probe
from image_duplicate_finder.removal.backup import (
    FOLDER_NAME,
    MANIFEST_NAME,
    Origin,
    check_names,
    named_in_manifest,
    not_in_manifest,
    origin_of,
    preserved_files,
    read_manifest,
    stored_in,
)
from image_duplicate_finder.removal.journal import (
    MERGED,
    UNSETTLED,
    BackupFolder,
    Item,
    Journal,
    RunState,
    State,
)
from image_duplicate_finder.removal.links import TRACE
from image_duplicate_finder.removal.plan import COMPANION_KINDS, content_from_hex
from image_duplicate_finder.removal.plan_file import path_from_dict
from image_duplicate_finder.removal.probe import recorded_for, same_drive, volume_of, volumes_below
from image_duplicate_finder.settings import BackupMode, RemovalAction

_PLAN = "adopted"


_KINDS = frozenset({"picture", *COMPANION_KINDS})


_MOST = 2**63 - 1


_KEEPERS_ASKED = 50

_STARTED = frozenset(
    """
    autostart startup launchagents launchdaemons startupitems systemd init.d rc.d cron.d
    cron.daily cron.hourly profile.d bin sbin
    """.split()
)
"""Folders whose files programs start or obey by themselves, case-folded."""

_EXPECTED = PICTURE_EXTENSIONS | FILM_EXTENSIONS | SIDECAR_EXTENSIONS


_HELD = (State.MOVED, State.MISSING)


@dataclass(frozen=True, slots=True)
class Offer:
    """What taking over a backup would mean, before anything in it is trusted.

    ``root`` is the folder that its ``files`` go back below. ``delicate`` are paths that the
    person has to confirm by name; ``outside`` counts files that lie below other folders, and
    ``damaged`` lines that cannot be read. ``own`` backups of this journal need no confirmation.
    """

    folder: str
    root: str
    files: int
    delicate: tuple[str, ...] = ()
    outside: int = 0
    damaged: int = 0
    own: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """What a person confirmed: folders to write below, and paths by their names."""

    roots: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, roots: Iterable[str], names: Iterable[str] = ()) -> Consent:
        """Folders as they really are; names below them with their real folder."""
        return cls(
            tuple(fs.realpath(root) for root in roots),
            frozenset(
                os.path.join(fs.realpath(os.path.dirname(name)), os.path.basename(name))
                for name in names
            ),
        )


def offer(journal: Journal, folder: str) -> Offer:
    """What a backup would bring back and where. Raises NotFound where there is none."""
    folder = fs.realpath(folder)
    known = _moved_from(journal, folder)
    if known is not None:
        items = [i for i in journal.items(known.run, states=_HELD) if _below(i, known)]
        root = _at(known.root, *_move(_origin(known), folder, items))
        return Offer(folder, root, len(items), own=True)
    found = _Found.of(folder)
    below = [item for item in found.items if _is_below(item.path, found.root)]
    return Offer(
        folder,
        found.root,
        len(below),
        tuple(item.path for item in below if is_delicate(item.path, found.root)),
        len(found.items) - len(below),
        found.damaged,
    )


def adopt(journal: Journal, folder: str, consent: Consent, progress: Progress) -> int:
    """Make a run of the backup in ``folder``; returns its number.

    A backup that the journal knows keeps the number it has; files in it that the journal lost
    are added to it. Raises NotFound when the folder is no backup or holds nothing any more, and
    RemovalRefused when nothing in it was confirmed. The caller holds the library's lock.
    """
    folder = fs.realpath(folder)
    known = _moved_from(journal, folder)
    if known is not None:
        return _follow(journal, known, folder, progress)
    here = next((b for b in journal.backups() if fs.realpath(b.folder) == folder), None)
    recorded = {item.stored for item in journal.items() if _is_below(item.stored, folder)}
    found = _Found.of(folder)
    new = [item for item in found.items if item.stored not in recorded]
    if here is not None and not new:
        return here.run
    held = _held(new, progress)
    if not held:
        raise NotFound(Problem.NO_BACKUP(folder=folder))
    agreed = [item for item in held if _agreed(item.path, consent)]
    if not agreed:
        raise RemovalRefused(Problem.NOT_CONFIRMED(count=len(held), folder=folder, root=found.root))
    roots = {root for root in consent.roots if any(_is_below(i.path, root) for i in agreed)}
    if here is not None:
        run = here.run
    else:
        run = journal.begin_run(_PLAN, RemovalAction.BACKUP, BackupMode.REMOVED)
        for root in sorted(roots):
            volumes = tuple(volumes_below(root))
            journal.add_backup(BackupFolder(run, root, folder, mark=found.mark, volumes=volumes))
    journal.replace_damaged([replace(item, run=run) for item in agreed])
    if here is None:
        journal.end_run(run, RunState.DONE)
    return run


def _moved_from(journal: Journal, folder: str) -> BackupFolder | None:
    """The backup of this journal that is in ``folder`` now and no longer where it was."""
    origin = origin_of(folder)
    if origin is None:
        return None
    for known in reversed(journal.backups()):
        same = origin.mark == known.mark if known.mark else origin.folder == known.folder
        if same and fs.realpath(known.folder) != folder and probe.status(known.folder) is None:
            return known
    return None


def _follow(journal: Journal, known: BackupFolder, folder: str, progress: Progress) -> int:
    """A new run for what a moved backup holds.

    Where it goes back to stays as it was, unless its drive is mounted elsewhere now, or the
    pictures moved together with it.
    """
    items = [item for item in journal.items(known.run, states=_HELD) if _below(item, known)]
    there = [
        replace(
            item,
            stored=os.path.join(folder, os.path.relpath(item.stored, known.folder)),
            state=State.MOVED,
        )
        for item in items
    ]
    held = _held(there, progress)
    if not held:
        raise NotFound(Problem.NO_BACKUP(folder=folder))
    before, now = _move(_origin(known), folder, held)
    followed = replace(known, folder=folder)
    if before != now:
        held = [_moved(item, before, now) for item in held]
        root = _at(known.root, before, now)
        followed = replace(followed, root=root, volumes=tuple(volumes_below(root)))
    old = journal.run(known.run)
    run = journal.begin_run(old.plan, old.action, old.mode)
    journal.add_backup(replace(followed, run=run))
    journal.move_to_run(held, run)
    journal.end_run(run, RunState.DONE)
    return run


def _origin(known: BackupFolder) -> Origin:
    """What the journal knows of a backup's origin."""
    own = recorded_for(known.folder, known.volumes)
    return Origin(known.root, known.folder, known.mark, known.volumes, own)


def _below(item: Item, backup: BackupFolder) -> bool:
    return _is_below(item.stored, backup.folder)


def _is_below(path: str, folder: str) -> bool:
    return path != folder and is_inside(path, folder)


def _held(items: Sequence[Item], progress: Progress) -> list[Item]:
    """Those whose files are there with their content, each place once. Reads all of them."""
    held: dict[str, Item] = {}
    for number, item in enumerate(items):
        if _holds(item):
            held[item.stored] = item
        progress(Step(Stage.ADOPT, number + 1, len(items), item.path, number + 1 - len(held)))
    return list(held.values())


def _holds(item: Item) -> bool:
    try:
        return probe.holds(item.stored, item.content)
    except OSError:  # it cannot be read
        return False


def _agreed(path: str, consent: Consent) -> bool:
    """Whether a person confirmed that this path is written to."""
    return any(
        _is_below(path, root) and (path in consent.names or not is_delicate(path, root))
        for root in consent.roots
    )


def is_delicate(path: str, root: str) -> bool:
    """Whether a file below ``root`` could be more than a picture: hidden, or started by itself."""
    parts = os.path.relpath(path, root).replace("\\", "/").split("/")
    return (
        any(part.startswith(".") or part.casefold() in _STARTED for part in parts)
        or split(parts[-1])[1] not in _EXPECTED
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What the marker and the manifest of an unknown backup say, without anything dangerous."""

    root: str
    items: list[Item]
    damaged: int = 0
    mark: str = ""

    @classmethod
    def of(cls, folder: str) -> _Found:
        origin = origin_of(folder)
        try:
            lines = read_manifest(folder)
        except OSError as error:
            problem = Problem.NO_MANIFEST(folder=folder, reason=error.strerror or str(error))
            raise NotFound(problem) from error
        items = [item for line in lines.sound if (item := _item(line, folder)) is not None]
        around = os.path.dirname(os.path.dirname(folder))
        if origin is None:
            return cls(around, items, lines.damaged)
        before, now = _move(origin, folder, items)
        moved = [_moved(item, before, now) for item in items]
        root = fs.realpath(_at(origin.root, before, now))
        return cls(root, [_really(item) for item in moved], lines.damaged, origin.mark)


def _move(origin: Origin, folder: str, items: Sequence[Item]) -> tuple[str, str]:
    """A folder that paths of the backup began with, and what they begin with now.

    Nothing moved, unless the keepers are not at their old place and either the drive itself is
    found again under another name, or what was kept is found, byte for byte, in the same place
    relative to the backup as before.
    """
    stay = (origin.root, origin.root)
    if _keepers_found(items, *stay):
        return stay
    own = origin.own
    if own is not None and origin.volumes and same_drive(own, origin.volumes[0]):
        now = volume_of(folder)
        then = os.path.relpath(origin.folder, own.mount)
        if same_drive(own, now) and os.path.relpath(folder, now.mount) == then:
            return own.mount, now.mount
    around = os.path.dirname(os.path.dirname(origin.folder))
    moved = (around, os.path.dirname(os.path.dirname(folder)))
    if is_inside(origin.root, around) and _keepers_found(items, *moved):
        return moved
    return stay


def _keepers_found(items: Sequence[Item], before: str, now: str) -> bool:
    """Whether some keepers (at least one) are all found with their content."""
    kept = {
        _at(item.keeper, before, now): item.keeper_content
        for item in items
        if item.keeper is not None and item.keeper_content is not None
    }
    asked = list(islice(kept.items(), _KEEPERS_ASKED))
    try:
        return bool(asked) and all(probe.holds(path, content) for path, content in asked)
    except OSError:
        return False


def _at(path: str, before: str, now: str) -> str:
    if path != before and not is_inside(path, before):
        return path
    return os.path.normpath(os.path.join(now, os.path.relpath(path, before)))


def _moved(item: Item, before: str, now: str) -> Item:
    keeper = None if item.keeper is None else _at(item.keeper, before, now)
    return replace(item, path=_at(item.path, before, now), keeper=keeper)


def _really(item: Item) -> Item:
    """With the real folder of its path, links resolved."""
    folder, name = os.path.split(item.path)
    return replace(item, path=os.path.join(fs.realpath(folder), name))


def _item(line: dict[str, Any], folder: str) -> Item | None:
    """The item that a line of the manifest records; None for other and impossible lines."""
    try:
        if line["event"] != "removed" or line["kind"] not in (MERGED, *_KINDS):
            return None
        keeper = _absolute(line, "keeper") if "keeper" in line else None
        return Item(
            id=0,
            run=0,
            unit=_number(line["unit"]),
            state=State.MOVED,
            action=RemovalAction(line.get("action", RemovalAction.BACKUP)),
            path=_absolute(line, "path"),
            stored=stored_in(line, folder),
            content=content_from_hex(line["blake3"]),
            size=_number(line["bytes"]),
            metadata=_harmless(line["metadata"]),
            keeper=keeper,
            keeper_content=None if keeper is None else content_from_hex(line["keeper_blake3"]),
            relation=None if keeper is None else Relation(line["relation"]),
            group=_number(line.get("group", 0)),
            # Only this library's own journal may say that a file can be replaced.
            kind="picture" if line["kind"] == MERGED else line["kind"],
            link_target=path_from_dict(line, "aim") if "aim" in line else None,
            adopted=True,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError):
        return None


def _absolute(line: dict[str, Any], key: str) -> str:
    """A plain absolute path, with nothing in it that leads elsewhere. Raises ValueError."""
    path = path_from_dict(line, key)
    os.fsencode(path)
    plain = os.path.isabs(path) and os.path.normpath(path) == path and not path.startswith("//")
    if os.name == "nt":
        plain = plain and bool(os.path.splitdrive(path)[0])
    check_names(path)
    if not plain or path == os.path.dirname(path):
        raise ValueError(f"{path!r} is no plain absolute path")
    return path


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"{value!r} is no number that the journal can hold")
    return value


def _harmless(values: dict[str, Any]) -> dict[str, Any]:
    """Metadata that anyone may give a file of their own: no special bits, no other owner."""
    attributes = {}
    for name, value in dict(values.get("xattrs", {})).items():
        allowed = name.startswith("user.") or name == "system.posix_acl_access"
        if allowed and name != TRACE and "\0" not in name and name.isprintable():
            base64.b64decode(value, validate=True)
            attributes[name] = value
    return {
        "mode": _number(values["mode"]) & 0o777,
        "atime_ns": _number(values["atime_ns"]),
        "mtime_ns": _number(values["mtime_ns"]),
        "links": max(1, _number(values.get("links", 1))),
        "xattrs": attributes,
    }


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What the journal says against what the disk says; ``found`` is empty when they agree."""

    checked: int
    found: tuple[Message, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """What was found, in English."""
        return tuple(map(english, self.found))


def verify(journal: Journal, progress: Progress, folders: tuple[str, ...]) -> VerifyReport:
    """Read every file in the backups and compare it with the journal; changes nothing.

    Also reported are rows that are damaged, and what lies on the disk without a row, in backups and
    as whole backups in or beside ``folders``.
    """
    problems: list[Message] = []
    items = journal.items(states=(State.MOVED, State.MISSING, *UNSETTLED))
    for number, item in enumerate(items):
        problem = _problem(item)
        if problem:
            problems.append(problem)
        progress(Step(Stage.CHECK, number + 1, len(items), item.path, len(problems)))
    problems += [
        BackupProblem.ROW_DAMAGED(
            path=row.path or BackupProblem.A_FILE(), run=row.run, number=row.id
        )
        for row in journal.damaged()
    ]
    problems += [
        BackupProblem.BACKUP_ROW_DAMAGED(path=folder) for folder in journal.damaged_backups()
    ]
    known = {item.stored for item in journal.items()}
    for backup in journal.backups():
        known |= {stored for stored, _ in preserved_files(backup)}
    here = [backup.folder for backup in journal.backups() if probe.status(backup.folder)]
    for folder in here:
        problems += _without_row(folder, known)
        lacking = not_in_manifest(folder, items)
        if lacking:
            problems.append(BackupProblem.MANIFEST_DAMAGED(path=folder, count=len(lacking)))
    made = {fs.realpath(folder) for folder in here}
    parents = {os.path.dirname(os.path.dirname(b.folder)) for b in journal.backups()}
    for folder in find_backups(tuple(sorted({*folders, *parents}))):
        if fs.realpath(folder) not in made:
            problems.append(BackupProblem.UNKNOWN(path=folder))
    return VerifyReport(len(items), tuple(problems))


def _without_row(folder: str, known: set[str]) -> list[Message]:
    """What lies in a backup although the journal does not know it."""
    named = named_in_manifest(folder)
    return [
        BackupProblem.LOST_ROW(path=path, folder=folder)
        if path in named
        else BackupProblem.STRANGE_FILE(path=path)
        for path in _files_below(folder)
        if path not in known and os.path.dirname(path) != folder
    ]


def _problem(item: Item) -> Message | None:
    """What is wrong with one item, or None."""
    try:
        if item.state in UNSETTLED:
            unsettled = BackupProblem.UNSETTLED(path=item.path, state=item.state.value)
            return both(unsettled, item.remark or BackupProblem.START_AGAIN())
        if probe.regular(item.stored) is None:
            gone = probe.status(item.path) is None
            code = BackupProblem.NOWHERE if gone else BackupProblem.NOT_STORED
            return code(path=item.path, stored=item.stored)
        if not probe.holds(item.stored, item.content):
            return BackupProblem.CHANGED(path=item.path, stored=item.stored)
    except OSError as error:
        return BackupProblem.UNREADABLE(path=item.path, reason=str(error.strerror))
    return None


def _files_below(folder: str) -> list[str]:
    """All entries below a folder that are not folders."""
    found: list[str] = []
    for name in fs.names(folder):
        path = os.path.join(folder, name)
        if (fs.lstat(path).st_mode & 0o170000) == 0o040000:
            found += _files_below(path)
        else:
            found.append(path)
    return found


def find_backups(roots: tuple[str, ...]) -> list[str]:
    """Backup folders in ``roots`` or among them, known to a journal or not, sorted.

    Also those beside a root, or further up, that were made for files in it.
    """
    found: set[str] = set()
    for root in roots:
        found.update(folder for folder in (root, *_backups_in(root)) if _is_backup(folder))
        for above in probe.ancestors(os.path.dirname(root)):
            for folder in _backups_in(above):
                origin = origin_of(folder) if _is_backup(folder) else None
                if origin is not None and is_inside(fs.realpath(origin.root), fs.realpath(root)):
                    found.add(folder)
    return sorted(found)


def _backups_in(folder: str) -> list[str]:
    parent = folder
    if os.path.basename(folder) != FOLDER_NAME:
        parent = os.path.join(folder, FOLDER_NAME)
    try:
        return [os.path.join(parent, name) for name in fs.names(parent)]
    except OSError:  # not there, not a folder, or not readable
        return []


def _is_backup(folder: str) -> bool:
    try:
        own = (MANIFEST_NAME, BACKUP_MARKER_NAME)
        return all(probe.status(os.path.join(folder, name)) is not None for name in own)
    except OSError:
        return False
