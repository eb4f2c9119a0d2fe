"""Scans: what was asked, how far it came, which files it covers and which it could not read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence

from image_duplicate_finder.errors import FailureStage, NotFound
from image_duplicate_finder.grouping import Content
from image_duplicate_finder.keeping import KeepFacts
from image_duplicate_finder.messages import Problem, message_from_json, message_to_json
from image_duplicate_finder.model import Failure
from image_duplicate_finder.results import ScanRecord, ScanState
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.sources import is_read_only
from image_duplicate_finder.store.database import Database, marks, slices
from image_duplicate_finder.store.files import INFO_COLUMNS, info_from_row

_COLUMNS = "id, roots, settings, state, started, finished, files, decoded, failures"

ScanFile = tuple[int, bytes, int, int, int, int]
"""A file that a scan covers: id, path, content, mtime_ns, removable, protected (0 or 1)."""


class ScanStore:
    """Reads and writes ``scan``, ``scan_file``, ``scan_failure`` and ``recent_folder``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(
        self, roots: Sequence[str], settings: ScanSettings, folders: Iterable[str] = ()
    ) -> int:
        """Record a scan that begins now; returns its id. ``folders`` are remembered as recent."""
        now = time.time()
        with self._database.atomic() as connection:
            row = connection.execute(
                "INSERT INTO scan (roots, settings, state, started) VALUES (?,?,?,?) RETURNING id",
                (
                    # json escapes lone surrogates, so names that are not UTF-8 survive.
                    json.dumps(list(roots)),
                    json.dumps(settings.to_dict()),
                    ScanState.RUNNING.value,
                    now,
                ),
            ).fetchone()
            connection.executemany(
                "INSERT OR REPLACE INTO recent_folder VALUES (?,?)",
                [(os.fsencode(folder), now) for folder in folders],
            )
        return int(row[0])

    def update(self, scan: int, *, files: int, decoded: int, failures: int) -> None:
        """Store how far a scan came."""
        self._database.connection.execute(
            "UPDATE scan SET files = ?, decoded = ?, failures = ? WHERE id = ?",
            (files, decoded, failures, scan),
        )

    def finish(self, scan: int, state: ScanState, *, inputs: bytes | None = None) -> None:
        """Record how a scan ended. ``inputs`` is the digest of what its groups depend on."""
        self._database.connection.execute(
            "UPDATE scan SET state = ?, finished = ?, inputs = ? WHERE id = ?",
            (state.value, time.time(), inputs, scan),
        )

    def reuse(self, scan: int, earlier: int) -> None:
        """Record that a scan ended with the same inputs as ``earlier``, which supersedes it.

        The earlier one keeps its files and groups with all user edits, and takes over the time and
        figures of the new one, whose own files and groups are dropped.
        """
        with self._database.atomic() as connection:
            connection.execute("DELETE FROM scan_failure WHERE scan = ?", (earlier,))
            connection.execute("UPDATE scan_failure SET scan = ? WHERE scan = ?", (earlier, scan))
            connection.execute(
                "UPDATE scan SET (roots, settings, started, files, decoded, failures) ="
                " (SELECT roots, settings, started, files, decoded, failures FROM scan"
                " WHERE id = ?), finished = ? WHERE id = ?",
                (scan, time.time(), earlier),
            )
            self.finish(scan, ScanState.DONE)
            self._redirect([scan], earlier)

    def supersede_earlier(self, scan: int) -> None:
        """Let a finished scan supersede the earlier ones of its roots with its settings.

        Otherwise a folder that is scanned every night would fill the library. Those in which a
        person selected something, or chose a keeper, stay as they are.
        """
        with self._database.atomic() as connection:
            untouched = connection.execute(
                "SELECT earlier.id FROM scan JOIN scan earlier ON earlier.id < scan.id"
                " AND earlier.roots = scan.roots AND earlier.settings = scan.settings"
                " WHERE scan.id = ? AND earlier.superseded_by IS NULL AND NOT EXISTS"
                " (SELECT 1 FROM grouping WHERE grouping.scan = earlier.id AND (chosen"
                " OR EXISTS (SELECT 1 FROM member WHERE grouping = grouping.id AND decided = 1)))",
                (scan,),
            ).fetchall()
            self._redirect([earlier for (earlier,) in untouched], scan)

    def _redirect(self, others: Sequence[int], scan: int) -> None:
        """Drop what other scans have of their own, and redirect from them to ``scan``."""
        for other in others:
            for table in ("scan_file", "scan_failure", "grouping", "similar_pairs"):
                self._database.connection.execute(f"DELETE FROM {table} WHERE scan = ?", (other,))
            self._database.connection.execute(
                "UPDATE scan SET superseded_by = ?1, inputs = NULL"
                " WHERE id = ?2 OR superseded_by = ?2",
                (scan, other),
            )

    def with_inputs(self, inputs: bytes) -> int | None:
        """The latest finished scan whose inputs have this digest, if there is one."""
        row = self._database.connection.execute(
            "SELECT id FROM scan WHERE inputs = ? AND state = ? ORDER BY id DESC LIMIT 1",
            (inputs, ScanState.DONE.value),
        ).fetchone()
        return None if row is None else int(row[0])

    def close_interrupted(self) -> int:
        """Mark scans that still say "running" as interrupted; returns how many there were."""
        return self._database.connection.execute(
            "UPDATE scan SET state = ?, finished = started WHERE state = ?",
            (ScanState.INTERRUPTED.value, ScanState.RUNNING.value),
        ).rowcount

    def get(self, scan: int) -> ScanRecord:
        """One scan, or the one that supersedes it. Raises NotFound."""
        row = self._database.connection.execute(
            f"SELECT {_COLUMNS} FROM scan WHERE id ="
            " (SELECT coalesce(superseded_by, id) FROM scan WHERE id = ?)",
            (scan,),
        ).fetchone()
        if row is None:
            raise NotFound(Problem.NO_SCAN(scan=scan))
        return _record(row)

    def all(self) -> list[ScanRecord]:
        """All scans but superseded ones, the latest first."""
        rows = self._database.connection.execute(
            f"SELECT {_COLUMNS} FROM scan WHERE superseded_by IS NULL ORDER BY"
            " coalesce((SELECT max(id) FROM scan later WHERE later.superseded_by = scan.id), id)"
            " DESC"
        )
        return [_record(row) for row in rows]

    def set_settings(self, scan: int, settings: ScanSettings) -> None:
        """Replace the settings of a scan; the digest of its inputs is gone."""
        self._database.connection.execute(
            "UPDATE scan SET settings = ?, inputs = NULL WHERE id = ?",
            (json.dumps(settings.to_dict()), scan),
        )

    def add_files(self, scan: int, files: Iterable[tuple[int, int, int]]) -> None:
        """Store that a scan covers these files: (file id, removable, protected), 0 or 1 each."""
        roles: dict[tuple[int, int], list[int]] = {}
        for file, removable, guarded in files:
            roles.setdefault((removable, guarded), []).append(file)
        for (removable, guarded), ids in roles.items():
            # One statement for all: a third of the time of one for each.
            self._database.connection.execute(
                "INSERT OR REPLACE INTO scan_file SELECT ?, value, ?, ? FROM json_each(?)",
                (scan, removable, guarded, json.dumps(sorted(ids))),
            )

    def drop_files(self, scan: int, files: Iterable[int]) -> None:
        """Forget that a scan covers these files; the digest of its inputs is gone."""
        with self._database.atomic() as connection:
            connection.executemany(
                "DELETE FROM scan_file WHERE scan = ? AND file = ?",
                [(scan, file) for file in files],
            )
            connection.execute("UPDATE scan SET inputs = NULL WHERE id = ?", (scan,))

    def contents(self, scan: int) -> list[Content]:
        """The contents of the files that a scan covers, with the facts for keep rules."""
        rows = self._database.connection.execute(
            f"SELECT content, file.id, path, file.size, mtime_ns, removable, protected,"
            f" {INFO_COLUMNS} FROM scan_file JOIN file ON file.id = scan_file.file"
            " JOIN content ON content.id = file.content"
            " WHERE scan = ? AND gone = 0 ORDER BY content, path",
            (scan,),
        )
        files: dict[int, list[KeepFacts]] = {}
        fixed: dict[int, set[int]] = {}
        for content, id, path, size, mtime_ns, removable, guarded, *info in rows:
            facts = KeepFacts(
                file=id,
                path=os.fsdecode(path),
                info=info_from_row(info),
                bytes=size,
                mtime_ns=mtime_ns,
                protected=bool(guarded),
            )
            files.setdefault(content, []).append(facts)
            if not removable:
                fixed.setdefault(content, set()).add(id)
        return [
            Content(id, tuple(facts), frozenset(fixed.get(id, ()))) for id, facts in files.items()
        ]

    def paths(self, scan: int, contents: Iterable[int]) -> dict[int, str]:
        """For each content the first path of a file that the scan covers and that holds it.

        What other scans know of may be gone, or not be at hand.
        """
        paths: dict[int, str] = {}
        for part in slices(sorted(contents)):
            rows = self._database.connection.execute(
                "SELECT content, MIN(path) FROM file JOIN scan_file ON scan_file.file = file.id"
                f" WHERE content IN ({marks(part)}) AND scan = ? AND gone = 0 GROUP BY content",
                (*part, scan),
            )
            paths.update((content, os.fsdecode(path)) for content, path in rows)
        return paths

    def fixed_paths(self, scan: int) -> list[str]:
        """Files of a scan that are never removed, though no folder of theirs is protected."""
        rows = self._database.connection.execute(
            "SELECT path FROM scan_file JOIN file ON file.id = scan_file.file"
            " WHERE scan = ? AND removable = 0 AND protected = 0 ORDER BY path",
            (scan,),
        )
        return [os.fsdecode(path) for (path,) in rows]

    def covered(self, scan: int) -> Iterable[ScanFile]:
        """What identifies the files of a scan and their roles, by file id."""
        return self._database.connection.execute(
            "SELECT file.id, path, content, mtime_ns, removable, protected FROM scan_file"
            " JOIN file ON file.id = scan_file.file"
            " WHERE scan = ? AND gone = 0 ORDER BY scan_file.file",
            (scan,),
        )

    def add_failures(self, scan: int, failures: Iterable[Failure]) -> None:
        """Store files that a scan could not use."""
        self._database.connection.executemany(
            "INSERT OR REPLACE INTO scan_failure VALUES (?,?,?,?)",
            [
                (scan, os.fsencode(each.path), each.stage, message_to_json(each.reason))
                for each in failures
            ],
        )

    def failures(self, scan: int) -> list[Failure]:
        """Files that a scan could not use, by path."""
        rows = self._database.connection.execute(
            "SELECT path, stage, message FROM scan_failure WHERE scan = ? ORDER BY path", (scan,)
        )
        return [
            Failure(os.fsdecode(path), FailureStage(stage), message_from_json(message))
            for path, stage, message in rows
        ]

    def covers(self, scan: int, file: int) -> bool:
        """Whether a file belongs to a scan."""
        row = self._database.connection.execute(
            "SELECT 1 FROM scan_file WHERE scan = ? AND file = ?", (scan, file)
        ).fetchone()
        return row is not None

    def files(self, scan: int) -> list[tuple[str, int]]:
        """Path and bytes of all files in folders that this scan covers and that are not gone."""
        rows = self._database.connection.execute(
            "SELECT path, size FROM scan_file JOIN file ON file.id = scan_file.file"
            " WHERE scan = ? AND gone = 0 ORDER BY path",
            (scan,),
        )
        found = ((os.fsdecode(path), size) for path, size in rows)
        return [(path, size) for path, size in found if not is_read_only(path)]

    def recent_folders(self, limit: int = 10) -> list[str]:
        """Folders that were searched last, the latest first."""
        rows = self._database.connection.execute(
            "SELECT path FROM recent_folder ORDER BY used DESC LIMIT ?", (limit,)
        )
        return [os.fsdecode(row[0]) for row in rows]


def _record(row: Sequence[object]) -> ScanRecord:
    return ScanRecord(
        id=int(str(row[0])),
        roots=tuple(json.loads(str(row[1]))),
        settings=ScanSettings.from_dict(json.loads(str(row[2]))),
        state=ScanState(str(row[3])),
        started=float(str(row[4])),
        finished=None if row[5] is None else float(str(row[5])),
        files=int(str(row[6])),
        decoded=int(str(row[7])),
        failures=int(str(row[8])),
    )
