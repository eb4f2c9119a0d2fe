"""Files to fingerprints, stored in parts that are worth a transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from image_duplicate_finder.errors import Interrupted
from image_duplicate_finder.executors.engine import Executor
from image_duplicate_finder.executors.messages import Answer, FileTask
from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.scan.gpu import BatchedEmbeddings
from image_duplicate_finder.scan.intake import Intake
from image_duplicate_finder.settings import ScanSettings

# A killed program repeats at most this much work.
_COMMIT_SECONDS = 1.0
_COMMIT_ANSWERS = 512


def read_files(
    intake: Intake,
    tasks: Sequence[FileTask],
    settings: ScanSettings,
    executor: Executor,
    progress: Progress,
    cancel: CancelToken,
    on_contents: Callable[[frozenset[int]], None],
) -> None:
    """Read and fingerprint the files of ``tasks``, which the library does not know.

    ``on_contents`` is told now and then which contents are ready, while others are still read.
    Raises Interrupted when ``cancel`` asked for a stop; what was read until then is stored.
    """
    done = intake.files - len(tasks)
    gpu = BatchedEmbeddings.open(settings)
    specs = gpu.specs if gpu else intake.specs
    with closing(executor.read(tasks, specs)) as answers:
        for batch in _batches(answers):
            intake.store_answers(gpu.complete(batch) if gpu else batch)
            done += len(batch)
            progress(Step("fingerprint", done, intake.files, batch[-1][0].path, intake.failures))
            if cancel.cancelled:
                raise Interrupted("The scan was stopped. What was read is kept.")
            on_contents(frozenset(intake.contents))


def _batches(answers: Iterator[Answer]) -> Iterator[list[Answer]]:
    """Answers in parts that are worth a transaction."""
    batch: list[Answer] = []
    due = time.monotonic() + _COMMIT_SECONDS
    for answer in answers:
        batch.append(answer)
        if len(batch) >= _COMMIT_ANSWERS or time.monotonic() >= due:
            yield batch
            batch = []
            due = time.monotonic() + _COMMIT_SECONDS
    if batch:
        yield batch
