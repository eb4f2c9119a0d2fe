"""Groups that a person arranged, made so again after a scan has grouped its files anew.

While a scan runs, people already review the first groups: they choose another keeper, or split
a group. When the final groups take the place of those, what they arranged must come back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from image_duplicate_finder.model import Group, GroupKind
from image_duplicate_finder.results import GroupView
from image_duplicate_finder.scan.regroup import (
    CHOSEN,
    Claims,
    MeasuredClaims,
    grouped_anew,
    split,
    with_keeper,
)
from image_duplicate_finder.store import Store


@dataclass(frozen=True, slots=True)
class Arranged:
    """What a person arranged in a scan's groups of some kinds.

    ``keepers`` are the files that they chose to keep, by the kind of their group; ``group_of``
    says for each file and kind in which group it stood, and is empty without chosen keepers.
    """

    keepers: Sequence[tuple[GroupKind, int]]
    group_of: Mapping[tuple[GroupKind, int], int]


def arranged_in(store: Store, scan: int, kinds: Sequence[GroupKind]) -> Arranged:
    """What a person arranged in the groups that a scan has now."""
    keepers = store.groups.keepers_for(scan, CHOSEN, kinds)
    return Arranged(keepers, store.groups.places(scan) if keepers else {})


def arrange_again(store: Store, scan: int, arranged: Arranged) -> None:
    """Bring back in a scan's new groups what a person had arranged in the earlier ones."""
    if not arranged.keepers:
        return
    claims = MeasuredClaims(store, store.scans.get(scan))
    for kind, keeper in arranged.keepers:
        number = store.groups.places(scan, keeper).get((kind, keeper))
        if number is None:
            continue
        for part in _apart(store, store.groups.get(number), keeper, arranged, claims):
            if keeper in {member.file.id for member in part.members}:
                done = with_keeper(part, keeper, claims)
                store.groups.replace_one(part.id, done.groups)


def _apart(
    store: Store, view: GroupView, keeper: int, arranged: Arranged, claims: Claims
) -> list[GroupView]:
    """The group, or its two parts if the chosen keeper stood apart from others of it.

    Files that are new to the group stay with its present keeper.
    """
    own = arranged.group_of[view.kind, keeper]

    def stood_with_it(file: int) -> bool | None:
        place = arranged.group_of.get((view.kind, file))
        return None if place is None else place == own

    with_keeper_now = stood_with_it(view.keeper.id) is not False
    leaving = [
        member.file
        for member in view.members
        if stood_with_it(member.file.id) is (not with_keeper_now)
    ]
    if len(leaving) < 2:  # one file is no group of its own
        return [view]
    if len(leaving) == len(view.members):
        groups: Sequence[Group] = grouped_anew(view.kind, leaving, claims)
    else:
        groups = split(view, [file.id for file in leaving], claims).groups
    parts = store.groups.replace_one(view.id, groups)
    return [store.groups.get(part) for part in parts]
