"""Who does the work of a scan: this machine, or a cluster. Both give the same results."""

from __future__ import annotations

import ctypes
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder import compiled
from image_duplicate_finder.executors import child
from image_duplicate_finder.executors.messages import (
    Answer,
    FileTask,
    LookAnswer,
    LookTask,
)
from image_duplicate_finder.executors.processes import ProcessExecutor, Spare, available_cores
from image_duplicate_finder.executors.task import VerifyTask, verify_pairs
from image_duplicate_finder.fingerprint.keypoints import Keypoints
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.model import Match
from image_duplicate_finder.progress import OnProgress
from image_duplicate_finder.search import hamming
from image_duplicate_finder.search.hamming import HammingPairs
from image_duplicate_finder.search.visual_words import (
    VisualWordIndex,
    VisualWordPairs,
    tuning_for,
)
from image_duplicate_finder.settings import DecodeLimits, Engine, Mode, ScanSettings

_PAIRS_AT_ONCE = 1024
_NO_FINGERPRINTS = Specs(Mode.QUICK, pixels=True)
# Starting a process takes as long as verifying about so many pairs.
_WORTH_PROCESSES = 200
# After so many files a worker holds half as much memory again as a new one.
_MANY_FILES = 1000
# From so many looks on, what waits meanwhile for another few pairs costs memory for nothing.
_MANY_LOOKS = 100
# So few files are read before a process could start to compile for them.
_FEW_FILES = 8
# Of decoded pictures: some dozen large photos, and a group or two for each worker.
_BYTES_KEPT, _BYTES_KEPT_A_JOB = 512 * 1024 * 1024, 128 * 1024 * 1024
# Pairs that a child verifies at a time.
_PAIRS_OF_A_PART = 32


