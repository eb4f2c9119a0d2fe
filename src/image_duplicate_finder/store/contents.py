"""Contents and what was computed from them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, TypeVar

from image_duplicate_finder.model import Fingerprint, ImageInfo, Metadata, Part
from image_duplicate_finder.store.database import Database

T = TypeVar("T")

_SLICE = 900
_METADATA = tuple(each.name for each in fields(Metadata))
# Fields of ImageInfo that stand beside those of its metadata.
_BESIDE = ("parts", "frame_digests", "incomplete")
_ANY = {"format": "", "width": 0, "height": 0}
_NOTHING: tuple[Metadata, tuple[Part, ...], tuple[str, ...], bool] = (Metadata(), (), (), False)
INFO_COLUMNS = (
    "format, width, height, orientation, bit_depth, has_alpha, frames, lossless, metadata"
)

_UPDATES = ", ".join(f"{name} = excluded.{name}" for name in ("size", *INFO_COLUMNS.split(", ")))


READ_JSON = json.JSONDecoder().raw_decode
"""Reads a short text at its start, without the search for blanks, which takes half of the time."""


def info_from_row(row: Sequence[Any]) -> ImageInfo:
    """An ImageInfo from the columns named by INFO_COLUMNS."""
    format, width, height, orientation, bit_depth, has_alpha, frames, lossless, metadata = row
    return ImageInfo(
        format,
        width,
        height,
        orientation,
        bit_depth,
        has_alpha != 0,
        frames,
        lossless != 0,
        *_described(metadata),
    )


@lru_cache(maxsize=4096)
def _described(text: str) -> tuple[Metadata, tuple[Part, ...], tuple[str, ...], bool]:
    """What is stored of a picture as JSON: its metadata, parts, frames, and if it is incomplete.

    In a data set without EXIF thousands of pictures have the same.
    """
    values, _ = READ_JSON(text)
    if not values:
        return _NOTHING
    beside = {name: values.pop(name) for name in _BESIDE if name in values}
    info = ImageInfo.from_values({**_ANY, **beside, "metadata": values})
    return info.metadata, info.parts, info.frame_digests, info.incomplete


def _described_text(info: ImageInfo) -> str:
    values = {name: value for name in _METADATA if (value := getattr(info.metadata, name))}
    values |= {name: value for name in _BESIDE if (value := getattr(info, name))}
    return json.dumps(values, ensure_ascii=True) if values else "{}"


def slices(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """``values`` in parts that fit into one SQL statement."""
    for start in range(0, len(values), _SLICE):
        yield values[start : start + _SLICE]


def marks(values: Sequence[object]) -> str:
    """Question marks for an SQL IN (...)."""
    return ",".join("?" * len(values))


class ContentStore:
    """Reads and writes ``content`` and ``fingerprint``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, content_hash: bytes, size: int, info: ImageInfo) -> int:
        """Store a content; returns its id."""
        return self.put_all([(content_hash, size, info)])[content_hash]

    def put_all(self, contents: Iterable[tuple[bytes, int, ImageInfo]]) -> dict[bytes, int]:
        """Store contents (hash, size in bytes, info), known ones anew; ids of all by hash.

        What is known of a picture grows with the versions of this program.
        """
        rows = [
            (
                content_hash,
                size,
                info.format,
                info.width,
                info.height,
                info.orientation,
                info.bit_depth,
                int(info.has_alpha),
                info.frames,
                int(info.lossless),
                _described_text(info),
            )
            for content_hash, size, info in contents
        ]
        self._database.connection.executemany(
            f"INSERT INTO content (hash, size, {INFO_COLUMNS})"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?)"
            f" ON CONFLICT (hash) DO UPDATE SET {_UPDATES}",
            rows,
        )
        return self.ids_of([row[0] for row in rows])

    def put_fingerprints(self, content: int, fingerprints: Iterable[Fingerprint]) -> None:
        """Store fingerprints, replacing those of the same name."""
        self.put_all_fingerprints((content, each) for each in fingerprints)

    def put_all_fingerprints(self, fingerprints: Iterable[tuple[int, Fingerprint]]) -> None:
        """Store fingerprints of contents (by id), replacing those of the same name."""
        self._database.connection.executemany(
            "INSERT OR REPLACE INTO fingerprint (content, name, version, data) VALUES (?,?,?,?)",
            ((content, each.name, each.version, each.data) for content, each in fingerprints),
        )

    def ids_of(self, hashes: Sequence[bytes]) -> dict[bytes, int]:
        """The ids of those contents that are stored, by hash."""
        found: dict[bytes, int] = {}
        for part in slices(hashes):
            found.update(
                self._database.connection.execute(
                    f"SELECT hash, id FROM content WHERE hash IN ({marks(part)})", part
                )
            )
        return found

    def incomplete(self, wanted: Iterable[tuple[str, int]]) -> set[int]:
        """Ids of the contents that lack one of these fingerprints (name, version)."""
        connection = self._database.connection
        total = connection.execute("SELECT count(*) FROM content").fetchone()[0]
        lacking: set[int] = set()
        for kind in wanted:
            stored = "FROM fingerprint WHERE name = ? AND version = ?"
            # A content has at most one of a kind, so mostly the numbers say it all.
            if connection.execute(f"SELECT count(*) {stored}", kind).fetchone()[0] < total:
                lacking.update(
                    row[0]
                    for row in connection.execute(
                        f"SELECT id FROM content WHERE id NOT IN (SELECT content {stored})", kind
                    )
                )
        return lacking

    def hashes_by_size(self, without: set[int]) -> dict[int, tuple[bytes, ...]]:
        """The hashes of all contents but those ``without``, by their size in bytes."""
        by_size: dict[int, tuple[bytes, ...]] = {}
        for id, size, content_hash in self._database.connection.execute(
            "SELECT id, size, hash FROM content"
        ):
            if id not in without:
                by_size[size] = (*by_size.get(size, ()), content_hash)
        return by_size

    def sizes(self, ids: Sequence[int]) -> dict[int, int]:
        """Bytes of contents, by id."""
        found: dict[int, int] = {}
        for part in slices(ids):
            found.update(
                self._database.connection.execute(
                    f"SELECT id, size FROM content WHERE id IN ({marks(part)})", part
                )
            )
        return found

    def hashes(self, ids: Sequence[int]) -> dict[int, bytes]:
        """Content hashes by id."""
        found: dict[int, bytes] = {}
        for part in slices(ids):
            found.update(
                self._database.connection.execute(
                    f"SELECT id, hash FROM content WHERE id IN ({marks(part)})", part
                )
            )
        return found

    def infos(self, ids: Sequence[int]) -> dict[int, ImageInfo]:
        """What the pictures are, by content id."""
        found: dict[int, ImageInfo] = {}
        for part in slices(ids):
            for row in self._database.connection.execute(
                f"SELECT id, {INFO_COLUMNS} FROM content WHERE id IN ({marks(part)})", part
            ):
                found[row[0]] = info_from_row(row[1:])
        return found

    def each_fingerprint(
        self, name: str, version: int, ids: Sequence[int]
    ) -> Iterator[tuple[int, bytes]]:
        """Content id and data of one kind of fingerprint, in the order of ``ids``.

        Read in parts, so that all of them need not fit into memory.
        """
        for part in slices(ids):
            data = self.fingerprints(name, version, part)
            yield from ((id, data[id]) for id in part if id in data)

    def alike(self, name: str, version: int) -> Iterator[tuple[int, ...]]:
        """The ids of contents with one and the same fingerprint of a kind, unless it is empty."""
        rows = self._database.connection.execute(
            "SELECT json_group_array(content) FROM fingerprint WHERE name = ? AND version = ?"
            " AND length(data) > 0 GROUP BY data HAVING count(*) > 1",
            (name, version),
        )
        return (tuple(json.loads(ids)) for (ids,) in rows)

    def fingerprints(self, name: str, version: int, ids: Sequence[int]) -> dict[int, bytes]:
        """The data of one kind of fingerprint by content id, for those that have it."""
        found: dict[int, bytes] = {}
        for part in slices(ids):
            found.update(
                self._database.connection.execute(
                    "SELECT content, data FROM fingerprint"
                    f" WHERE name = ? AND version = ? AND content IN ({marks(part)})",
                    (name, version, *part),
                )
            )
        return found
