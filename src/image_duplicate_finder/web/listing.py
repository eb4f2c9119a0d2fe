"""The groups of a scan as pages list them: which, in which order and view, and their figures.

Everything that the list depends on is in the address, so a reload, a second tab or a saved
link shows the same list. The view is remembered by the library.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from flask import render_template, request
from werkzeug.datastructures import MultiDict

from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.model import GroupKind, Relation
from image_duplicate_finder.results import GroupQuery, GroupSort, GroupView
from image_duplicate_finder.web.i18n import number
from image_duplicate_finder.web.labels import decision_text
from image_duplicate_finder.web.state import library

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


def current_listing() -> Listing:
    """The listing of the page that is shown: htmx names its address, others are it."""
    shown = request.headers.get("HX-Current-URL")
    if shown is None or request.args:
        return listing(request.args)
    return listing(MultiDict(parse_qsl(urlsplit(shown).query)))


def group_of(scan: int, group: int) -> GroupView:
    """A group of this scan. Raises NotFound for one of another scan too."""
    try:
        view = library().group(group)
    except NotFound:
        view = None
    if view is None or view.scan != scan:
        raise NotFound(Problem.GROUP_CHANGED(group=group))
    return view


def figures(scan: int, query: GroupQuery) -> dict[str, object]:
    """The figures that follow every decision: counts beside the filters, summary, selection."""
    facets = library().facets(scan, query)
    latest = library().latest_decision(scan)
    counts = {f"kind:{kind.value}": facets.kinds.get(kind, 0) for kind in GroupKind}
    counts |= {f"relation:{each.value}": facets.relations.get(each, 0) for each in Relation}
    return {
        "counts": {name: number(count) for name, count in counts.items()},
        "parts": overview(scan),
        "undo": None if latest is None else decision_text(latest),
    }


def overview(scan: int) -> str:
    """The summary and the selection bar anew, for the page to put in their places."""
    values = summary_of(scan)
    return render_template("review/summary.html", scan=scan, swap=True, **values) + render_template(
        "review/selection.html", scan=scan, swap=True, **values
    )


def summary_of(scan: int) -> dict[str, object]:
    """What the summary and the selection bar show."""
    return {
        "summary": library().summary(scan),
        "selection": library().selection(scan),
        "kinds": tuple(GroupKind),
        "relations": tuple(Relation),
    }
