"""Matches to stored groups; early groups while a scan still reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from image_duplicate_finder.companions import Shot, one_shot
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.grouping import group, similar_groups
from image_duplicate_finder.grouping.links import LookAlikes
from image_duplicate_finder.messages import KeepReason
from image_duplicate_finder.model import Group, GroupKind, Match, Member, Relation
from image_duplicate_finder.relations import RELATIONS, is_duplicate
from image_duplicate_finder.results import FileView, GroupView, MemberView, ScanRecord
from image_duplicate_finder.scan.context import verifier_name
from image_duplicate_finder.scan.matching import look_alikes, quick_matches
from image_duplicate_finder.scan.verification import Judged, judged, verify_now
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.sources import is_read_only
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify.wording import describe

_FIRST_PREVIEW_SECONDS = 4.0
_NOTHING_YET_SECONDS = 1.0
_PREVIEW_GROWTH = 2.0


def publish_groups(store: Store, scan: int, settings: ScanSettings, found: Judged) -> None:
    """Group what a scan found, look-alikes included, and store the groups."""
    groups = group(
        found.contents,
        found.matches,
        look_alikes(store, scan, settings),
        describe=describe,
        rules=settings.keep_rules,
        dismissed=store.decisions.dismissed_ids(),
        looks=found.looks,
    )
    _replace(store, scan, groups, tuple(GroupKind))


def publish_similar(store: Store, scan: int, settings: ScanSettings) -> None:
    """Group only the look-alikes anew: what follows when a threshold moves."""
    verifier = verifier_name(settings.mode)
    ids = {each.id for each in store.scans.contents(scan)}
    contents = judged(store, scan, store.matches.among(verifier, ids)).contents
    groups = similar_groups(
        contents,
        store.matches.links(verifier),
        lambda one, other: store.matches.between(verifier, one, other),
        store.matches.no_links(verifier, ids),
        look_alikes(store, scan, settings),
        describe=describe,
        rules=settings.keep_rules,
        dismissed=store.decisions.dismissed_ids(),
    )
    _replace(store, scan, groups, (GroupKind.SIMILAR,))


def _replace(store: Store, scan: int, groups: Iterable[Group], kinds: Sequence[GroupKind]) -> None:
    """Store groups in place of earlier ones, with what a person selected and arranged there."""
    with store.atomic():
        arranged = arranged_in(store, scan, kinds)
        store.groups.replace(scan, groups, kinds)
        arrange_again(store, scan, arranged)


class Preview:
    """Publishes groups of what was read so far, at growing intervals, so the cost stays small."""

    def __init__(self, store: Store, scan: int, settings: ScanSettings) -> None:
        self._store = store
        self._scan = scan
        self._settings = settings
        self._started = time.monotonic()
        self._due = self._started + _FIRST_PREVIEW_SECONDS

    def offer(self, contents: frozenset[int]) -> None:
        """Publish if it is time to: exact and near copies by perceptual hash."""
        now = time.monotonic()
        if now < self._due:
            return
        matches = quick_matches(self._store, contents)
        if not matches:  # people wait for the first group, and few files cost little
            self._due = time.monotonic() + _NOTHING_YET_SECONDS
            return
        found = judged(self._store, self._scan, matches)
        publish_groups(self._store, self._scan, self._settings, found)
        self._due = time.monotonic() + _PREVIEW_GROWTH * (time.monotonic() - self._started)


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
    keepers = store.groups.chosen_keepers(scan, kinds)
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


_CHOSEN = KeepReason.CHOSEN()

# How many files in turn are compared with all that is left of a group, before only identical
# files among the rest are looked for: time must not grow with the square of a group.
_MOST_HUBS = 8

Claims = Callable[[GroupKind, FileView, Sequence[FileView]], Mapping[int, Match]]
"""The matches of a file with others that make them one group of a kind, by file id."""


@dataclass(frozen=True, slots=True)
class Regrouped:
    """What a group became: the group of its keeper first, if anything matches that.

    ``left`` are the files that did not match, so that they are in another group or in none.
    """

    groups: tuple[Group, ...]
    left: tuple[FileView, ...]


def with_keeper(group: GroupView, file: int, claims: Claims) -> Regrouped:
    """The group with one of its members as keeper, and what leaves it.

    Nothing but identical files stays selected: a person looks again. Raises UsageError for a
    file that is no member.
    """
    chosen = _member(group, file).file
    others = [group.keeper, *(m.file for m in group.members if m.file.id != file)]
    star, left = _star(group.kind, chosen, others, claims)
    # One picture can be a part of several, so the others stay with the keeper that they had.
    several = group.kind is not GroupKind.DUPLICATES and group.keeper not in left
    own = grouped_anew(group.kind, [group.keeper, *left] if several else left, claims)
    return Regrouped((*([star] if star else []), *own), tuple(left))


def split(group: GroupView, files: Collection[int], claims: Claims) -> Regrouped:
    """The group without ``files``, and ``files`` as groups of their own.

    A part of one file is no group and vanishes. ``left`` are those of ``files`` that match
    none of the others. Raises UsageError when ``files`` are not members, or all of them are
    chosen, which would leave nothing to split from.
    """
    for file in files:
        _member(group, file)
    staying = [member for member in group.members if member.file.id not in files]
    leaving = [member.file for member in group.members if member.file.id in files]
    if not staying:
        raise UsageError(
            "All files but the kept one are chosen, so nothing would be left to split them from."
        )
    here = {None, group.keeper.id, *(member.file.id for member in staying)}
    rest = with_members(
        group,
        (
            member if member.witness in here else replace(member, selected=False)
            for member in staying
        ),
    )
    apart = grouped_anew(group.kind, leaving, claims)
    held = {file for part in apart for file in files_of(part)}
    return Regrouped((rest, *apart), tuple(each for each in leaving if each.id not in held))


def with_members(group: GroupView, members: Iterable[MemberView]) -> Group:
    """The group with some of its members, as it is stored."""
    return Group(
        group.kind,
        group.keeper.id,
        group.keep_reasons,
        tuple(map(_as_member, members)),
        group.chosen,
    )


def _as_member(view: MemberView) -> Member:
    return Member(
        file=view.file.id,
        relation=view.relation,
        description=view.description,
        transform=view.transform,
        mirrored=view.mirrored,
        overlap=view.overlap,
        score=view.score,
        selected=view.selected,
        witness=view.witness,
        lacks=view.lacks,
        detail=view.detail,
        differences=view.differences,
    )


def files_of(group: Group) -> list[int]:
    """The ids of a group's files, the keeper's first."""
    return [group.keeper, *(member.file for member in group.members)]


def _member(group: GroupView, file: int) -> MemberView:
    for member in group.members:
        if member.file.id == file:
            return member
    raise UsageError(f"File {file} is no member of group {group.id}.")


def _star(
    kind: GroupKind, keeper: FileView, others: Sequence[FileView], claims: Claims
) -> tuple[Group | None, list[FileView]]:
    """A keeper with all that matches it, and the others."""
    matches = claims(kind, keeper, others)
    members = [
        _seen_from(keeper, file, match)
        for file in others
        if (match := matches.get(file.id)) is not None
    ]
    left = [file for file in others if file.id not in matches]
    if not members:
        return None, left
    return Group(kind, keeper.id, (_CHOSEN,), tuple(members), chosen=True), left


def grouped_anew(kind: GroupKind, files: Sequence[FileView], claims: Claims) -> list[Group]:
    """Files in groups by their own matches; what matches none of the others is in none."""
    groups: list[Group] = []
    left = list(files)
    hubs = 0
    while len(left) > 1:
        keeper, *others = left
        if hubs >= _MOST_HUBS:
            others = [file for file in others if file.content == keeper.content]
        star, _ = _star(kind, keeper, others, claims)
        hubs += any(file.content != keeper.content for file in others)
        held = {keeper.id}
        if star is not None:
            groups.append(star)
            held.update(files_of(star))
        left = [file for file in left if file.id not in held]
    return groups


def _seen_from(keeper: FileView, file: FileView, match: Match) -> Member:
    identical = match.relation is Relation.BYTE_IDENTICAL
    return Member(
        file=file.id,
        relation=match.relation,
        description=describe(match, keeper.info, file.info),
        transform=match.transform,
        mirrored=match.mirrored,
        overlap=match.share_a,
        score=match.score,
        selected=identical and file.removable and not is_read_only(keeper.path),
    )


class MeasuredClaims:
    """:data:`Claims` of one scan: stored matches, and those of pairs never verified until now.

    Files of which the library does not hold what verification looks at match nothing;
    :meth:`refuse_unreadable` tells of them.
    """

    def __init__(self, store: Store, scan: ScanRecord) -> None:
        self._store = store
        self._scan = scan
        self._dismissed = store.decisions.dismissed_ids()
        self._near: LookAlikes | None = None
        self._unreadable: set[str] = set()

    def __call__(
        self, kind: GroupKind, keeper: FileView, others: Sequence[FileView]
    ) -> dict[int, Match]:
        """See :data:`Claims`."""
        shot = Shot(keeper.path, keeper.info)
        ids = self._store.contents.ids_of([file.content for file in (keeper, *others)])
        own = ids[keeper.content]
        found = {
            file.id: Match(own, own, Relation.BYTE_IDENTICAL)
            for file in others
            if file.content == keeper.content
        }
        asked = [
            file
            for file in others
            if file.id not in found
            and (min(own, ids[file.content]), max(own, ids[file.content])) not in self._dismissed
            and not one_shot(shot, Shot(file.path, file.info))
        ]
        matches = self._matches(kind, own, {ids[file.content]: file.path for file in asked})
        found.update(
            (file.id, match)
            for file in asked
            if (match := matches.get(ids[file.content])) is not None
        )
        return found

    def refuse_unreadable(self) -> None:
        """Raise UsageError where a file could not be compared."""
        if self._unreadable:
            raise UsageError(
                f"{min(self._unreadable)} cannot be compared with the others: another version of "
                "this program read it. Scan its folder again."
            )

    def _matches(self, kind: GroupKind, own: int, others: Mapping[int, str]) -> dict[int, Match]:
        mode = self._scan.settings.mode
        unable = verify_now(self._store, mode, own, others.keys())
        self._unreadable.update(others[id] for id in unable)
        name = verifier_name(mode)
        verified = self._store.matches.of(name, own, others.keys())
        of_kind = {
            id: match for id, match in verified.items() if self._kind_of(name, match) is kind
        }
        if kind is GroupKind.CONTAINS:
            return {id: replace(match, relation=Relation.CONTAINS) for id, match in of_kind.items()}
        if kind is GroupKind.SIMILAR:
            alike = self._look_alikes(own)
            return {id: alike[id] for id in others if id in alike and id not in verified} | of_kind
        return of_kind

    def _kind_of(self, verifier: str, match: Match) -> GroupKind | None:
        """The kind of group that a match holds together."""
        kind = RELATIONS[match.relation].kind
        if kind is not GroupKind.DUPLICATES:
            return kind
        if not is_duplicate(match):
            return None
        composite = self._store.matches.is_composite(verifier, match)
        return GroupKind.CONTAINS if composite else GroupKind.DUPLICATES

    def _look_alikes(self, own: int) -> dict[int, Match]:
        """What looks like a content at the scan's thresholds, by content id."""
        if self._near is None:
            self._near = look_alikes(self._store, self._scan.id, self._scan.settings)
        if self._near is None:
            return {}
        rows = ((self._near.a == own) | (self._near.b == own)).nonzero()[0]
        ends = (self._near.a[rows] + self._near.b[rows] - own).tolist()
        return {
            id: Match(own, id, Relation.SIMILAR, score=score, same_photograph=False)
            for id, score in zip(ends, self._near.score[rows].tolist(), strict=True)
        }
