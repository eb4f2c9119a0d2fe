"""Fingerprints as Parquet files, one for each part of a scan, in a folder that all can reach."""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from image_duplicate_finder.errors import IdfError
from image_duplicate_finder.executors.messages import Answer, Recognised
from image_duplicate_finder.model import (
    Failure,
    FileStat,
    Fingerprint,
    Fingerprinted,
    ImageInfo,
)

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs


@dataclass(frozen=True, slots=True)
class PartFolder:
    """A folder or URL (``s3://``, ``gs://``, ``hdfs://``) for parts; ``temporary`` ones go again.

    Each row of a part is one file: ``path`` (the bytes of its name), ``content`` (BLAKE3; null
    where it could not be read), ``info`` (JSON: format, width, height, metadata; null where the
    content was known), ``fingerprints`` (name, version, data), ``stat``, and for failures
    ``stage`` and ``message``.
    """

    url: str
    temporary: bool

    @classmethod
    def open(cls, url: str | None) -> PartFolder:
        """The folder ``url``, made where it is missing; without one a temporary folder.

        Raises IdfError where it cannot be made.
        """
        if url is None:
            return cls(tempfile.mkdtemp(prefix="idf-parts-"), temporary=True)
        folder = cls(url, temporary=False)
        try:
            files, path = folder._filesystem()
            files.create_dir(path, recursive=True)
        except (OSError, ValueError) as error:
            raise IdfError(f"{url!r} cannot hold Parquet files: {error}") from error
        return folder

    def close(self) -> None:
        """Delete a temporary folder."""
        if self.temporary:
            shutil.rmtree(self.url, ignore_errors=True)

    @staticmethod
    def new_name(kind: str) -> str:
        """A name that no other part has, of this scan or of an earlier one."""
        return f"{kind}-{uuid.uuid4().hex}.parquet"

    def write(self, name: str, answers: Sequence[Answer]) -> None:
        """Write a part; it appears under its name only when it is whole."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        files, folder = self._filesystem()
        unfinished = f"{folder}/.{uuid.uuid4().hex}.unfinished"
        table = pa.Table.from_pylist([_row(*answer) for answer in answers], schema=_schema())
        # Fingerprints are dense already: compressing them costs time and gains nothing.
        pq.write_table(table, unfinished, filesystem=files, compression="none")
        files.move(unfinished, f"{folder}/{name}")

    def read(self, name: str) -> Iterator[Answer]:
        """The answers of a part, in their order."""
        import pyarrow.parquet as pq

        files, folder = self._filesystem()
        for row in pq.read_table(f"{folder}/{name}", filesystem=files).to_pylist():
            yield _answer(row)

    def _filesystem(self) -> tuple[pyarrow.fs.FileSystem, str]:
        from pyarrow.fs import FileSystem, LocalFileSystem

        if "://" not in self.url:
            return LocalFileSystem(), self.url
        files, path = FileSystem.from_uri(self.url)
        return files, path


def _schema() -> pa.Schema:
    import pyarrow as pa

    stat = [(name, pa.int64()) for name in ("size", "mtime_ns", "ctime_ns", "links")]
    # Windows gives numbers of 64 bits without a sign here.
    stat += [("device", pa.uint64()), ("inode", pa.uint64())]
    fingerprint = [("name", pa.string()), ("version", pa.int32()), ("data", pa.binary())]
    return pa.schema(
        [
            ("path", pa.binary()),
            ("content", pa.binary()),
            ("info", pa.string()),
            ("fingerprints", pa.list_(pa.struct(fingerprint))),
            ("stat", pa.struct(stat)),
            ("stage", pa.string()),
            ("message", pa.string()),
        ]
    )


def _row(result: Fingerprinted | Recognised | Failure, stat: FileStat | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": result.path.encode("utf-8", "surrogateescape"),
        "stat": None if stat is None else stat._asdict(),
    }
    if isinstance(result, Failure):
        return row | {"stage": result.stage, "message": result.message}
    row["content"] = result.content
    if isinstance(result, Recognised):
        return row
    return row | {
        "info": json.dumps(asdict(result.info)),
        "fingerprints": [asdict(each) for each in result.fingerprints],
    }


def _answer(row: dict[str, Any]) -> Answer:
    path = row["path"].decode("utf-8", "surrogateescape")
    stat = None if row["stat"] is None else FileStat(**row["stat"])
    if row["stage"] is not None:
        return Failure(path, row["stage"], row["message"]), stat
    assert stat is not None, "what was read has a stat"
    if row["info"] is None:
        return Recognised(path, stat, row["content"]), stat
    described = ImageInfo.from_values(json.loads(row["info"]))
    fingerprints = tuple(Fingerprint(**each) for each in row["fingerprints"])
    return Fingerprinted(path, stat, row["content"], described, fingerprints), stat
