"""What leaked between splits, as a value that tables and graphs are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from image_duplicate_finder.documents import leakage_document
from image_duplicate_finder.exports import tables
from image_duplicate_finder.splits import Leak, LeakageReport

if TYPE_CHECKING:
    import networkx
    import pandas
    import pyarrow


@dataclass(frozen=True, slots=True)
class LeakageResult:
    """The pictures that stand in two splits; iterating gives the leaks, and none is falsy."""

    report: LeakageReport

    def __iter__(self) -> Iterator[Leak]:
        return iter(self.report.leaks)

    def __len__(self) -> int:
        return len(self.report.leaks)

    def to_dict(self) -> dict[str, Any]:
        """The leaks as JSON-ready values, in the form of ``idf leakage --json``."""
        return leakage_document(self.report)

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with a row for each leak. Raises UsageError without pandas."""
        return tables.to_pandas(tables.LeakRow, tables.leak_rows(self.report))

    def to_arrow(self) -> pyarrow.Table:
        """An Arrow table with a row for each leak. Raises UsageError without pyarrow."""
        return tables.to_arrow(tables.LeakRow, tables.leak_rows(self.report))

    def to_networkx(self) -> networkx.Graph:
        """A graph of files, named by (split, path), with an edge for each leak.

        Raises UsageError without networkx.
        """
        edges: list[tuple[tuple[str, str], tuple[str, str], dict[str, object]]] = [
            (
                (leak.first.split, leak.first.file.path),
                (leak.second.split, leak.second.file.path),
                {"relation": leak.relation.value},
            )
            for leak in self
        ]
        return tables.to_graph((), edges)
