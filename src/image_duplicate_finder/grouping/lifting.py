"""A keeper stands for the members of its group where those match other pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from image_duplicate_finder.composites import in_common
from image_duplicate_finder.model import Match, Relation, compose

MatchOf = Callable[[int, int], Match]
"""The match of two contents that matched, from the first one to the second."""


class Lifting:
    """Carries matches of members over to their keepers."""

    def __init__(self, keeper_of: Mapping[int, int], match_of: MatchOf) -> None:
        self.keeper_of = keeper_of
        """The keeper of each content that is a member of a group of duplicates."""
        self._match_of = match_of

    def __call__(self, match: Match) -> Match | None:
        """The match as the keepers have it, or None when it says nothing of them.

        Transforms are carried over from a member to its keeper. What a member contains beyond
        its keeper (a collage holds more than one photo) is not the keeper's.
        """
        lifted = self._one_end(match)
        if lifted is not None and lifted.b in self.keeper_of:
            lifted = self._one_end(lifted.reversed())
        if lifted is None or lifted.a < lifted.b:
            return lifted
        return lifted.reversed()

    def shares_with_keeper(self, id: int, share: float) -> bool:
        """Whether what another picture shows of ``id``, this share, is the keeper's too."""
        keeper = self.keeper_of.get(id)
        return keeper is None or in_common(self._match_of(keeper, id).share_b, share)

    def _one_end(self, match: Match) -> Match | None:
        keeper = self.keeper_of.get(match.a)
        if keeper is None:
            return match
        from_keeper = self._match_of(keeper, match.a)
        holds = match.relation is Relation.CONTAINS and match.share_a < match.share_b
        if holds and not in_common(from_keeper.share_b, match.share_a):
            return None
        known = match.transform is not None and from_keeper.transform is not None
        transform = compose(match.transform, from_keeper.transform) if known else None  # type: ignore[arg-type]
        return replace(
            match,
            a=keeper,
            transform=transform,
            mirrored=match.mirrored != from_keeper.mirrored,
            share_a=match.share_a * from_keeper.share_a,
        )


def across(matches: Iterable[Match], lift: Lifting) -> list[Match]:
    """Matches of copies that hold between two groups, as parts.

    Copies that no keeper matches in common stand in groups of their own, and only such a match
    says that these belong together. What a member shows beside its keeper says nothing of that.
    """
    return [
        replace(match, relation=Relation.CONTAINS)
        for match in matches
        if lift.shares_with_keeper(match.a, match.share_a)
        and lift.shares_with_keeper(match.b, match.share_b)
    ]


def lift_contains(
    matches: Iterable[Match], lift: Lifting, place: Mapping[int, int]
) -> dict[tuple[int, int], Match]:
    """Where pictures contain others, by the pair of keepers ``(low id, high id)``.

    Where several members of a group match the same other picture, the best claim stays: a match
    of the keepers themselves, else the best score, else the best pictures. Matches within a
    group go. :func:`.look_alikes.choose` has the same rules.
    """
    best: dict[tuple[int, int], tuple[tuple[bool, float, int, int], Match]] = {}
    for match in matches:
        one = lift.keeper_of.get(match.a, match.a)
        other = lift.keeper_of.get(match.b, match.b)
        if one == other:
            continue
        low, high = sorted((place[match.a], place[match.b]))
        claim = (one == match.a and other == match.b, match.score, -low, -high)
        key = (min(one, other), max(one, other))
        if key in best and claim <= best[key][0]:
            continue
        lifted = lift(match)
        if lifted is not None:
            best[key] = claim, lifted
    return {key: match for key, (_, match) in best.items()}
