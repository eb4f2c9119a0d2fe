"""Groups: formed and stored, with what people changed in them; early ones while a scan reads.

What a person changes in a group is another keeper, or a part of it on its own. The relation of two
files is measured, never inferred from a third: the parts of a collage have nothing in common. So
the pairs of a changed group are verified at once, and a file that matches nothing leaves it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from image_duplicate_finder.companions import Shot, one_shot
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.grouping import group, similar_groups
from image_duplicate_finder.grouping.projection import SimilarPairs
from image_duplicate_finder.messages import KeepReason, Problem
from image_duplicate_finder.model import Group, GroupKind, Match, Member, Relation, ordered
from image_duplicate_finder.relations import RELATIONS, is_duplicate, may_differ
from image_duplicate_finder.results import FileView, GroupView, MemberView
from image_duplicate_finder.scan.context import ScanContext
from image_duplicate_finder.scan.judging import Judged, judged
from image_duplicate_finder.scan.matching import quick_matches, similar_pairs
from image_duplicate_finder.scan.verification import ids_of, verify_now
from image_duplicate_finder.sources import is_read_only
from image_duplicate_finder.verify.wording import describe

_CHOSEN = KeepReason.CHOSEN()

# How many files in turn are compared with all that is left of a group, before only identical
# files among the rest are looked for: time must not grow with the square of a group.
_MOST_HUBS = 8

Claims = Callable[[GroupKind, FileView, Sequence[FileView]], Mapping[int, Match]]
"""The matches of a file with others that make them one group of a kind, by file id."""


def publish_groups(context: ScanContext, found: Judged) -> None:
    """Form the groups of all kinds and store them."""
    groups = group(
        found.contents,
        found.matches,
        similar_pairs(context),
        describe=describe,
        rules=context.settings.keep_rules,
        dismissed=context.store.decisions.dismissed_ids(),
        looks=found.looks,
    )
    _replace(context, groups, tuple(GroupKind))


def publish_similar(context: ScanContext) -> None:
    """Form only the similar groups again, after a threshold has moved."""
    store, verifier = context.store, context.verifier
    ids = {each.id for each in store.scans.contents(context.scan)}
    groups = similar_groups(
        judged(context, store.matches.among(verifier, ids)).contents,
        store.matches.links(verifier),
        lambda one, other: store.matches.between(verifier, one, other),
        store.matches.no_links(verifier, ids),
        similar_pairs(context),
        describe=describe,
        rules=context.settings.keep_rules,
        dismissed=store.decisions.dismissed_ids(),
    )
    _replace(context, groups, (GroupKind.SIMILAR,))


def _replace(context: ScanContext, groups: Iterable[Group], kinds: Sequence[GroupKind]) -> None:
    """Store groups in place of earlier ones; selections and other user edits are kept."""
    with context.store.atomic():
        edits = UserEdits.of(context, kinds)
        context.store.groups.replace(context.scan, groups, kinds)
        edits.reapply(context)


@dataclass(frozen=True, slots=True)
class PreviewTiming:
    """When groups are published while a scan reads.

    The first ones come after ``first`` seconds, and again after ``retry`` if there were none. After
    that the time so far is multiplied by ``growth``, so that previews cost little. Groups are also
    published before closer looks that take long: at ``looks`` pairs or more, or at pictures of
    ``pixels`` together.
    """

    first: float = 4.0
    retry: float = 1.0
    growth: float = 2.0
    looks: int = 100
    pixels: int = 50_000_000


PREVIEW_TIMING = PreviewTiming()


class Preview:
    """Publishes groups before a scan is done: of what was read so far, at growing intervals, and
    of what was verified before it is looked at closely."""

    def __init__(self, context: ScanContext) -> None:
        self._context = context
        self._timing = PREVIEW_TIMING
        self._started = time.monotonic()
        self._due = self._started + self._timing.first

    def offer(self, contents: frozenset[int]) -> None:
        """Publish exact copies and near copies by perceptual hash, if it is time to."""
        if time.monotonic() < self._due:
            return
        matches = quick_matches(self._context, contents)
        if not matches:  # people wait for the first group, and few files cost little
            self._due = time.monotonic() + self._timing.retry
            return
        publish_groups(self._context, judged(self._context, matches))
        now = time.monotonic()
        self._due = now + self._timing.growth * (now - self._started)

    def before_looks(self, matches: Sequence[Match]) -> None:
        """Publish groups of all matches, if looks at them take long."""
        looked_at = list(islice(filter(may_differ, matches), self._timing.looks))
        if len(looked_at) == self._timing.looks or self._pixels(looked_at) >= self._timing.pixels:
            publish_groups(self._context, judged(self._context, matches))

    def _pixels(self, matches: Sequence[Match]) -> int:
        infos = self._context.store.contents.infos(ids_of(matches))
        return sum(info.width * info.height for info in infos.values())


@dataclass(frozen=True, slots=True)
class UserEdits:
    """Keepers and splits that a person chose in a scan's groups, to be applied to new ones.

    People review the first groups while a scan still runs; then the final groups replace those.
    ``keepers`` are the files that they chose to keep, by the kind of their group; ``group_of``
    gives for each file and kind the group that it was in, and is empty without chosen keepers.
    """

    keepers: Sequence[tuple[GroupKind, int]]
    group_of: Mapping[tuple[GroupKind, int], int]

    @classmethod
    def of(cls, context: ScanContext, kinds: Sequence[GroupKind]) -> UserEdits:
        """The edits in the groups that a scan has now."""
        groups = context.store.groups
        keepers = groups.chosen_keepers(context.scan, kinds)
        return cls(keepers, groups.places(context.scan) if keepers else {})

    def reapply(self, context: ScanContext) -> None:
        """Make the same edits in a scan's new groups."""
        if not self.keepers:
            return
        groups = context.store.groups
        claims = MeasuredClaims(context)
        for kind, keeper in self.keepers:
            number = groups.places(context.scan, keeper).get((kind, keeper))
            if number is None:
                continue
            views = [groups.get(number)]
            if (parts := self._split_again(views[0], keeper, claims)) is not None:
                views = [groups.get(part) for part in groups.replace_one(number, parts)]
            for view in views:
                if keeper in {member.file.id for member in view.members}:
                    groups.replace_one(view.id, with_keeper(view, keeper, claims).groups)

    def _split_again(self, view: GroupView, keeper: int, claims: Claims) -> Sequence[Group] | None:
        """The two parts of a group, if the chosen keeper was in another group than others of it.

        Files that are new to the group stay with its present keeper.
        """
        own = self.group_of[view.kind, keeper]

        def was_with_it(file: int) -> bool | None:
            before = self.group_of.get((view.kind, file))
            return None if before is None else before == own

        with_keeper_now = was_with_it(view.keeper.id) is not False
        leaving = [
            member.file
            for member in view.members
            if was_with_it(member.file.id) is (not with_keeper_now)
        ]
        if len(leaving) < 2:  # one file is no group of its own
            return None
        if len(leaving) == len(view.members):
            return regroup(view.kind, leaving, claims)
        return split(view, [file.id for file in leaving], claims).groups


