"""The backups: where they are, how much they hold, and whether they are whole."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.removal import VerifyReport
from image_duplicate_finder.web.forms import path_from_text, path_to_text
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.jobs import Job, Kind
from image_duplicate_finder.web.state import library, state

blueprint = Blueprint("backups", __name__, url_prefix="/backups")


@blueprint.get("/")
def page() -> str:
    """All backup folders; ``?checked=`` names the check whose result is shown on top."""
    job = state().jobs.get(request.args.get("checked", ""))
    result = None if job is None else job.result
    shown = library()
    found = shown.backups()
    return render_template(
        "backups/page.html",
        backups=[info for info in found if info.present or info.files],
        held=sum(info.size for info in found),
        report=result if isinstance(result, VerifyReport) else None,
        strange=[
            (folder, path_to_text(folder))
            for folder in shown.strange_backups(shown.recent_folders())
        ],
    )


@blueprint.post("/check")
def check() -> BaseResponse:
    """Compare what the journal says of the backups with the disk."""
    shown = library()

    def work(job: Job) -> object:
        return shown.verify_backups(job.progress)

    job = state().jobs.start(Job(Kind.CHECK), work)
    return redirect(url_for("work.page", job=job.id), 303)


@blueprint.post("/adopt")
def adopt() -> BaseResponse | str:
    """Take over a backup, or those in a folder, that another or a lost library made.

    First it is shown where files would go: ``root`` and ``name`` are what the person confirmed.
    """
    shown = library()
    folder = path_from_text(request.form.get("folder", ""))
    found = shown.strange_backups([folder]) if folder else []
    if not found:
        flash(_("This folder contains no backup that is not already listed here."), "warn")
        return redirect(url_for("backups.page"), 303)
    roots = list(map(path_from_text, request.form.getlist("root")))
    names = list(map(path_from_text, request.form.getlist("name")))
    offers = [shown.offer(one) for one in found]
    if "sure" not in request.form and not all(offer.own for offer in offers):
        return render_template("backups/confirm.html", offers=offers, folder=folder)
    chosen = [offer.folder for offer in offers if offer.own or offer.root in roots]
    if not chosen:
        flash(_("Nothing was adopted: no folder was confirmed."), "warn")
        return redirect(url_for("backups.page"), 303)

    def work(job: Job) -> object:
        for one in chosen:
            job.belongs_to(run=shown.adopt(one, job.progress, roots=roots, names=names))
        return None

    job = state().jobs.start(Job(Kind.ADOPT), work)
    return redirect(url_for("work.page", job=job.id), 303)
