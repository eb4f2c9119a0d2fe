"""The three kinds of groups of a scan, from its contents, matches and look-alikes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from image_duplicate_finder.grouping.building import Builder, Describe
from image_duplicate_finder.grouping.contents import Apart, Content, Ranked
from image_duplicate_finder.grouping.lifting import Lifting, MatchOf, lift_contains
from image_duplicate_finder.grouping.stars import cover, cover_edges, neighbours
from image_duplicate_finder.model import Group, GroupKind, Match, Relation
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule

if TYPE_CHECKING:  # the web app starts without numpy
    from image_duplicate_finder.grouping.links import Links, LookAlikes

_NO_DUPLICATES = (Relation.CONTAINS, Relation.SIMILAR)


def is_duplicate(match: Match) -> bool:
    """Whether the two pictures show the same photograph, whole or cropped."""
    return match.same_photograph and match.relation not in _NO_DUPLICATES


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
    of_pair: dict[tuple[int, int], Match] = {}
    others: list[Match] = []
    for match in matches:
        if is_duplicate(match):
            of_pair[min(match.a, match.b), max(match.a, match.b)] = match
        else:
            others.append(match)

    def match_of(one: int, other: int) -> Match:
        match = of_pair[min(one, other), max(one, other)]
        return match if match.a == one else match.reversed()

    scan = _Scan(contents, _links(of_pair.values()), match_of, others, describe, rules, dismissed)
    return [*scan.duplicates(), *scan.contains(), *scan.similar(look_alikes)]


def similar_groups(
    contents: Iterable[Content],
    links: Links,
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


def _links(matches: Collection[Match]) -> Links:
    import numpy as np

    from image_duplicate_finder.grouping.links import Links

    def crop(match: Match) -> int:
        if match.relation is not Relation.CROPPED or match.share_a == match.share_b:
            return -1
        return match.a if match.share_a > match.share_b else match.b

    rows = [(match.a, match.b, crop(match)) for match in matches]
    return Links(*np.array(rows, np.int64).reshape(-1, 3).T)


class _Scan:
    """What the groups of all kinds depend on: the stars of duplicates."""

    def __init__(
        self,
        contents: Iterable[Content],
        links: Links,
        match_of: MatchOf,
        others: Iterable[Match],
        describe: Describe,
        rules: Sequence[KeepRule],
        dismissed: Collection[tuple[int, int]],
    ) -> None:
        from image_duplicate_finder.grouping.links import may_meet

        self._apart = Apart(contents, dismissed)
        meeting = may_meet(links.a, links.b, self._apart)
        partial = set(links.partial[meeting].tolist()) - {-1}
        self._ranked = ranked = Ranked(self._apart.contents, partial, rules)
        near = neighbours(
            len(ranked.ids), ranked.places(links.a[meeting]), ranked.places(links.b[meeting])
        )
        self._builder = Builder(self._ranked, describe, rules)
        self._match_of = match_of
        self._stars = [self._by_id(star) for star in cover(near)]
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
        import numpy as np

        pairs = np.array(list(self._contains), np.int64).reshape(-1, 2)
        near = neighbours(len(self._ranked.ids), *self._ranked.places(pairs.T))
        for star in cover_edges(near):
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

    def _by_id(self, star: tuple[int, list[int]]) -> tuple[int, list[int]]:
        """A star of places as one of content ids."""
        ids = self._ranked.ids
        return ids[star[0]], [ids[member] for member in star[1]]

    def _sorted(self, groups: Iterable[Group]) -> list[Group]:
        """Groups of one kind in the order of their keepers."""
        return sorted(groups, key=lambda each: self._builder.key_of(each.keeper))
