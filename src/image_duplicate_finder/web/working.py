"""What a progress page says of a job, in words of the visitor's language."""

from __future__ import annotations

from dataclasses import dataclass

from flask import url_for

from image_duplicate_finder.web.formats import duration, number, printable
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import lazy, ngettext
from image_duplicate_finder.web.jobs import JobState, Kind, Snapshot

STAGES = {
    Kind.SCAN: ("discover", "fingerprint", "candidates", "verify", "group"),
    Kind.REMOVE: ("remove",),
    Kind.UNDO: ("restore",),
    Kind.PURGE: ("purge",),
    Kind.CHECK: ("check",),
    Kind.ADOPT: ("adopt",),
}
"""The stages of each kind of job, in order. Some of a scan's can be passed over."""

STAGE_WORDS = {
    "discover": lazy("Looking for pictures"),
    "fingerprint": lazy("Reading pictures"),
    "candidates": lazy("Looking for pairs"),
    "verify": lazy("Checking pairs"),
    "group": lazy("Grouping"),
    "remove": lazy("Moving files"),
    "restore": lazy("Putting files back"),
    "purge": lazy("Deleting the backup"),
    "check": lazy("Checking the backups"),
    "adopt": lazy("Reading the backup"),
}

_TITLES = {
    Kind.SCAN: lazy("Scanning"),
    Kind.REMOVE: lazy("Removing"),
    Kind.UNDO: lazy("Putting back"),
    Kind.PURGE: lazy("Deleting for good"),
    Kind.CHECK: lazy("Checking the backups"),
    Kind.ADOPT: lazy("Taking over a backup"),
}

_ENDED = {
    JobState.DONE: lazy("Done"),
    JobState.STOPPED: lazy("Stopped"),
    JobState.FAILED: lazy("It could not be finished"),
}


@dataclass(frozen=True, slots=True)
class StageMark:
    """One line of the list of stages; ``state`` is "done", "now" or "waiting"."""

    name: str
    words: str
    state: str


def shown(job: Snapshot) -> dict[str, object]:
    """All that changes on the page while the job runs, ready for JSON.

    ``fields`` go into the elements of these names. ``next`` is where the result is shown.
    """
    return {
        "state": job.state.value,
        "ended": job.state.ended,
        "share": job.share,
        "stages": {mark.name: mark.state for mark in stage_marks(job)},
        "fields": {
            "title": title(job),
            "stage": stage_words(job),
            "count": _count(job),
            "speed": _speed(job),
            "left": _left(job),
            "elapsed": duration(job.elapsed),
            "current": "" if job.step is None else printable(job.step.current),
            "failures": "0" if job.step is None else number(job.step.failures),
            "message": job.message,
        },
        "next": result_address(job),
    }


def title(job: Snapshot) -> str:
    """The heading."""
    if job.state is JobState.STOPPING:
        return _("Stopping")
    return _(_ENDED.get(job.state, _TITLES[job.kind]))


def stage_words(job: Snapshot) -> str:
    """What is being done."""
    if job.state.ended or job.step is None:
        return ""
    return _(STAGE_WORDS.get(job.step.stage, job.step.stage))


def stage_marks(job: Snapshot) -> list[StageMark]:
    """The stages of the job with where each stands."""
    order = STAGES[job.kind]
    reached = [order.index(stage) for stage in job.stages if stage in order]
    now = max(reached, default=0)
    marks = []
    for place, name in enumerate(order):
        if job.state is JobState.DONE or place < now:
            state = "done"
        elif place == now and not job.state.ended:
            state = "now"
        else:
            state = "waiting"
        marks.append(StageMark(name, _(STAGE_WORDS[name]), state))
    return marks


def result_address(job: Snapshot) -> str | None:
    """Where the result can be seen; None as long as there is none."""
    if job.kind is Kind.SCAN:
        return None if job.scan is None else url_for("review.page", scan=job.scan)
    if job.kind is Kind.CHECK:
        return url_for("backups.page", checked=job.id)
    return None if job.run is None else url_for("history.run", run=job.run, job=job.id)


def _count(job: Snapshot) -> str:
    if job.step is None:
        return ""
    if not job.step.total:
        return number(job.step.done)
    return _("%(done)s of %(total)s", done=number(job.step.done), total=number(job.step.total))


def _speed(job: Snapshot) -> str:
    if job.speed is None:
        return "–"
    if job.speed < 10:
        return _("%(count)s per minute", count=number(job.speed * 60))
    return _("%(count)s per second", count=number(job.speed))


def _left(job: Snapshot) -> str:
    if job.left is None:
        return "–"
    if job.left < 5:
        return _("a few seconds")
    if job.left < 60:
        return ngettext(
            "about %(num)s second", "about %(num)s seconds", 5 * max(1, round(job.left / 5))
        )
    if job.left < 3600:
        return ngettext("about %(num)s minute", "about %(num)s minutes", round(job.left / 60))
    return _("about %(time)s", time=duration(job.left))
