"""Running work: progress of scans, removals and undos, and Stop."""

from __future__ import annotations

from dataclasses import dataclass

from flask import (
    Blueprint,
    Response,
    flash,
    jsonify,
    redirect,
    render_template,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.progress import Stage
from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.web.i18n import (
    duration,
    lazy,
    ngettext,
    number,
    percent,
    printable,
    translate,
)
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.jobs import JobState, Kind, Snapshot
from image_duplicate_finder.web.state import library, state

blueprint = Blueprint("work", __name__, url_prefix="/work")

_FIRST_GROUPS = 6


@blueprint.get("/pill")
def pill() -> str:
    """The mark in the bar that says what runs."""
    return render_template("parts/job_pill.html")


@blueprint.get("/<job>")
def page(job: str) -> BaseResponse | str:
    """Progress of one job; of an earlier start of the program only its result is left."""
    found = state().jobs.get(job)
    if found is None:
        return _forgotten()
    job_now = found.snapshot()
    address = result_address(job_now)
    if job_now.state is JobState.DONE and address is not None:
        return redirect(address)
    return render_template(
        "work/page.html", job=job_now, shown=shown(job_now), marks=stage_marks(job_now)
    )


@blueprint.get("/<job>/now")
def now(job: str) -> Response:
    """What changes on the page.

    Pages ask again and again: an answer takes about a millisecond, where a stream of events
    would hold a thread for as long as the page is open.
    """
    found = state().jobs.get(job)
    return Response(status=404) if found is None else jsonify(shown(found.snapshot()))


@blueprint.get("/<job>/groups")
def groups(job: str) -> str:
    """The first groups of a scan that is still running."""
    found = state().jobs.get(job)
    scan = None if found is None else found.snapshot().scan
    if scan is None:
        return ""
    return render_template(
        "work/groups.html",
        scan=scan,
        found=library().groups(scan, GroupQuery(limit=_FIRST_GROUPS)),
        summary=library().summary(scan),
    )


@blueprint.post("/<job>/stop")
def stop(job: str) -> BaseResponse:
    """Ask a job to stop; what it did until then is kept."""
    found = state().jobs.get(job)
    if found is None:
        return _forgotten()
    found.stop()
    return redirect(url_for("work.page", job=job), 303)


def _forgotten() -> BaseResponse:
    flash(_("That job ran before the program was restarted. What it did is kept."), "warn")
    return redirect(url_for("start.page"), 303)


STAGES = {
    Kind.SCAN: (
        Stage.DISCOVER,
        Stage.FINGERPRINT,
        Stage.CANDIDATES,
        Stage.VERIFY,
        Stage.LOOK,
        Stage.GROUP,
    ),
    Kind.REMOVE: (Stage.REMOVE,),
    Kind.UNDO: (Stage.RESTORE,),
    Kind.PURGE: (Stage.PURGE,),
    Kind.CHECK: (Stage.CHECK,),
    Kind.ADOPT: (Stage.ADOPT,),
}
"""The stages of each kind of job, in order. Some of a scan's can be passed over."""

_USUAL_SHARES = {
    Stage.DISCOVER: 0.01,
    Stage.FINGERPRINT: 0.70,
    Stage.CANDIDATES: 0.04,
    Stage.VERIFY: 0.08,
    Stage.LOOK: 0.14,
    Stage.GROUP: 0.03,
}
"""What the stages of a scan take of its time, roughly: enough for a percentage and a time left."""

_TITLES = {
    Kind.SCAN: lazy("Scanning"),
    Kind.REMOVE: lazy("Removing"),
    Kind.UNDO: lazy("Restoring"),
    Kind.PURGE: lazy("Deleting permanently"),
    Kind.CHECK: lazy("Checking the backups"),
    Kind.ADOPT: lazy("Adopting a backup"),
}

_ENDED = {
    JobState.DONE: lazy("Done"),
    JobState.STOPPED: lazy("Stopped"),
    JobState.FAILED: lazy("Could not be finished"),
}


@dataclass(frozen=True, slots=True)
class StageMark:
    """One line of the list of stages; ``state`` is "done", "now" or "waiting"."""

    name: str
    label: str
    state: str


def shown(job: Snapshot) -> dict[str, object]:
    """All that changes on the page while the job runs, ready for JSON.

    ``fields`` go into the elements of these names. ``next`` is where the result is shown,
    ``go_on`` what continues a scan that was stopped.
    """
    return {
        "state": job.state.value,
        "ended": job.state.ended,
        "share": job.share,
        "notice": _notice(job),
        "stages": {mark.name: mark.state for mark in stage_marks(job)},
        "fields": {
            "title": title(job),
            "stage": stage_text(job),
            "count": _count(job),
            "speed": _speed(job),
            "percent": "" if job.state.ended else percent(share_of_all(job)),
            "left": _left(job),
            "elapsed": duration(job.elapsed),
            "current": "" if job.step is None else printable(job.step.current),
            "failures": "0" if job.step is None else number(job.step.failures),
            "message": "" if job.message is None else translate(job.message),
        },
        "next": _next_address(job),
        "go_on": _go_on_address(job),
    }


def title(job: Snapshot) -> str:
    """The heading."""
    if job.state is JobState.STOPPING:
        return _("Stopping")
    return _(_ENDED.get(job.state, _TITLES[job.kind]))


def share_of_all(job: Snapshot) -> float:
    """How much of the whole work is done, 0 to 1; it never falls."""
    if job.state is JobState.DONE:
        return 1.0
    if job.step is None:
        return 0.0
    shares = _shares(job)
    place = list(shares).index(job.step.stage) if job.step.stage in shares else 0
    before = sum(list(shares.values())[:place])
    return before + shares.get(job.step.stage, 0.0) * (job.share or 0.0)


def seconds_left(job: Snapshot) -> float | None:
    """How long the whole work will go on; None while unknown.

    Later stages take as much of the present one's time as they usually do.
    """
    if job.left is None or job.step is None:
        return None
    shares = _shares(job)
    if job.step.stage not in shares:
        return job.left
    place = list(shares).index(job.step.stage)
    later = sum(list(shares.values())[place + 1 :]) / shares[job.step.stage]
    return job.left + (job.stage_elapsed + job.left) * later


def _shares(job: Snapshot) -> dict[Stage, float]:
    """The share of each stage in the time of all, in order."""
    stages = STAGES[job.kind]
    return _USUAL_SHARES if job.kind is Kind.SCAN else dict.fromkeys(stages, 1 / len(stages))


def _notice(job: Snapshot) -> str:
    """What a notification says when the work has ended without its page being looked at."""
    if not job.state.ended:
        return ""
    return _("%(work)s: %(how)s", work=_(_TITLES[job.kind]), how=_(_ENDED[job.state]))


def stage_text(job: Snapshot) -> str:
    """What is being done."""
    if job.state.ended or job.step is None:
        return ""
    return translate(job.step.stage())


def stage_marks(job: Snapshot) -> list[StageMark]:
    """The stages of the job and how far each is."""
    order = STAGES[job.kind]
    reached = [order.index(stage) for stage in job.stages if stage in order]
    now = max(reached, default=0)
    marks = []
    for place, stage in enumerate(order):
        if job.state is JobState.DONE or place < now:
            state = "done"
        elif place == now and not job.state.ended:
            state = "now"
        else:
            state = "waiting"
        marks.append(StageMark(stage, translate(stage()), state))
    return marks


def result_address(job: Snapshot) -> str | None:
    """Where the result can be seen; None as long as there is none."""
    if job.kind is Kind.SCAN:
        return None if job.scan is None else url_for("review.page", scan=job.scan)
    if job.kind is Kind.CHECK:
        return url_for("backups.page", checked=job.id)
    return None if job.run is None else url_for("history.run", run=job.run, job=job.id)


def _next_address(job: Snapshot) -> str | None:
    """Where the result is shown; None for a scan that was stopped before it found anything."""
    if job.kind is Kind.SCAN and job.state in (JobState.STOPPED, JobState.FAILED):
        found = job.scan is not None and library().groups(job.scan, GroupQuery(limit=1)).total
        return result_address(job) if found else None
    return result_address(job)


def _go_on_address(job: Snapshot) -> str | None:
    if job.kind is not Kind.SCAN or job.scan is None:
        return None
    return url_for("start.go_on", scan=job.scan)


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
    left = seconds_left(job)
    if left is None:
        return "–"
    if left < 5:
        return _("a few seconds")
    if left < 60:
        return ngettext(
            "about %(num)s second", "about %(num)s seconds", 5 * max(1, round(left / 5))
        )
    if left < 3600:
        return ngettext("about %(num)s minute", "about %(num)s minutes", round(left / 60))
    return _("about %(time)s", time=duration(left))
