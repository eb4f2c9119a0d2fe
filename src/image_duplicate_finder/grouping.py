"""Matches to groups: stars around a keeper, whatever the order of files. Pure.

A member of a group was matched directly against its keeper, so one odd match cannot chain two
families together. Pictures that match but hang on no common keeper form groups of their own.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from image_duplicate_finder.composites import Composites, across, in_common
from image_duplicate_finder.keeping import RAW_FORMATS, KeepFacts, RankKey, rank_key, reasons
from image_duplicate_finder.model import (
    Group,
    GroupKind,
    ImageInfo,
    Match,
    Member,
    Relation,
    compose,
)
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule
from image_duplicate_finder.sources import is_read_only

Describe = Callable[[Match, ImageInfo, ImageInfo], str]
"""Words for a match as seen from the keeper: (match from keeper to member, keeper, member)."""

Order = tuple[bool, RankKey]

# A keeper must reach nearly as many of its family as the best-connected picture does: the
# largest file is no good keeper when it is an odd edit that few others match directly.
_REACH = 0.75
# Rule 9: crops that show less of the keeper than this are never preselected.
_PRESELECTED_OVERLAP = 0.5
# A member that resolves the same scene finer than its keeper by this factor is not worse.
_MORE_DETAIL = 1.05
_PRESELECTED = frozenset(
    {
        Relation.BYTE_IDENTICAL,
        Relation.PIXEL_IDENTICAL,
        Relation.REENCODED,
        Relation.RESIZED,
        Relation.ROTATED,
        Relation.CROPPED,
    }
)


@dataclass(frozen=True, slots=True)
class Content:
    """A content with its files; ``fixed`` files are never offered for removal."""

    id: int
    files: tuple[KeepFacts, ...]
    fixed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Star:
    """A keeper content and, for each member content, the match from the keeper to it."""

    keeper: int
    matches: tuple[Match, ...]


def group(
    contents: Iterable[Content],
    matches: Iterable[Match],
    *,
    describe: Describe,
    rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES,
    dismissed: Collection[tuple[int, int]] = frozenset(),
    kinds: Collection[GroupKind] = tuple(GroupKind),
) -> list[Group]:
    """All groups of a scan: duplicates, then contains, then similar; or those of some ``kinds``.

    ``matches`` hold content ids; ``dismissed`` pairs ``(low id, high id)`` are left out. A file
    is in at most one duplicates group; in the other kinds its keeper stands for it.
    """
    nodes = {content.id: content for content in contents}
    usable = [
        match
        for match in matches
        if (min(match.a, match.b), max(match.a, match.b)) not in dismissed
        and not _one_shot(nodes[match.a], nodes[match.b])
    ]
    composites = Composites(usable)
    usable = [composites.told_apart(match) for match in usable]
    duplicates = [match for match in usable if _is_duplicate(match)]
    others = [match for match in usable if not _is_duplicate(match)]
    nodes = _mark_partial(nodes, duplicates)
    keys = {
        facts.file: rank_key(facts, rules) for content in nodes.values() for facts in content.files
    }
    # A screenshot has more pixels than the photo in it, but the photo is what it is about.
    order = {
        id: (
            not each.fixed and composites.is_window(id),
            min(keys[file.file] for file in each.files),
        )
        for id, each in nodes.items()
    }
    stars = _stars(duplicates, order)
    builder = _Builder(nodes, keys, describe, rules)
    groups: list[Group] = []
    if GroupKind.DUPLICATES in kinds:
        groups += [builder.duplicates(star) for star in (*stars, *_alone(nodes, stars))]
    linked = _lift([*others, *across(duplicates, _to_members(stars))], stars)
    lifted = [match for match in linked if (match.a, match.b) not in dismissed]
    if GroupKind.CONTAINS in kinds:
        contains = [match for match in lifted if match.relation is Relation.CONTAINS]
        groups += [builder.other(GroupKind.CONTAINS, star) for star in _edge_stars(contains, order)]
    if GroupKind.SIMILAR in kinds:
        similar = [match for match in lifted if match.relation is Relation.SIMILAR]
        groups += [builder.other(GroupKind.SIMILAR, star) for star in _stars(similar, order)]
    groups.sort(key=lambda each: (list(GroupKind).index(each.kind), builder.key_of(each.keeper)))
    return groups


def rank_of(
    contents: Iterable[Content], rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES
) -> dict[int, int]:
    """The place of each content id in the order of the keep rules: 0 is the best keeper."""
    keys = {each.id: min(rank_key(facts, rules) for facts in each.files) for each in contents}
    return {id: place for place, id in enumerate(sorted(keys, key=keys.__getitem__))}


def similar_groups(
    contents: Iterable[Content],
    matches: Iterable[Match],
    *,
    describe: Describe,
    rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES,
    dismissed: Collection[tuple[int, int]] = frozenset(),
) -> list[Group]:
    """Only the similar groups of :func:`group`: what changes when a threshold moves."""
    return group(
        contents,
        matches,
        describe=describe,
        rules=rules,
        dismissed=dismissed,
        kinds=(GroupKind.SIMILAR,),
    )


def _alone(nodes: Mapping[int, Content], stars: Iterable[Star]) -> list[Star]:
    """Contents of several files that match no other content."""
    in_star = {star.keeper for star in stars}
    in_star.update(match.b for star in stars for match in star.matches)
    return [
        Star(id, ())
        for id, content in nodes.items()
        if id not in in_star and len(content.files) > 1
    ]


def _is_duplicate(match: Match) -> bool:
    return match.same_photograph and match.relation not in (Relation.CONTAINS, Relation.SIMILAR)


def _one_shot(one: Content, other: Content) -> bool:
    """Whether a camera wrote both at once: RAW and JPEG of one name in one folder (rule 8)."""

    def raw(content: Content) -> bool:
        return content.files[0].info.format in RAW_FORMATS

    def stems(content: Content) -> set[str]:
        return {os.path.splitext(facts.path)[0] for facts in content.files}

    return raw(one) != raw(other) and not stems(one).isdisjoint(stems(other))


def _mark_partial(nodes: dict[int, Content], matches: Iterable[Match]) -> dict[int, Content]:
    """Tell the keep rules which pictures are crops of others."""
    partial = {
        match.a if match.share_a > match.share_b else match.b
        for match in matches
        if match.relation is Relation.CROPPED and match.share_a != match.share_b
    }
    return {
        id: replace(content, files=tuple(replace(facts, partial=True) for facts in content.files))
        if id in partial
        else content
        for id, content in nodes.items()
    }


def _neighbours(matches: Iterable[Match]) -> dict[int, dict[int, Match]]:
    near: dict[int, dict[int, Match]] = {}
    for match in matches:
        near.setdefault(match.a, {})[match.b] = match
        near.setdefault(match.b, {})[match.a] = match.reversed()
    return near


def _stars(matches: Iterable[Match], order: Mapping[int, Order]) -> list[Star]:
    """Cover the graph of matches by stars, each content in at most one."""
    near = _neighbours(matches)
    stars: list[Star] = []
    for family in _components(near):
        left = set(family)
        ranked = sorted(family, key=lambda id: order[id])
        while True:
            reach = {id: sum(other in left for other in near[id]) for id in left}
            most = max(reach.values(), default=0)
            if most == 0:
                break
            keeper = next(id for id in ranked if id in left and reach[id] >= _REACH * most)
            members = sorted((id for id in near[keeper] if id in left), key=lambda id: order[id])
            stars.append(Star(keeper, tuple(near[keeper][id] for id in members)))
            left -= {keeper, *members}
    return stars


def _components(near: Mapping[int, Mapping[int, Match]]) -> list[list[int]]:
    seen: set[int] = set()
    families: list[list[int]] = []
    for start in near:
        if start in seen:
            continue
        seen.add(start)
        family = [start]
        for id in family:
            fresh = [other for other in near[id] if other not in seen]
            seen.update(fresh)
            family.extend(fresh)
        families.append(family)
    return families


def _to_members(stars: Iterable[Star]) -> dict[int, Match]:
    return {match.b: match for star in stars for match in star.matches}


def _lift(matches: Iterable[Match], stars: Iterable[Star]) -> list[Match]:
    """Let each duplicates group's keeper stand for its members in the other matches.

    The transform is carried over from the member to its keeper. Where several members of a
    group match the same other picture, the best score stays; matches within a group go. What a
    member contains beyond its keeper (a collage holds more than one photo) is not the keeper's.
    """
    to_member = _to_members(stars)
    keeper_of = {member: match.a for member, match in to_member.items()}

    def lift_a(match: Match | None) -> Match | None:
        from_keeper = None if match is None else to_member.get(match.a)
        if match is None or from_keeper is None:
            return match
        holds = match.relation is Relation.CONTAINS and match.share_a < match.share_b
        if holds and not in_common(from_keeper.share_b, match.share_a):
            return None
        known = match.transform is not None and from_keeper.transform is not None
        transform = compose(match.transform, from_keeper.transform) if known else None  # type: ignore[arg-type]
        return replace(
            match,
            a=from_keeper.a,
            transform=transform,
            mirrored=match.mirrored != from_keeper.mirrored,
            share_a=match.share_a * from_keeper.share_a,
        )

    best: dict[tuple[int, int, Relation], Match] = {}
    for match in matches:
        if match.relation is Relation.SIMILAR:
            # Most look-alikes lie within one group, or between two that a better pair stands for.
            one, other = keeper_of.get(match.a, match.a), keeper_of.get(match.b, match.b)
            if one == other:
                continue
            known = best.get((min(one, other), max(one, other), Relation.SIMILAR))
            direct = one == match.a and other == match.b
            if known is not None and (direct, match.score) <= (False, known.score):
                continue
        lifted = lift_a(match)
        if lifted is not None and lifted.b in to_member:
            lifted = lift_a(lifted.reversed())
        if lifted is None or lifted.a == lifted.b:
            continue
        if lifted.a > lifted.b:
            lifted = lifted.reversed()
        key = (lifted.a, lifted.b, lifted.relation)
        direct = lifted.a == match.a and lifted.b == match.b
        known = best.get(key)
        if known is None or (direct, lifted.score) > (False, known.score):
            best[key] = lifted
    contained = {(a, b) for a, b, relation in best if relation is Relation.CONTAINS}
    return [
        match
        for (a, b, relation), match in sorted(best.items(), key=lambda item: item[0][:2])
        if relation is Relation.CONTAINS or (a, b) not in contained
    ]


def _edge_stars(matches: Sequence[Match], order: Mapping[int, Order]) -> list[Star]:
    """Stars that cover every match once: a collage, or a photo in many collages, is a centre."""
    near = _neighbours(matches)
    stars: list[Star] = []
    for family in _components(near):
        ranked = sorted(family, key=lambda id: (-len(near[id]), order[id]))
        covered: set[frozenset[int]] = set()
        for centre in ranked:
            members = sorted(
                (id for id in near[centre] if frozenset((centre, id)) not in covered),
                key=lambda id: order[id],
            )
            if members:
                stars.append(Star(centre, tuple(near[centre][id] for id in members)))
                covered.update(frozenset((centre, id)) for id in members)
    return stars


def holds_more(member: ImageInfo, keeper: ImageInfo) -> bool:
    """Whether a member has frames, transparency or colours that its keeper lacks."""
    return (
        member.frames > keeper.frames
        or (member.has_alpha and not keeper.has_alpha)
        or (keeper.metadata.grey and not member.metadata.grey)
        or (keeper.metadata.few_colours and not member.metadata.few_colours)
    )


def _detail(match: Match) -> float:
    """How many pixels of the member's width show what one of the keeper's shows; 1 if unknown."""
    if match.transform is None:
        return 1.0
    (a, b, _), (c, d, _) = match.transform[:2]
    return math.sqrt(abs(a * d - b * c))


class _Builder:
    """Turns stars of contents into groups of files."""

    def __init__(
        self,
        nodes: Mapping[int, Content],
        keys: Mapping[int, RankKey],
        describe: Describe,
        rules: Sequence[KeepRule],
    ) -> None:
        self._nodes = nodes
        self._describe = describe
        self._rules = rules
        self._keys = keys
        self._ranked = {
            id: sorted(content.files, key=lambda facts: keys[facts.file])
            for id, content in nodes.items()
        }

    def key_of(self, file: int) -> RankKey:
        return self._keys[file]

    def duplicates(self, star: Star) -> Group:
        keeper, *copies = self._ranked[star.keeper]
        # What stands behind a URL or in an archive cannot be checked just before a removal.
        lasting = not is_read_only(keeper.path)
        members = [
            Member(
                file=copy.file,
                relation=Relation.BYTE_IDENTICAL,
                words="identical file",
                selected=lasting and copy.file not in self._nodes[star.keeper].fixed,
            )
            for copy in copies
        ]
        facts = list(copies)
        for match in star.matches:
            for copy in self._ranked[match.b]:
                worse = lasting and self._is_worse(match, keeper, copy)
                members.append(self._member(match, keeper, copy, worse))
                facts.append(copy)
        return Group(
            GroupKind.DUPLICATES, keeper.file, reasons(keeper, facts, self._rules), tuple(members)
        )

    def other(self, kind: GroupKind, star: Star) -> Group:
        keeper = self._ranked[star.keeper][0]
        members = [
            self._member(match, keeper, self._ranked[match.b][0], False) for match in star.matches
        ]
        facts = [self._ranked[match.b][0] for match in star.matches]
        return Group(kind, keeper.file, reasons(keeper, facts, self._rules), tuple(members))

    def _member(self, match: Match, keeper: KeepFacts, copy: KeepFacts, selected: bool) -> Member:
        return Member(
            file=copy.file,
            relation=match.relation,
            words=self._describe(match, keeper.info, copy.info),
            transform=match.transform,
            mirrored=match.mirrored,
            overlap=match.share_a,
            score=match.score,
            selected=selected,
        )

    def _is_worse(self, match: Match, keeper: KeepFacts, copy: KeepFacts) -> bool:
        """Whether ``copy`` is surely worse than ``keeper`` (rule 9), and may be removed."""
        if copy.file in self._nodes[match.b].fixed or match.relation not in _PRESELECTED:
            return False
        if match.relation in (Relation.BYTE_IDENTICAL, Relation.PIXEL_IDENTICAL):
            return True
        if match.share_a < _PRESELECTED_OVERLAP:
            return False
        if match.relation is Relation.CROPPED and match.share_b < match.share_a:
            return False
        if holds_more(copy.info, keeper.info):
            return False
        return copy.info.pixels <= keeper.info.pixels and _detail(match) <= _MORE_DETAIL