@dataclass(frozen=True, slots=True)
class Regrouped:
    """The groups that replace one: that of its keeper first, if anything matches it.

    ``left`` are the files that did not match and are now in another group or in none.
    """

    groups: tuple[Group, ...]
    left: tuple[FileView, ...]


def with_keeper(group: GroupView, file: int, claims: Claims) -> Regrouped:
    """The group with one of its members as keeper, and what leaves it.

    Only identical files stay selected: the person has to decide again about the others. Raises
    UsageError for a file that is no member.
    """
    chosen = _member(group, file).file
    others = [group.keeper, *(m.file for m in group.members if m.file.id != file)]
    star, left = _star(group.kind, chosen, others, claims)
    # One picture can be a part of several, so the others stay with the keeper that they had.
    several = group.kind is not GroupKind.DUPLICATES and group.keeper not in left
    own = regroup(group.kind, [group.keeper, *left] if several else left, claims)
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
        raise UsageError(Problem.NOTHING_LEFT())
    here = {None, group.keeper.id, *(member.file.id for member in staying)}
    rest = with_members(
        group,
        (
            member if member.witness in here else replace(member, selected=False)
            for member in staying
        ),
    )
    parts = regroup(group.kind, leaving, claims)
    grouped = {file for part in parts for file in files_of(part)}
    return Regrouped((rest, *parts), tuple(each for each in leaving if each.id not in grouped))


