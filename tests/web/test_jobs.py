"""Work goes on without a page, one at a time, and tells how it ended."""

from __future__ import annotations

import threading
import time

import pytest

from image_duplicate_finder.errors import Interrupted, LibraryBusy, UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.progress import Step
from image_duplicate_finder.web.jobs import Job, Jobs, JobState, Kind, Snapshot


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
        job.progress(Step("discover", 10, None, current="/a"))
        job.progress(Step("fingerprint", 1, 4, failures=2))
        assert go_on.wait(10)
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
    first = jobs.start(Job(Kind.SCAN), lambda _job: go_on.wait(10))
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
    assert (now.state, now.message) == (JobState.FAILED, "There is no folder.")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_ends_the_job_too(library: Library) -> None:
    def work(_job: Job) -> object:
        raise ZeroDivisionError("oops")

    jobs = Jobs(library)
    now = _ended(jobs.start(Job(Kind.SCAN), work))
    assert now.state is JobState.FAILED and "oops" in now.message
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
