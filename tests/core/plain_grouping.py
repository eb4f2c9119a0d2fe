"""Stars and the matches of keepers as the rules state them: slow, plain, a yardstick for tests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from image_duplicate_finder.dominance import Evidence
from image_duplicate_finder.grouping import Content, Describe
from image_duplicate_finder.grouping.contents import ExcludedPairs, Ranked
from image_duplicate_finder.grouping.grouped import Builder
from image_duplicate_finder.model import Group, GroupKind, Match, Relation, compose
from image_duplicate_finder.relations import Composites, in_common, is_duplicate
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES

_REACH = 0.75

Claim = tuple[bool, float, int, int]
Star = tuple[int, list[Match]]


def group(
    contents: Iterable[Content],
    matches: Iterable[Match],
    *,
    describe: Describe,
    dismissed: Collection[tuple[int, int]] = frozenset(),
) -> list[Group]:
    """All groups of a scan; similar pairs are among the matches."""
    excluded = ExcludedPairs(contents, dismissed)
    usable = [match for match in matches if not excluded(match.a, match.b)]
    composites = Composites(usable)
    usable = [
        replace(match, relation=Relation.CONTAINS) if composites.splits(match) else match
        for match in usable
    ]
    duplicates = [match for match in usable if is_duplicate(match)]
    partial = {
        match.a if match.share_a > match.share_b else match.b
        for match in duplicates
        if match.relation is Relation.CROPPED and match.share_a != match.share_b
    }
    windows = [id for id in excluded.contents if composites.is_window(id)]
    ranked = Ranked(excluded.contents, partial, windows, DEFAULT_KEEP_RULES)
    of_pair = {(min(m.a, m.b), max(m.a, m.b)): m for m in duplicates}
    builder = Builder(ranked, describe, DEFAULT_KEEP_RULES, Evidence(of_pair, {}))
    stars = _stars(duplicates, ranked.place)
    alone = ranked.nodes.keys() - {id for star in stars for id in _ids(star)}
    groups = [builder.duplicates(*star) for star in stars]
    groups += [builder.duplicates(id, []) for id in alone if len(ranked.files(id)) > 1]
    others = [match for match in usable if not is_duplicate(match)]
    lifted = _lift([*others, *_across(duplicates, stars)], stars, ranked.place)
    lifted = [match for match in lifted if (match.a, match.b) not in dismissed]
    contains = [match for match in lifted if match.relation is Relation.CONTAINS]
    similar = [match for match in lifted if match.relation is Relation.SIMILAR]
    groups += [
        builder.other(GroupKind.CONTAINS, *star) for star in _edge_stars(contains, ranked.place)
    ]
    groups += [builder.other(GroupKind.SIMILAR, *star) for star in _stars(similar, ranked.place)]
    kinds = [GroupKind.DUPLICATES, GroupKind.CONTAINS, GroupKind.SIMILAR]
    return sorted(groups, key=lambda each: (kinds.index(each.kind), builder.key_of(each.keeper)))


def _ids(star: Star) -> list[int]:
    return [star[0], *(match.b for match in star[1])]


def _neighbours(matches: Iterable[Match]) -> dict[int, dict[int, Match]]:
    near: dict[int, dict[int, Match]] = {}
    for match in matches:
        near.setdefault(match.a, {})[match.b] = match
        near.setdefault(match.b, {})[match.a] = match.reversed()
    return near


def _stars(matches: Iterable[Match], order: Mapping[int, int]) -> list[Star]:
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
            stars.append((keeper, [near[keeper][id] for id in members]))
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


def _across(duplicates: Iterable[Match], stars: Iterable[Star]) -> list[Match]:
    """The matches of copies that hold between two groups, as parts of each other."""
    to_member = {match.b: match for _, found in stars for match in found}

    def keeper(id: int) -> int:
        return to_member[id].a if id in to_member else id

    def shared(id: int, share: float) -> bool:
        return id not in to_member or in_common(to_member[id].share_b, share)

    return [
        replace(match, relation=Relation.CONTAINS)
        for match in duplicates
        if keeper(match.a) != keeper(match.b)
        and shared(match.a, match.share_a)
        and shared(match.b, match.share_b)
    ]


def _lift(matches: Iterable[Match], stars: Iterable[Star], order: Mapping[int, int]) -> list[Match]:
    """Let each duplicates group's keeper stand for its members in the other matches.

    The transform is carried over from the member to its keeper. Where several members of a
    group match the same other picture, a match of the keepers themselves stays, else the one of
    the best score, else of the best pictures; matches within a group go. What a member contains
    beyond its keeper (a collage holds more than one photo) is not the keeper's.
    """
    to_member = {match.b: match for _, found in stars for match in found}
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

    best: dict[tuple[int, int, Relation], tuple[Claim, Match]] = {}
    for match in matches:
        one, other = keeper_of.get(match.a, match.a), keeper_of.get(match.b, match.b)
        low, high = sorted((order[match.a], order[match.b]))
        claim = (one == match.a and other == match.b, match.score, -low, -high)
        key = (min(one, other), max(one, other), match.relation)
        # Most similar pairs are within one group, or between two that have a better pair.
        if one == other or (key in best and claim <= best[key][0]):
            continue
        lifted = lift_a(match)
        if lifted is not None and lifted.b in to_member:
            lifted = lift_a(lifted.reversed())
        if lifted is not None:
            best[key] = claim, lifted if lifted.a < lifted.b else lifted.reversed()
    contained = {(a, b) for a, b, relation in best if relation is Relation.CONTAINS}
    return [
        match
        for (a, b, relation), (_, match) in sorted(best.items(), key=lambda item: item[0][:2])
        if relation is Relation.CONTAINS or (a, b) not in contained
    ]


def _edge_stars(matches: Sequence[Match], order: Mapping[int, int]) -> list[Star]:
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
                stars.append((centre, [near[centre][id] for id in members]))
                covered.update(frozenset((centre, id)) for id in members)
    return stars