def with_members(group: GroupView, members: Iterable[MemberView]) -> Group:
    """The group with only some of its members, as it is stored."""
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
    raise UsageError(Problem.NO_MEMBER(file=file, group=group.id))


def _star(
    kind: GroupKind, keeper: FileView, others: Sequence[FileView], claims: Claims
) -> tuple[Group | None, list[FileView]]:
    """A keeper with all files that match it, and the others."""
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


def regroup(kind: GroupKind, files: Sequence[FileView], claims: Claims) -> list[Group]:
    """Form groups by the matches of just these files; what matches no other is in none."""
    groups: list[Group] = []
    left = list(files)
    hubs = 0
    while len(left) > 1:
        keeper, *others = left
        if hubs >= _MOST_HUBS:
            others = [file for file in others if file.content == keeper.content]
        star, _ = _star(kind, keeper, others, claims)
        hubs += any(file.content != keeper.content for file in others)
        grouped = {keeper.id}
        if star is not None:
            groups.append(star)
            grouped.update(files_of(star))
        left = [file for file in left if file.id not in grouped]
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
    """:data:`Claims` of one scan: stored matches; pairs that were never verified are verified now.

    Files whose fingerprints are not stored match nothing; :meth:`refuse_unreadable` names one.
    """

    def __init__(self, context: ScanContext) -> None:
        self._context = context
        self._store = store = context.store
        self._dismissed = store.decisions.dismissed_ids()
        self._near: SimilarPairs | None = None
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
            and ordered(own, ids[file.content]) not in self._dismissed
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
            raise UsageError(Problem.OTHER_VERSION(path=min(self._unreadable)))

    def _matches(self, kind: GroupKind, own: int, others: Mapping[int, str]) -> dict[int, Match]:
        unable = verify_now(self._context, own, others.keys())
        self._unreadable.update(others[id] for id in unable)
        verified = self._store.matches.of(self._context.verifier, own, others.keys())
        of_kind = {id: match for id, match in verified.items() if self._kind_of(match) is kind}
        if kind is GroupKind.CONTAINS:
            return {id: replace(match, relation=Relation.CONTAINS) for id, match in of_kind.items()}
        if kind is GroupKind.SIMILAR:
            similar = self._similar(own)
            unverified = {id: similar[id] for id in others if id in similar and id not in verified}
            return unverified | of_kind
        return of_kind

    def _kind_of(self, match: Match) -> GroupKind | None:
        """The kind of group that a match belongs to."""
        kind = RELATIONS[match.relation].kind
        if kind is not GroupKind.DUPLICATES:
            return kind
        if not is_duplicate(match):
            return None
        composite = self._store.matches.is_composite(self._context.verifier, match)
        return GroupKind.CONTAINS if composite else GroupKind.DUPLICATES

    def _similar(self, own: int) -> dict[int, Match]:
        """Contents that are similar at the scan's thresholds, by their ids."""
        if self._near is None:
            self._near = similar_pairs(self._context)
        if self._near is None:
            return {}
        rows = ((self._near.a == own) | (self._near.b == own)).nonzero()[0]
        ends = (self._near.a[rows] + self._near.b[rows] - own).tolist()
        return {
            id: Match(own, id, Relation.SIMILAR, score=score, same_photograph=False)
            for id, score in zip(ends, self._near.score[rows].tolist(), strict=True)
        }
