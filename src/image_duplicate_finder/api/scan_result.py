"""What a scan found, as a value that tables, graphs and notebooks are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from image_duplicate_finder.api.notebook import row_of_thumbnails
from image_duplicate_finder.discover.walk import Pictures
from image_duplicate_finder.documents import scan_document
from image_duplicate_finder.exports import tables
from image_duplicate_finder.library import Library
from image_duplicate_finder.model import Failure, GroupKind
from image_duplicate_finder.results import FileView, GroupQuery, GroupView, ScanRecord

if TYPE_CHECKING:
    import networkx
    import pandas
    import pyarrow

_NONE: Mapping[str, int] = {}
_SHOWN_IN_NOTEBOOK = 20


@dataclass(frozen=True, slots=True)
class NotebookGroup(GroupView):
    """A group that shows itself in a notebook as a row of thumbnails."""

    @classmethod
    def of(cls, group: GroupView) -> NotebookGroup:
        """The same group."""
        return cls(**{each.name: getattr(group, each.name) for each in fields(GroupView)})

    def _repr_html_(self) -> str:
        return row_of_thumbnails(self)


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What one scan found; iterating gives its groups, duplicates first."""

    scan: ScanRecord
    groups: tuple[NotebookGroup, ...]
    failures: tuple[Failure, ...]
    _pictures: Pictures | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        library: Library,
        scan: int | None = None,
        query: GroupQuery | None = None,
        *,
        pictures: Pictures | None = None,
    ) -> ScanResult:
        """What a scan of ``library`` found, by default its latest; ``query`` chooses groups.

        ``pictures`` are those in memory that were scanned. Raises NotFound.
        """
        record = library.latest_scan() if scan is None else library.scan_record(scan)
        return cls(
            record,
            tuple(map(NotebookGroup.of, library.all_groups(record.id, query))),
            tuple(library.failures(record.id)),
            pictures,
        )

    def __iter__(self) -> Iterator[NotebookGroup]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def duplicates(self) -> tuple[NotebookGroup, ...]:
        """The groups whose members show the same photograph as their keeper."""
        return tuple(group for group in self.groups if group.kind is GroupKind.DUPLICATES)

    def index_of(self, file: FileView | Failure) -> int | None:
        """Where an array or Pillow image stood among the pictures given; None for a file."""
        positions = _NONE if self._pictures is None else self._pictures.positions
        return positions.get(file.path)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready values, in the form of ``idf scan --json``."""
        return scan_document(self.scan, self.groups, self.failures)

    def to_pandas(self) -> pandas.DataFrame:
        """A data frame with a row for each file; the columns are those of ``idf export``.

        Raises UsageError where pandas is not installed.
        """
        return tables.to_pandas(tables.Row, tables.rows(self.groups))

    def to_arrow(self) -> pyarrow.Table:
        """An Arrow table with a row for each file; the columns are those of ``idf export``.

        Raises UsageError where pyarrow is not installed.
        """
        return tables.to_arrow(tables.Row, tables.rows(self.groups))

    def to_networkx(self) -> networkx.Graph:
        """A graph of paths: an edge from each keeper to each member, with what it is to it.

        Nodes have ``width``, ``height`` and ``bytes``; edges ``relation``, ``kind``, ``score``
        and ``words``. Raises UsageError where networkx is not installed.
        """
        files = {
            file.path: file
            for group in self.groups
            for file in (group.keeper, *(member.file for member in group.members))
        }
        nodes: list[tuple[str, dict[str, object]]] = [
            (
                path,
                {
                    "width": file.info.width,
                    "height": file.info.height,
                    "bytes": file.stat.size,
                },
            )
            for path, file in files.items()
        ]
        edges: list[tuple[str, str, dict[str, object]]] = [
            (
                group.keeper.path,
                member.file.path,
                {
                    "relation": member.relation.value,
                    "kind": group.kind.value,
                    "score": member.score,
                    "words": member.words,
                },
            )
            for group in self.groups
            for member in group.members
        ]
        return tables.to_graph(nodes, edges)

    def _repr_html_(self) -> str:
        shown = "".join(map(row_of_thumbnails, self.groups[:_SHOWN_IN_NOTEBOOK]))
        left = len(self.groups) - _SHOWN_IN_NOTEBOOK
        more = f"<p>and {left:,} more groups</p>" if left > 0 else ""
        heading = f"<p>{len(self.groups):,} groups in {self.scan.files:,} files</p>"
        return heading + shown + more
