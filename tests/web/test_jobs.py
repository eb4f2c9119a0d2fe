"""Work goes on without a page, one at a time, and tells how it ended."""

from __future__ import annotations

import threading
import time

import pytest

from image_duplicate_finder.errors import Interrupted, LibraryBusy, UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.progress import Stage, Step
from image_duplicate_finder.web.jobs import Job, Jobs, JobState, Kind, Snapshot
from image_duplicate_finder.web.pages.work import STAGES, seconds_left, share_of_all
from tests.patience import PATIENCE


def _ended(job: Job) -> Snapshot:
    now = job.snapshot()
    while not now.state.ended:
        time.sleep(0.01)
        now = job.snapshot()
    return now


def test_a_job_tells_steps_and_result(library: Library) -> None:
    go_on = threading.Event()

    def work(job: Job) -> object:
        job.belongs_to(scan=7)
        job.progress(Step(Stage.DISCOVER, 10, None, current="/a"))
        job.progress(Step(Stage.FINGERPRINT, 1, 4, failures=2))
        assert go_on.wait(PATIENCE)
        return "report"

    jobs = Jobs(library)
    job = jobs.start(Job(Kind.SCAN), work)
    now = job.snapshot()
    while now.step is None or now.step.stage != "fingerprint":
        time.sleep(0.01)
        now = job.snapshot()
    assert now.state is JobState.RUNNING
    assert (now.scan, now.share, now.stages) == (7, 0.25, ("discover", "fingerprint"))
    running = jobs.running()
    assert running is not None and running.id == job.id
    go_on.set()
    assert _ended(job).state is JobState.DONE
    assert job.result == "report"
    assert jobs.running() is None
    assert jobs.get(job.id) is job


def test_only_one_at_a_time(library: Library) -> None:
    go_on = threading.Event()
    jobs = Jobs(library)
    first = jobs.start(Job(Kind.SCAN), lambda _job: go_on.wait(PATIENCE))
    with pytest.raises(LibraryBusy):
        jobs.start(Job(Kind.UNDO), lambda _job: None)
    go_on.set()
    _ended(first)
    assert _ended(jobs.start(Job(Kind.UNDO), lambda _job: None)).state is JobState.DONE


def test_stop_reaches_the_work(library: Library) -> None:
    def work(job: Job) -> object:
        while not job.cancel.cancelled:
            time.sleep(0.01)
        raise Interrupted("stopped")

    job = Jobs(library).start(Job(Kind.SCAN), work)
    job.stop()
    assert _ended(job).state is JobState.STOPPED
    job.stop()
    assert job.snapshot().state is JobState.STOPPED


def test_a_failure_is_told_in_its_own_words(library: Library) -> None:
    def work(_job: Job) -> object:
        raise UsageError("There is no folder.")

    now = _ended(Jobs(library).start(Job(Kind.SCAN), work))
    assert (now.state, str(now.message)) == (JobState.FAILED, "There is no folder.")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_ends_the_job_too(library: Library) -> None:
    def work(_job: Job) -> object:
        raise ZeroDivisionError("oops")

    jobs = Jobs(library)
    now = _ended(jobs.start(Job(Kind.SCAN), work))
    assert now.state is JobState.FAILED and "oops" in str(now.message)
    assert jobs.running() is None


def test_closing_stops_and_waits(library: Library) -> None:
    def work(job: Job) -> object:
        while not job.cancel.cancelled:
            time.sleep(0.01)
        return None

    jobs = Jobs(library)
    job = jobs.start(Job(Kind.SCAN), work)
    jobs.close()
    assert job.snapshot().state.ended


def test_the_whole_is_told_from_its_stages() -> None:
    def at(stage: str, done: int, total: int | None, **more: object) -> Snapshot:
        stages = STAGES[Kind.SCAN][: STAGES[Kind.SCAN].index(stage) + 1]
        state, step = JobState.RUNNING, Step(stage, done, total)
        return Snapshot("x", Kind.SCAN, state, 0.0, 0.0, stages=stages, step=step, **more)

    way = [
        at(stage, done, total)
        for stage in STAGES[Kind.SCAN]
        for done, total in ((0, None), (0, 8), (4, 8), (8, 8))
    ]
    shares = [share_of_all(now) for now in way]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == pytest.approx(1)
    reading = at("fingerprint", 4, 8, left=60.0, stage_elapsed=60.0)
    left = seconds_left(reading)
    assert left is not None and 60 < left < 120  # what comes after reading takes time too
    assert seconds_left(at("group", 4, 8, left=3.0, stage_elapsed=3.0)) == 3.0
    assert seconds_left(at("discover", 4, None)) is None
    removal = Snapshot(
        "x", Kind.REMOVE, JobState.RUNNING, 0.0, 0.0, stages=("remove",),
        step=Step(Stage.REMOVE, 1, 4), left=9.0, stage_elapsed=3.0,
    )  # fmt: skip
    assert (share_of_all(removal), seconds_left(removal)) == (0.25, 9.0)
