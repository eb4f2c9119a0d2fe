"""History: what was removed, what came back, and what the backups still hold."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.removal import PurgeReport, Report, Run, State, VerifyReport
from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.web.forms import path_from_text, path_to_text
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.jobs import Job, Kind
from image_duplicate_finder.web.state import library, state

blueprint = Blueprint("history", __name__, url_prefix="/history")

RESTORABLE = (State.MOVED, State.TRASHED, State.MISSING)
_PAGE = 200
_OPEN_GROUPS = GroupQuery(open_only=True, limit=1)


@blueprint.get("/")
def page() -> str:
    """All removals, the latest first."""
    runs = library().history()
    return render_template("history/page.html", runs=runs, held=sum(run.held for run in runs))


@blueprint.get("/<int:run>")
def run(run: int) -> str:
    """One removal: its files, and what can be done with them.

    ``?job=`` names the work that has just ended, whose report is shown on top.
    """
    items = library().run_items(run)
    first = max(0, request.args.get("first", 0, type=int))
    return render_template(
        "history/run.html",
        run=_record(run),
        items=items[first : first + _PAGE],
        first=first,
        page_size=_PAGE,
        total=len(items),
        restorable=[item for item in items if item.state in RESTORABLE],
        held=[item for item in items if item.state is State.MOVED],
        folders=[info for info in library().backups() if info.backup.run == run],
        outcome=_outcome(run),
        removed=(removed := _scan_of_removal()),
        groups_left=0 if removed is None else library().groups(removed, _OPEN_GROUPS).total,
        RESTORABLE=RESTORABLE,
    )


@blueprint.post("/<int:run>/undo")
def undo(run: int) -> BaseResponse:
    """Put everything of a run back, or the files whose ids are sent as ``item``."""
    shown = library()
    _record(run)
    chosen = request.form.getlist("item", type=int)
    if "some" in request.form and not chosen:
        flash(_("Select the files to restore first."), "warn")
        return redirect(url_for("history.run", run=run), 303)
    rename = "rename" in request.form

    def work(job: Job) -> object:
        return shown.undo(
            run, chosen or None, rename=rename, progress=job.progress, cancel=job.cancel
        )

    job = state().jobs.start(Job(Kind.UNDO, run=run), work)
    return redirect(url_for("work.page", job=job.id), 303)


@blueprint.post("/<int:run>/purge")
def purge(run: int) -> BaseResponse:
    """Delete a run's backup for good; ``sure`` is the person's answer to the question."""
    shown = library()
    _record(run)
    if "sure" not in request.form:
        flash(_("Nothing was deleted: tick the box that says you are sure."), "warn")
        return redirect(url_for("history.run", run=run), 303)
    without_keeper = "without_keeper" in request.form

    def work(_job: Job) -> object:
        return shown.purge(run, without_keeper=without_keeper)

    job = state().jobs.start(Job(Kind.PURGE, run=run), work)
    return redirect(url_for("work.page", job=job.id), 303)


def _scan_of_removal() -> int | None:
    """The scan whose files the removal named in the address has just taken away."""
    job = state().jobs.get(request.args.get("job", ""))
    return job.snapshot().scan if job is not None and job.kind is Kind.REMOVE else None


def _record(run: int) -> Run:
    shown = library()
    shown.run_items(run)  # raises NotFound in plain words
    return next(each for each in shown.history() if each.id == run)


def _outcome(run: int) -> Report | PurgeReport | None:
    """What the work named in the address reported about this run."""
    job = state().jobs.get(request.args.get("job", ""))
    if job is None or job.snapshot().run != run:
        return None
    result = job.result
    return result if isinstance(result, Report | PurgeReport) else None


backups = Blueprint("backups", __name__, url_prefix="/backups")


@backups.get("/", endpoint="page")
def page_backups() -> str:
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


@backups.post("/check")
def check() -> BaseResponse:
    """Compare what the journal says of the backups with the disk."""
    shown = library()

    def work(job: Job) -> object:
        return shown.verify_backups(job.progress)

    job = state().jobs.start(Job(Kind.CHECK), work)
    return redirect(url_for("work.page", job=job.id), 303)


@backups.post("/adopt")
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
