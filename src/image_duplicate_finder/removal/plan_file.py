"""Plans as JSON documents: what ``idf plan`` writes and ``idf apply`` reads."""

from __future__ import annotations

import base64
import os
from typing import Any

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.model import FileStat, Relation
from image_duplicate_finder.removal.plan import (
    Companion,
    Evidence,
    Plan,
    PlanFile,
    PlanItem,
    Reason,
    Refusal,
    identified,
)
from image_duplicate_finder.settings import RemovalAction

VERSION = 1
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
        path = os.fsdecode(base64.b64decode(values[f"{key}_bytes"]))
    else:
        path = str(values[key])
    if "\0" in path:
        raise ValueError("a path holds no NUL")
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
        "refusals": [
            {**path_to_dict(r.path), "reason": r.reason.value, "message": r.message}
            for r in plan.refusals
        ],
    }


def plan_from_dict(values: dict[str, Any]) -> Plan:
    """The plan that :func:`plan_to_dict` wrote.

    Items may have been taken out by hand; the id is computed anew. Raises UsageError for
    anything that is not a plan of this version.
    """
    try:
        if values["version"] != VERSION:
            raise UsageError(
                f"This plan has version {values['version']}; this program reads {VERSION}. "
                "Make a new plan with `idf plan`."
            )
        plan = Plan(
            "",
            RemovalAction(values["action"]),
            tuple(path_from_dict(root) for root in values["roots"]),
            tuple(path_from_dict(root) for root in values["protected"]),
            tuple(path_from_dict(root) for root in values["only_from"]),
            tuple(_item_from_dict(item) for item in values["items"]),
            tuple(
                Refusal(path_from_dict(r), Reason(r["reason"]), str(r["message"]))
                for r in values.get("refusals", ())
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"This is not a plan that `idf plan` wrote ({type(error).__name__}: {error})."
        ) from error
    return identified(plan)


def _item_to_dict(item: PlanItem) -> dict[str, Any]:
    wish = item.evidence
    return {
        "unit": item.unit,
        "group": wish.group,
        "relation": wish.relation.value,
        "score": wish.score,
        "words": wish.words,
        "file": _file_to_dict(wish.file),
        "keeper": _file_to_dict(wish.keeper),
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
            Relation(values["relation"]),
            int(values["group"]),
            float(values["score"]),
            str(values["words"]),
        ),
        int(values["unit"]),
        tuple(
            Companion(path_from_dict(c), _stat_from_dict(c["stat"]), str(c["kind"]))
            for c in values["companions"]
        ),
    )


def _file_to_dict(file: PlanFile) -> dict[str, Any]:
    return {
        **path_to_dict(file.path),
        "content": file.content.hex(),
        "content_identifier": file.content_identifier,
        "stat": _stat_to_dict(file.stat),
    }


def _file_from_dict(values: dict[str, Any]) -> PlanFile:
    content = bytes.fromhex(values["content"])
    if len(content) != 32:
        raise ValueError("a content hash has 64 hexadecimal digits")
    return PlanFile(
        path_from_dict(values),
        _stat_from_dict(values["stat"]),
        content,
        values["content_identifier"],
    )


def _stat_to_dict(stat: FileStat) -> dict[str, int]:
    return {name: getattr(stat, name) for name in _STAT}


def _stat_from_dict(values: dict[str, Any]) -> FileStat:
    return FileStat(**{name: int(values[name]) for name in _STAT})
