"""What one picture is to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from image_duplicate_finder.model import GroupKind, Relation, Transform


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two pictures are to each other; falsy when they do not show the same.

    ``relation`` is None for different pictures; look-alikes (``similar``) are falsy too.
    ``keeper`` is 0 or 1, the one to keep, and ``reasons`` says why; the rest is about the other
    one: ``words`` for people, ``transform`` from the keeper's pixel coordinates to its own,
    ``overlap`` the share of the keeper that it shows, ``score`` the agreement, both 0 to 1.
    """

    relation: Relation | None = None
    kind: GroupKind | None = None
    keeper: int = 0
    reasons: tuple[str, ...] = ()
    words: str = "different pictures"
    transform: Transform | None = None
    mirrored: bool = False
    overlap: float = 0.0
    score: float = 0.0

    def __bool__(self) -> bool:
        return self.relation not in (None, Relation.SIMILAR)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON-ready values."""
        return {
            "relation": None if self.relation is None else self.relation.value,
            "kind": None if self.kind is None else self.kind.value,
            "keeper": self.keeper,
            "reasons": list(self.reasons),
            "words": self.words,
            "transform": None if self.transform is None else [list(r) for r in self.transform],
            "mirrored": self.mirrored,
            "overlap": self.overlap,
            "score": self.score,
        }
