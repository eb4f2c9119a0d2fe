"""What calls return, as values that tables, graphs and notebooks are made from."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from html import escape
from typing import TYPE_CHECKING, Any

from image_duplicate_finder.discover.walk import Pictures
from image_duplicate_finder.documents import leakage_document, scan_document
from image_duplicate_finder.errors import DecodeError, NotFound
from image_duplicate_finder.exports import tables
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import printable
from image_duplicate_finder.model import Failure, GroupKind, Relation, Transform
from image_duplicate_finder.results import FileView, GroupQuery, GroupView, ScanRecord
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources import read_as_scanned
from image_duplicate_finder.splits import Leak, LeakageReport

if TYPE_CHECKING:  # none of these is needed by default
    import networkx
    import pandas
    import pyarrow


_NONE: Mapping[str, int] = {}
_GROUPS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class NotebookGroup(GroupView):
    """A group that shows itself in a notebook as a row of thumbnails."""

    @classmethod
    def of(cls, group: GroupView) -> NotebookGroup:
        """The same group."""
        return cls(**{each.name: getattr(group, each.name) for each in fields(GroupView)})

    def _repr_html_(self) -> str:
        return _row_of_thumbnails(self)


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
        """The position of an array or Pillow image among the pictures given; None for a file."""
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
        files = {file.path: file for group in self.groups for file in group.files}
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
        shown = "".join(map(_row_of_thumbnails, self.groups[:_GROUPS_SHOWN]))
        left = len(self.groups) - _GROUPS_SHOWN
        more = f"<p>and {left:,} more groups</p>" if left > 0 else ""
        heading = f"<p>{len(self.groups):,} groups in {self.scan.files:,} files</p>"
        return heading + shown + more


@dataclass(frozen=True, slots=True)
class LeakageResult:
    """The pictures that appear in two splits; iterating gives the leaks, and none is falsy."""

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


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two pictures are to each other; falsy when they do not show the same.

    ``relation`` is None for different pictures; similar ones are falsy too.
    ``keeper`` is 0 or 1, the one to keep, and ``reasons`` says why; the rest is about the other
    one: ``words`` for people, ``transform`` from the keeper's pixel coordinates to its own,
    ``overlap`` the share of the keeper that it shows, ``score`` the agreement, both 0 to 1.
    """

    relation: Relation | None = None
    kind: GroupKind | None = None
    keeper: int = 0
    reasons: tuple[str, ...] = ()
    words: str = "different pictures"
    transform: Transform | None = None
    mirrored: bool = False
    overlap: float = 0.0
    score: float = 0.0

    def __bool__(self) -> bool:
        return self.relation not in (None, Relation.SIMILAR)

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON-ready values."""
        return {
            "relation": None if self.relation is None else self.relation.value,
            "kind": None if self.kind is None else self.kind.value,
            "keeper": self.keeper,
            "reasons": list(self.reasons),
            "words": self.words,
            "transform": None if self.transform is None else [list(r) for r in self.transform],
            "mirrored": self.mirrored,
            "overlap": self.overlap,
            "score": self.score,
        }


_THUMBNAIL = 160
_MEMBERS_SHOWN = 12
_LIMITS = DecodeLimits()


def _row_of_thumbnails(group: GroupView) -> str:
    """The keeper and the first members of a group, side by side, each with what it is."""
    tiles = [_tile(group.keeper, "keep: " + ", ".join(group.reasons))]
    tiles += [_tile(member.file, member.words) for member in group.members[:_MEMBERS_SHOWN]]
    left = len(group.members) - _MEMBERS_SHOWN
    if left > 0:
        tiles.append(f"<span>and {left:,} more</span>")
    style = "display:flex;gap:12px;overflow-x:auto;align-items:flex-start;margin:8px 0"
    return f'<div style="{style}">{"".join(tiles)}</div>'


def _tile(file: FileView, words: str) -> str:
    path = escape(printable(file.path), quote=True)
    info = file.info
    return (
        f'<figure style="margin:0;width:{_THUMBNAIL}px;font-size:12px;overflow-wrap:anywhere">'
        f'{_picture(file)}<figcaption title="{path}">{escape(words)}<br>'
        f"{info.width} × {info.height} {escape(info.format)}<br>"
        f"{path.replace(chr(92), '/').rsplit('/', 1)[-1]}</figcaption></figure>"
    )


def _picture(file: FileView) -> str:
    from image_duplicate_finder.rendering import render_thumbnail

    try:
        data = read_as_scanned(file.path, file.stat, file.content, _LIMITS)
        jpeg = render_thumbnail(data, _THUMBNAIL, _LIMITS)
    except (NotFound, DecodeError):
        return "<div>no picture</div>"
    address = base64.b64encode(jpeg).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{address}">'
