"""Manifests: CSV, TSV or Parquet files that list pictures, and the split that each belongs to."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.sources.names import is_url, outer

PATH_COLUMNS = (
    "path", "file", "filename", "file_name", "filepath", "file_path",
    "image", "image_path", "img_path", "url", "uri",
)  # fmt: skip
"""Names of the column with paths, the first that a manifest has; letter case does not count."""

SPLIT_COLUMN = "split"
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One listed picture: its identity path, and the name of its split or "" without one.

    ``line`` is its row in the manifest, from 1 without the heading.
    """

    path: str
    split: str
    line: int


def is_manifest(path: str) -> bool:
    """Whether ``path`` has the name of a manifest."""
    return os.path.splitext(path)[1].lower() in (*_DELIMITERS, *_PARQUET)


def read_manifest(path: str) -> tuple[ManifestRow, ...]:
    """The rows of a manifest, in its order; relative paths start at the manifest's folder.

    Raises UsageError when it cannot be read, has no column of paths, or an empty path.
    """
    if os.path.splitext(path)[1].lower() in _PARQUET:
        names, lines = _parquet(path)
    else:
        names, lines = _text(path)
    found = {name.strip().lower(): name for name in names}
    column = next((found[name] for name in PATH_COLUMNS if name in found), None)
    if column is None:
        raise UsageError(
            Problem.NO_PATH_COLUMN(
                path=path,
                names=", ".join(PATH_COLUMNS),
                columns=", ".join(names) or Problem.NO_COLUMNS(),
            )
        )
    split = found.get(SPLIT_COLUMN)
    at = {name: place for place, name in enumerate(names)}
    base = os.path.dirname(os.path.abspath(path))
    return tuple(
        ManifestRow(
            _located(_value(values, at[column]), base, path, line),
            "" if split is None else _value(values, at[split]),
            line,
        )
        for line, values in enumerate(lines, 1)
    )


def _value(values: Sequence[object], place: int) -> str:
    value = values[place] if place < len(values) else None
    return "" if value is None else str(value).strip()


def _located(value: str, base: str, manifest: str, line: int) -> str:
    if not value:
        raise UsageError(Problem.ROW_WITHOUT_PATH(path=manifest, row=line))
    if is_url(value):
        return value
    return outer(value, lambda path: os.path.normpath(os.path.join(base, os.path.expanduser(path))))


def _text(path: str) -> tuple[Sequence[str], list[list[str]]]:
    delimiter = _DELIMITERS[os.path.splitext(path)[1].lower()]
    try:
        # Names of files need not be UTF-8; other bytes become surrogates, as in os.fsdecode.
        with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            rows = [row for row in csv.reader(file, delimiter=delimiter) if row]
    except (OSError, csv.Error) as error:
        raise UsageError(Problem.MANIFEST(path=path, reason=str(error))) from error
    return (rows[0], rows[1:]) if rows else ((), [])


def _parquet(path: str) -> tuple[Sequence[str], Iterable[Sequence[object]]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            Problem.NEEDS_PACKAGES(path=path, command="pip install pyarrow")
        ) from error
    try:
        opened = parquet.ParquetFile(path)
        names = opened.schema_arrow.names
        wanted = [name for name in names if name.strip().lower() in (*PATH_COLUMNS, SPLIT_COLUMN)]
        table = opened.read(columns=wanted)
    except (OSError, pyarrow.ArrowException) as error:
        raise UsageError(Problem.MANIFEST(path=path, reason=str(error))) from error
    return (table.column_names or names), _rows([column.to_pylist() for column in table.columns])


def _rows(columns: Sequence[Sequence[object]]) -> Iterator[Sequence[object]]:
    return zip(*columns, strict=True)
