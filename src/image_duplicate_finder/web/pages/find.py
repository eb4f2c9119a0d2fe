"""Find by example: a picture is dropped, and the library shows where it already is."""

from __future__ import annotations

import os

from flask import Blueprint, Response, make_response, render_template, request

from image_duplicate_finder.errors import IdfError
from image_duplicate_finder.own_files import temporary_folder
from image_duplicate_finder.results import ScanState
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import translate
from image_duplicate_finder.web.state import library

blueprint = Blueprint("find", __name__, url_prefix="/find")

_MOST = 60


@blueprint.get("/")
def page() -> str:
    """The place to drop a picture."""
    scans = [scan for scan in library().scans() if scan.state is ScanState.DONE]
    return render_template("find/page.html", scans=scans)


@blueprint.post("/")
def find() -> Response:
    """Where the picture that was sent, or what looks like it, is among a scan's files."""
    sent = request.files.get("picture")
    scan = request.form.get("scan", type=int)
    if sent is None or not sent.filename or scan is None:
        return _answer(problem=_("Choose a picture and a scan first."))
    with temporary_folder("example") as folder:
        path = os.path.join(folder, "example")
        sent.save(path)
        try:
            found = library().find_like(scan, path, limit=_MOST)
        except IdfError as error:
            return _answer(problem=translate(error.message))
    return _answer(scan=scan, found=found)


def _answer(**values: object) -> Response:
    return make_response(render_template("find/found.html", **values))
