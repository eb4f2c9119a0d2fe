"""The three kinds of groups of a scan, from its contents, matches and look-alikes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from image_duplicate_finder.dominance import NO_EVIDENCE, Compared, Evidence, lacking
from image_duplicate_finder.grouping.contents import Apart, Content, Ranked
from image_duplicate_finder.grouping.stars import cover, cover_edges, neighbours
from image_duplicate_finder.keeping import KeepFacts, RankKey, reasons_of
from image_duplicate_finder.messages import Description, Message
from image_duplicate_finder.model import (
    Group,
    GroupKind,
    ImageInfo,
    Lack,
    Look,
    Match,
    Member,
    Relation,
)
from image_duplicate_finder.relations import NONE, Composites, is_duplicate
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule
from image_duplicate_finder.sources import is_read_only

if TYPE_CHECKING:  # the web app starts without numpy
    from image_duplicate_finder.grouping.links import Links, LookAlikes
    from image_duplicate_finder.grouping.projection import MatchOf


def group(
    contents: Iterable[Content],
    matches: Iterable[Match],
    look_alikes: LookAlikes | None = None,
    *,
    describe: Describe,
    rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES,
    dismissed: Collection[tuple[int, int]] = frozenset(),
    looks: Mapping[tuple[int, int], Look | None] = MappingProxyType({}),
) -> list[Group]:
    """All groups of a scan: duplicates, then contains, then similar.

    ``looks`` are the closer looks at pairs ``(low id, high id)``: only what they show is
    proposed for removal. ``matches`` hold content ids; ``dismissed`` pairs are left out. A file is
    in at most one duplicates group; in the other kinds its keeper stands for it.
    """
    scan = _scan_of(contents, matches, look_alikes, describe, rules, dismissed, looks)
    return [*scan.duplicates(), *scan.contains(), *scan.similar()]


def duplicate_groups(
    contents: Iterable[Content],
    matches: Iterable[Match],
    *,
    describe: Describe,
    rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES,
    dismissed: Collection[tuple[int, int]] = frozenset(),
    looks: Mapping[tuple[int, int], Look | None] = MappingProxyType({}),
) -> list[Group]:
    """Only the duplicates of :func:`group`."""
    return _scan_of(contents, matches, None, describe, rules, dismissed, looks).duplicates()


def _scan_of(
    contents: Iterable[Content],
    matches: Iterable[Match],
    look_alikes: LookAlikes | None,
    describe: Describe,
    rules: Sequence[KeepRule],
    dismissed: Collection[tuple[int, int]],
    looks: Mapping[tuple[int, int], Look | None],
) -> _Scan:
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

    from image_duplicate_finder.grouping.links import Links

    links = Links.of(of_pair.values())
    evidence = Evidence(of_pair, looks)
    return _Scan(
        contents, links, match_of, others, look_alikes, describe, rules, dismissed, evidence
    )


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
    scan = _Scan(contents, links, match_of, others, look_alikes, describe, rules, dismissed)
    return scan.similar()


def _meeting(
    contents: Iterable[Content],
    links: Links,
    others: Iterable[Match],
    look_alikes: LookAlikes | None,
) -> Iterator[Content]:
    """The contents that can be in a group: most of a large folder need not even be ranked."""
    met = {*links.a.tolist(), *links.b.tolist()}
    met.update(id for match in others for id in (match.a, match.b))
    if look_alikes is not None:
        met.update(look_alikes.a.tolist(), look_alikes.b.tolist())
    return (content for content in contents if content.id in met or len(content.files) > 1)


def _composites(links: Links, holding: Iterable[Match]) -> Composites:
    composites = Composites(holding)
    columns = (links.a, links.b, links.whole, links.whole[links.edited])
    composites.learn_copies(*(each.tolist() for each in columns))
    return composites


def _told_apart(links: Links, composites: Composites) -> tuple[Links, list[tuple[int, int]]]:
    """The links without those that call a composite a copy of its part, and the latter."""
    import numpy as np

    split = np.isin(links.whole, list(composites.found()))
    apart = links.where(split)
    return links.where(~split), list(zip(apart.a.tolist(), apart.b.tolist(), strict=True))


def _as_part(match: Match) -> Match:
    return replace(match, relation=Relation.CONTAINS)


class _Scan:
    """What the groups of all kinds depend on: the stars of duplicates."""

    def __init__(
        self,
        contents: Iterable[Content],
        links: Links,
        match_of: MatchOf,
        others: Iterable[Match],
        look_alikes: LookAlikes | None,
        describe: Describe,
        rules: Sequence[KeepRule],
        dismissed: Collection[tuple[int, int]],
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        from image_duplicate_finder.grouping.links import may_meet
        from image_duplicate_finder.grouping.projection import Lifting, across, lift_contains

        others = list(others)
        self._look_alikes = look_alikes
        self._apart = Apart(_meeting(contents, links, others, look_alikes), dismissed)
        links = links.where(may_meet(links.a, links.b, self._apart))
        others = [match for match in others if not self._apart(match.a, match.b)]
        self._similar = [match for match in others if match.relation is Relation.SIMILAR]
        holding = [match for match in others if match.relation is Relation.CONTAINS]
        composites = _composites(links, holding)
        links, split = _told_apart(links, composites)
        holding += [_as_part(match_of(*pair)) for pair in split]

        partial = set(links.partial.tolist()) - {NONE}
        windows = composites.windows()
        self._ranked = ranked = Ranked(self._apart.contents, partial, windows, rules)
        near = neighbours(len(ranked.ids), ranked.places(links.a), ranked.places(links.b))
        self._builder = Builder(self._ranked, describe, rules, evidence)
        self._match_of = match_of
        self._stars = [self._by_id(star) for star in cover(near)]
        keeper_of = {member: keeper for keeper, members in self._stars for member in members}
        self._lift = Lifting(keeper_of, match_of)
        holding += across(self._between_stars(links), self._lift)
        self._contains = lift_contains(holding, self._lift, self._ranked.place)
        for pair in self._apart.dismissed:
            self._contains.pop(pair, None)

    def _between_stars(self, links: Links) -> Iterator[Match]:
        """The matches of copies of which no keeper has both."""
        keeper_of = self._lift.keeper_of
        for a, b in zip(links.a.tolist(), links.b.tolist(), strict=True):
            if keeper_of.get(a, a) != keeper_of.get(b, b):
                yield self._match_of(a, b)

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

    def similar(self) -> list[Group]:
        """Groups of what looks alike, by verification or by features."""
        from image_duplicate_finder.grouping.projection import Similar

        similar = Similar(self._ranked, self._apart, self._lift, self._similar, self._look_alikes)
        return self._sorted(
            self._builder.other(GroupKind.SIMILAR, keeper, matches)
            for keeper, matches in similar.stars({*self._contains, *self._dismissed_here()})
        )

    def _dismissed_here(self) -> Iterator[tuple[int, int]]:
        """Dismissed pairs of this scan: what members have in common does not bring them back."""
        known = self._ranked.place
        return (pair for pair in self._apart.dismissed if known.keys() >= set(pair))

    def _by_id(self, star: tuple[int, list[int]]) -> tuple[int, list[int]]:
        """A star of places as one of content ids."""
        ids = self._ranked.ids
        return ids[star[0]], [ids[member] for member in star[1]]

    def _sorted(self, groups: Iterable[Group]) -> list[Group]:
        """Groups of one kind in the order of their keepers."""
        return sorted(groups, key=lambda each: self._builder.key_of(each.keeper))


Describe = Callable[[Match, ImageInfo, ImageInfo], tuple[Message, ...]]
"""Words for a match as seen from the keeper: (match from keeper to member, keeper, member)."""

# In a group of hundreds that all stay, one more is asked about beside so many of the best.
_MOST_WITNESSES = 64


class Builder:
    """Turns stars of contents into groups of files."""

    def __init__(
        self,
        ranked: Ranked,
        describe: Describe,
        rules: Sequence[KeepRule],
        evidence: Evidence,
    ) -> None:
        self._ranked = ranked
        self._describe = describe
        self._rules = rules
        self._evidence = evidence

    def key_of(self, file: int) -> RankKey:
        """Sorts files as the keep rules do."""
        return self._ranked.keys[file]

    def duplicates(self, content: int, matches: Sequence[Match]) -> Group:
        """A keeper content with its matches, which start from it; all their files are members."""
        keeper, *copies = self._ranked.files(content)
        members = [
            Member(copy.file, Relation.BYTE_IDENTICAL, (Description.IDENTICAL_FILE(),))
            for copy in copies
        ]
        facts = list(copies)
        content_of = dict.fromkeys((each.file for each in (keeper, *copies)), content)
        for match in matches:
            for copy in self._ranked.files(match.b):
                members.append(self._member(match, keeper, copy))
                facts.append(copy)
                content_of[copy.file] = match.b
        judged = self._judged([keeper, *facts], content_of)
        members = [replace(member, **judged[member.file]) for member in members]
        return self._group(GroupKind.DUPLICATES, keeper, facts, members)

    def _judged(
        self, files: Sequence[KeepFacts], content_of: Mapping[int, int]
    ) -> dict[int, dict[str, Any]]:
        """What is proposed for each file of a group but its keeper, the first, and why.

        The best files are asked about first, and only files that stay are witnesses.
        """
        keeper, *copies = files
        staying = [keeper]
        judged: dict[int, dict[str, Any]] = {}
        for copy in sorted(copies, key=lambda each: self._ranked.keys[each.file]):
            content = content_of[copy.file]
            best: tuple[tuple[int, bool], tuple[Lack, ...], KeepFacts, Compared] | None = None
            for witness in staying[:_MOST_WITNESSES]:
                compared = self._evidence.compared(content, content_of[witness.file])
                if compared is None:
                    continue
                lacks = lacking(copy, witness, compared)
                # What is behind a URL or in an archive cannot be checked just before a removal.
                lasting = not is_read_only(witness.path)
                worth = len(lacks), not lasting
                if best is None or worth < best[0]:
                    best = worth, lacks, witness, compared
                if not lacks and lasting:
                    break
            assert best is not None, "a member matches its keeper"
            (_, fleeting), lacks, witness, compared = best
            fixed = copy.file in self._ranked.nodes[content].fixed or fleeting
            if lacks or fixed:
                staying.append(copy)
            look = compared.look
            judged[copy.file] = {
                "selected": not lacks and not fixed,
                "witness": witness.file,
                "lacks": lacks,
                "detail": None if look is None else look.detail,
                "differences": look.differences if look and Lack.DIFFERS in lacks else (),
            }
        return judged

    def other(self, kind: GroupKind, content: int, matches: Sequence[Match]) -> Group:
        """The same for groups in which one file stands for each content."""
        keeper = self._ranked.files(content)[0]
        facts = [self._ranked.files(match.b)[0] for match in matches]
        members = [
            self._member(match, keeper, copy) for match, copy in zip(matches, facts, strict=True)
        ]
        return self._group(kind, keeper, facts, members)

    def _group(
        self, kind: GroupKind, keeper: KeepFacts, facts: list[KeepFacts], members: list[Member]
    ) -> Group:
        keys = self._ranked.keys
        why = reasons_of(keys[keeper.file], (keys[each.file] for each in facts), self._rules)
        return Group(kind, keeper.file, why, tuple(members))

    def _member(self, match: Match, keeper: KeepFacts, copy: KeepFacts) -> Member:
        return Member(
            file=copy.file,
            relation=match.relation,
            description=self._describe(match, keeper.info, copy.info),
            transform=match.transform,
            mirrored=match.mirrored,
            overlap=match.share_a,
            score=match.score,
        )
