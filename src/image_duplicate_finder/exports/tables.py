"""Groups and leaks as tables: rows, CSV, Parquet, and frames of pandas and Arrow; graphs too.

CSV files (RFC 4180) hold nothing that a spreadsheet takes for a formula: names and metadata come
from anywhere, and a cell that begins with ``=`` and the like is run when the table is opened, also
after a semicolon or a tab where those part cells. An apostrophe before it makes it text;
:func:`plain` takes the apostrophe away again.

pandas, pyarrow and networkx (the extra ``data``) are imported where they are asked for.
"""

from __future__ import annotations

import csv
import datetime
import io
import os
import re
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.messages import Problem, printable
from image_duplicate_finder.results import FileView, GroupView, MemberView
from image_duplicate_finder.splits import LeakageReport

if TYPE_CHECKING:
    import networkx
    import pandas
    import pyarrow

_ARROW_TYPES = {"int": "int64", "float": "float64", "str": "string", "bool": "bool_"}


class Choice(StrEnum):
    """What is to become of a file: what a table says, and what a person writes into it.

    ``keep`` is the keeper of a group, ``leave`` a member that stays; ``not_duplicate`` is only
    ever written by a person.
    """

    KEEP = "keep"
    REMOVE = "remove"
    LEAVE = "leave"
    NOT_DUPLICATE = "not_duplicate"


@dataclass(frozen=True, slots=True)
class Row:
    """One file of a group; the fields are the columns, in this order.

    ``group`` counts from 1 in the order given. ``path`` is written as
    :func:`~image_duplicate_finder.printable.printable` does. ``relation`` and ``score`` (0 to 1)
    are those of a member to its keeper, None for the keeper itself. ``modified`` is ISO 8601
    with zone, ``taken`` as in the file; ``blake3`` is hexadecimal.
    """

    group: int
    kind: str
    role: str
    path: str
    relation: str | None
    description: str
    selected: bool | None
    width: int
    height: int
    bytes: int
    format: str
    modified: str
    taken: str | None
    camera: str | None
    score: float | None
    blake3: str
    choice: str


def rows(groups: Iterable[GroupView]) -> Iterator[Row]:
    """The rows of all groups, in their order."""
    for number, group in enumerate(groups, 1):
        yield _row(number, group, group.keeper, None)
        for member in group.members:
            yield _row(number, group, member.file, member)


def _row(number: int, group: GroupView, file: FileView, member: MemberView | None) -> Row:
    modified = datetime.datetime.fromtimestamp(file.stat.mtime_ns / 1e9).astimezone()
    return Row(
        group=number,
        kind=group.kind.value,
        role="keeper" if member is None else "member",
        path=printable(file.path),
        relation=None if member is None else member.relation.value,
        description="; ".join(group.reasons) if member is None else member.words,
        selected=None if member is None else member.selected,
        width=file.info.width,
        height=file.info.height,
        bytes=file.stat.size,
        format=file.info.format,
        modified=modified.isoformat(timespec="seconds"),
        taken=file.info.metadata.taken,
        camera=file.info.metadata.camera,
        score=None if member is None else round(member.score, 4),
        blake3=file.content.hex(),
        choice=_choice(member).value,
    )


def _choice(member: MemberView | None) -> Choice:
    if member is None:
        return Choice.KEEP
    return Choice.REMOVE if member.selected else Choice.LEAVE


def to_csv(groups: Iterable[GroupView]) -> Iterator[str]:
    """Lines of a CSV file, one for each file, the keeper of a group first."""
    yield csv_line(field.name for field in fields(Row))
    for row in rows(groups):
        yield csv_line(_cell(value) for value in astuple(row))


def _cell(value: object) -> object:
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else value


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
# An apostrophe counts as a start too, so that what is there already can be distinguished from ours.
_START = r"(^|[;\t\r\n'])"
_BEGINNING = re.compile(_START + _FORMULA)
_MADE_TEXT = re.compile(_START + "'" + _FORMULA)


def inert(text: str) -> str:
    """``text`` with an apostrophe wherever a spreadsheet could see the beginning of a formula."""
    return _BEGINNING.sub(r"\1'", text)


def plain(text: str) -> str:
    """What :func:`inert` was given."""
    return _MADE_TEXT.sub(r"\1", text)


def to_arrow(kind: type[Any], rows: Iterable[Any]) -> pyarrow.Table:
    """An Arrow table of ``rows``, instances of the dataclass ``kind``; its fields are columns.

    None becomes null. Raises UsageError where pyarrow is not installed.
    """
    with _needed("pyarrow"):
        import pyarrow
    listed = list(rows)
    types = {each.name: str(each.type).split(" | ")[0] for each in fields(kind)}
    schema = pyarrow.schema(
        [(name, getattr(pyarrow, _ARROW_TYPES[type])()) for name, type in types.items()]
    )
    columns = {name: [getattr(row, name) for row in listed] for name in types}
    return pyarrow.table(columns, schema=schema)


def to_pandas(kind: type[Any], rows: Iterable[Any]) -> pandas.DataFrame:
    """A data frame of ``rows``, instances of the dataclass ``kind``; its fields are columns.

    Raises UsageError where pandas is not installed.
    """
    with _needed("pandas"):
        import pandas
    names = [each.name for each in fields(kind)]
    return pandas.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)


def to_graph(
    nodes: Iterable[tuple[Hashable, dict[str, object]]],
    edges: Iterable[tuple[Hashable, Hashable, dict[str, object]]],
) -> networkx.Graph:
    """An undirected graph of nodes and edges with attributes.

    Raises UsageError where networkx is not installed.
    """
    with _needed("networkx"):
        import networkx
    graph = networkx.Graph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    return graph


def write_parquet(kind: type[Any], rows: Iterable[Any], path: str | os.PathLike[str]) -> None:
    """Write ``rows``, instances of the dataclass ``kind``, as a Parquet file.

    Raises UsageError where pyarrow is not installed, and OSError.
    """
    table = to_arrow(kind, rows)
    from pyarrow import parquet

    parquet.write_table(table, path)


@contextmanager
def _needed(package: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        message = Problem.NEEDS_PACKAGE(name=package, command=f"pip install {package}")
        raise UsageError(message) from error
