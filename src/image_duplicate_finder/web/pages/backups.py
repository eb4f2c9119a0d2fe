"""The backups: where they are, how much they hold, and whether they are whole."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.removal import VerifyReport
from image_duplicate_finder.web.jobs import Job, Kind
from image_duplicate_finder.web.state import library, state

blueprint = Blueprint("backups", __name__, url_prefix="/backups")


@blueprint.get("/")
def page() -> str:
    """All backup folders; ``?checked=`` names the check whose result is shown on top."""
    job = state().jobs.get(request.args.get("checked", ""))
    result = None if job is None else job.result
    found = library().backups()
    return render_template(
        "backups/page.html",
        backups=[info for info in found if info.present or info.files],
        held=sum(info.size for info in found),
        report=result if isinstance(result, VerifyReport) else None,
    )


@blueprint.post("/check")
def check() -> BaseResponse:
    """Compare what the journal says of the backups with the disk."""
    shown = library()

    def work(job: Job) -> object:
        return shown.verify_backups(job.progress)

    job = state().jobs.start(Job(Kind.CHECK), work)
    return redirect(url_for("work.page", job=job.id), 303)
