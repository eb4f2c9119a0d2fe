"""Pictures that stand in two splits of a data set: leaks from training into test data.

A model that saw a test picture, or a crop or a recoloured copy of it, in training is measured too
well. A leak is a pair of files of different splits that a scan put into one group.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from image_duplicate_finder.discover import clean_roots, is_inside
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.model import Failure, GroupKind, Relation
from image_duplicate_finder.progress import CancelToken, Progress, silent
from image_duplicate_finder.results import FileView, GroupView
from image_duplicate_finder.settings import ScanSettings

_RELATIONS = tuple(Relation)


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

    ``splits`` has the folder of each split as it was scanned; ``files`` counts all of them.
    """

    splits: Mapping[str, str]
    files: int
    leaks: tuple[Leak, ...]
    failures: tuple[Failure, ...]


def find_leaks(
    library: Library,
    splits: Mapping[str, str | os.PathLike[str]],
    settings: ScanSettings | None = None,
    *,
    look_alikes: bool = False,
    progress: Progress = silent,
    cancel: CancelToken | None = None,
) -> LeakageReport:
    """Scan the folders of all ``splits`` (name to folder) together and pair what leaked.

    ``look_alikes`` counts similar pictures too, which are other photographs. Raises UsageError
    for fewer than two splits or one inside another, and what :meth:`Library.scan` raises.
    """
    if len(splits) < 2:
        raise UsageError("Leakage needs at least two splits, such as train and test.")
    folders = {name: clean_roots([folder])[0] for name, folder in splits.items()}
    for (one, outer), (other, inner) in combinations(folders.items(), 2):
        if is_inside(inner, outer) or is_inside(outer, inner):
            raise UsageError(f"The splits {one} and {other} lie in one another: {outer}, {inner}.")
    record = library.scan(list(folders.values()), settings, progress=progress, cancel=cancel)
    leaks = leaks_in(library.all_groups(record.id), folders, look_alikes=look_alikes)
    return LeakageReport(folders, record.files, leaks, tuple(library.failures(record.id)))


def leaks_in(
    groups: Sequence[GroupView], folders: Mapping[str, str], *, look_alikes: bool = False
) -> tuple[Leak, ...]:
    """Pairs of files of different splits in one group, by path; pure.

    In groups that are no duplicates a file stands for all duplicates of it, so that a leak does
    not hide behind the keeper of another group.
    """
    families = {
        group.keeper.id: _family(group) for group in groups if group.kind is GroupKind.DUPLICATES
    }
    wanted = set(GroupKind) if look_alikes else {GroupKind.DUPLICATES, GroupKind.CONTAINS}
    found: dict[tuple[int, int], Leak] = {}
    for group in groups:
        if group.kind in wanted:
            for one, other, relation in _pairs(group, families):
                leak = _leak(one, other, relation, folders)
                if leak is not None:
                    found.setdefault((leak.first.file.id, leak.second.file.id), leak)
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
            yield one, other, _weaker((a, b))
        return
    keepers = families.get(group.keeper.id, _alone(group.keeper))
    for member in group.members:
        for one, a in keepers:
            for other, b in families.get(member.file.id, _alone(member.file)):
                yield one, other, _weaker((a, member.relation, b))


def _alone(file: FileView) -> _Family:
    return ((file, Relation.BYTE_IDENTICAL),)


def _weaker(relations: Iterable[Relation]) -> Relation:
    return max(relations, key=_RELATIONS.index)


def _leak(
    one: FileView, other: FileView, relation: Relation, folders: Mapping[str, str]
) -> Leak | None:
    """The pair as a leak, in the order of the splits; None where both are of one split."""
    names = list(folders)
    a, b = _split_of(one, folders), _split_of(other, folders)
    if a == b:
        return None
    pair = sorted(
        (LeakedFile(a, one), LeakedFile(b, other)), key=lambda leaked: names.index(leaked.split)
    )
    return Leak(pair[0], pair[1], relation)


def _split_of(file: FileView, folders: Mapping[str, str]) -> str:
    return next(name for name, folder in folders.items() if is_inside(file.path, folder))
