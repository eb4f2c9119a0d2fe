"""What must be true on the disk for a file to be removed, checked before and after the move.

The check after the move closes the gap that no check before it can: when the keeper was changed,
deleted, or was another name of the removed file all along, the file goes back. It also keeps two
programs with two libraries from removing each other's keepers, since each checks its keeper after
its own file has left.

:func:`look_around` lists what belongs to the files of a plan: halves, partners and sidecars.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from image_duplicate_finder.companions import FILM_EXTENSIONS, label_folders, split
from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.messages import Stays
from image_duplicate_finder.model import FileStat, Relation
from image_duplicate_finder.relations import SAME_PIXELS
from image_duplicate_finder.removal import fs, probe
from image_duplicate_finder.removal.journal import Item
from image_duplicate_finder.removal.links import Targets, links_below
from image_duplicate_finder.removal.plan import (
    LINKS,
    Evidence,
    Plan,
    PlanFile,
    PlanItem,
    Reason,
    Refusal,
    Surroundings,
    UnitIndex,
    keeper_planned,
    led_to,
    no_match,
    refuse,
)
from image_duplicate_finder.removal.probe import Ancestors, Folders, Refused
from image_duplicate_finder.settings import RemovalAction
from image_duplicate_finder.sources import library_of

Matches = Callable[[bytes, bytes], bool]
"""Tells whether the library has a verified match between the contents of a file and its keeper,
or a person chose to remove the one beside the other, seeing both."""


def nothing_matches(_content: bytes, _keeper: bytes) -> bool:
    """:data:`Matches` where there is no library to ask: only equal bytes count."""
    return False


@dataclass(frozen=True, slots=True)
class Seen:
    """What was at the paths of a file and its keeper just before the move.

    ``apart``: an experiment showed that a change of one does not show in the other.
    """

    file: FileStat
    keeper: FileStat | None
    apart: bool = True


class Checks:
    """The checks of one application of a plan; ``targets`` knows where symbolic links lead."""

    def __init__(
        self,
        plan: Plan,
        *,
        protected: tuple[str, ...],
        matches: Matches,
        around: Surroundings,
        targets: Targets,
    ) -> None:
        self._plan = plan
        self._roots = Folders(plan.roots)
        self._protected = Folders((*plan.protected, *protected))
        self._only_from = Folders(plan.only_from)
        self._matches = matches
        self._units = UnitIndex(around)
        self._targets = targets
        self._planned: Mapping[str, PlanItem] = {item.path: item for item in plan.items}
        self._keepers = {item.evidence.keeper.path for item in plan.items}
        self._removed_identities = {item.evidence.file.stat.identity for item in plan.items}
        self._keeper_identities: set[tuple[int, int]] = set()

    def by_plan(self, item: PlanItem) -> None:
        """Raise Refused when the plan itself breaks a rule: it may not come from make_plan."""
        evidence = item.evidence
        refusal = refuse(evidence, self._plan)
        if refusal is None and (
            evidence.keeper.path in self._planned
            or evidence.keeper.stat.identity in self._removed_identities
        ):
            refusal = keeper_planned(item.path, evidence.keeper.path)
        if refusal is None and self._plan.action not in LINKS:
            refusal = self._units.would_split(evidence, self._planned)
        if refusal is not None:
            raise refused(refusal)
        contents = evidence.file.content, evidence.keeper.content
        if evidence.relation != Relation.BYTE_IDENTICAL and not (
            evidence.chosen or self._matches(*contents)
        ):
            raise refused(no_match(item.path, evidence.keeper.path))
        if self._plan.action not in LINKS:
            self._check_unit(item)
        elif item.companions:
            raise Refused(Reason.UNIT, Stays.LINK_KEEPS_COMPANIONS())

    def _check_unit(self, item: PlanItem) -> None:
        """Raise Refused when the plan leaves behind what belongs to the file."""
        partners = self._units.partners(item.path)
        mates = [self._planned[path] for path in (item.path, *partners)]
        found = {
            companion.path
            for mate in mates
            for companion in self._units.companions(mate.path, self._planned, self._keepers)
        }
        planned = {companion.path for mate in mates for companion in mate.companions}
        if found != planned or any(mate.unit != item.unit for mate in mates):
            raise Refused(Reason.UNIT, Stays.UNIT_CHANGED())

    def place(self, path: str, *, goes: bool = True) -> None:
        """Raise Refused when nothing may be changed in, or removed from, a path's real folder."""
        above = Ancestors.of(path)
        if not self._roots.contains(above):
            raise Refused(Reason.OUTSIDE, Stays.OUTSIDE())
        if self._protected.contains(above):
            raise Refused(Reason.PROTECTED, Stays.IN_PROTECTED())
        if goes and self._only_from and not self._only_from.contains(above):
            raise Refused(Reason.NOT_CHOSEN, Stays.NOT_IN_CHOSEN())
        if above.in_backup():
            raise Refused(Reason.BACKUP, Stays.IN_BACKUP())
        if probe.is_made_to_show(path):
            raise Refused(Reason.OUTSIDE, Stays.MADE_TO_SHOW())
        package = library_of(os.path.join(above.paths[0], ""))
        if package is not None:
            raise Refused(Reason.LIBRARY, Stays.IN_PACKAGE(path=package))

    def before(self, item: Item, planned: PlanItem | None) -> Seen:
        """Check a file and its keeper just before the move. Raises Refused and OSError.

        ``planned`` is None for companions.
        """
        if planned is None:
            content, file = probe.read_content(item.path)
            if content != item.content:
                raise Refused(Reason.CHANGED, Stays.CHANGED_SINCE_PLAN())
            keeper = None
        else:
            evidence = planned.evidence
            reread = evidence.relation in SAME_PIXELS
            file = _unchanged(evidence.file, reread, _ITSELF)
            keeper = self._keeper(evidence, reread, file)
        link = self._targets.link_to(item.path, file.identity)
        if link is not None:
            raise refused(led_to(item.path, link))
        apart = keeper is None or self._apart(item, file, keeper)
        self.place(item.path)  # last before the move: folders can become links, too
        if file.identity in self._keeper_identities:
            raise Refused(Reason.KEEPER_PLANNED, Stays.WAS_KEEPER())
        self._removed_identities.add(file.identity)
        if keeper is not None:
            self._keeper_identities.add(keeper.identity)
        return Seen(file, keeper, apart)

    @staticmethod
    def _apart(item: Item, file: FileStat, keeper: FileStat) -> bool:
        """Whether a file and its keeper are surely two files. Raises Refused when they are one."""
        if item.action == RemovalAction.HARDLINK and file.device == keeper.device:
            return True  # each new link is a change of the keeper, and leads to it in any case
        together = probe.touched_together(item.path, str(item.keeper))
        if together:
            raise Refused(Reason.SAME_FILE, Stays.ONE_FILE(path=str(item.keeper)))
        return together is False

    def _keeper(self, evidence: Evidence, reread: bool, file: FileStat) -> FileStat:
        keeper = _unchanged(evidence.keeper, reread, _KEEPER)
        if keeper.identity == file.identity:
            raise Refused(Reason.SAME_FILE, Stays.ONE_FILE(path=evidence.keeper.path))
        if keeper.identity in self._removed_identities:
            raise refused(keeper_planned(evidence.file.path, evidence.keeper.path))
        _check_lasting(evidence.keeper.path)
        return keeper


