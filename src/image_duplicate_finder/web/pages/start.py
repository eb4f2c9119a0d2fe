"""The start page: which folders to search, and how."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

from flask import (
    Blueprint,
    Response,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.discover import clean_roots
from image_duplicate_finder.errors import LibraryBusy, UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.settings import SIMILARITY_PRESETS, ScanSettings
from image_duplicate_finder.web import forms
from image_duplicate_finder.web.folders import (
    common_places,
    completions,
    estimate,
    likely_folders,
    list_folder,
)
from image_duplicate_finder.web.forms import (
    FolderRow,
    Role,
    ScanRequest,
    path_from_text,
    path_to_text,
)
from image_duplicate_finder.web.i18n import translate
from image_duplicate_finder.web.jobs import Job, Kind
from image_duplicate_finder.web.state import library, state

blueprint = Blueprint("start", __name__)

_RECENT_SCANS = 5
_RECENT_FOLDERS = 6


@blueprint.get("/")
def page() -> str:
    """The start page; ``?again=N`` fills in what scan N was asked for."""
    settings = forms.stored_settings(library())
    rows = [FolderRow(text) for text in request.args.getlist("folder")]
    again = request.args.get("again", type=int)
    if again is not None:
        record = library().scan_record(again)
        settings, rows = record.settings, forms.rows_of(record.roots, record.settings)
    return _page(rows, settings)


@blueprint.post("/")
def start() -> BaseResponse:
    """Start a scan and show its progress, or the form with what is wrong in it."""
    settings = forms.stored_settings(library())
    try:
        wanted = forms.read_scan(request.form, settings)
        settings = wanted.settings
        clean_roots((*wanted.roots, *settings.compare_only))
        job = _start_scan(wanted)
    except (UsageError, LibraryBusy) as error:
        return make_response(
            _page(forms.folder_rows(request.form), settings, translate(error.message)), 400
        )
    forms.store_settings(library(), settings)
    return redirect(url_for("work.page", job=job.id), 303)


@blueprint.post("/scans/<int:scan>/continue")
def go_on(scan: int) -> BaseResponse:
    """Scan the folders of an earlier scan again, in the same way: what it read is not read anew."""
    record = library().scan_record(scan)
    job = _start_scan(ScanRequest(record.roots, record.settings))
    return redirect(url_for("work.page", job=job.id), 303)


@blueprint.get("/folders")
def folders() -> str:
    """The inside of the dialog that chooses a folder."""
    path = path_from_text(request.args.get("path", "")) or os.path.expanduser("~")
    while not os.path.isdir(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return render_template(
        "start/folders.html",
        listing=list_folder(path, hidden="hidden" in request.args),
        hidden="hidden" in request.args,
        places=common_places(),
        to_text=path_to_text,
    )


@blueprint.get("/folders/likely")
def likely() -> str:
    """Folders in which people have pictures; asked for by the page, since drives can be slow."""
    recent = _recent_folders()
    found = [(kind, path_to_text(path)) for kind, path in likely_folders()]
    return render_template(
        "start/likely.html", likely=[(kind, text) for kind, text in found if text not in recent]
    )


@blueprint.get("/folders/complete")
def complete() -> Response:
    """Folders whose path begins with ``text``."""
    found = completions(request.args.get("text", ""))
    return jsonify([path_to_text(path) for path in found])


@blueprint.post("/estimate")
def estimated() -> Response:
    """How many files the folders of the form hold, as a line below them.

    While someone is ``typing`` a path, it is no mistake that it does not exist yet.
    """
    try:
        wanted = forms.read_scan(request.form, ScanSettings())
        roots = clean_roots((*wanted.roots, *wanted.settings.compare_only))
    except UsageError as error:
        named = bool(forms.folder_rows(request.form))
        return make_response(
            render_template(
                "start/estimate.html",
                problem=translate(error.message) if named else "",
                typing="typing" in request.form,
            )
        )
    found = estimate(
        roots,
        recursive=wanted.settings.recursive,
        hidden=wanted.settings.hidden,
        exclude=wanted.settings.exclude,
    )
    return make_response(render_template("start/estimate.html", found=found))


def _recent_folders() -> list[str]:
    return [path_to_text(folder) for folder in library().recent_folders(_RECENT_FOLDERS)]


def _page(rows: list[FolderRow], settings: ScanSettings, problem: str = "") -> str:
    return render_template(
        "start/page.html",
        rows=rows or [FolderRow()],
        roles=Role,
        settings=settings,
        presets=SIMILARITY_PRESETS,
        examples=_examples(),
        problem=problem,
        recovered=library().settled,
        recent=_recent_folders(),
        scans=library().scans()[:_RECENT_SCANS],
    )


@functools.cache
def _examples() -> dict[str, float]:
    """The distance of each example picture from the first (see tools/example_pictures.py)."""
    table = Path(__file__).parents[1] / "examples.json"
    return dict(json.loads(table.read_text(encoding="utf-8")))


def _start_scan(wanted: ScanRequest) -> Job:
    job = Job(Kind.SCAN)
    shown: Library = library()

    def work(job: Job) -> None:
        shown.scan(
            wanted.roots,
            wanted.settings,
            progress=job.progress,
            cancel=job.cancel,
            on_start=lambda scan: job.belongs_to(scan=scan),
        )

    return state().jobs.start(job, work)
