"""Fingerprints on a cluster: parts of the list of files in, one Parquet file for each part out.

Plain tasks, not Ray Data: paths go in and names of files come out, so there is no data for it to
stream, and its threads outlive a scan that is stopped. Within a part a child process decodes the
files, as on one machine: a file that crashes the decoder or hangs costs that file, and not the part
over and over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from image_duplicate_finder.executors.messages import Answer, FileTask, LookAnswer, LookTask
from image_duplicate_finder.executors.on_ray.parts import PartFolder
from image_duplicate_finder.executors.processes import ProcessExecutor
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.settings import DecodeLimits, Mode

# A part takes some ten seconds: starting its process is little, and little is lost with it.
_FILES = 512
_LOOKS = 64
_PARTS_PER_CORE = 4
# Parts that are handed out: as many again as are worked on, so that no core waits for the driver.
_HANDED_OUT_PER_CORE = 2


def read_on_cluster(
    tasks: Sequence[FileTask], specs: Specs, limits: DecodeLimits, folder: PartFolder, cores: int
) -> Iterator[Answer]:
    """One answer for every file, part by part, as they are ready; the rest ends with the iterator.

    A part that is done again after a loss has the same name, so it is there once.
    """
    import ray

    read_part = ray.remote(_read_part)
    # Hashes of all pixels are asked for a few pictures only, after the others.
    kind = "pixels" if specs.pixels else "fingerprints"
    size = max(1, min(_FILES, len(tasks) // (_PARTS_PER_CORE * cores)))
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
                handed_out[read_part.remote(part, specs, limits, folder, name)] = name
            if not handed_out:
                return
            (done,), _ = ray.wait(list(handed_out), num_returns=1)
            ray.get(done)
            yield from folder.read(handed_out.pop(done))
    finally:
        for part_left in handed_out:
            ray.cancel(part_left)


def _read_part(
    tasks: Sequence[FileTask], specs: Specs, limits: DecodeLimits, folder: PartFolder, name: str
) -> None:
    with ProcessExecutor(specs, limits, jobs=1) as worker:
        folder.write(name, list(worker.map(tasks)))


def look_on_cluster(
    tasks: Sequence[LookTask], limits: DecodeLimits, cores: int
) -> Iterator[LookAnswer]:
    """One answer for every task, part by part; answers are small, so they come as they are."""
    import ray

    look_part = ray.remote(_look_part)
    size = max(1, min(_LOOKS, len(tasks) // (_PARTS_PER_CORE * cores)))
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
    with ProcessExecutor(Specs(Mode.QUICK, pixels=True), limits, jobs=1) as worker:
        return cast("list[LookAnswer]", list(worker.map(tasks)))
