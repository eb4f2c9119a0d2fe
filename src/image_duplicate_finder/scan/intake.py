"""Files that were found, compared with what the library knows; what is new is read and stored."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from image_duplicate_finder.discover import Discovery, is_inside
from image_duplicate_finder.errors import FailureStage, NothingReadable
from image_duplicate_finder.executors.messages import Answer, FileTask, Recognised
from image_duplicate_finder.fingerprint.specs import Specs, can_embed
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.model import Failure, Fingerprint, Fingerprinted
from image_duplicate_finder.progress import Stage
from image_duplicate_finder.scan.context import ScanContext
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import KnownFile, ScanFile

if TYPE_CHECKING:  # an unchanged folder is scanned without NumPy
    from image_duplicate_finder.executors.engine import Executor
    from image_duplicate_finder.fingerprint.embedding import Embedder

# How many scans in a row try a file that fails; after that, how long it rests before the next.
_TRIES_AT_ONCE = 3
_FIRST_REST = 3600.0
_LONGEST_REST = 7 * 24 * 3600.0
# Failures before anything was decoded: another try costs next to nothing.
_CHEAP = {FailureStage.READ, FailureStage.CHANGED, FailureStage.INSTALLATION}
# A killed program repeats at most this much work.
_COMMIT_SECONDS = 1.0
_COMMIT_ANSWERS = 512

_log = logging.getLogger(__name__)


class Intake:
    """Compares found files with known ones, and stores what the workers answer.

    ``files``, ``decoded`` and ``failures`` count files; ``contents`` has the ids of what
    the scan can compare.
    """

    def __init__(self, context: ScanContext, discovery: Discovery) -> None:
        settings = context.settings
        self._store = context.store
        self._scan = context.scan
        self._found = discovery
        self._limits = repr(settings.limits)
        self._guarded = settings.guarded
        self._fixed = frozenset(file.path for file in discovery.files if not file.removable)
        self._unchanged: list[ScanFile] = []
        self._specs = Specs.of(settings)
        self.files = len(discovery.files)
        self.contents: set[int] = set()
        self.decoded = 0
        self.failures = 0

    def sort_out(self) -> list[FileTask]:
        """Reuse what is known of unchanged files; return the files that must be read."""
        incomplete = self._store.contents.incomplete(self._specs.wanted())
        hashes: dict[int, tuple[bytes, ...]] | None = None
        roots = sorted({file.root for file in self._found.files})
        known = _Known(self._store.files.below(roots))
        tasks: list[FileTask] = []
        failures = list(self._found.failures)
        for file in self._found.files:
            failure = None
            before = known.take(os.fsencode(file.path))
            if before is None or not before.unchanged(file.stat):
                usable = False
            elif (failure := before.failure) is not None:
                usable = before.failed_limits == self._limits and not _try_again(before, failure)
            else:
                usable = before.content is not None and before.content not in incomplete
            if before is None or not usable:
                stat = file.stat
                if hashes is None:
                    hashes = self._store.contents.hashes_by_size(incomplete)
                suspect = before is not None and before.failed_tries > 0
                same_size = hashes.get(stat.size, ())
                tasks.append(FileTask(file.path, stat.size, same_size, stat.device, suspect))
            elif failure is not None:
                failures.append(failure)
            elif before.content is not None:
                roles = self._roles(file.path)
                self._unchanged.append(
                    (before.id, before.path, before.content, before.mtime_ns, *roles)
                )
                self.contents.add(before.content)
        self.failures = len(failures)
        with self._store.atomic():
            self._store.scans.add_failures(self._scan, failures)
            self._record()
        return tasks

    def unchanged(self) -> list[ScanFile]:
        """The files whose content is known, in the order of :meth:`ScanStore.covered`."""
        return sorted(self._unchanged)

    def cover_unchanged(self) -> None:
        """Store that the scan covers the files whose content is known; to be called once."""
        self._store.scans.add_files(self._scan, ((row[0], *row[4:]) for row in self._unchanged))
        self._unchanged.clear()

    def store_answers(self, answers: Sequence[Answer]) -> None:
        """Store answers of workers in one transaction."""
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
                self._scan, [(id, *self._roles(path)) for path, id in files.items()]
            )
            store.files.put_failures(
                (
                    (each, stat)
                    for each, stat in failures
                    if stat is not None and each.stage not in _CHEAP
                ),
                self._limits,
            )
            store.scans.add_failures(self._scan, [each for each, _ in failures])
            self.contents.update(ids.values())
            self.decoded += len(new)
            self.failures += len(failures)
            self._record()

    def refuse_nothing(self) -> None:
        """Raise NothingReadable if there are files or folders and none could be read."""
        unread_roots = not self.files and self._found.failures
        if (self.files and not self.contents) or unread_roots:
            raise NothingReadable(Problem.NOTHING_READABLE())

    def _record(self) -> None:
        self._store.scans.update(
            self._scan, files=self.files, decoded=self.decoded, failures=self.failures
        )

    def _roles(self, path: str) -> tuple[int, int]:
        """Whether a file is removable, and whether it is protected: 1 or 0 each."""
        if not self._guarded and not self._fixed:
            return 1, 0
        guarded = any(is_inside(path, folder) for folder in self._guarded)
        return int(not guarded and path not in self._fixed), int(guarded)


def _try_again(file: KnownFile, failure: Failure) -> bool:
    """Whether an unchanged file that failed is worth another try within the same limits.

    The next scans retry a passing fault. A file that fails each time would cost its full limits
    in every scan, so it rests longer and longer between tries.
    """
    if not failure.passing:
        return False
    rest = _FIRST_REST * 2.0 ** min(file.failed_tries - _TRIES_AT_ONCE, 20)
    rested = time.time() - file.failed_at
    return file.failed_tries < _TRIES_AT_ONCE or not 0 <= rested < min(rest, _LONGEST_REST)


class _Known:
    """Known files, looked up in nearly the order in which the store lists them.

    Only files that were listed too early are kept in memory, not a value for each file.
    """

    def __init__(self, listed: Iterator[KnownFile]) -> None:
        self._listed = listed
        self._early: dict[bytes, KnownFile] = {}

    def take(self, path: bytes) -> KnownFile | None:
        """What is known of a file; to be called once per file."""
        early = self._early.pop(path, None)
        if early is not None:
            return early
        for file in self._listed:
            if file.path == path:
                return file
            self._early[file.path] = file
        return None


def read_files(
    context: ScanContext,
    intake: Intake,
    tasks: Sequence[FileTask],
    executor: Executor,
    on_contents: Callable[[frozenset[int]], None],
) -> None:
    """Read, fingerprint and store the files of ``tasks``.

    ``on_contents`` is called now and then with the contents that are ready. Raises Interrupted
    when a stop was asked for.
    """
    done = intake.files - len(tasks)
    gpu = BatchedEmbeddings.open(context.settings)
    specs = gpu.specs if gpu else Specs.of(context.settings)
    with closing(executor.read(tasks, specs)) as answers:
        for batch in _batches(answers):
            intake.store_answers(gpu.complete(batch) if gpu else batch)
            done += len(batch)
            current = batch[-1][0].path
            context.report(
                Stage.FINGERPRINT, done, intake.files, current=current, failures=intake.failures
            )
            context.cancel.check()
            on_contents(frozenset(intake.contents))


def _batches(answers: Iterator[Answer]) -> Iterator[list[Answer]]:
    """Answers in batches that are worth a transaction."""
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


class BatchedEmbeddings:
    """Embeddings on a GPU: workers scale the pictures, this process runs the network in batches.

    A GPU needs many pictures at once and one process with the network; the workers go on decoding
    meanwhile. A scaled picture that is sent between the processes has 150 KB.
    """

    def __init__(self, embedder: Embedder, specs: Specs) -> None:
        self._embedder = embedder
        self._name, self._version = specs.embedding()
        self.specs = replace(specs, squeeze_only=True)

    @classmethod
    def open(cls, settings: ScanSettings) -> BatchedEmbeddings | None:
        """What ``settings`` ask for; None if no GPU is wanted or usable.

        One warning says if no GPU can be used, or if no network can be run at all.
        """
        specs = Specs.of(settings)
        if settings.mode is Mode.QUICK:
            return None
        if not can_embed():
            _log.warning(
                "Similar pictures are left out: onnxruntime is not installed (`idf doctor`)."
            )
            return None
        if not settings.gpu:
            return None
        from image_duplicate_finder.fingerprint.embedding import Embedder

        embedder = Embedder(specs.model_path(), gpu=True)
        return cls(embedder, specs) if embedder.on_gpu else None

    def complete(self, answers: Sequence[Answer]) -> list[Answer]:
        """The answers in their order, with a vector in the place of each scaled picture."""
        import numpy as np

        from image_duplicate_finder.fingerprint import embedding

        shape = (self._embedder.card.height, self._embedder.card.width, 3)
        scaled = {
            place: np.frombuffer(fingerprint.data, np.uint8).reshape(shape)
            for place, (result, _) in enumerate(answers)
            if isinstance(result, Fingerprinted)
            for fingerprint in result.fingerprints
            if fingerprint.name == self._name
        }
        vectors = self._embedder.embed_squeezed(list(scaled.values()))
        done = list(answers)
        for place, vector in zip(scaled, vectors, strict=True):
            result, stat = done[place]
            assert isinstance(result, Fingerprinted)
            vector_print = Fingerprint(self._name, self._version, embedding.to_bytes(vector))
            fingerprints = tuple(
                vector_print if each.name == self._name else each for each in result.fingerprints
            )
            done[place] = (replace(result, fingerprints=fingerprints), stat)
        return done
