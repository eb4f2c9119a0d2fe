"""Tables as CSV (RFC 4180) that no spreadsheet takes for formulas.

Names and metadata come from anywhere, and a cell that begins with ``=`` and the like is run when
the table is opened, also after a semicolon or a tab where those part cells. An apostrophe before
it makes it text; :func:`plain` takes the apostrophe away again.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields

from image_duplicate_finder.exports.table import Row, rows
from image_duplicate_finder.results import GroupView


def to_csv(groups: Iterable[GroupView]) -> Iterator[str]:
    """Lines of a CSV file, one for each file, the keeper of a group first."""
    yield csv_line(field.name for field in fields(Row))
    for row in rows(groups):
        yield csv_line(_cell(value) for value in astuple(row))


def csv_line(values: Iterable[object]) -> str:
    """One line of a CSV file, its end included. Numbers stay numbers, texts stay texts."""
    out = io.StringIO()
    csv.writer(out).writerow(inert(each) if isinstance(each, str) else each for each in values)
    return out.getvalue()


# Signs in several widths, after what a spreadsheet may pass over at the start of a cell. Control
# characters begin a formula by themselves.
_FORMULA = (
    r"(?=(?:[^\S\t\r\n]|[\u200b-\u200f\u2060\ufeff])*"
    r"[=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]|[\x00-\x1f])"
)
# An apostrophe counts as a start too, so that what is there already can be told from ours.
_START = r"(^|[;\t\r\n'])"
_BEGINNING = re.compile(_START + _FORMULA)
_MADE_TEXT = re.compile(_START + "'" + _FORMULA)


def inert(text: str) -> str:
    """``text`` with an apostrophe wherever a spreadsheet could see the beginning of a formula."""
    return _BEGINNING.sub(r"\1'", text)


def plain(text: str) -> str:
    """What :func:`inert` was given."""
    return _MADE_TEXT.sub(r"\1", text)


def _cell(value: object) -> object:
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value
