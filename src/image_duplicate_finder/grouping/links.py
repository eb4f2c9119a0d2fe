"""Pairs that matched, as the choice of keepers looks at them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from image_duplicate_finder.model import Match, Relation


class Linked(Protocol):
    """What a :class:`Match` and a :class:`Link` have in common; ids are of contents."""

    @property
    def a(self) -> int: ...
    @property
    def b(self) -> int: ...
    @property
    def relation(self) -> str: ...
    @property
    def share_a(self) -> float: ...
    @property
    def share_b(self) -> float: ...


class Link(NamedTuple):
    """A match without its evidence: of most pairs no more is needed to choose keepers."""

    a: int
    b: int
    relation: str
    share_a: float
    share_b: float


def is_duplicate(match: Match) -> bool:
    """Whether the two pictures show the same photograph, whole or cropped."""
    return match.same_photograph and match.relation not in (Relation.CONTAINS, Relation.SIMILAR)
