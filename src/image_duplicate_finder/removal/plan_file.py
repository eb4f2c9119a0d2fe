"""Plans as JSON documents: what ``idf plan`` writes and ``idf apply`` reads."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from typing import Any

from image_duplicate_finder.additions import Additions
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.messages import plain, printable
from image_duplicate_finder.model import FileStat, Relation
from image_duplicate_finder.removal.plan import (
    COMPANION_KINDS,
    Companion,
    Evidence,
    Merge,
    Plan,
    PlanFile,
    PlanItem,
    Reason,
    Refusal,
    content_from_hex,
    in_order,
)
from image_duplicate_finder.settings import RemovalAction

VERSION = 1
_MOST_TEXT = 65_536
_MOST_SHOWN = 200
_STAT = ("size", "mtime_ns", "ctime_ns", "device", "inode", "links")


def path_to_dict(path: str, key: str = "path") -> dict[str, str]:
    """A path for JSON; a name that is not UTF-8 has its bytes (base64) beside it."""
    written = {key: path}
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        written[f"{key}_bytes"] = base64.b64encode(os.fsencode(path)).decode("ascii")
    return written


def path_from_dict(values: dict[str, Any], key: str = "path") -> str:
    """The path that :func:`path_to_dict` wrote.

    Raises KeyError where there is none, and ValueError for what can be no path.
    """
    if f"{key}_bytes" in values:
        path = os.fsdecode(base64.b64decode(_text(values, f"{key}_bytes")))
    else:
        path = _text(values, key)
    if "\0" in path:
        raise ValueError("a path holds no NUL")
    os.fsencode(path)  # half a pair of surrogates can be no path
    return path


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """The plan as JSON-ready values."""
    return {
        "version": VERSION,
        "id": plan.id,
        "action": plan.action.value,
        "roots": [path_to_dict(root) for root in plan.roots],
        "protected": [path_to_dict(root) for root in plan.protected],
        "only_from": [path_to_dict(root) for root in plan.only_from],
        "bytes": plan.total_bytes,
        "items": [_item_to_dict(item) for item in plan.items],
        "merges": [
            {
                "keeper": _file_to_dict(merge.keeper),
                "add": merge.additions.to_values(),
                "sources": [path_to_dict(path) for path in merge.sources],
            }
            for merge in plan.merges
        ],
        "refusals": [
            {**path_to_dict(r.path), "reason": r.reason.value, "message": r.message}
            for r in plan.refusals
        ],
    }


def plan_from_dict(values: Any) -> Plan:
    """The plan that :func:`plan_to_dict` wrote.

    Items may have been taken out, repeated or put into another order by hand; the id is computed
    anew. Raises UsageError, which names the item, for anything that is not a plan of this version.
    What it says of files is still not trusted: see :meth:`.Remover.apply`.
    """
    where = "the plan"
    try:
        version = _whole(values, "version")
        if version != VERSION:
            raise UsageError(
                f"This plan has version {version}; this program reads {VERSION}. "
                "Make a new plan with `idf plan`."
            )
        roots = tuple(_folders(values, "roots"))
        protected = tuple(_folders(values, "protected"))
        only_from = tuple(_folders(values, "only_from"))
        action = RemovalAction(_text(values, "action"))
        items = []
        for number, item in enumerate(_list(values, "items"), 1):
            where = f"item {number}{_named(item)}"
            items.append(_item_from_dict(item))
        refusals = []
        for number, refusal in enumerate(_list(values, "refusals", optional=True), 1):
            where = f"refusal {number}{_named(refusal)}"
            refusals.append(
                Refusal(
                    path_from_dict(refusal),
                    Reason(_text(refusal, "reason")),
                    plain(_text(refusal, "message")),
                )
            )
        merges = []
        for number, merge in enumerate(_list(values, "merges", optional=True), 1):
            where = f"merge {number}{_named(merge)}"
            merges.append(
                Merge(
                    _file_from_dict(merge["keeper"]),
                    Additions.from_values(merge["add"]),
                    tuple(path_from_dict(path) for path in _list(merge, "sources")),
                )
            )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, KeyError):
            what = f"{error.args[0]} is missing"
        else:
            what = str(error) if isinstance(error, ValueError) else "it is not as a plan has it"
        raise UsageError(
            f"This is not a plan that `idf plan` wrote. In {where}: {_short(what)}."
        ) from error
    return in_order(
        Plan(
            "",
            action,
            roots,
            protected,
            only_from,
            tuple(items),
            tuple(refusals),
            tuple(merges),
        )
    )


def _named(item: Any) -> str:
    """The path that an item is about, for a message."""
    file = item.get("file", item) if isinstance(item, dict) else None
    path = file.get("path") if isinstance(file, dict) else None
    return f" ({_short(path)})" if isinstance(path, str) else ""


def _short(text: str) -> str:
    return printable(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")


def _text(values: dict[str, Any], name: str) -> str:
    value = values[name]
    if type(value) is not str or len(value) > _MOST_TEXT:
        raise ValueError(f"{name} is no text of at most {_MOST_TEXT:,} characters")
    return value


def _list(values: dict[str, Any], name: str, *, optional: bool = False) -> list[Any]:
    value = values.get(name, []) if optional else values[name]
    if type(value) is not list:
        raise TypeError(f"{name} is no list")
    return value


def _folders(values: dict[str, Any], name: str) -> Iterator[str]:
    for folder in _list(values, name):
        path = path_from_dict(folder)
        if not os.path.isabs(path):
            raise ValueError(f"{name} holds {_short(path)!r}, which is no absolute path")
        yield path


def _whole(values: dict[str, Any], name: str, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number; by default one that the journal can hold."""
    value = values[name]
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} is no whole number from {least:,} to {most:,}")
    return value


