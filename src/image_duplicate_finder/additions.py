"""What of other copies' metadata a picture lacks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from image_duplicate_finder.model import Lack, Metadata


@dataclass(frozen=True, slots=True)
class Additions:
    """What is to be added to a picture's metadata; the fields are those of Metadata.

    ``keywords`` and ``people`` are the whole lists that it has then.
    """

    taken: str | None = None
    place: tuple[float, float] | None = None
    rating: int | None = None
    label: str | None = None
    title: str | None = None
    description: str | None = None
    creator: str | None = None
    copyright: str | None = None
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(self.to_values().values())

    def to_values(self) -> dict[str, Any]:
        """What is added, by the names of the fields; ready for JSON."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in values.items() if value}

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Additions:
        """From values as JSON gives them back. Raises TypeError and ValueError for others."""
        texts = {name: str(values[name]) for name in _TEXTS if values.get(name) is not None}
        lists = {name: tuple(map(str, values[name])) for name in _LISTS if name in values}
        if unknown := values.keys() - {each.name for each in fields(cls)}:
            raise ValueError(f"unknown metadata: {', '.join(sorted(unknown))}")
        rating = values.get("rating")
        if rating is not None and int(rating) not in range(1, 6):
            raise ValueError("a rating is 1 to 5")
        place = values.get("place")
        if place is not None:
            latitude, longitude = map(float, place)
            if not (abs(latitude) <= 90 and abs(longitude) <= 180):
                raise ValueError("no place on earth")
            place = latitude, longitude
        if "taken" in texts and not _MOMENT.fullmatch(texts["taken"]):
            raise ValueError("a moment is written as 2024-05-01T12:30:00")
        rating = None if rating is None else int(rating)
        return cls(**texts, **lists, rating=rating, place=place)  # type: ignore[arg-type]


MERGEABLE = frozenset(
    {
        Lack.TAKEN,
        Lack.POSITION,
        Lack.RATING,
        Lack.LABEL,
        Lack.KEYWORDS,
        Lack.TITLE,
        Lack.DESCRIPTION,
        Lack.COPYRIGHT,
        Lack.PEOPLE,
    }
)
"""What a witness may lack and yet hold all once it has taken over metadata."""
_TEXTS = ("taken", "label", "title", "description", "creator", "copyright")
_LISTS = ("keywords", "people")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[+-]\d\d:\d\d)?")


def lacking(keeper: Metadata, others: Iterable[Metadata]) -> Additions:
    """What the keeper lacks and others have; of several the first, of ratings the best.

    Of times the earliest: later ones are those of edits.
    """
    others = list(others)

    def first(name: str) -> Any:
        if getattr(keeper, name) is not None:
            return None
        return next((v for each in others if (v := getattr(each, name)) is not None), None)

    def united(name: str) -> tuple[str, ...]:
        mine: tuple[str, ...] = getattr(keeper, name)
        all_of_them = (*mine, *(value for each in others for value in getattr(each, name)))
        found = tuple(dict.fromkeys(all_of_them))
        return found if len(found) > len(mine) else ()

    taken = [each.taken for each in others if each.taken and _MOMENT.fullmatch(each.taken)]
    ratings = [each.rating for each in others if each.rating]
    return Additions(
        taken=min(taken, default=None) if keeper.taken is None else None,
        place=first("place"),
        rating=max(ratings, default=None) if not keeper.rating else None,
        label=first("label"),
        title=first("title"),
        description=first("description"),
        creator=first("creator"),
        copyright=first("copyright"),
        keywords=united("keywords"),
        people=united("people"),
    )


def holds_then(keeper: Metadata, other: Metadata) -> bool:
    """Whether a keeper that took over from ``other`` lacks none of what can be taken over.

    It does where both say something and something else.
    """
    then = with_additions(keeper, lacking(keeper, [other]))
    return all(
        set(getattr(other, each.name)) <= set(getattr(then, each.name))
        if each.name in _LISTS
        else not getattr(other, each.name) or getattr(other, each.name) == getattr(then, each.name)
        for each in fields(Additions)
    )


def with_additions(metadata: Metadata, additions: Additions) -> Metadata:
    """What a picture's metadata say once the additions are written."""
    added = additions.to_values()
    if additions.place is not None:
        added["has_gps"] = True
    return replace(metadata, **added)