def refused(refusal: Refusal) -> Refused:
    """A refusal of the plan's rules as the exception that stops a unit."""
    return Refused(refusal.reason, refusal.why)


def after(item: Item, seen: Seen | None) -> None:
    """Check the keeper once more after the file has left. Raises Refused and OSError."""
    if item.keeper is None or item.keeper_content is None:
        return
    moved = probe.regular(item.stored)
    before = None if seen is None else seen.keeper
    keeper = check_keeper(item.keeper, item.keeper_content, before)
    if moved is not None and keeper.identity == moved.identity:
        raise Refused(Reason.SAME_FILE, Stays.ONE_FILE(path=str(item.keeper)))
    if (
        seen is not None
        and before is not None
        and not seen.apart
        and keeper.ctime_ns != before.ctime_ns
        and item.action != RemovalAction.HARDLINK
    ):
        raise Refused(Reason.SAME_FILE, Stays.MAYBE_ONE_FILE(path=item.keeper))


def check_keeper(path: str, content: bytes, seen: FileStat | None) -> FileStat:
    """The stat of a keeper that is there, readable, with this content. Raises Refused.

    It is read in full only when its stat differs from ``seen``, or nothing was seen. The
    last check is of the stat, so a change at any moment before is noticed. A file in a backup,
    reached through a folder that became a link, is no keeper.
    """
    found = probe.regular(path)
    if found is None:
        raise Refused(Reason.KEEPER_GONE, Stays.KEEPER_GONE(path=path))
    try:
        _check_lasting(path)
        if seen is not None and found.unchanged(seen):
            probe.check_readable(path)
        else:
            now, found = probe.read_content(path)
            if now != content:
                raise Refused(Reason.KEEPER_CHANGED, Stays.KEEPER_CHANGED(path=path))
    except OSError as error:
        raise Refused(
            Reason.KEEPER_GONE, Stays.KEEPER_UNREADABLE(path=path, reason=str(error.strerror))
        ) from error
    last = probe.regular(path)
    if last is None or not last.unchanged(found):
        raise Refused(Reason.KEEPER_CHANGED, Stays.KEEPER_CHANGED(path=path))
    return last


