"""Pictures that appear in two splits of a data set: leaks from training into test data.

A model that saw a test picture, or a crop or a recoloured copy of it, in training is measured too
well. A leak is a pair of files of different splits that a scan put into one group.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from image_duplicate_finder.discover import (
    Discovery,
    clean_roots,
    discover,
    discover_listed,
    is_inside,
)
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.model import Failure, GroupKind, Relation
from image_duplicate_finder.progress import CancelToken, Progress, silent
from image_duplicate_finder.relations import weakest
from image_duplicate_finder.results import FileView, GroupView
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.sources.manifest import is_manifest, read_manifest
from image_duplicate_finder.sources.names import is_archive

Places = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""What belongs to a split: one or several of the roots that a scan takes."""

Homes = Mapping[tuple[int, int], Mapping[str, str]]
"""For each file, by its identity, the splits that it is in and its path in each."""

# A leak that is missed costs more than a longer scan.
_DEFAULT = ScanSettings(mode=Mode.THOROUGH)


@dataclass(frozen=True, slots=True)
class LeakedFile:
    """A file and the name of the split that it belongs to."""

    split: str
    file: FileView


@dataclass(frozen=True, slots=True)
class Leak:
    """One picture in two splits.

    ``relation`` is what one file is to the other where one of them was the keeper of their group,
    else the weaker of their relations to that keeper.
    """

    first: LeakedFile
    second: LeakedFile
    relation: Relation


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """All leaks between splits, and what could not be read: that was not compared.

    ``splits`` has the roots of each split as they were scanned; ``files`` counts the files of
    all splits.
    """

    splits: Mapping[str, tuple[str, ...]]
    files: int
    leaks: tuple[Leak, ...]
    failures: tuple[Failure, ...]


def find_leaks(
    library: Library,
    splits: Mapping[str, Places],
    settings: ScanSettings | None = None,
    *,
    similar: bool = False,
    progress: Progress = silent,
    cancel: CancelToken | None = None,
) -> LeakageReport:
    """Scan what belongs to all ``splits`` (by their names) together and pair what leaked.

    A file that two splits share, under one path or by hard links, is a leak too. ``similar`` counts
    similar pictures, which are other photographs. The mode is thorough unless ``settings`` say
    otherwise. Raises UsageError for fewer than two splits or one inside another, and what
    :meth:`Library.scan` raises.
    """
    if len(splits) < 2:
        raise UsageError("Leakage needs at least two splits, such as train and test.")
    settings = settings or _DEFAULT
    roots = {name: clean_roots(_listed(places)) for name, places in splits.items()}
    _refuse_nested(roots)
    found = {
        name: discover(
            part,
            recursive=settings.recursive,
            hidden=settings.hidden,
            exclude=settings.exclude,
        )
        for name, part in roots.items()
    }
    record = library.scan(
        [root for part in roots.values() for root in part],
        settings,
        progress=progress,
        cancel=cancel,
    )
    return _report(library, record.id, roots, found, similar=similar)


def find_leaks_listed(
    library: Library,
    manifest: str | os.PathLike[str],
    settings: ScanSettings | None = None,
    *,
    similar: bool = False,
    progress: Progress = silent,
    cancel: CancelToken | None = None,
) -> LeakageReport:
    """Like :func:`find_leaks` for a manifest whose column ``split`` names each file's split.

    Files without a split are left out of it. Raises UsageError for a manifest with fewer than
    two splits.
    """
    (path,) = clean_roots([manifest])
    paths: dict[str, list[str]] = {}
    for row in read_manifest(path):
        if row.split:
            paths.setdefault(row.split, []).append(row.path)
    if len(paths) < 2:
        raise UsageError(
            f"{path} names {len(paths)} splits in its column split; leakage needs at least two."
        )
    record = library.scan([path], settings or _DEFAULT, progress=progress, cancel=cancel)
    found = {name: discover_listed(part) for name, part in paths.items()}
    roots = dict.fromkeys(paths, (path,))
    return _report(library, record.id, roots, found, similar=similar)


def _listed(places: Places) -> list[str | os.PathLike[str]]:
    return [places] if isinstance(places, str | os.PathLike) else list(places)


