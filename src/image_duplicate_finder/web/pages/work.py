"""Running work: progress of scans, removals and undos, and Stop."""

from __future__ import annotations

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

from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.jobs import JobState
from image_duplicate_finder.web.state import library, state
from image_duplicate_finder.web.working import result_address, shown, stage_marks

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
