"""Bulk rules: which file of every group to keep, decided by one property. Pure.

The rules work on outlines of groups, a few plain values for each file, so that fifty thousand
groups can be gone through while a person waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from image_duplicate_finder.keeping import format_class
from image_duplicate_finder.model import Relation
from image_duplicate_finder.relations import PRESELECTABLE


class BulkRule(StrEnum):
    """The file that a rule keeps; ``present`` is the keeper as it is."""

    PRESENT = "present"
    MOST_PIXELS = "most_pixels"
    LARGEST_FILE = "largest_file"
    SMALLEST_FILE = "smallest_file"
    OLDEST = "oldest"
    NEWEST = "newest"
    BEST_FORMAT = "best_format"
    FOLDER_ORDER = "folder_order"
    SHORTEST_NAME = "shortest_name"
    LONGEST_NAME = "longest_name"
    SHORTEST_PATH = "shortest_path"


class BulkFile(NamedTuple):
    """A file of a group: ``relation`` is None for the keeper.

    A named tuple, because hundreds of thousands of them are made for one preview.
    """

    file: int
    relation: Relation | None
    path: str
    bytes: int
    pixels: int
    mtime_ns: int
    format: str
    lossless: bool
    selected: bool
    removable: bool

    @property
    def keeper(self) -> bool:
        """Whether the group keeps this file now."""
        return self.relation is None


class BulkGroup(NamedTuple):
    """A group's files, the keeper first."""

    id: int
    files: Sequence[BulkFile]


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """A rule with what it needs: ``folders`` in order of preference for FOLDER_ORDER.

    ``relations`` are those whose members are selected; others keep their state. What only
    contains another picture or looks like it is never selected by a rule (:data:`PRESELECTABLE`).
    """

    rule: BulkRule
    folders: tuple[str, ...] = ()
    relations: frozenset[Relation] = PRESELECTABLE - {Relation.EDITED}


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What a rule does to one group: ``keeper`` is kept and ``select`` is selected for removal.

    ``changes_keeper`` when another file was kept before. Then ``select`` is the most that will be
    selected: what the others are to the new keeper is only known when they are verified against
    it, and :func:`select_beside` chooses among them.
    """

    group: int
    keeper: int
    changes_keeper: bool
    select: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BulkStep:
    """How far carrying out a rule came: ``after`` is the last group done, ``left`` how many wait.

    ``until`` is the last group that there was at the start: what a rule makes is not gone
    through again. ``decision`` is what takes all steps back.
    """

    after: int
    until: int
    done: int
    left: int
    decision: int | None = None


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What a rule would change over many groups, counted.

    ``files_after`` and ``bytes_after`` are the most that will be selected: in groups whose keeper
    changes the others are verified against it when the rule is carried out. ``examples`` are the
    first groups whose keeper changes, or failing that whose selection does.
    """

    groups: int
    changed_groups: int
    changed_keepers: int
    files_before: int
    bytes_before: int
    files_after: int
    bytes_after: int
    examples: tuple[BulkChange, ...]


Rank = Callable[[BulkFile], tuple[float, ...]]

_RANKS: dict[BulkRule, Rank] = {
    BulkRule.PRESENT: lambda file: (not file.keeper,),
    BulkRule.MOST_PIXELS: lambda file: (-file.pixels,),
    BulkRule.LARGEST_FILE: lambda file: (-file.bytes,),
    BulkRule.SMALLEST_FILE: lambda file: (file.bytes,),
    BulkRule.OLDEST: lambda file: (file.mtime_ns,),
    BulkRule.NEWEST: lambda file: (-file.mtime_ns,),
    BulkRule.BEST_FORMAT: lambda file: (
        -format_class(file.format, file.lossless),
        -file.bytes / max(1, file.pixels),
    ),
    BulkRule.SHORTEST_NAME: lambda file: (len(os.path.basename(file.path)),),
    BulkRule.LONGEST_NAME: lambda file: (-len(os.path.basename(file.path)),),
    BulkRule.SHORTEST_PATH: lambda file: (len(file.path),),
}


def change(group: BulkGroup, order: BulkOrder) -> BulkChange:
    """What a rule does to a group. Equal files: the present keeper wins, then the first path."""
    rank = _RANKS.get(order.rule) or _by_folder(order.folders)
    best = min(group.files, key=lambda file: (rank(file), file.relation is not None, file.path))
    relations = order.relations & PRESELECTABLE
    surely = best.relation is None or best.relation in relations
    select = tuple(
        file.file
        for file in group.files
        if file is not best
        and file.removable
        and (file.selected or (surely and (file.relation is None or file.relation in relations)))
    )
    return BulkChange(group.id, best.file, best.relation is not None, select)


def select_beside(wanted: BulkChange, group: BulkGroup, order: BulkOrder) -> tuple[int, ...]:
    """What a rule selects in ``group``, which its new keeper leads by matches of its own."""
    relations = order.relations & PRESELECTABLE
    return tuple(
        file.file
        for file in group.files
        if file.file in wanted.select and file.relation in relations
    )


def preview(groups: Iterable[BulkGroup], order: BulkOrder, examples: int = 4) -> BulkPreview:
    """Count what a rule changes over ``groups``."""
    total = changed = keepers = files_before = bytes_before = files_after = bytes_after = 0
    other_keeper: list[BulkChange] = []
    other_selection: list[BulkChange] = []
    for group in groups:
        total += 1
        result = change(group, order)
        after = result.select
        before = tuple(file.file for file in group.files if file.selected)
        files_before += len(before)
        files_after += len(after)
        for file in group.files:
            if file.selected:
                bytes_before += file.bytes
            if file.file in after:
                bytes_after += file.bytes
        changed += result.changes_keeper or after != before
        keepers += result.changes_keeper
        if result.changes_keeper and len(other_keeper) < examples:
            other_keeper.append(result)
        elif after != before and len(other_selection) < examples:
            other_selection.append(result)
    return BulkPreview(
        groups=total,
        changed_groups=changed,
        changed_keepers=keepers,
        files_before=files_before,
        bytes_before=bytes_before,
        files_after=files_after,
        bytes_after=bytes_after,
        examples=tuple((other_keeper + other_selection)[:examples]),
    )


def _by_folder(folders: Sequence[str]) -> Rank:
    prefixes = [folder.rstrip(os.sep) + os.sep for folder in folders]

    def rank(file: BulkFile) -> tuple[float, ...]:
        for place, prefix in enumerate(prefixes):
            if file.path.startswith(prefix):
                return (place,)
        return (len(prefixes),)

    return rank
