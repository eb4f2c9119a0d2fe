"""The review page's address: which groups are shown, in which order, from which place on.

Everything that the list depends on stands in the address, so a reload, a second tab or a saved
link shows the same list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

from werkzeug.datastructures import MultiDict

from image_duplicate_finder.model import GroupKind, Relation
from image_duplicate_finder.results import GroupQuery, GroupSort

_MAX_BYTES = 2**60

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Listing:
    """A filter with an order (``query``), shown from the group ``at``, counted from 1."""

    query: GroupQuery = field(default_factory=lambda: GroupQuery(open_only=True))
    at: int = 1

    @property
    def filtered(self) -> bool:
        """Whether anything but the order differs from a list of all groups."""
        anything = replace(self.query, open_only=False, sort=GroupSort.SPACE, reverse=False)
        return anything != GroupQuery()

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """The listing as arguments of an address, those left out that say nothing."""
        query = self.query
        values: dict[str, Any] = {
            "kind": [kind.value for kind in query.kinds],
            "relation": [relation.value for relation in query.relations],
            "q": query.text,
            "folder": query.folder,
            "min": query.min_bytes,
            "selected": int(query.selected_only),
            "done": int(not query.open_only),
            "sort": "" if query.sort is GroupSort.SPACE else query.sort.value,
            "reverse": int(query.reverse),
            "at": 0 if self.at == 1 else self.at,
        }
        return {name: value for name, value in (values | changes).items() if value}


def listing(arguments: MultiDict[str, str]) -> Listing:
    """The listing that an address asks for; what makes no sense in it counts as absent."""
    query = GroupQuery(
        kinds=_choices(GroupKind, arguments.getlist("kind")),
        relations=_choices(Relation, arguments.getlist("relation")),
        text=arguments.get("q", "").strip(),
        folder=arguments.get("folder", "").strip(),
        min_bytes=min(_MAX_BYTES, max(0, _number(arguments, "min", 0))),
        selected_only=_flag(arguments, "selected"),
        open_only=not _flag(arguments, "done"),
        sort=next(iter(_choices(GroupSort, arguments.getlist("sort"))), GroupSort.SPACE),
        reverse=_flag(arguments, "reverse"),
    )
    return Listing(query, max(1, _number(arguments, "at", 1)))


def _choices(kind: type[Choice], values: Iterable[str]) -> tuple[Choice, ...]:
    known = {member.value: member for member in kind}
    return tuple(known[value] for value in dict.fromkeys(values) if value in known)


def _number(arguments: Mapping[str, str], name: str, default: int) -> int:
    text = arguments.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else default


def _flag(arguments: Mapping[str, str], name: str) -> bool:
    return arguments.get(name, "") not in ("", "0")
