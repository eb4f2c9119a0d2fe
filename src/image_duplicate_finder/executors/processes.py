"""Fingerprint files in worker processes: a file that kills its worker costs that file only.

One thread of the parent serves one worker. It sends a few files at a time and receives one
answer per file, so it always knows which file a worker that died or hangs was busy with. A
file that hangs becomes a failure at once; one whose worker died is tried once more, since the
system may kill a process for other reasons. The rest go to a new worker.

The time of a file is the processor time of its worker, not wall-clock time: a suspended program, a
sleeping machine or a busy one makes no file slow. A worker that neither computes nor waits for a
core is waiting for a disk, or for something that never comes; a second limit, which grows with the
file, ends that.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from image_duplicate_finder import compiled
from image_duplicate_finder.errors import DecodeError, FailureStage, IdfError
from image_duplicate_finder.executors import child
from image_duplicate_finder.executors.messages import Answer, Task
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.messages import FailureReason
from image_duplicate_finder.model import Failure, FileStat
from image_duplicate_finder.settings import DecodeLimits, Mode, ScanSettings
from image_duplicate_finder.sources import stat

_BATCH_FILES = 16
_BATCH_BYTES = 16 * 1024 * 1024
# Files this large go first, so that none of them occupies one core alone at the end.
_LARGE = 24 * 1024 * 1024
_MOST_FAILED_STARTS = 20
_ANSWERS_AHEAD = 256

_WATCH_SECONDS = 0.25
# Of a longer gap between two checks no more counts: this program or the machine was suspended.
_LONGEST_STEP = 1.0
# As psutil calls them.
_STOPPED = {"stopped", "tracing-stop", "zombie"}
# Linux distinguishes a process that waits for a core from one that waits for anything else.
_NOT_WAITING = _STOPPED | ({"running"} if sys.platform == "linux" else set())


@dataclass(slots=True, eq=False)
class _Worker:
    """One child process, the file at hand, and what it has cost so far."""

    process: subprocess.Popen[bytes]
    told: bool = False
    """Whether it has specs that it has not answered yet."""
    task: Task | None = None
    """Set by the thread that serves the worker; None while the worker waits for this process."""
    computed: float = 0.0
    waited: float = 0.0
    timed_out: Task | None = None
    _checked: Task | None = None
    _processor_seconds: float = 0.0

    def tell(self, specs: Specs) -> None:
        """Send the specs; the worker's answer is still to be read. Raises OSError if it ended."""
        assert self.process.stdin is not None
        pickle.dump(specs, self.process.stdin, pickle.HIGHEST_PROTOCOL)
        self.process.stdin.flush()
        self.told = True

    def kill(self) -> None:
        self.process.kill()

    def check(self, step: float, limits: DecodeLimits) -> None:
        """Count ``step`` more seconds for the file at hand, and end it beyond its limits."""
        task = self.task
        if task is None:
            return
        import psutil  # at the top it would keep every worker waiting for its start

        try:
            process = psutil.Process(self.process.pid)
            times, status = process.cpu_times(), process.status()
        except psutil.Error:
            return  # it has ended: the thread that serves it will notice
        processor_seconds = times.user + times.system
        if task is not self._checked:
            self._checked, self.computed, self.waited = task, 0.0, 0.0
        else:
            # Several threads of a decoder together take no more than the step.
            computed = min(processor_seconds - self._processor_seconds, step)
            self.computed += computed
            if status not in _NOT_WAITING:
                self.waited += step - computed
        self._processor_seconds = processor_seconds
        if self.computed > limits.seconds or self.waited > WAITING_LIMIT.of(task, limits):
            self.timed_out = task
            self.kill()


@dataclass(frozen=True, slots=True)
class WaitingLimit:
    """How long a file may keep its worker waiting.

    ``seconds``, twice the time that it may compute, and the time to read it at
    ``bytes_per_second``.
    """

    seconds: float = 10.0
    bytes_per_second: int = 64 * 1024

    def of(self, task: Task, limits: DecodeLimits) -> float:
        """The limit for one task in seconds."""
        return self.seconds + 2 * limits.seconds + max(task.size, 0) / self.bytes_per_second


WAITING_LIMIT = WaitingLimit()


class Spare:
    """Keeps idle workers for what comes next in a scan, at most ``most`` of them.

    Starting a worker takes longer than reading a few files. Between stages one is enough, to save
    memory; work that comes in rounds keeps all.
    """

    def __init__(self, most: int = 1) -> None:
        self.most = most
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()

    def put(self, worker: _Worker) -> None:
        """Keep a worker, or end it if there are enough."""
        with self._lock:
            if len(self._workers) < self.most:
                self._workers.append(worker)
                return
        child.end(worker.process)

    def take(self) -> _Worker | None:
        """One that is kept, if there is one. It may have died by now."""
        with self._lock:
            return self._workers.pop() if self._workers else None

    def close(self) -> None:
        """End the workers."""
        while (worker := self.take()) is not None:
            child.end(worker.process)


