"""Leaks as a table: one row for each pair of files of two splits. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

from image_duplicate_finder.exports.csv_file import csv_line
from image_duplicate_finder.printable import printable
from image_duplicate_finder.splits import LeakageReport


@dataclass(frozen=True, slots=True)
class LeakRow:
    """One leak; the fields are the columns, in this order."""

    relation: str
    first_split: str
    first_path: str
    second_split: str
    second_path: str


def leak_rows(report: LeakageReport) -> Iterator[LeakRow]:
    """The rows of all leaks, in their order."""
    for leak in report.leaks:
        yield LeakRow(
            leak.relation.value,
            leak.first.split,
            printable(leak.first.file.path),
            leak.second.split,
            printable(leak.second.file.path),
        )


def leaks_to_csv(report: LeakageReport) -> Iterator[str]:
    """Lines of a CSV file, one for each leak."""
    yield csv_line(field.name for field in fields(LeakRow))
    for row in leak_rows(report):
        yield csv_line(astuple(row))
