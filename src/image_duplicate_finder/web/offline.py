"""Reports as HTML files, rendered without anybody visiting a page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from image_duplicate_finder.library import Library
from image_duplicate_finder.results import GroupView, ScanRecord
from image_duplicate_finder.splits import LeakageReport
from image_duplicate_finder.web import create_app
from image_duplicate_finder.web.export import leaks_to_html, to_html
from image_duplicate_finder.web.pages.images import thumbnail_or_none


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