class Executor(Protocol):
    """The five kinds of work of a scan that many cores or machines can share.

    Used as a context manager; what runs on other processes ends with it.
    """

    pairs_at_once: int
    """How many pairs a call of :meth:`verify` needs to keep every core busy."""

    bytes_kept: int
    """How much of decoded pictures :meth:`look` may keep on disk; 0 if workers share no disk."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_exception: object) -> None: ...

    def read(self, tasks: Sequence[FileTask], specs: Specs) -> Generator[Answer, None, None]:
        """One answer for every file, in the order in which they are ready.

        Close the iterator to drop the rest.
        """

    def look(
        self, tasks: Sequence[LookTask], limits: DecodeLimits
    ) -> Generator[LookAnswer, None, None]:
        """One answer for every task, in the order in which they are ready."""

    def near_pairs(self, hashes: NDArray[np.uint8]) -> HammingPairs:
        """As :func:`~image_duplicate_finder.search.hamming.near_pairs`."""

    def visual_word_pairs(
        self, pictures: Iterable[tuple[int, bytes]], *, thorough: bool, on_progress: OnProgress
    ) -> VisualWordPairs:
        """Proposals among contents with encoded keypoints, given in their stable order.

        As a :class:`~image_duplicate_finder.search.visual_words.VisualWordIndex`, to which they
        are added one after the other: all of them at once need not fit into memory. Raises what
        ``on_progress`` raises.
        """

    def verify(self, task: VerifyTask) -> list[Match]:
        """The matches among the pairs of a task, in their order."""


def open_executor(settings: ScanSettings) -> Executor:
    """What ``settings.engine`` asks for. Raises UsageError where it is not installed."""
    if settings.engine is Engine.RAY:
        from image_duplicate_finder.executors.on_ray import RayExecutor

        return RayExecutor(settings)
    return LocalExecutor(settings.jobs)


class LocalExecutor:
    """Child processes for files and pairs, threads for compiled loops.

    ``jobs`` of them, or one per core.
    """

    def __init__(self, jobs: int | None = None) -> None:
        self.pairs_at_once = _PAIRS_AT_ONCE
        self._jobs = jobs or available_cores()
        self.bytes_kept = max(_BYTES_KEPT, self._jobs * _BYTES_KEPT_A_JOB)
        self._spare = Spare()
        self._verifiers = Verifiers(self._jobs)
        self._verified = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._verifiers.close()
        self._spare.close()

    def read(self, tasks: Sequence[FileTask], specs: Specs) -> Generator[Answer, None, None]:
        """See :meth:`Executor.read`."""
        if specs.mode is not Mode.QUICK and not specs.pixels:
            if len(tasks) > _FEW_FILES:
                compiled.prepare("keypoints")
            load_meanwhile()
        with self._workers(specs) as workers:
            yield from workers.map(tasks)
        if len(tasks) > _MANY_FILES:
            self._spare.close()

    def look(
        self, tasks: Sequence[LookTask], limits: DecodeLimits
    ) -> Generator[LookAnswer, None, None]:
        """See :meth:`Executor.look`."""
        if tasks:
            compiled.wait_for("looks")
        if len(tasks) > _MANY_LOOKS:
            self._verifiers.close()
            self._verified = 0
        self._spare.most = self._jobs  # looks come in rounds, with little between them
        with self._workers(replace(_NO_FINGERPRINTS, limits=limits)) as workers:
            yield from cast("Iterator[LookAnswer]", workers.map(tasks))

    def near_pairs(self, hashes: NDArray[np.uint8]) -> HammingPairs:
        """See :meth:`Executor.near_pairs`."""
        if len(hashes) > hamming.FEW:
            compiled.wait_for("neighbours")
        return hamming.near_pairs(hashes, jobs=self._jobs)

    def visual_word_pairs(
        self, pictures: Iterable[tuple[int, bytes]], *, thorough: bool, on_progress: OnProgress
    ) -> VisualWordPairs:
        """See :meth:`Executor.visual_word_pairs`."""
        compiled.wait_for("words")
        tuning = tuning_for(thorough=thorough)
        index = VisualWordIndex(tuning, jobs=self._jobs, on_progress=on_progress)
        for content, data in pictures:
            index.add(content, Keypoints.from_bytes(data))
        return index.candidates()

    def verify(self, task: VerifyTask) -> list[Match]:
        """See :meth:`Executor.verify`."""
        self._verified += len(task.pairs)
        if task.pairs:
            compiled.wait_for("verify")
        if self._jobs == 1 or self._verified < _WORTH_PROCESSES:
            return verify_pairs(task)
        return list(self._verifiers.verify(task))

    def _workers(self, specs: Specs) -> ProcessExecutor:
        return ProcessExecutor(specs, jobs=self._jobs, spare=self._spare)


def release_memory() -> None:
    """Give the system back what is free. glibc keeps it: a third of this process after matching."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # other libraries have no such function
            ctypes.CDLL(None).malloc_trim(0)


def load_meanwhile() -> None:
    """Load the loops that run in this process after pictures were read, in a thread.

    That takes as long as a worker takes to come up, for which this process only waits.
    """
    threading.Thread(target=compiled.load, args=("words", "verify")).start()


class Verifiers:
    """``jobs`` processes that verify: this one, and children that are started on demand."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        # Idle workers; None is this process, which would only wait otherwise.
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes] | None] = queue.SimpleQueue()
        self._idle.put(None)

    def close(self) -> None:
        """End the children."""
        while not self._idle.empty():
            if (worker := self._idle.get()) is not None:
                child.end(worker)
        self._idle.put(None)

    def verify(self, task: VerifyTask) -> Iterator[Match]:
        """The matches among the pairs of a task, in their order."""
        with ThreadPoolExecutor(self._jobs) as pool:
            for found in pool.map(self._verify_part, task.parts(_PAIRS_OF_A_PART)):
                yield from found

    def _verify_part(self, task: VerifyTask) -> list[Match]:
        """The matches of one part by a child, or by this process if the child dies."""
        try:
            worker = self._idle.get_nowait()
        except queue.Empty:
            worker = child.start(child.Work.PAIRS)
        if worker is None:
            try:
                return verify_pairs(task)
            finally:
                self._idle.put(None)
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            pickle.dump(task, worker.stdin, pickle.HIGHEST_PROTOCOL)
            worker.stdin.flush()
            found: list[Match] = pickle.load(worker.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            child.end(worker)
            return verify_pairs(task)
        self._idle.put(worker)
        return found
