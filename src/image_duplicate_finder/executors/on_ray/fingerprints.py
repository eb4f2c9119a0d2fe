"""Fingerprints by Ray Data: parts of the list of files in, one Parquet file for each part out.

Ray Data hands out the parts and hands out again what a lost machine had. Within a part a child
process decodes the files, as on one machine: a file that crashes the decoder or hangs costs that
file, and not the part over and over.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from image_duplicate_finder.executors.on_ray.parts import PartFolder
from image_duplicate_finder.executors.processes import Answer, ProcessExecutor
from image_duplicate_finder.executors.task import FileTask
from image_duplicate_finder.fingerprint.compute import Specs
from image_duplicate_finder.settings import DecodeLimits

if TYPE_CHECKING:
    import pyarrow as pa

# A part takes some ten seconds: starting its process is little, and little is lost with it.
_FILES = 512
_PARTS_PER_CORE = 4


def read_on_cluster(
    tasks: Sequence[FileTask], specs: Specs, limits: DecodeLimits, folder: PartFolder, cores: int
) -> Iterator[Answer]:
    """One answer for every file, part by part, as they are ready."""
    import pyarrow as pa
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)

    # Hashes of all pixels are asked for a few pictures only, after the others.
    kind = "pixels" if specs.pixels else "fingerprints"
    size = max(1, min(_FILES, len(tasks) // (_PARTS_PER_CORE * cores)))
    tables = [
        pa.table(
            {
                "name": [folder.new_name(kind)],
                # Between two processes of one program, like the pipes of a local scan.
                "tasks": pa.array([pickle.dumps(list(tasks[k : k + size]))], pa.large_binary()),
            }
        )
        for k in range(0, len(tasks), size)
    ]
    parts = ray.data.from_arrow(tables).map_batches(
        _worker(specs, limits, folder), batch_size=None, batch_format="pyarrow", num_cpus=1
    )
    for row in parts.iter_rows():
        yield from folder.read(row["name"])


def _worker(
    specs: Specs, limits: DecodeLimits, folder: PartFolder
) -> Callable[[pa.Table], pa.Table]:
    """The function that fingerprints a table of parts, and answers with their names.

    A part that is done again after a loss has the same name, so it is there once.
    """

    def work(table: pa.Table) -> pa.Table:
        for row in table.to_pylist():
            with ProcessExecutor(specs, limits, jobs=1) as worker:
                folder.write(row["name"], list(worker.map(pickle.loads(row["tasks"]))))
        return table.select(["name"])

    return work
