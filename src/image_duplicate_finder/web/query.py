"""The review page's address: which groups are shown, in which order, on which page.

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

PAGE_SIZES = (20, 50, 100)
_DEFAULT_PAGE_SIZE = 20
_MAX_BYTES = 2**60

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Listing:
    """A filter with an order (``query``), cut into pages of ``per`` groups; ``page`` from 1."""

    query: GroupQuery = field(default_factory=lambda: GroupQuery(open_only=True))
    page: int = 1
    per: int = _DEFAULT_PAGE_SIZE

    @property
    def paged(self) -> GroupQuery:
        """The query for this page alone."""
        return replace(self.query, offset=(self.page - 1) * self.per, limit=self.per)

    @property
    def filtered(self) -> bool:
        """Whether anything but the order differs from a list of all groups."""
        anything = replace(self.query, open_only=False, sort=GroupSort.SPACE, reverse=False)
        return anything != GroupQuery()

    def pages(self, total: int) -> int:
        """How many pages ``total`` groups fill; at least 1."""
        return max(1, -(-total // self.per))

    def within(self, total: int) -> Listing:
        """This listing, on its last page if ``page`` lies behind it."""
        return replace(self, page=min(self.page, self.pages(total)))

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
            "per": 0 if self.per == _DEFAULT_PAGE_SIZE else self.per,
            "page": 0 if self.page == 1 else self.page,
        }
        return {name: value for name, value in (values | changes).items() if value}


def listing(arguments: MultiDict[str, str]) -> Listing:
    """The listing that an address asks for; what makes no sense in it counts as absent.

    ``at`` asks for the page that holds the group of that place in the list, counted from 1.
    """
    per = _number(arguments, "per", _DEFAULT_PAGE_SIZE)
    if per not in PAGE_SIZES:
        per = _DEFAULT_PAGE_SIZE
    page = max(1, _number(arguments, "page", 1))
    at = _number(arguments, "at", 0)
    if at > 0:
        page = (at - 1) // per + 1
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
    return Listing(query, page, per)


def _choices(kind: type[Choice], values: Iterable[str]) -> tuple[Choice, ...]:
    known = {member.value: member for member in kind}
    return tuple(known[value] for value in dict.fromkeys(values) if value in known)


def _number(arguments: Mapping[str, str], name: str, default: int) -> int:
    text = arguments.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else default


def _flag(arguments: Mapping[str, str], name: str) -> bool:
    return arguments.get(name, "") not in ("", "0")