def _score(values: dict[str, Any]) -> float:
    value = values["score"]
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise ValueError("score is no number from 0 to 1")
    return float(value)


def _item_to_dict(item: PlanItem) -> dict[str, Any]:
    evidence = item.evidence
    return {
        "unit": item.unit,
        "group": evidence.group,
        "relation": evidence.relation.value,
        "score": evidence.score,
        "words": evidence.words,
        "file": _file_to_dict(evidence.file),
        "keeper": _file_to_dict(evidence.keeper),
        "companions": [
            {**path_to_dict(c.path), "kind": c.kind, "stat": _stat_to_dict(c.stat)}
            for c in item.companions
        ],
    }


def _item_from_dict(values: dict[str, Any]) -> PlanItem:
    return PlanItem(
        Evidence(
            _file_from_dict(values["file"]),
            _file_from_dict(values["keeper"]),
            Relation(_text(values, "relation")),
            _whole(values, "group"),
            _score(values),
            (plain(_text(values, "words")),),
        ),
        _whole(values, "unit"),
        tuple(_companion_from_dict(each) for each in _list(values, "companions")),
    )


def _companion_from_dict(values: dict[str, Any]) -> Companion:
    kind = _text(values, "kind")
    if kind not in COMPANION_KINDS:
        raise ValueError(f"a companion is none of {', '.join(COMPANION_KINDS)}")
    return Companion(path_from_dict(values), _stat_from_dict(values["stat"]), kind)


def _file_to_dict(file: PlanFile) -> dict[str, Any]:
    return {
        **path_to_dict(file.path),
        "content": file.content.hex(),
        "content_identifier": file.content_identifier,
        "stat": _stat_to_dict(file.stat),
    }


def _file_from_dict(values: dict[str, Any]) -> PlanFile:
    identifier = values["content_identifier"]
    return PlanFile(
        path_from_dict(values),
        _stat_from_dict(values["stat"]),
        content_from_hex(_text(values, "content")),
        None if identifier is None else _text(values, "content_identifier"),
    )


def _stat_to_dict(stat: FileStat) -> dict[str, int]:
    return {name: getattr(stat, name) for name in _STAT}


def _stat_from_dict(values: dict[str, Any]) -> FileStat:
    return FileStat(**{name: _whole(values, name, -(2**64), 2**128) for name in _STAT})
