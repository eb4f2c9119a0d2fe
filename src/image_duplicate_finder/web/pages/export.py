"""Export: a scan's groups as CSV, as JSON, as a page with thumbnails, or as lists of paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from flask import Blueprint, Response, render_template, request, stream_with_context

from image_duplicate_finder.documents import as_text, scan_document
from image_duplicate_finder.exports.lists import delete_list, keep_list, written
from image_duplicate_finder.exports.tables import to_csv
from image_duplicate_finder.model import GroupKind
from image_duplicate_finder.results import GroupQuery, GroupView
from image_duplicate_finder.web.pictures import thumbnail_or_none
from image_duplicate_finder.web.reports import to_html
from image_duplicate_finder.web.state import library

blueprint = Blueprint("export", __name__, url_prefix="/scans/<int:scan>/export")

_AT_ONCE = 200


@blueprint.get("/")
def page(scan: int) -> str:
    """The choice of a format."""
    return render_template(
        "export/page.html", record=library().scan_record(scan), summary=library().summary(scan)
    )


@blueprint.get("/groups.csv")
def as_csv(scan: int) -> Response:
    """The groups as CSV."""
    library().scan_record(scan)
    return _download(to_csv(_groups(scan)), "text/csv", f"duplicates-{scan}.csv")


@blueprint.get("/groups.json")
def as_json(scan: int) -> Response:
    """The groups as the JSON document of ``idf scan --json``."""
    record = library().scan_record(scan)
    document = scan_document(record, _groups(scan), library().failures(scan))
    return _download(as_text(document), "application/json", f"duplicates-{scan}.json")


@blueprint.get("/delete.txt")
def as_delete_list(scan: int) -> Response:
    """The files that could go, a path in each line."""
    record = library().scan_record(scan)
    return _as_list(delete_list(_groups(scan), record.settings.guarded), f"delete-{scan}.txt")


@blueprint.get("/keep.txt")
def as_keep_list(scan: int) -> Response:
    """All other files of the groups, a path in each line."""
    record = library().scan_record(scan)
    return _as_list(keep_list(list(_groups(scan)), record.settings.guarded), f"keep-{scan}.txt")


@blueprint.get("/report.html")
def as_page(scan: int) -> Response:
    """The groups as one HTML file with thumbnails."""
    record = library().scan_record(scan)
    pieces = to_html(record, _groups(scan), thumbnail_or_none)
    return _download(pieces, "text/html", f"duplicates-{scan}.html")


def _groups(scan: int) -> Iterator[GroupView]:
    """The wanted groups, a few hundred in memory at a time."""
    wanted = GroupQuery(
        kinds=tuple(kind for kind in GroupKind if kind in request.args.getlist("kind")),
        selected_only="selected" in request.args,
        limit=_AT_ONCE,
    )
    total = 1
    while wanted.offset < total:
        found = library().groups(scan, wanted)
        yield from found.groups
        total = found.total
        wanted = replace(wanted, offset=wanted.offset + _AT_ONCE)


def _as_list(paths: Iterable[str], name: str) -> Response:
    answer = Response(b"".join(written(paths)), mimetype="text/plain")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _download(pieces: Iterator[str], mimetype: str, name: str) -> Response:
    def encoded() -> Iterator[bytes]:
        for piece in pieces:
            yield piece.encode("utf-8", "backslashreplace")

    answer = Response(stream_with_context(encoded()), mimetype=mimetype)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
