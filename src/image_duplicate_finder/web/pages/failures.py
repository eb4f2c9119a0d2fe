"""What a scan could not read, why, and what to do about it."""

from __future__ import annotations

from collections import Counter

from flask import Blueprint, render_template, request

from image_duplicate_finder.errors import FailureStage
from image_duplicate_finder.web.i18n import lazy
from image_duplicate_finder.web.state import library

blueprint = Blueprint("failures", __name__, url_prefix="/scans/<int:scan>/failures")

_PAGE = 200

STAGES = {
    FailureStage.DISCOVER: (
        lazy("Folder or file not reachable"),
        lazy("Check that the drive is connected and that you may read it, then scan again."),
    ),
    FailureStage.READ: (
        lazy("Could not be read"),
        lazy("Check permissions and the drive. A file that keeps failing may be damaged."),
    ),
    FailureStage.HEADER: (
        lazy("Not recognised"),
        lazy(
            "It is not a picture in a known format, or its beginning is damaged. If it should be "
            "a picture, look for another copy."
        ),
    ),
    FailureStage.INSTALLATION: (
        lazy("Not readable on this computer"),
        lazy("Part of the program is missing. Run “idf doctor” in a terminal to see which."),
    ),
    FailureStage.LIMITS: (
        lazy("Too large"),
        lazy("If you trust this file, raise the limits in the settings and scan again."),
    ),
    FailureStage.DECODE: (
        lazy("Damaged picture"),
        lazy("The file starts like a picture but cannot be decoded. Look for another copy."),
    ),
    FailureStage.MODEL: (
        lazy("Rejected by the model"),
        lazy("The chosen model cannot process this picture. Scan again without it."),
    ),
    FailureStage.CRASH: (
        lazy("Crashed the decoder"),
        lazy(
            "The file crashed the process that read it. Only this file is affected, and the next "
            "scans will try it again."
        ),
    ),
    FailureStage.MEMORY: (
        lazy("Too little memory"),
        lazy(
            "The next scans will try it again. If it keeps failing, raise the memory limit in "
            "the settings or close other programs."
        ),
    ),
    FailureStage.TIMEOUT: (
        lazy("Took too long"),
        lazy(
            "The next scans will try it again. If it keeps failing and you trust this file, "
            "raise the time limit in the settings."
        ),
    ),
    FailureStage.CHANGED: (
        lazy("Changed during the scan"),
        lazy("Another program was writing to it. Scan again."),
    ),
}
"""What each stage of failure means, and what to do."""


@blueprint.get("/")
def page(scan: int) -> str:
    """The failures of a scan, of one stage or of all."""
    record = library().scan_record(scan)
    failures = library().failures(scan)
    stage = request.args.get("stage", "")
    first = max(0, request.args.get("first", 0, type=int))
    chosen = [failure for failure in failures if stage in ("", failure.stage)]
    return render_template(
        "failures/page.html",
        record=record,
        stages=STAGES,
        counts=Counter(failure.stage for failure in failures),
        stage=stage,
        total=len(chosen),
        failures=chosen[first : first + _PAGE],
        first=first,
        page_size=_PAGE,
    )
