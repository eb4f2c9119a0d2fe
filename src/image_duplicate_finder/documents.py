"""The machine-readable results: JSON documents, a contract that scripts rely on.

docs/cli.md describes them. Version 1 only ever gains fields; anything else is a new version.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from image_duplicate_finder.keeping import origin_of
from image_duplicate_finder.model import Failure, GroupKind
from image_duplicate_finder.removal import BackupInfo, Item, PurgeReport, Refusal, Report, Run
from image_duplicate_finder.removal.plan_file import path_to_dict
from image_duplicate_finder.results import ExampleHit, FileView, GroupView, MemberView, ScanRecord
from image_duplicate_finder.sources import library_of
from image_duplicate_finder.splits import LeakageReport, LeakedFile

VERSION = 1
_KINDS = tuple(GroupKind)


def as_text(document: dict[str, Any]) -> Iterator[str]:
    """A document as text: a line for each of its fields, and for each entry of its lists.

    ASCII only: names that are not UTF-8 have lone surrogates, which JSON can escape. (With an
    indent at all depths Python's encoder takes several times as long.)
    """
    line = json.JSONEncoder(ensure_ascii=True).encode
    before = "{\n "
    for name, value in document.items():
        yield f"{before}{line(name)}: "
        before = ",\n "
        if isinstance(value, list) and value:
            yield "[\n  "
            yield line(value[0])
            for entry in value[1:]:
                yield f",\n  {line(entry)}"
            yield "\n ]"
        else:
            yield line(value)
    yield "\n}\n"


def scan_document(
    record: ScanRecord, groups: Iterable[GroupView], failures: Iterable[Failure]
) -> dict[str, Any]:
    """A scan with its groups and failures as JSON-ready values.

    Groups are numbered from 1, duplicates first, in the order of their keepers' paths; members
    and failures are in the order of their paths. So equal results are equal documents, apart
    from ``seconds``.
    """
    ordered = sorted(groups, key=lambda group: (_KINDS.index(group.kind), group.keeper.path))
    return {
        "version": VERSION,
        "roots": list(record.roots),
        "mode": record.settings.mode.value,
        "settings": record.settings.to_dict(),
        "files": record.files,
        "seconds": round(record.seconds, 3),
        "groups": [_group(number, group) for number, group in enumerate(ordered, 1)],
        "failures": [
            _failure(failure) for failure in sorted(failures, key=lambda failure: failure.path)
        ],
    }


def _group(number: int, group: GroupView) -> dict[str, Any]:
    members = sorted(group.members, key=lambda member: member.file.path)
    path_of = {file.id: file.path for file in (group.keeper, *(m.file for m in members))}
    return {
        "id": number,
        "kind": group.kind.value,
        "keeper": {
            **_file(group.keeper),
            "reasons": list(group.reasons),
            "facts": _facts(group.keeper),
        },
        "members": [_member(member, path_of) for member in members],
    }


def _member(member: MemberView, path_of: Mapping[int, str]) -> dict[str, Any]:
    transform = member.transform
    document = {
        **_file(member.file),
        "relation": member.relation.value,
        "transform": None if transform is None else [list(row) for row in transform],
        "mirrored": member.mirrored,
        "overlap": member.overlap,
        "score": member.score,
        "selected": member.selected,
        "lacks": [lack.value for lack in member.lacks],
        "facts": _facts(member.file),
    }
    if member.witness is not None and member.witness in path_of:
        document |= path_to_dict(path_of[member.witness], "witness")
    if member.detail is not None:
        document["detail"] = round(member.detail, 2)
    if member.differences:
        document["differences"] = [
            {**each.in_a._asdict(), "strength": round(each.strength, 1)}
            for each in member.differences
        ]
    return document


def _failure(failure: Failure) -> dict[str, Any]:
    return {**path_to_dict(failure.path), "stage": failure.stage, "message": failure.message}


def _file(file: FileView) -> dict[str, Any]:
    return {
        **path_to_dict(file.path),
        "width": file.info.width,
        "height": file.info.height,
        "bytes": file.stat.size,
    }


def _facts(file: FileView) -> dict[str, Any]:
    """What is known of a file besides its size; only what there is."""
    info = file.info
    facts = {each.name: getattr(info.metadata, each.name) for each in fields(info.metadata)}
    facts |= {
        "origin": origin_of(file.path, info).value,
        "orientation": info.orientation if info.orientation != 1 else None,
        "bit_depth": info.bit_depth,
        "has_alpha": info.has_alpha,
        "lossless": info.lossless,
        "frames": info.frames,
        "parts": sorted({part.kind.value for part in info.parts}),
        "incomplete": info.incomplete,
        "photo_library": library_of(file.path),
    }
    return {"format": info.format} | {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in facts.items()
        if value
    }


def hits_document(example: str, hits: Iterable[ExampleHit]) -> dict[str, Any]:
    """What shows the picture in the file ``example``, as JSON-ready values."""
    return {
        "version": VERSION,
        "example": path_to_dict(example),
        "files": [
            {
                **_file(hit.file),
                "relation": hit.relation.value,
                "words": hit.words,
                "score": hit.score,
            }
            for hit in hits
        ],
    }


def leakage_document(report: LeakageReport) -> dict[str, Any]:
    """Pictures that appear in two splits, as JSON-ready values."""

    def leaked(each: LeakedFile) -> dict[str, Any]:
        return {"split": each.split, **_file(each.file)}

    return {
        "version": VERSION,
        "splits": {
            name: roots[0] if len(roots) == 1 else list(roots)
            for name, roots in report.splits.items()
        },
        "files": report.files,
        "leaks": [
            {
                "relation": leak.relation.value,
                "first": leaked(leak.first),
                "second": leaked(leak.second),
            }
            for leak in report.leaks
        ],
        "failures": [_failure(failure) for failure in report.failures],
    }


def report_document(report: Report) -> dict[str, Any]:
    """What an apply or an undo did, as JSON-ready values."""
    return {
        "version": VERSION,
        "run": report.run,
        "stopped": report.stopped,
        "bytes": report.total_bytes,
        "preserved": report.preserved,
        "notes": list(report.notes),
        "done": [_item(item) for item in report.done],
        "merged": [_item(item) for item in report.merged],
        "skipped": [_refusal(refusal) for refusal in report.skipped],
    }


def purge_document(report: PurgeReport) -> dict[str, Any]:
    """What a purge did, as JSON-ready values."""
    return {
        "version": VERSION,
        "run": report.run,
        "purged": report.purged,
        "freed": report.freed,
        "kept": [_refusal(refusal) for refusal in report.kept],
    }


def history_document(runs: Iterable[Run]) -> dict[str, Any]:
    """All removals as JSON-ready values, in the order given."""
    return {
        "version": VERSION,
        "runs": [
            {
                "run": run.id,
                "plan": run.plan,
                "action": run.action.value,
                "backup": run.mode.value,
                "started": run.started,
                "finished": run.finished,
                "state": run.state.value,
                "files": {state.value: count for state, count in sorted(run.counts.items())},
                "bytes_held": run.held,
            }
            for run in runs
        ],
    }


def run_document(run: int, items: Iterable[Item]) -> dict[str, Any]:
    """The files of one removal as JSON-ready values."""
    return {"version": VERSION, "run": run, "files": [_item(item) for item in items]}


def backups_document(backups: Iterable[BackupInfo], others: Iterable[str]) -> dict[str, Any]:
    """Backup folders as JSON-ready values; ``others`` are those that the library does not know."""
    return {
        "version": VERSION,
        "backups": [
            {
                "run": info.backup.run,
                **path_to_dict(info.backup.folder, "folder"),
                **path_to_dict(info.backup.root, "root"),
                "started": info.started,
                "files": info.files,
                "bytes": info.size,
                "preserved": info.backup.preserved,
                "present": info.present,
            }
            for info in backups
        ],
        "others": [path_to_dict(folder, "folder") for folder in others],
    }


def _item(item: Item) -> dict[str, Any]:
    document: dict[str, Any] = {
        **path_to_dict(item.path),
        "state": item.state.value,
        "kind": item.kind,
        "bytes": item.size,
        "blake3": item.content.hex(),
        **path_to_dict(item.stored, "stored"),
    }
    if item.keeper is not None:
        document |= path_to_dict(item.keeper, "keeper")
    if item.relation is not None:
        document["relation"] = item.relation.value
    if item.destination is not None:
        document |= path_to_dict(item.destination, "destination")
    return document


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        **path_to_dict(refusal.path),
        "reason": refusal.reason.value,
        "message": refusal.message,
    }