def _check_lasting(path: str) -> None:
    """Refuse a keeper that this program itself may take away. Raises OSError too."""
    if Ancestors.of(path).in_backup():
        raise Refused(Reason.KEEPER_GONE, Stays.KEEPER_IN_BACKUP(path=path))
    if probe.is_made_to_show(path):
        raise Refused(Reason.KEEPER_GONE, Stays.KEEPER_MADE_TO_SHOW(path=path))


class _Subject(NamedTuple):
    """How refusals speak of a file: of itself, or as the keeper of another."""

    gone: tuple[Reason, Stays]
    irregular: tuple[Reason, Stays]
    unreadable: tuple[Reason, Stays]
    changed: tuple[Reason, Stays]


_ITSELF = _Subject(
    gone=(Reason.GONE, Stays.GONE),
    irregular=(Reason.CHANGED, Stays.IRREGULAR),
    unreadable=(Reason.GONE, Stays.UNREADABLE),
    changed=(Reason.CHANGED, Stays.CHANGED_SINCE_SCAN),
)
_KEEPER = _Subject(
    gone=(Reason.KEEPER_GONE, Stays.KEEPER_GONE),
    irregular=(Reason.KEEPER_CHANGED, Stays.KEEPER_IRREGULAR),
    unreadable=(Reason.KEEPER_GONE, Stays.KEEPER_UNREADABLE),
    changed=(Reason.KEEPER_CHANGED, Stays.KEEPER_CHANGED_SINCE_SCAN),
)


def _unchanged(file: PlanFile, reread: bool, subject: _Subject) -> FileStat:
    """The stat of a file that still holds what the plan says. Raises Refused."""
    try:
        found = probe.status(file.path)
        if found is None:
            raise _refused_as(subject.gone, path=file.path)
        stat = FileStat.of(found)
        if probe.regular(file.path) is None:
            raise _refused_as(subject.irregular, path=file.path)
        if not reread and stat.unchanged(file.stat):
            probe.check_readable(file.path)
            return stat
        content, stat = probe.read_content(file.path)
    except OSError as error:
        reason = str(error.strerror)
        raise _refused_as(subject.unreadable, path=file.path, reason=reason) from error
    if content != file.content:
        raise _refused_as(subject.changed, path=file.path)
    return stat


def _refused_as(kind: tuple[Reason, Stays], **values: str) -> Refused:
    reason, code = kind
    return Refused(reason, code(**{name: values[name] for name in code.names}))


