"""How a person looks at groups: in which view, and how large. Remembered by the library."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

from image_duplicate_finder.web.state import library

LOOK_PREFERENCE = "review_look"


class View(StrEnum):
    """A row for each file, tiles, or large tiles."""

    LIST = "list"
    GRID = "grid"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Look:
    """A view, and for each view the size that its slider was left at (0 to 100)."""

    view: View = View.GRID
    sizes: dict[View, int] = field(default_factory=dict)

    @staticmethod
    def of(view: str, sizes: str) -> Look:
        """The look that a page or the library names; what makes no sense counts as absent."""
        try:
            named = json.loads(sizes or "{}")
        except ValueError:
            named = {}
        found = {
            View(name): min(100, max(0, int(size)))
            for name, size in (named.items() if isinstance(named, dict) else ())
            if name in set(View) and isinstance(size, int | float) and size == size
        }
        return Look(View(view) if view in set(View) else View.GRID, found)

    def sizes_text(self) -> str:
        """The sizes as JSON, for the page's script."""
        return json.dumps(self.sizes)

    def to_text(self) -> str:
        """The look as the library keeps it."""
        return f"{self.view.value} {self.sizes_text()}"


def look() -> Look:
    """The look that is remembered."""
    view, _, sizes = library().preference(LOOK_PREFERENCE).partition(" ")
    return Look.of(view, sizes)
