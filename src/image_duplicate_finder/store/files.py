"""Files: paths with their stat, and the content that each was seen to hold."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from image_duplicate_finder.model import Failure, FileStat
from image_duplicate_finder.sources import within
from image_duplicate_finder.store.contents import marks, slices
from image_duplicate_finder.store.database import Database

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
        return Failure(os.fsdecode(self.path), self.failed_stage, self.failed_message)

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
        """All stored files that are, or lie below, one of ``roots``; for each root by path."""
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

    def put(self, path: str, stat: FileStat, content: int) -> int:
        """Remember that ``path`` with ``stat`` holds ``content``; returns the file's id."""
        return self.put_all([(path, stat, content)])[path]

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
                failure.message if failure else None,
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
        """Mark files as removed by this program, or as put back."""
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
