"""Work that outlives a request: scans, removals, undos. One at a time, each in its thread.

A page may come, go and be reloaded meanwhile: what it shows is a :class:`Snapshot`, taken here.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from image_duplicate_finder.errors import IdfError, Interrupted, LibraryBusy
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import Message, Problem, plain
from image_duplicate_finder.progress import CancelToken, Stage, Step

_SPEED_SECONDS = 8.0
"""Speed is that of the last few seconds, so that time left follows what really happens."""

_REMEMBERED = 20
"""Ended jobs that can still be asked for; results themselves are in the library."""


class Kind(StrEnum):
    """What a job does."""

    SCAN = "scan"
    REMOVE = "remove"
    UNDO = "undo"
    PURGE = "purge"
    CHECK = "check"
    ADOPT = "adopt"


class JobState(StrEnum):
    """The state of a job."""

    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.DONE, JobState.STOPPED, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job at one moment.

    ``started`` is in seconds since 1970, ``elapsed`` in seconds. ``speed`` is in items of the
    stage per second, ``left`` in seconds until the stage ends; both None while unknown. ``scan``
    and ``run`` are numbers in the library, once known. ``stages`` are those that were reached,
    in order; ``stage_elapsed`` is in seconds since the latest began.
    """

    id: str
    kind: Kind
    state: JobState
    started: float
    elapsed: float
    stage_elapsed: float = 0.0
    stages: tuple[Stage, ...] = ()
    step: Step | None = None
    speed: float | None = None
    left: float | None = None
    scan: int | None = None
    run: int | None = None
    message: Message | None = None

    @property
    def share(self) -> float | None:
        """How much of the present stage is done, 0 to 1; None while unknown."""
        if self.step is None or not self.step.total:
            return None
        return min(1.0, self.step.done / self.step.total)


class Job:
    """One piece of work; its methods may be called from any thread."""

    def __init__(self, kind: Kind, *, scan: int | None = None, run: int | None = None) -> None:
        self.id = secrets.token_urlsafe(9)
        self.kind = kind
        self.cancel = CancelToken()
        self.result: object = None
        """What the work returned, for the page that reports on it; None until then."""
        self._lock = threading.Lock()
        self._clock = self._stage_clock = time.monotonic()
        self._ended: float | None = None
        self._marks: deque[tuple[float, int]] = deque()
        self._now = Snapshot(self.id, kind, JobState.RUNNING, time.time(), 0.0, scan=scan, run=run)

    def progress(self, step: Step, /) -> None:
        """Take note of a step; the job's work calls this."""
        with self._lock:
            stages = self._now.stages
            if step.stage not in stages:
                stages = (*stages, step.stage)
            if self._now.step is None or self._now.step.stage != step.stage:
                self._marks.clear()
                self._stage_clock = time.monotonic()
            self._marks.append((time.monotonic(), step.done))
            while len(self._marks) > 2 and self._marks[1][0] < time.monotonic() - _SPEED_SECONDS:
                self._marks.popleft()
            self._set(step=step, stages=stages)

    def belongs_to(self, *, scan: int | None = None, run: int | None = None) -> None:
        """Note the number that the library gave to the work or its result."""
        with self._lock:
            self._set(scan=scan or self._now.scan, run=run or self._now.run)

    def stop(self) -> None:
        """Ask the work to stop at its next safe point."""
        with self._lock:
            if not self._now.state.ended:
                self.cancel.cancel()
                self._set(state=JobState.STOPPING)

    def end(self, state: JobState, message: Message | None = None) -> None:
        """The work is over."""
        with self._lock:
            self._ended = time.monotonic()
            self._set(state=state, message=message)

    def snapshot(self) -> Snapshot:
        """The job as it is now."""
        with self._lock:
            return self._complete()

    def _set(self, **changes: object) -> None:
        self._now = replace(self._now, **changes)  # type: ignore[arg-type]

    def _complete(self) -> Snapshot:
        now = time.monotonic()
        elapsed = (self._ended or now) - self._clock
        speed, left = None, None
        if not self._now.state.ended and len(self._marks) > 1:
            (first, before), (_, after) = self._marks[0], self._marks[-1]
            if now - first >= 1.0 and after > before:
                speed = (after - before) / (now - first)
                step = self._now.step
                if step is not None and step.total:
                    left = max(0.0, (step.total - step.done) / speed)
        return replace(
            self._now,
            elapsed=elapsed,
            stage_elapsed=now - self._stage_clock,
            speed=speed,
            left=left,
        )


Work = Callable[[Job], object]


class Jobs:
    """The jobs of one app."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._thread: threading.Thread | None = None

    def start(self, job: Job, work: Work) -> Job:
        """Run ``work`` in a thread. Raises LibraryBusy while another job runs."""
        with self._lock:
            if self._running() is not None:
                raise LibraryBusy(Problem.RUNNING())
            self._jobs[job.id] = job
            for old in list(self._jobs)[:-_REMEMBERED]:
                del self._jobs[old]
            self._thread = threading.Thread(
                target=_run, args=(job, work), name=f"{job.kind}-{job.id}", daemon=True
            )
            self._thread.start()
        return job

    def get(self, id: str) -> Job | None:
        """A job by its id; None for one of an earlier start of the program."""
        return self._jobs.get(id)

    def running(self) -> Snapshot | None:
        """The job that is running, if one is."""
        with self._lock:
            job = self._running()
        return None if job is None else job.snapshot()

    def of_scan(self, scan: int) -> Snapshot | None:
        """The running job that carries out a scan, if one does."""
        running = self.running()
        if running is None or running.kind is not Kind.SCAN or running.scan != scan:
            return None
        return running

    def close(self, seconds: float = 20.0) -> None:
        """Stop what runs and wait until it has ended, at most ``seconds``."""
        with self._lock:
            job, thread = self._running(), self._thread
        if job is not None:
            job.stop()
        if thread is not None:
            thread.join(seconds)

    def _running(self) -> Job | None:
        for job in self._jobs.values():
            if not job.snapshot().state.ended:
                return job
        return None


def _run(job: Job, work: Work) -> None:
    try:
        job.result = work(job)
    except Interrupted:
        job.end(JobState.STOPPED)
    except IdfError as error:
        job.end(JobState.FAILED, error.message)
    except Exception as error:
        job.end(JobState.FAILED, plain(f"{type(error).__name__}: {error}"))
        raise  # the thread's traceback belongs in the program's window
    else:
        job.end(JobState.DONE)