def _refuse_nested(roots: Mapping[str, Sequence[str]]) -> None:
    """Raise UsageError when a split is inside another one; single files may be in both."""
    whole = {name: [root for root in part if _holds_many(root)] for name, part in roots.items()}
    for (one, outer), (other, inner) in combinations(whole.items(), 2):
        for a in outer:
            for b in inner:
                if is_inside(a, b) or is_inside(b, a):
                    raise UsageError(f"The splits {one} and {other} lie in one another: {a}, {b}.")


def _holds_many(root: str) -> bool:
    return not os.path.isfile(root) or is_archive(root) or is_manifest(root)


def _report(
    library: Library,
    scan: int,
    roots: Mapping[str, tuple[str, ...]],
    found: Mapping[str, Discovery],
    *,
    similar: bool,
) -> LeakageReport:
    homes: dict[tuple[int, int], dict[str, str]] = {}
    for name, part in found.items():
        for file in part.files:
            homes.setdefault(file.stat.identity, {})[name] = file.path
    shared = {path for home in homes.values() if len(home) > 1 for path in home.values()}
    leaks = leaks_in(
        library.all_groups(scan),
        tuple(found),
        homes,
        shared=library.files_at(scan, shared),
        similar=similar,
    )
    return LeakageReport(
        splits=roots,
        files=sum(len(part.files) for part in found.values()),
        leaks=leaks,
        failures=tuple(library.failures(scan)),
    )


def leaks_in(
    groups: Sequence[GroupView],
    splits: Sequence[str],
    homes: Homes,
    *,
    shared: Collection[FileView] = (),
    similar: bool = False,
) -> tuple[Leak, ...]:
    """Pairs of files of different splits, by path: those in one group, and ``shared`` files; pure.

    In groups that are not duplicates a file represents all its duplicates, so that a leak does
    not hide behind the keeper of another group.
    """
    families = {
        group.keeper.id: _family(group) for group in groups if group.kind is GroupKind.DUPLICATES
    }
    wanted = set(GroupKind) if similar else {GroupKind.DUPLICATES, GroupKind.CONTAINS}
    pairs = [(file, file, Relation.BYTE_IDENTICAL) for file in shared]
    pairs += [pair for group in groups if group.kind in wanted for pair in _pairs(group, families)]
    found: dict[tuple[str, str, str, str], Leak] = {}
    for one, other, relation in pairs:
        for leak in _leaks(one, other, relation, splits, homes):
            first, second = leak.first, leak.second
            key = (first.split, first.file.path, second.split, second.file.path)
            found.setdefault(key, leak)
    return tuple(
        sorted(found.values(), key=lambda leak: (leak.first.file.path, leak.second.file.path))
    )


_Family = tuple[tuple[FileView, Relation], ...]
"""The files of a duplicates group, each with what it is to the keeper."""


def _family(group: GroupView) -> _Family:
    itself = (group.keeper, Relation.BYTE_IDENTICAL)
    return (itself, *((member.file, member.relation) for member in group.members))


def _pairs(
    group: GroupView, families: Mapping[int, _Family]
) -> Iterator[tuple[FileView, FileView, Relation]]:
    """All pairs of files that a group ties together, with the relation between them."""
    if group.kind is GroupKind.DUPLICATES:
        for (one, a), (other, b) in combinations(_family(group), 2):
            yield one, other, weakest((a, b))
        return
    keepers = families.get(group.keeper.id, _alone(group.keeper))
    for member in group.members:
        for one, a in keepers:
            for other, b in families.get(member.file.id, _alone(member.file)):
                yield one, other, weakest((a, member.relation, b))


def _alone(file: FileView) -> _Family:
    return ((file, Relation.BYTE_IDENTICAL),)


def _leaks(
    one: FileView,
    other: FileView,
    relation: Relation,
    splits: Sequence[str],
    homes: Homes,
) -> Iterator[Leak]:
    """The pair as leaks, each in the order of the splits; none where both are of one split."""
    for first in _at_home(one, homes):
        for second in _at_home(other, homes):
            if first.split != second.split:
                pair = sorted((first, second), key=lambda leaked: splits.index(leaked.split))
                yield Leak(pair[0], pair[1], relation)


def _at_home(file: FileView, homes: Homes) -> Iterator[LeakedFile]:
    """The file in each split that it is in, under its path there."""
    for split, path in homes.get(file.stat.identity, {}).items():
        yield LeakedFile(split, replace(file, path=path))
