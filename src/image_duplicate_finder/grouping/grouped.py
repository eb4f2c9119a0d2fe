"""The three kinds of groups of a scan, from its contents, matches and similar pairs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from image_duplicate_finder.dominance import (
    NO_EVIDENCE,
    Compared,
    Evidence,
    adds_a_border,
    lacking,
)
from image_duplicate_finder.grouping.contents import Content, ExcludedPairs, Ranked
from image_duplicate_finder.grouping.stars import cover, cover_edges, neighbours
from image_duplicate_finder.keeping import KeepFacts, RankKey, reasons_of
from image_duplicate_finder.messages import Description, Message
from image_duplicate_finder.model import (
    ContentPair,
    Group,
    GroupKind,
    ImageInfo,
    Lack,
    Look,
    Match,
    Member,
    Relation,
    ordered,
)
from image_duplicate_finder.relations import NONE, Composites, is_duplicate
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule
from image_duplicate_finder.sources import is_read_only

if TYPE_CHECKING:  # the web app starts without numpy
    from image_duplicate_finder.grouping.projection import Links, MatchOf, SimilarPairs


Describe = Callable[[Match, ImageInfo, ImageInfo, Look | None], tuple[Message, ...]]
"""Describes a match as seen from the keeper: (match, keeper, member, look at the two)."""

# In a group of hundreds that all stay, a file is compared with only so many of the best.
_MOST_WITNESSES = 64


def group(
    contents: Iterable[Content],
    matches: Iterable[Match],
    similar_pairs: SimilarPairs | None = None,
    *,
    describe: Describe,
    rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES,
    dismissed: Collection[tuple[int, int]] = frozenset(),
    looks: Mapping[tuple[int, int], Look | None] = MappingProxyType({}),
) -> list[Group]:
    """All groups of a scan: duplicates, then contains, then similar.

    ``looks`` are the closer looks at pairs ``(low id, high id)``: only what they show is
    proposed for removal. ``matches`` hold content ids; ``dismissed`` pairs are left out. A file is
    in at most one duplicates group, whose keeper represents it in groups of the other kinds.
    """
    by = _Rules(describe, rules, dismissed)
    grouping = _grouping(contents, matches, similar_pairs, by, looks)
    return [*grouping.duplicates(), *grouping.contains(), *grouping.similar()]


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
    by = _Rules(describe, rules, dismissed)
    return _grouping(contents, matches, None, by, looks).duplicates()


def similar_groups(
    contents: Iterable[Content],
    links: Links,
    match_of: MatchOf,
    others: Iterable[Match],
    similar_pairs: SimilarPairs | None,
    *,
    describe: Describe,
    rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES,
    dismissed: Collection[tuple[int, int]] = frozenset(),
) -> list[Group]:
    """Only the similar groups of :func:`group`, which change when a threshold moves.

    ``links`` are the matches of duplicates; ``match_of`` returns one in full, which few groups
    need. ``others`` are the matches that are no duplicates.
    """
    by = _Rules(describe, rules, dismissed)
    return _Grouping(contents, links, match_of, others, similar_pairs, by).similar()


@dataclass(frozen=True, slots=True)
class _Rules:
    """What groups are formed by, besides what was measured."""

    describe: Describe
    keep: Sequence[KeepRule]
    dismissed: Collection[tuple[int, int]]


def _grouping(
    contents: Iterable[Content],
    matches: Iterable[Match],
    similar_pairs: SimilarPairs | None,
    by: _Rules,
    looks: Mapping[tuple[int, int], Look | None],
) -> _Grouping:
    from image_duplicate_finder.grouping.projection import Links

    of_pair: dict[ContentPair, Match] = {}
    others: list[Match] = []
    for match in matches:
        if is_duplicate(match):
            of_pair[match.pair] = match
        else:
            others.append(match)

    def match_of(one: int, other: int) -> Match:
        match = of_pair[ordered(one, other)]
        return match.seen_from(one)

    links = Links.of(of_pair.values())
    evidence = Evidence(of_pair, looks)
    return _Grouping(contents, links, match_of, others, similar_pairs, by, evidence)


def _meeting(
    contents: Iterable[Content],
    links: Links,
    others: Iterable[Match],
    similar_pairs: SimilarPairs | None,
) -> Iterator[Content]:
    """The contents that can be in a group: most of a large folder need not even be ranked."""
    met = {*links.a.tolist(), *links.b.tolist()}
    met.update(id for match in others for id in (match.a, match.b))
    if similar_pairs is not None:
        met.update(similar_pairs.a.tolist(), similar_pairs.b.tolist())
    return (content for content in contents if content.id in met or len(content.files) > 1)


def _composites(links: Links, holding: Iterable[Match]) -> Composites:
    composites = Composites(holding)
    columns = (links.a, links.b, links.whole, links.whole[links.edited])
    composites.learn_copies(*(each.tolist() for each in columns))
    return composites


def _split_composites(links: Links, composites: Composites) -> tuple[Links, list[tuple[int, int]]]:
    """The links of copies, and those that call a composite a copy of its part."""
    import numpy as np

    split = np.isin(links.whole, list(composites.found()))
    parts = links.where(split)
    return links.where(~split), list(zip(parts.a.tolist(), parts.b.tolist(), strict=True))


def _as_part(match: Match) -> Match:
    return replace(match, relation=Relation.CONTAINS)


class _Grouping:
    """Forms groups of all kinds, which all depend on the stars of duplicates."""

    def __init__(
        self,
        contents: Iterable[Content],
        links: Links,
        match_of: MatchOf,
        others: Iterable[Match],
        similar_pairs: SimilarPairs | None,
        by: _Rules,
        evidence: Evidence = NO_EVIDENCE,
    ) -> None:
        from image_duplicate_finder.grouping.projection import KeeperProjection, may_meet

        others = list(others)
        self._similar_pairs = similar_pairs
        self._excluded = ExcludedPairs(
            _meeting(contents, links, others, similar_pairs), by.dismissed
        )
        links = links.where(may_meet(links.a, links.b, self._excluded))
        others = [match for match in others if not self._excluded(match.a, match.b)]
        self._similar = [match for match in others if match.relation is Relation.SIMILAR]
        holding = [match for match in others if match.relation is Relation.CONTAINS]
        composites = _composites(links, holding)
        links, split = _split_composites(links, composites)
        holding += [_as_part(match_of(*pair)) for pair in split]

        partial = set(links.partial.tolist()) - {NONE}
        windows = composites.windows()
        self._ranked = ranked = Ranked(self._excluded.contents, partial, windows, by.keep)
        near = neighbours(len(ranked.ids), ranked.places(links.a), ranked.places(links.b))
        self._builder = Builder(self._ranked, by.describe, by.keep, evidence)
        self._match_of = match_of
        self._stars = [self._by_id(star) for star in cover(near)]
        keeper_of = {member: keeper for keeper, members in self._stars for member in members}
        self._projection = KeeperProjection(keeper_of, match_of)
        holding += self._projection.between_groups(self._between_stars(links))
        self._contains = self._projection.contains(holding, self._ranked.place)
        for pair in self._excluded.dismissed:
            self._contains.pop(pair, None)

    def _between_stars(self, links: Links) -> Iterator[Match]:
        """The matches of copies that do not have the same keeper."""
        keeper_of = self._projection.keeper_of
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
        """A group for each picture that contains others, or that several others contain."""
        groups = []
        import numpy as np

        pairs = np.array(list(self._contains), np.int64).reshape(-1, 2)
        near = neighbours(len(self._ranked.ids), *self._ranked.places(pairs.T))
        for star in cover_edges(near):
            centre, members = self._by_id(star)
            matches = [self._contains[min(centre, id), max(centre, id)] for id in members]
            seen = [match.seen_from(centre) for match in matches]
            groups.append(self._builder.other(GroupKind.CONTAINS, centre, seen))
        return self._sorted(groups)

    def similar(self) -> list[Group]:
        """Groups of similar pictures, by verification or by features."""
        from image_duplicate_finder.grouping.projection import SimilarStars

        similar = SimilarStars(
            self._ranked, self._excluded, self._projection, self._similar, self._similar_pairs
        )
        return self._sorted(
            self._builder.other(GroupKind.SIMILAR, keeper, matches)
            for keeper, matches in similar.stars({*self._contains, *self._dismissed_here()})
        )

    def _dismissed_here(self) -> Iterator[tuple[int, int]]:
        """Dismissed pairs of this scan, which matches of members do not bring back."""
        known = self._ranked.place
        return (pair for pair in self._excluded.dismissed if known.keys() >= set(pair))

    def _by_id(self, star: tuple[int, list[int]]) -> tuple[int, list[int]]:
        """A star of places as one of content ids."""
        ids = self._ranked.ids
        return ids[star[0]], [ids[member] for member in star[1]]

    def _sorted(self, groups: Iterable[Group]) -> list[Group]:
        """Groups of one kind in the order of their keepers."""
        return sorted(groups, key=lambda each: self._builder.key_of(each.keeper))


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
        return self._group(
            GroupKind.DUPLICATES, keeper, facts, self._proposed(keeper, facts, members, content_of)
        )

    def _proposed(
        self,
        keeper: KeepFacts,
        facts: Sequence[KeepFacts],
        members: Sequence[Member],
        content_of: Mapping[int, int],
    ) -> list[Member]:
        """The members, each with its best witness and whether its removal is proposed.

        The best files are judged first, and only files that stay are witnesses. A keeper may be
        worse than a member that matches few others: such a member stays, and so does one of which
        the witness is a framed copy.
        """
        staying = [keeper]
        proposed = {member.file: member for member in members}
        for copy in sorted(facts, key=lambda each: self._ranked.keys[each.file]):
            content = content_of[copy.file]
            best: tuple[tuple[bool, int, bool], tuple[Lack, ...], KeepFacts, Compared] | None = None
            for witness in staying[:_MOST_WITNESSES]:
                compared = self._evidence.compared(content, content_of[witness.file])
                if compared is None:
                    continue
                lacks = lacking(copy, witness, compared)
                if not lacks and (self._is_better(copy, witness) or adds_a_border(compared)):
                    lacks = (Lack.PREFERRED,)
                # What is behind a URL or in an archive cannot be checked just before a removal.
                lasting = not is_read_only(witness.path)
                worth = Lack.UNMEASURED in lacks, len(lacks), not lasting
                if best is None or worth < best[0]:
                    best = worth, lacks, witness, compared
                if not lacks and lasting:
                    break
            assert best is not None, "a member matches its keeper"
            (_, _, fleeting), lacks, witness, compared = best
            fixed = copy.file in self._ranked.nodes[content].fixed or fleeting
            if lacks or fixed:
                staying.append(copy)
            look = compared.look
            proposed[copy.file] = replace(
                proposed[copy.file],
                selected=not lacks and not fixed,
                witness=witness.file,
                lacks=lacks,
                detail=None if look is None else look.detail,
                differences=look.differences if look and Lack.DIFFERS in lacks else (),
            )
        return list(proposed.values())

    def _is_better(self, one: KeepFacts, other: KeepFacts) -> bool:
        """Whether a keep rule prefers one file to another; their paths alone are none."""
        return self._ranked.keys[one.file][:-1] < self._ranked.keys[other.file][:-1]

    def other(self, kind: GroupKind, content: int, matches: Sequence[Match]) -> Group:
        """A group of a kind in which one file represents each content."""
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
        compared = self._evidence.compared(match.a, match.b)
        look = None if compared is None else compared.look
        return Member(
            file=copy.file,
            relation=match.relation,
            description=self._describe(match, keeper.info, copy.info, look),
            transform=match.transform,
            mirrored=match.mirrored,
            overlap=match.share_a,
            score=match.score,
        )
