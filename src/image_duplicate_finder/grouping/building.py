"""Stars of contents to groups of files: members with their words, and what is preselected."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from image_duplicate_finder.grouping.contents import Ranked
from image_duplicate_finder.keeping import KeepFacts, RankKey, reasons_of
from image_duplicate_finder.model import Group, GroupKind, ImageInfo, Match, Member, Relation
from image_duplicate_finder.settings import KeepRule
from image_duplicate_finder.sources import is_read_only

Describe = Callable[[Match, ImageInfo, ImageInfo], str]
"""Words for a match as seen from the keeper: (match from keeper to member, keeper, member)."""

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


def holds_more(member: ImageInfo, keeper: ImageInfo) -> bool:
    """Whether a member has frames, parts, transparency or colours that its keeper lacks."""
    if keeper.incomplete and not member.incomplete:
        return True
    return (
        member.frames > keeper.frames
        or (member.frames > 1 and not set(member.frame_digests) <= set(keeper.frame_digests))
        or not set(member.parts) <= set(keeper.parts)
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


class Builder:
    """Turns stars of contents into groups of files."""

    def __init__(self, ranked: Ranked, describe: Describe, rules: Sequence[KeepRule]) -> None:
        self._ranked = ranked
        self._describe = describe
        self._rules = rules

    def key_of(self, file: int) -> RankKey:
        """Sorts files as the keep rules do."""
        return self._ranked.keys[file]

    def duplicates(self, content: int, matches: Sequence[Match]) -> Group:
        """A keeper content with its matches, which start from it; all their files are members."""
        keeper, *copies = self._ranked.files(content)
        # What stands behind a URL or in an archive cannot be checked just before a removal.
        lasting = not is_read_only(keeper.path)
        members = [
            Member(
                file=copy.file,
                relation=Relation.BYTE_IDENTICAL,
                words="identical file",
                selected=lasting and copy.file not in self._ranked.nodes[content].fixed,
            )
            for copy in copies
        ]
        facts = list(copies)
        for match in matches:
            for copy in self._ranked.files(match.b):
                worse = lasting and self._is_worse(match, keeper, copy)
                members.append(self._member(match, keeper, copy, worse))
                facts.append(copy)
        return self._group(GroupKind.DUPLICATES, keeper, facts, members)

    def other(self, kind: GroupKind, content: int, matches: Sequence[Match]) -> Group:
        """The same for groups in which one file stands for each content."""
        keeper = self._ranked.files(content)[0]
        facts = [self._ranked.files(match.b)[0] for match in matches]
        members = [
            self._member(match, keeper, copy, False)
            for match, copy in zip(matches, facts, strict=True)
        ]
        return self._group(kind, keeper, facts, members)

    def _group(
        self, kind: GroupKind, keeper: KeepFacts, facts: list[KeepFacts], members: list[Member]
    ) -> Group:
        keys = self._ranked.keys
        why = reasons_of(keys[keeper.file], (keys[each.file] for each in facts), self._rules)
        return Group(kind, keeper.file, why, tuple(members))

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
        if copy.file in self._ranked.nodes[match.b].fixed or match.relation not in _PRESELECTED:
            return False
        if holds_more(copy.info, keeper.info):
            return False
        if match.relation in (Relation.BYTE_IDENTICAL, Relation.PIXEL_IDENTICAL):
            return True
        if match.share_a < _PRESELECTED_OVERLAP:
            return False
        if match.relation is Relation.CROPPED and match.share_b < match.share_a:
            return False
        return copy.info.pixels <= keeper.info.pixels and _detail(match) <= _MORE_DETAIL
