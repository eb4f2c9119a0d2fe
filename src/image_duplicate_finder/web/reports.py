"""What was found as one HTML page that needs nothing else; also where nobody visits a page."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Iterator

from flask import render_template

from image_duplicate_finder.library import Library
from image_duplicate_finder.results import FileView, GroupView, ScanRecord
from image_duplicate_finder.splits import LeakageReport
from image_duplicate_finder.web import create_app
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.labels import RELATION_NAMES
from image_duplicate_finder.web.pictures import thumbnail_or_none

Thumbnail = Callable[[FileView], bytes | None]


def to_html(record: ScanRecord, groups: Iterable[GroupView], thumbnail: Thumbnail) -> Iterator[str]:
    """A page with all groups and their thumbnails inside it, piece by piece."""
    yield render_template(
        "export/head.html",
        title=_("Duplicate pictures"),
        roots=record.roots,
        when=record.started,
        files=record.files,
    )
    for number, group in enumerate(groups, 1):
        yield render_template(
            "export/group.html", number=number, group=group, picture=_inline(thumbnail)
        )
    yield render_template("export/foot.html")


def leaks_to_html(report: LeakageReport, when: float, thumbnail: Thumbnail) -> Iterator[str]:
    """A page with all leaks, both files of each side by side, piece by piece.

    ``when`` the splits were compared, in seconds since 1970.
    """
    yield render_template(
        "export/head.html",
        title=_("Pictures in two splits"),
        roots=[root for roots in report.splits.values() for root in dict.fromkeys(roots)],
        when=when,
        files=report.files,
    )
    yield render_template("export/leaks.html", report=report)
    for leak in report.leaks:
        yield render_template(
            "export/leak.html",
            leak=leak,
            words=_(RELATION_NAMES[leak.relation]),
            picture=_inline(thumbnail),
        )
    yield render_template("export/foot.html")


def _inline(thumbnail: Thumbnail) -> Callable[[FileView], str]:
    def address(file: FileView) -> str:
        data = thumbnail(file)
        return "" if data is None else "data:image/jpeg;base64," + base64.b64encode(data).decode()

    return address


def groups_report(
    library: Library, record: ScanRecord, groups: Iterable[GroupView]
) -> Iterator[str]:
    """The page with groups and thumbnails that the web app exports, piece by piece."""
    yield from _rendered(library, lambda: to_html(record, groups, thumbnail_or_none))


def leaks_report(library: Library, report: LeakageReport) -> Iterator[str]:
    """A page with all leaks and thumbnails, piece by piece."""
    yield from _rendered(library, lambda: leaks_to_html(report, time.time(), thumbnail_or_none))


def _rendered(library: Library, pieces: Callable[[], Iterator[str]]) -> Iterator[str]:
    """What ``pieces`` renders, in the language that the library prefers."""
    with create_app(library).test_request_context():
        yield from pieces()
