"""Fingerprints on a cluster: parts of the list of files in, one Parquet file for each part out.

Plain tasks, not Ray Data: paths go in and names of files come out, so there is no data for it to
stream, and its threads outlive a scan that is stopped. Within a part a child process decodes the
files, as on one machine: a file that crashes the decoder or hangs costs that file only, and the
part is not done again. Parquet files lie in a folder that all machines can reach.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from image_duplicate_finder.errors import ClusterError, FailureStage
from image_duplicate_finder.executors.messages import (
    Answer,
    FileTask,
    LookAnswer,
    LookTask,
    Recognised,
)
from image_duplicate_finder.executors.processes import ProcessExecutor
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.messages import Problem, message_from_json, message_to_json
from image_duplicate_finder.model import (
    Failure,
    FileStat,
    Fingerprint,
    Fingerprinted,
    ImageInfo,
)
from image_duplicate_finder.settings import DecodeLimits, Mode

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs


# A part takes about ten seconds: starting a process costs little, and little is lost with it.
_FILES = 512
_LOOKS = 64
_PARTS_PER_CORE = 4
# The child process of a part takes a second to start, as long as this many files take.
_FEWEST = 16
# Parts that are handed out: as many again as are worked on, so that no core waits for the driver.
_HANDED_OUT_PER_CORE = 2


def read_on_cluster(
    tasks: Sequence[FileTask], specs: Specs, folder: PartFolder, cores: int
) -> Iterator[Answer]:
    """One answer for every file, part by part, as they are ready; the rest ends with the iterator.

    A part that is done again after a loss has the same name, so it is there once.
    """
    import ray

    read_part = ray.remote(_read_part)
    # Pixel hashes are computed later, of a few pictures only.
    kind = "pixels" if specs.pixels else "fingerprints"
    size = _size_of_part(len(tasks), cores, most=_FILES)
    starts = iter(range(0, len(tasks), size))
    handed_out: dict[Any, str] = {}
    try:
        while True:
            while len(handed_out) < _HANDED_OUT_PER_CORE * cores:
                start = next(starts, None)
                if start is None:
                    break
                name = folder.new_name(kind)
                part = list(tasks[start : start + size])
                handed_out[read_part.remote(part, specs, folder, name)] = name
            if not handed_out:
                return
            (done,), _ = ray.wait(list(handed_out), num_returns=1)
            ray.get(done)
            yield from folder.read(handed_out.pop(done))
    finally:
        for part_left in handed_out:
            ray.cancel(part_left)


def _size_of_part(tasks: int, cores: int, *, most: int) -> int:
    return max(_FEWEST, min(most, tasks // (_PARTS_PER_CORE * cores)))


def _read_part(tasks: Sequence[FileTask], specs: Specs, folder: PartFolder, name: str) -> None:
    with ProcessExecutor(specs, jobs=1) as worker:
        folder.write(name, list(worker.map(tasks)))


def look_on_cluster(
    tasks: Sequence[LookTask], limits: DecodeLimits, cores: int
) -> Iterator[LookAnswer]:
    """One answer for every task, part by part; answers are small, so they come as they are."""
    import ray

    look_part = ray.remote(_look_part)
    size = _size_of_part(len(tasks), cores, most=_LOOKS)
    waiting = [
        look_part.remote(list(tasks[start : start + size]), limits)
        for start in range(0, len(tasks), size)
    ]
    try:
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            for part in ray.get(done):
                yield from part
    finally:
        for part_left in waiting:
            ray.cancel(part_left)


def _look_part(tasks: Sequence[LookTask], limits: DecodeLimits) -> list[LookAnswer]:
    with ProcessExecutor(Specs(Mode.QUICK, pixels=True, limits=limits), jobs=1) as worker:
        return cast("list[LookAnswer]", list(worker.map(tasks)))


@dataclass(frozen=True, slots=True)
class PartFolder:
    """A folder or URL (``s3://``, ``gs://``, ``hdfs://``) for parts; deleted if ``temporary``.

    Each row of a part is one file: ``path`` (the bytes of its name), ``content`` (BLAKE3; null
    where it could not be read), ``info`` (JSON: format, width, height, metadata; null where the
    content was known), ``fingerprints`` (name, version, data), ``stat``, and for failures
    ``stage`` and ``message``.
    """

    url: str
    temporary: bool

    @classmethod
    def open(cls, url: str | None) -> PartFolder:
        """The folder ``url``, created if it is missing; without a URL a temporary folder.

        Raises ClusterError where it cannot be made.
        """
        if url is None:
            return cls(tempfile.mkdtemp(prefix="idf-parts-"), temporary=True)
        folder = cls(url, temporary=False)
        try:
            files, path = folder._filesystem()
            files.create_dir(path, recursive=True)
        except (OSError, ValueError) as error:
            raise ClusterError(Problem.NO_PARQUET(path=repr(url), reason=str(error))) from error
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
    # Windows gives unsigned 64-bit numbers here.
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
        return row | {"stage": result.stage, "message": message_to_json(result.reason)}
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
        return Failure(path, FailureStage(row["stage"]), message_from_json(row["message"])), stat
    assert stat is not None, "what was read has a stat"
    if row["info"] is None:
        return Recognised(path, stat, row["content"]), stat
    described = ImageInfo.from_values(json.loads(row["info"]))
    fingerprints = tuple(Fingerprint(**each) for each in row["fingerprints"])
    return Fingerprinted(path, stat, row["content"], described, fingerprints), stat