class _Early:
    """The worker that :func:`early_worker` started, until somebody takes it."""

    def __init__(self) -> None:
        self._worker: _Worker | None = None
        self._specs: Specs | None = None
        self._lock = threading.Lock()

    def start(self, specs: Specs) -> bool:
        """Start it; False where one with these specs is there already."""
        with self._lock:
            if self._worker is not None and self._specs == specs:
                return False
            worker = _Worker(child.start(child.Work.FILES))
            with suppress(OSError):  # whoever takes it will notice
                worker.tell(specs)
            before, self._worker, self._specs = self._worker, worker, specs
        if before is not None:
            child.end(before.process)
        return True

    def take(self, specs: Specs) -> _Worker | None:
        """The worker, if there is one with these specs. It may have died by now."""
        with self._lock:
            if self._specs != specs:
                return None
            worker, self._worker, self._specs = self._worker, None, None
        return worker


_early = _Early()


@contextmanager
def early_worker(settings: ScanSettings) -> Iterator[None]:
    """Have a worker come up while this process still loads what the work itself needs.

    The next executor for such settings takes it; one that nobody took ends with the block.
    """
    specs = Specs.of(settings)
    # One that came up alone would have to compile.
    wanted = specs.mode is Mode.QUICK or compiled.is_prepared("keypoints")
    started = wanted and _early.start(specs)
    try:
        yield
    finally:
        if started and (worker := _early.take(specs)) is not None:
            child.end(worker.process)


