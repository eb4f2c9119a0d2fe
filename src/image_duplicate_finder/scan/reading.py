"""Files to fingerprints: what the library already knows is not read again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from image_duplicate_finder.discover import Discovery, is_inside
from image_duplicate_finder.errors import Interrupted
from image_duplicate_finder.executors.engine import Executor
from image_duplicate_finder.executors.processes import Answer
from image_duplicate_finder.executors.task import FileTask, Recognised
from image_duplicate_finder.fingerprint.compute import Specs
from image_duplicate_finder.model import Failure, Fingerprinted
from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.scan.gpu import BatchedEmbeddings
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.store import Store

# A killed program repeats at most this much work.
_COMMIT_SECONDS = 1.0
_COMMIT_ANSWERS = 512


@dataclass(frozen=True, slots=True)
class Reading:
    """What a scan has to work with: content ids, and how many files were decoded for it."""

    contents: frozenset[int]
    decoded: int


def read_files(
    store: Store,
    scan: int,
    discovery: Discovery,
    settings: ScanSettings,
    executor: Executor,
    progress: Progress,
    cancel: CancelToken,
    on_contents: Callable[[frozenset[int]], None],
) -> Reading:
    """Bring the store up to date with the files that were found.

    ``on_contents`` is told now and then which contents are ready, while others are still read.
    Raises Interrupted when ``cancel`` asked for a stop; what was read until then is stored.
    """
    intake = _Intake(store, scan, settings)
    tasks = intake.sort_out(discovery)
    total = len(discovery.files)
    done = total - len(tasks)
    progress(Step("fingerprint", done, total, failures=intake.failures))
    if tasks:
        gpu = BatchedEmbeddings.open(settings)
        specs = gpu.specs if gpu else intake.specs
        with closing(executor.read(tasks, specs)) as answers:
            for batch in _batches(answers):
                intake.store_answers(gpu.complete(batch) if gpu else batch)
                done += len(batch)
                store.scans.update(
                    scan, files=total, decoded=intake.decoded, failures=intake.failures
                )
                progress(Step("fingerprint", done, total, batch[-1][0].path, intake.failures))
                if cancel.cancelled:
                    raise Interrupted("The scan was stopped. What was read is kept.")
                on_contents(frozenset(intake.contents))
    store.scans.update(scan, files=total, decoded=intake.decoded, failures=intake.failures)
    return Reading(frozenset(intake.contents), intake.decoded)


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


class _Intake:
    """Compares what was found with what is known, and stores what the workers answer."""

    def __init__(self, store: Store, scan: int, settings: ScanSettings) -> None:
        self._store = store
        self._scan = scan
        self._limits = repr(settings.limits)
        self._guarded = (*settings.protected, *settings.compare_only)
        self._fixed: frozenset[str] = frozenset()
        self.specs = Specs.of(settings)
        self.contents: set[int] = set()
        self.decoded = 0
        self.failures = 0

    def sort_out(self, discovery: Discovery) -> list[FileTask]:
        """Take over what is known of unchanged files; return the work that is left."""
        self._fixed = frozenset(file.path for file in discovery.files if not file.removable)
        complete = self._store.contents.with_all(self.specs.wanted())
        hashes: dict[int, tuple[bytes, ...]] | None = None
        known = self._store.files.below(sorted({file.root for file in discovery.files}))
        tasks: list[FileTask] = []
        covered: list[tuple[int, bool, bool]] = []
        failures = list(discovery.failures)
        for file in discovery.files:
            before = known.get(os.fsencode(file.path))
            if before is None or not before.unchanged(file.stat):
                usable = False
            elif before.failed_stage is not None:
                usable = before.failed_limits == self._limits
            else:
                usable = before.content in complete
            if before is None or not usable:
                stat = file.stat
                if hashes is None:
                    hashes = self._store.contents.hashes_by_size(complete)
                tasks.append(FileTask(file.path, stat.size, hashes.get(stat.size, ()), stat.device))
            elif (failure := before.failure) is not None:
                failures.append(failure)
            elif before.content is not None:
                covered.append(self._covered(before.id, file.path))
                self.contents.add(before.content)
        with self._store.atomic():
            self._store.scans.add_failures(self._scan, failures)
            self._store.scans.add_files(self._scan, covered)
        self.failures = len(failures)
        return tasks

    def store_answers(self, answers: Sequence[Answer]) -> None:
        """Store what workers found out, in one transaction."""
        failures = [(each, stat) for each, stat in answers if isinstance(each, Failure)]
        found = [each for each, _ in answers if not isinstance(each, Failure)]
        new = [each for each in found if isinstance(each, Fingerprinted)]
        store = self._store
        with store.atomic():
            ids = store.contents.put_all((each.content, each.stat.size, each.info) for each in new)
            store.contents.put_all_fingerprints(
                (ids[each.content], part) for each in new for part in each.fingerprints
            )
            # A worker recognises only contents that the store named to it.
            ids |= store.contents.ids_of([e.content for e in found if isinstance(e, Recognised)])
            files = store.files.put_all((each.path, each.stat, ids[each.content]) for each in found)
            store.scans.add_files(
                self._scan, [self._covered(id, path) for path, id in files.items()]
            )
            # What could not even be read may be readable next time.
            store.files.put_failures(
                (
                    (each, stat)
                    for each, stat in failures
                    if stat is not None and each.stage not in ("read", "changed")
                ),
                self._limits,
            )
            store.scans.add_failures(self._scan, [each for each, _ in failures])
        self.contents.update(ids.values())
        self.decoded += len(new)
        self.failures += len(failures)

    def _covered(self, file: int, path: str) -> tuple[int, bool, bool]:
        guarded = bool(self._guarded) and any(is_inside(path, folder) for folder in self._guarded)
        return file, not guarded and path not in self._fixed, guarded
