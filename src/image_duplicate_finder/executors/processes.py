"""Fingerprint files in worker processes: a file that kills its worker costs that file only.

One thread of the parent looks after one worker. It sends a few files at a time and takes one
answer per file, so it always knows which file a worker that died or hangs was busy with. A
file that hangs becomes a failure at once; one whose worker died is tried once more, since the
system kills processes for reasons of its own. The rest go to a fresh worker.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.executors import child
from image_duplicate_finder.executors.messages import Answer, FileTask
from image_duplicate_finder.executors.read_ahead import ReadAhead
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.model import Failure, FileStat
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources import stat

_BATCH_FILES = 16
_BATCH_BYTES = 16 * 1024 * 1024
# Files this large go first, so that none of them holds one core alone at the end.
_LARGE = 24 * 1024 * 1024
_MOST_FAILED_STARTS = 20
_ANSWERS_AHEAD = 256


@dataclass(slots=True, eq=False)
class _Worker:
    """One child process and when the file it is busy with must be done."""

    process: subprocess.Popen[bytes]
    deadline: float = field(default=float("inf"))
    timed_out: bool = False

    def kill(self) -> None:
        self.process.kill()


class ProcessExecutor:
    """Runs :func:`~image_duplicate_finder.executors.task.run_task` on many files at once.

    ``jobs`` worker processes (default: one per core). Use as a context manager: leaving it
    ends the workers.
    """

    def __init__(self, specs: Specs, limits: DecodeLimits, *, jobs: int | None = None) -> None:
        self._setup = pickle.dumps((specs, limits), pickle.HIGHEST_PROTOCOL)
        self._limits = limits
        self._jobs = jobs or available_cores()
        self._batches: queue.SimpleQueue[list[FileTask] | None] = queue.SimpleQueue()
        self._answers: queue.Queue[Answer | BaseException | None] = queue.Queue(_ANSWERS_AHEAD)
        self._workers: set[_Worker] = set()
        self._ahead = ReadAhead(())
        self._closing = threading.Event()
        self._failed_starts = 0
        self._lock = threading.Lock()

    def __enter__(self) -> ProcessExecutor:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End all workers at once; files that they were busy with are not answered."""
        self._closing.set()
        self._ahead.close()
        with self._lock:
            for worker in self._workers:
                worker.kill()

    def map(self, tasks: Sequence[FileTask]) -> Iterator[Answer]:
        """Answers for ``tasks``, in the order in which they are ready. To be called once."""
        batches = list(_batches(tasks))
        self._ahead = ReadAhead([task for batch in batches for task in batch])
        for batch in batches:
            self._batches.put(batch)
        jobs = min(self._jobs, max(1, self._batches.qsize()))
        for _ in range(jobs):
            self._batches.put(None)
            threading.Thread(target=self._attend, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()
        running = jobs
        while running:
            answer = self._answers.get()
            if answer is None:
                running -= 1
            elif isinstance(answer, BaseException):
                raise answer
            else:
                yield answer

    def _attend(self) -> None:
        """One worker's life: batches in, answers out, until there is nothing left to do."""
        worker: _Worker | None = None
        suspect: FileTask | None = None
        try:
            while not self._closing.is_set() and (batch := self._batches.get()) is not None:
                while batch and not self._closing.is_set():
                    worker = worker or self._start()
                    batch = self._run(worker, batch)
                    if not batch:
                        continue
                    if worker.timed_out or batch[0] is suspect:
                        self._put(self._blame(worker, batch[0]))
                        self._ahead.done(batch.pop(0).path)
                    else:
                        suspect = batch[0]
                    self._end(worker)
                    worker = None
        except BaseException as error:
            self._put(error)
        finally:
            if worker is not None:
                self._end(worker)
            self._put(None)

    def _run(self, worker: _Worker, batch: list[FileTask]) -> list[FileTask]:
        """Files that remain because the worker ended; it was busy with the first of them."""
        assert worker.process.stdin is not None
        assert worker.process.stdout is not None
        left = list(batch)
        try:
            pickle.dump(batch, worker.process.stdin, pickle.HIGHEST_PROTOCOL)
            worker.process.stdin.flush()
            while left:
                worker.deadline = time.monotonic() + self._limits.seconds
                self._put(pickle.load(worker.process.stdout))
                self._ahead.done(left.pop(0).path)
        except (EOFError, OSError, pickle.UnpicklingError):
            worker.process.wait()
        worker.deadline = float("inf")
        return left

    def _blame(self, worker: _Worker, task: FileTask) -> Answer:
        if worker.timed_out:
            seconds = f"{self._limits.seconds:g}"
            failure = Failure(task.path, "timeout", f"Reading took longer than {seconds} seconds.")
        else:
            code = worker.process.returncode
            failure = Failure(
                task.path, "crash", f"The decoder crashed on this file (exit status {code})."
            )
        return failure, _stat(task.path)

    def _start(self) -> _Worker:
        """A worker that is ready to read files.

        Raises OSError when none comes up: that is no fault of any file.
        """
        process = child.start("image_duplicate_finder.executors.worker")
        worker = _Worker(process)
        with self._lock:
            self._workers.add(worker)
            if self._closing.is_set():
                worker.kill()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(self._setup)
            process.stdin.flush()
            ready = pickle.load(process.stdout) == child.READY
        except (EOFError, OSError, pickle.UnpicklingError):
            ready = False
        if ready:
            self._failed_starts = 0
            return worker
        self._end(worker)
        self._failed_starts += 1
        if self._failed_starts > _MOST_FAILED_STARTS or self._closing.is_set():
            raise OSError(
                "No worker process can be started "
                f"(exit status {process.returncode}). Is there enough free memory?"
            )
        return self._start()

    def _end(self, worker: _Worker) -> None:
        child.end(worker.process)
        with self._lock:
            self._workers.discard(worker)

    def _watch(self) -> None:
        """End workers whose file takes too long."""
        while not self._closing.wait(0.25):
            now = time.monotonic()
            with self._lock:
                for worker in self._workers:
                    if worker.deadline < now:
                        worker.timed_out = True
                        worker.kill()

    def _put(self, answer: Answer | BaseException | None) -> None:
        """Hand over an answer; wait while the reader is behind, unless it has gone."""
        while True:
            try:
                self._answers.put(answer, timeout=0.25)
                return
            except queue.Full:
                if self._closing.is_set():
                    return


def available_cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _batches(tasks: Sequence[FileTask]) -> Iterator[list[FileTask]]:
    large = sorted((t for t in tasks if t.size >= _LARGE), key=lambda t: -t.size)
    batch: list[FileTask] = []
    size = 0
    for task in [*large, *(t for t in tasks if t.size < _LARGE)]:
        if batch and (len(batch) == _BATCH_FILES or size + task.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += task.size
    if batch:
        yield batch


def _stat(path: str) -> FileStat | None:
    """The stat of a file that could not be read, so that it is not tried again unchanged."""
    try:
        return stat(path)
    except (OSError, DecodeError):
        return None
