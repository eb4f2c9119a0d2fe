"""Tables as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io
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
    """One line of a CSV file, its end included."""
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value