class ProcessExecutor:
    """Runs :func:`~image_duplicate_finder.executors.task.run_task` on many files at once.

    ``jobs`` worker processes (default: one per core). Use as a context manager: leaving it
    ends the workers, but for those that ``spare`` keeps. All that share spare workers have
    the same limits.
    """

    def __init__(
        self,
        specs: Specs,
        *,
        jobs: int | None = None,
        spare: Spare | None = None,
    ) -> None:
        self._specs = specs
        self._limits = specs.limits
        self._spare = spare
        self._jobs = jobs or available_cores()
        self._batches: queue.SimpleQueue[list[Task] | None] = queue.SimpleQueue()
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

    def map(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Answers for ``tasks``, in the order in which they are ready. To be called once."""
        batches = list(_batches(tasks))
        self._ahead = ReadAhead([task for batch in batches for task in batch])
        for batch in batches:
            self._batches.put(batch)
        jobs = min(self._jobs, max(1, self._batches.qsize()))
        for _ in range(jobs):
            self._batches.put(None)
            threading.Thread(target=self._serve, daemon=True).start()
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

    def _serve(self) -> None:
        """Run one worker: batches in, answers out, until there is nothing left to do."""
        worker: _Worker | None = None
        suspect: Task | None = None
        try:
            while not self._closing.is_set() and (batch := self._batches.get()) is not None:
                while batch and not self._closing.is_set():
                    worker = worker or self._start()
                    batch = self._run(worker, batch)
                    if not batch:
                        continue
                    if worker.timed_out is batch[0] or batch[0] is suspect:
                        self._put(self._blame(worker, batch[0]))
                        self._ahead.done(batch.pop(0).path)
                    else:
                        suspect = batch[0]
                    self._end(worker)
                    worker = None
            if worker is not None and self._leave(worker):
                worker = None
        except BaseException as error:
            self._put(error)
        finally:
            if worker is not None:
                self._end(worker)
            self._put(None)

    def _run(self, worker: _Worker, batch: list[Task]) -> list[Task]:
        """The files that remain if the worker ended; it was busy with the first of them."""
        assert worker.process.stdin is not None
        assert worker.process.stdout is not None
        left = list(batch)
        try:
            pickle.dump(batch, worker.process.stdin, pickle.HIGHEST_PROTOCOL)
            worker.process.stdin.flush()
            while left:
                worker.task = left[0]
                answer = pickle.load(worker.process.stdout)
                worker.task = None
                self._put(answer)
                self._ahead.done(left.pop(0).path)
        except (EOFError, OSError, pickle.UnpicklingError):
            worker.process.wait()
        worker.task = None
        return left

    def _blame(self, worker: _Worker, task: Task) -> Answer:
        if worker.timed_out is task and worker.computed > self._limits.seconds:
            why = FailureReason.TOOK_LONG(seconds=self._limits.seconds)
            return Failure(task.path, FailureStage.TIMEOUT, why), _stat(task.path)
        if worker.timed_out is task:
            why = FailureReason.STOOD_STILL(seconds=round(worker.waited))
            return Failure(task.path, FailureStage.TIMEOUT, why), _stat(task.path)
        why = FailureReason.CRASH(status=worker.process.returncode)
        return Failure(task.path, FailureStage.CRASH, why), _stat(task.path)

    def check(self) -> None:
        """Start a worker and end it.

        Raises IdfError for what no file could be read with, OSError where it dies twice of it.
        """
        self._failed_starts = _MOST_FAILED_STARTS - 1
        self._end(self._start())

    def _start(self) -> _Worker:
        """A worker that is ready to read files.

        Raises OSError when none comes up, and IdfError when it says that it cannot do what is
        wanted: that is no fault of any file.
        """
        if self._spare is not None and (spare := self._spare.take()) is not None:
            self._add(spare)
            if self._prepare(spare):
                return spare
            self._end(spare)
        while True:
            worker = _early.take(self._specs) or _Worker(child.start(child.Work.FILES))
            self._add(worker)
            if self._prepare(worker):
                self._failed_starts = 0
                return worker
            self._end(worker)
            self._failed_starts += 1
            if self._failed_starts > _MOST_FAILED_STARTS or self._closing.is_set():
                raise OSError(
                    "No worker process can be started "
                    f"(exit status {worker.process.returncode}). Is there enough free memory?"
                )

    def _prepare(self, worker: _Worker) -> bool:
        """Send a worker the specs; False if it ended."""
        assert worker.process.stdout is not None
        try:
            if not worker.told:
                worker.tell(self._specs)
            worker.told = False
            said = pickle.load(worker.process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            return False
        if isinstance(said, IdfError):
            self._end(worker)
            raise said
        return bool(said == child.READY)

    def _add(self, worker: _Worker) -> None:
        with self._lock:
            self._workers.add(worker)
            if self._closing.is_set():
                worker.kill()

    def _leave(self, worker: _Worker) -> bool:
        """Keep an idle worker for the next stage; False if there is none."""
        with self._lock:
            if self._spare is None or self._closing.is_set():
                return False
            self._workers.discard(worker)
        self._spare.put(worker)
        return True

    def _end(self, worker: _Worker) -> None:
        child.end(worker.process)
        with self._lock:
            self._workers.discard(worker)

    def _watch(self) -> None:
        """End workers whose file exceeds its limits."""
        before = time.monotonic()
        while not self._closing.wait(_WATCH_SECONDS):
            now = time.monotonic()
            with self._lock:
                for worker in self._workers:
                    worker.check(min(now - before, _LONGEST_STEP), self._limits)
            before = now

    def _put(self, answer: Answer | BaseException | None) -> None:
        """Queue an answer; wait while the reader is behind, unless it has gone."""
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


def _batches(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    fresh = [task for task in tasks if not task.suspect]
    large = sorted((t for t in fresh if t.size >= _LARGE), key=lambda t: -t.size)
    batch: list[Task] = []
    size = 0
    for task in [*large, *(t for t in fresh if t.size < _LARGE)]:
        if batch and (len(batch) == _BATCH_FILES or size + task.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += task.size
    if batch:
        yield batch
    yield from ([task] for task in tasks if task.suspect)


def _stat(path: str) -> FileStat | None:
    """The stat of a file that could not be read, so that it is not tried again unchanged."""
    try:
        return stat(path)
    except (OSError, DecodeError):
        return None


# How far the files that are announced to the system are ahead of those that were answered.
_BYTES_AHEAD = 48 * 1024 * 1024
_FILES_AHEAD = 64
# Beyond this a worker's own reading is sequential enough for the system to run ahead of it.
_MOST_OF_ONE_FILE = 16 * 1024 * 1024


class ReadAhead:
    """Has the next files of ``tasks`` in memory before a worker asks for them.

    A worker reads a file and then computes; a slow disk or a network folder is idle meanwhile,
    and the other way round. One thread per device announces to the system, file by file and in
    order, what will be read soon, and stays a bounded way ahead of what was answered.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._changed = threading.Condition()
        self._ahead: dict[str, int] = {}
        self._bytes: dict[int, int] = {}
        self._closed = False
        by_device: dict[int, list[Task]] = {}
        # Without this call files are read when they are due.
        if hasattr(os, "posix_fadvise"):
            for task in tasks:
                by_device.setdefault(task.device, []).append(task)
        self._device = {task.path: task.device for each in by_device.values() for task in each}
        for each in by_device.values():
            threading.Thread(target=self._run, args=(each,), daemon=True).start()

    def done(self, path: str) -> None:
        """``path`` was answered: another file of its device may be announced."""
        with self._changed:
            device = self._device.pop(path, None)
            if device is not None:
                self._bytes[device] = self._bytes.get(device, 0) - self._ahead.pop(path, 0)
                self._changed.notify_all()

    def close(self) -> None:
        """End the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self, tasks: list[Task]) -> None:
        for number, task in enumerate(tasks):
            size = min(task.size, _MOST_OF_ONE_FILE)
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._has_room(tasks, number))  # noqa: B023
                if self._closed:
                    return
                if task.path not in self._device:
                    continue
                self._ahead[task.path] = size
                self._bytes[task.device] = self._bytes.get(task.device, 0) + size
            _announce(task.path, size)

    def _has_room(self, tasks: list[Task], number: int) -> bool:
        behind = tasks[max(0, number - _FILES_AHEAD)]
        few = number < _FILES_AHEAD or behind.path not in self._device
        return few and self._bytes.get(tasks[number].device, 0) < _BYTES_AHEAD


def _announce(path: str, size: int) -> None:
    # Whatever is wrong with the file, the worker that reads it will say so.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.posix_fadvise(descriptor, 0, size, os.POSIX_FADV_WILLNEED)
    except OSError:
        return
    finally:
        os.close(descriptor)
