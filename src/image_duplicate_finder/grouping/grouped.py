"""The three kinds of groups of a scan, from its contents, matches and look-alikes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from image_duplicate_finder.grouping.building import Builder, Describe
from image_duplicate_finder.grouping.contents import Apart, Content, Ranked
from image_duplicate_finder.grouping.lifting import Lifting, MatchOf, lift_contains
from image_duplicate_finder.grouping.links import Link, Linked, is_duplicate
from image_duplicate_finder.grouping.stars import cover, cover_edges, neighbours
from image_duplicate_finder.model import Group, GroupKind, Match, Relation
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule

if TYPE_CHECKING:  # the web app starts without numpy
    from image_duplicate_finder.grouping.look_alikes import LookAlikes


def group(
    contents: Iterable[Content],
    matches: Iterable[Match],
    look_alikes: LookAlikes | None = None,
    *,
    describe: Describe,
    rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES,
    dismissed: Collection[tuple[int, int]] = frozenset(),
) -> list[Group]:
    """All groups of a scan: duplicates, then contains, then similar.

    ``matches`` hold content ids; ``dismissed`` pairs ``(low id, high id)`` are left out. A file
    is in at most one duplicates group; in the other kinds its keeper stands for it.
    """
    found = list(matches)
    of_pair = {_pair(match): match for match in found if is_duplicate(match)}

    def match_of(one: int, other: int) -> Match:
        match = of_pair[min(one, other), max(one, other)]
        return match if match.a == one else match.reversed()

    others = [match for match in found if not is_duplicate(match)]
    scan = _Scan(contents, of_pair.values(), match_of, others, describe, rules, dismissed)
    return [*scan.duplicates(), *scan.contains(), *scan.similar(look_alikes)]


def similar_groups(
    contents: Iterable[Content],
    links: Iterable[Link],
    match_of: MatchOf,
    others: Iterable[Match],
    look_alikes: LookAlikes | None,
    *,
    describe: Describe,
    rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES,
    dismissed: Collection[tuple[int, int]] = frozenset(),
) -> list[Group]:
    """Only the similar groups of :func:`group`: what changes when a threshold moves.

    ``links`` are the matches of duplicates, of which ``match_of`` tells more: of most it is
    never asked. ``others`` are the matches that are no duplicates.
    """
    scan = _Scan(contents, links, match_of, others, describe, rules, dismissed)
    return scan.similar(look_alikes)


def _pair(match: Linked) -> tuple[int, int]:
    return min(match.a, match.b), max(match.a, match.b)


class _Scan:
    """What the groups of all kinds depend on: the stars of duplicates."""

    def __init__(
        self,
        contents: Iterable[Content],
        links: Iterable[Linked],
        match_of: MatchOf,
        others: Iterable[Match],
        describe: Describe,
        rules: Sequence[KeepRule],
        dismissed: Collection[tuple[int, int]],
    ) -> None:
        contents = list(contents)
        self._apart = Apart(contents, dismissed)
        links = [link for link in links if not self._apart(link.a, link.b)]
        self._ranked = Ranked(contents, links, rules)
        self._builder = Builder(self._ranked, describe, rules)
        self._match_of = match_of
        self._stars = [self._by_id(star) for star in cover(self._near(map(_pair, links)))]
        self._lift = Lifting(
            {member: keeper for keeper, members in self._stars for member in members}, match_of
        )
        others = [match for match in others if not self._apart(match.a, match.b)]
        self._similar = [match for match in others if match.relation is Relation.SIMILAR]
        holding = [match for match in others if match.relation is Relation.CONTAINS]
        self._contains = lift_contains(holding, self._lift, self._ranked.place)

    def duplicates(self) -> list[Group]:
        """A group for each star, and for each content of several files that is in none."""
        stars = list(self._stars)
        in_star = {id for keeper, members in stars for id in (keeper, *members)}
        stars += [
            (id, [])
            for id, content in self._ranked.nodes.items()
            if len(content.files) > 1 and id not in in_star
        ]
        return self._sorted(
            self._builder.duplicates(keeper, [self._match_of(keeper, member) for member in members])
            for keeper, members in stars
        )

    def contains(self) -> list[Group]:
        """A group for each picture that holds others, or is held by several."""
        groups = []
        for star in cover_edges(self._near(self._contains)):
            centre, members = self._by_id(star)
            matches = [self._contains[min(centre, id), max(centre, id)] for id in members]
            seen = [match if match.a == centre else match.reversed() for match in matches]
            groups.append(self._builder.other(GroupKind.CONTAINS, centre, seen))
        return self._sorted(groups)

    def similar(self, look_alikes: LookAlikes | None) -> list[Group]:
        """Groups of what looks alike, by verification or by features."""
        from image_duplicate_finder.grouping.look_alikes import Similar

        similar = Similar(self._ranked, self._apart, self._lift, self._similar, look_alikes)
        return self._sorted(
            self._builder.other(GroupKind.SIMILAR, keeper, matches)
            for keeper, matches in similar.stars(self._contains)
        )

    def _near(self, pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
        """Who matches whom, by place, from pairs of ids."""
        place = self._ranked.place
        return neighbours(len(place), [(place[a], place[b]) for a, b in pairs])

    def _by_id(self, star: tuple[int, list[int]]) -> tuple[int, list[int]]:
        """A star of places as one of content ids."""
        ids = self._ranked.ids
        return ids[star[0]], [ids[member] for member in star[1]]

    def _sorted(self, groups: Iterable[Group]) -> list[Group]:
        """Groups of one kind in the order of their keepers."""
        return sorted(groups, key=lambda each: self._builder.key_of(each.keeper))
