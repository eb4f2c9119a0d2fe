"""Files and what they hold: paths with their stat, contents, and what was computed of them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any, NamedTuple

from image_duplicate_finder.errors import FailureStage
from image_duplicate_finder.messages import message_from_json, message_to_json
from image_duplicate_finder.model import Failure, FileStat, Fingerprint, ImageInfo, Metadata, Part
from image_duplicate_finder.sources import within
from image_duplicate_finder.store.database import Database, marks, slices

_KNOWN = (
    "id, path, size, mtime_ns, ctime_ns, device, inode, links, content, failed_stage,"
    " failed_message, failed_limits, failed_tries, failed_at"
)


class KnownFile(NamedTuple):
    """A stored file: ``content`` is a content id, or None for one that could not be used.

    ``path`` is as the system has it (``os.fsencode``). ``failed_limits`` names the limits under
    which it failed: others may let it pass. ``failed_tries`` counts the tries in a row that
    failed for a passing reason, the last of them at ``failed_at``. A row as it comes from the
    table, since a second scan makes one for every file.
    """

    id: int
    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int
    links: int
    content: int | None
    failed_stage: str | None
    failed_message: str | None
    failed_limits: str | None
    failed_tries: int = 0
    failed_at: float = 0.0

    @property
    def stat(self) -> FileStat:
        """What the file system said of the file."""
        return FileStat._make(self[2:8])

    @property
    def failure(self) -> Failure | None:
        """Why the file could not be used, if it could not."""
        if self.failed_stage is None or self.failed_message is None:
            return None
        reason = message_from_json(self.failed_message)
        return Failure(os.fsdecode(self.path), FailureStage(self.failed_stage), reason)

    def unchanged(self, now: FileStat) -> bool:
        """As :meth:`FileStat.unchanged`."""
        return self[2:7] == now[:5]


def shown_path(path: str) -> str:
    """The path as text that can be stored and searched: stray bytes become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


class FileStore:
    """Reads and writes the table ``file``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def below(self, roots: Sequence[str]) -> Iterator[KnownFile]:
        """All stored files that are one of ``roots`` or below it; for each root by path."""
        for root in roots:
            exact = os.fsencode(root)
            prefix = os.fsencode(within(root))
            rows = self._database.connection.execute(
                f"SELECT {_KNOWN} FROM file WHERE gone = 0 AND path = ? UNION ALL"
                f" SELECT {_KNOWN} FROM file WHERE gone = 0 AND path >= ? AND path < ?",
                (exact, prefix, prefix[:-1] + bytes([prefix[-1] + 1])),
            )
            for row in rows:
                # As KnownFile._make(row), which takes five times as long.
                yield tuple.__new__(KnownFile, row)

    def put_all(self, files: Iterable[tuple[str, FileStat, int]]) -> dict[str, int]:
        """Remember that each path with its stat holds a content (id); the files' ids by path."""
        paths = self._write((path, stat, content, None, None) for path, stat, content in files)
        found: dict[str, int] = {}
        for part in slices(paths):
            rows = self._database.connection.execute(
                f"SELECT path, id FROM file WHERE path IN ({marks(part)})", part
            )
            found.update((os.fsdecode(path), id) for path, id in rows)
        return found

    def put_failures(self, failures: Iterable[tuple[Failure, FileStat]], limits: str) -> None:
        """Remember that files as of their stats could not be used within ``limits``.

        Of those that failed for a passing reason, how often they did so in a row.
        """
        self._write((each.path, stat, None, each, limits) for each, stat in failures)

    def _write(
        self, files: Iterable[tuple[str, FileStat, int | None, Failure | None, str | None]]
    ) -> list[bytes]:
        """Write rows; returns the paths as they are stored."""
        now = time.time()
        rows = [
            (
                os.fsencode(path),
                shown_path(path),
                stat.size,
                stat.mtime_ns,
                stat.ctime_ns,
                stat.device,
                stat.inode,
                stat.links,
                content,
                failure.stage if failure else None,
                message_to_json(failure.reason) if failure else None,
                limits,
                int(failure is not None and failure.passing),
                now,
            )
            for path, stat, content, failure, limits in files
        ]
        self._database.connection.executemany(
            "INSERT INTO file (path, shown, size, mtime_ns, ctime_ns, device, inode, links,"
            " content, failed_stage, failed_message, failed_limits, failed_tries, failed_at)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT (path) DO UPDATE SET failed_tries=excluded.failed_tries * (1 + iif("
            "size=excluded.size AND mtime_ns=excluded.mtime_ns AND ctime_ns=excluded.ctime_ns"
            " AND failed_limits=excluded.failed_limits, failed_tries, 0)),"
            " failed_at=excluded.failed_at, size=excluded.size, mtime_ns=excluded.mtime_ns,"
            " ctime_ns=excluded.ctime_ns, device=excluded.device, inode=excluded.inode,"
            " links=excluded.links, content=excluded.content, gone=0,"
            " failed_stage=excluded.failed_stage, failed_message=excluded.failed_message,"
            " failed_limits=excluded.failed_limits",
            rows,
        )
        return [row[0] for row in rows]

    def restate(self, changes: Iterable[tuple[str, FileStat, FileStat]]) -> None:
        """Keep what is known of files whose stat changed, but not what they hold.

        ``changes`` are (path, stat before, stat after). A file that was not stored with just
        the stat before is left as it is.
        """
        with self._database.atomic() as connection:
            connection.executemany(
                "UPDATE file SET ctime_ns = ?, links = ? WHERE path = ? AND size = ?"
                " AND mtime_ns = ? AND ctime_ns = ? AND device = ? AND inode = ?",
                [
                    (
                        after.ctime_ns,
                        after.links,
                        os.fsencode(path),
                        before.size,
                        before.mtime_ns,
                        before.ctime_ns,
                        before.device,
                        before.inode,
                    )
                    for path, before, after in changes
                ],
            )

    def set_gone(self, paths: Iterable[str], gone: bool) -> None:
        """Mark files as removed by this program, or as restored."""
        self._database.connection.executemany(
            "UPDATE file SET gone = ? WHERE path = ?",
            [(int(gone), os.fsencode(path)) for path in paths],
        )

    def paths_of(self, content_hash: bytes) -> list[str]:
        """Paths of files, not removed, that hold this content; sorted."""
        rows = self._database.connection.execute(
            "SELECT path FROM file JOIN content ON content.id = file.content"
            " WHERE hash = ? AND gone = 0 ORDER BY path",
            (content_hash,),
        )
        return [os.fsdecode(row[0]) for row in rows]


_METADATA = tuple(each.name for each in fields(Metadata))
# Fields of ImageInfo that are stored with those of its metadata.
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


class ContentStore:
    """Reads and writes ``content`` and ``fingerprint``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_all(self, contents: Iterable[tuple[bytes, int, ImageInfo]]) -> dict[bytes, int]:
        """Store contents (hash, size in bytes, info), replacing known ones; ids of all by hash.

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