def look_around(
    evidence: Iterable[Evidence], roots: Iterable[str] = (), *, links: bool = True
) -> Surroundings:
    """List the folders of all files and keepers; stat what belongs to a file there.

    Folders of labels beside those of pictures are looked for below ``roots``, and so are symbolic
    links to the files, unless the caller does that (``links`` False).

    Films are opened for their content identifier only beside a picture that states one. A
    folder that cannot be read counts as empty: its files cannot be moved either.
    """
    folders: dict[str, tuple[str, ...]] = {}
    beside: dict[str, tuple[str, ...]] = {}
    stats: dict[str, FileStat] = {}
    identifiers: dict[str, str] = {}
    evidence, roots = list(evidence), list(roots)
    for each in evidence:
        for file in (each.file, each.keeper):
            if file.content_identifier is not None:
                identifiers[file.path] = file.content_identifier
            folders.setdefault(os.path.dirname(file.path), ())
    with_identifiers = {os.path.dirname(path) for path in identifiers}
    for folder in folders:
        folders[folder] = _names(folder)
        beside[folder] = tuple(
            os.path.join(labels, name)
            for labels in label_folders(folder)
            if any(is_inside(labels, root) for root in roots)
            for name in _names(labels)
        )
        for name in folders[folder] if folder in with_identifiers else ():
            path = os.path.join(folder, name)
            if split(name)[1] in FILM_EXTENSIONS and probe.regular(path) is not None:
                identifier = content_identifier(path)
                if identifier is not None:
                    identifiers[path] = identifier
    led_to = _led_to(evidence, roots if links else ())
    around = Surroundings(folders, stats, identifiers, beside, led_to)
    units = UnitIndex(around)
    for path in {each.file.path for each in evidence}:
        for companion in units.paths(path, units.unit(path).companions):
            if companion not in stats and (found := probe.regular(companion)) is not None:
                stats[companion] = found
    return around


def _names(folder: str) -> tuple[str, ...]:
    try:
        return tuple(fs.names(folder))
    except OSError:
        return ()


def _led_to(evidence: Iterable[Evidence], roots: Iterable[str]) -> dict[str, str]:
    """The files to remove that symbolic links lead to, with one such link each."""
    targets = Targets(links_below(roots))
    found: dict[str, str] = {}
    for each in evidence:
        with contextlib.suppress(OSError):  # what cannot be checked now cannot be removed either
            link = targets.link_to(each.file.path, each.file.stat.identity)
            if link is not None:
                found[each.file.path] = link
    return found


_KEY = b"com.apple.quicktime.content.identifier"
_LARGEST_MOOV = 16 << 20


def content_identifier(path: str) -> str | None:
    """The Live Photo identifier of the film at ``path``; None where it has none or is no film.

    Apple, "QuickTime File Format", Metadata Atoms: ``moov/meta`` holds ``keys`` (a list of key
    names) and ``ilst`` (values by the number of their key); the value's atom is ``data`` with a
    4-byte type and a 4-byte locale before the bytes.
    """
    try:
        with open(fs.open_read(path), "rb") as film:
            moov = _find_moov(film)
    except OSError:
        return None
    if moov is None:
        return None
    try:
        return _identifier(moov)
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


def _find_moov(film: BinaryIO) -> bytes | None:
    """The body of the ``moov`` atom, found without reading the pictures before it."""
    position = 0
    while len(header := film.read(8)) == 8:
        size, kind = struct.unpack(">I4s", header)
        skip = 8
        if size == 1:
            (size,) = struct.unpack(">Q", film.read(8))
            skip = 16
        if kind == b"moov":
            wanted = size - skip if size else _LARGEST_MOOV
            return film.read(min(wanted, _LARGEST_MOOV))
        if size < skip:
            return None
        position += size
        film.seek(position)
    return None


def _atoms(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of the atoms in ``data``."""
    position = 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        if size < 8:
            return
        yield kind, data[position + 8 : position + size]
        position += size


def _identifier(moov: bytes) -> str | None:
    for kind, meta in _atoms(moov):
        if kind != b"meta":
            continue
        # ISO files have 4 bytes of version and flags before the atoms, QuickTime has not.
        body = meta if meta[4:8] in (b"hdlr", b"keys", b"ilst") else meta[4:]
        parts = dict(_atoms(body))
        keys = _key_names(parts.get(b"keys", b""))
        if _KEY not in keys:
            continue
        number = struct.pack(">I", keys.index(_KEY) + 1)
        for found, value in _atoms(parts.get(b"ilst", b"")):
            if found == number:
                for inner, data in _atoms(value):
                    if inner == b"data":
                        return data[8:].decode("utf-8")
    return None


def _key_names(keys: bytes) -> list[bytes]:
    """The names in a ``keys`` atom: version, count, then (size, namespace, name) each."""
    return [name for _, name in _atoms(keys[8:])]
