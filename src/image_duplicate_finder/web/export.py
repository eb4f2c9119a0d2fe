"""A scan's groups as CSV and as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import csv
import datetime
import io
from collections.abc import Callable, Iterable, Iterator

from flask import render_template

from image_duplicate_finder.results import FileView, GroupView, MemberView, ScanRecord
from image_duplicate_finder.web.formats import printable

COLUMNS = (
    "group", "kind", "role", "path", "relation", "description", "selected", "width", "height",
    "bytes", "format", "modified", "taken", "camera", "score", "blake3",
)  # fmt: skip

Thumbnail = Callable[[FileView], bytes | None]


def to_csv(groups: Iterable[GroupView]) -> Iterator[str]:
    """Lines of a CSV file (RFC 4180), one for each file, the keeper of a group first."""
    yield _line(COLUMNS)
    for number, group in enumerate(groups, 1):
        yield _line(_row(number, group, group.keeper, None))
        for member in group.members:
            yield _line(_row(number, group, member.file, member))


def _row(number: int, group: GroupView, file: FileView, member: MemberView | None) -> list[object]:
    modified = datetime.datetime.fromtimestamp(file.stat.mtime_ns / 1e9).astimezone()
    return [
        number,
        group.kind.value,
        "keeper" if member is None else "member",
        printable(file.path),
        "" if member is None else member.relation.value,
        "; ".join(group.reasons) if member is None else member.words,
        "" if member is None else int(member.selected),
        file.info.width,
        file.info.height,
        file.stat.size,
        file.info.format,
        modified.isoformat(timespec="seconds"),
        file.info.metadata.taken or "",
        file.info.metadata.camera or "",
        "" if member is None else round(member.score, 4),
        file.content.hex(),
    ]


def _line(values: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()


def to_html(record: ScanRecord, groups: Iterable[GroupView], thumbnail: Thumbnail) -> Iterator[str]:
    """A page with all groups and their thumbnails inside it, piece by piece."""
    yield render_template("export/head.html", record=record)
    for number, group in enumerate(groups, 1):
        yield render_template(
            "export/group.html", number=number, group=group, picture=_inline(thumbnail)
        )
    yield render_template("export/foot.html")


def _inline(thumbnail: Thumbnail) -> Callable[[FileView], str]:
    def address(file: FileView) -> str:
        data = thumbnail(file)
        return "" if data is None else "data:image/jpeg;base64," + base64.b64encode(data).decode()

    return address
