"""Stars of contents to groups of files: members with their words, and what is preselected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from image_duplicate_finder.dominance import Compared, Evidence, lacking
from image_duplicate_finder.grouping.contents import Ranked
from image_duplicate_finder.keeping import KeepFacts, RankKey, reasons_of
from image_duplicate_finder.model import Group, GroupKind, ImageInfo, Lack, Match, Member, Relation
from image_duplicate_finder.settings import KeepRule
from image_duplicate_finder.sources import is_read_only

Describe = Callable[[Match, ImageInfo, ImageInfo], str]
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
            Member(file=copy.file, relation=Relation.BYTE_IDENTICAL, words="identical file")
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
            words=self._describe(match, keeper.info, copy.info),
            transform=match.transform,
            mirrored=match.mirrored,
            overlap=match.share_a,
            score=match.score,
        )
