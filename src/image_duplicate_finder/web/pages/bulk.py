"""Select by rule: asked for in a dialog, shown as a preview, carried out in short steps."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, abort, make_response, render_template, request

from image_duplicate_finder.keeping import BulkOrder, BulkRule
from image_duplicate_finder.model import Relation
from image_duplicate_finder.relations import PRESELECTABLE
from image_duplicate_finder.results import DecisionKind
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import lazy
from image_duplicate_finder.web.labels import left_behind
from image_duplicate_finder.web.listing import listing, overview
from image_duplicate_finder.web.state import library

blueprint = Blueprint("bulk", __name__, url_prefix="/scans/<int:scan>/bulk")

RULES = {
    BulkRule.PRESENT: lazy("the file currently kept"),
    BulkRule.MOST_PIXELS: lazy("the picture with the most pixels"),
    BulkRule.LARGEST_FILE: lazy("the largest file"),
    BulkRule.SMALLEST_FILE: lazy("the smallest file"),
    BulkRule.OLDEST: lazy("the oldest file"),
    BulkRule.NEWEST: lazy("the newest file"),
    BulkRule.BEST_FORMAT: lazy(
        "the best format (RAW, then lossless, then the lightest compression)"
    ),
    BulkRule.FOLDER_ORDER: lazy("the file in the folder listed first"),
    BulkRule.SHORTEST_NAME: lazy("the shortest name"),
    BulkRule.LONGEST_NAME: lazy("the longest name"),
    BulkRule.SHORTEST_PATH: lazy("the shortest path"),
}

_STEP_SECONDS = 0.7
"""One step's length: the progress moves, and Stop is heard."""

_MAX_FOLDERS = 100


@blueprint.get("/")
def dialog(scan: int) -> str:
    """The form, for the groups that the page's filter shows."""
    wanted = listing(request.args)
    return render_template(
        "review/bulk_form.html",
        scan=scan,
        listing=wanted,
        total=library().groups(scan, replace(wanted.query, limit=1)).total,
        roots=library().scan_record(scan).roots,
        rules=RULES,
        order=BulkOrder(BulkRule.PRESENT),
        relations=[relation for relation in Relation if relation in PRESELECTABLE],
    )


@blueprint.post("/preview")
def preview(scan: int) -> str:
    """What the rule would change."""
    wanted, order = listing(request.args), _order()
    found = library().preview_bulk(scan, wanted.query, order)
    return render_template(
        "review/bulk_preview.html",
        scan=scan,
        listing=wanted,
        order=order,
        rule=_(RULES[order.rule]),
        preview=found,
        examples=[(library().group(each.group), each) for each in found.examples],
    )


@blueprint.post("/apply")
def apply(scan: int) -> Response:
    """Carry out one step of the rule; what is returned asks for the next one until all is done."""
    wanted, order = listing(request.args), _order()
    until = request.form.get("until", type=int)
    before = request.form.get("done", 0, type=int)
    step = library().apply_bulk(
        scan,
        wanted.query,
        order,
        after=request.form.get("after", 0, type=int),
        until=until,
        seconds=_STEP_SECONDS,
    )
    done = before + step.done
    if not step.left:
        return _ended(scan, done, 0)
    return make_response(
        render_template(
            "review/bulk_progress.html",
            scan=scan,
            listing=wanted,
            order=order,
            step=step,
            done=done,
            total=done + step.left,
        )
    )


@blueprint.post("/stop")
def stop(scan: int) -> Response:
    """Say how far the rule came; the steps that were done stay."""
    done = request.form.get("done", 0, type=int)
    return _ended(scan, done, request.form.get("left", 0, type=int))


def _ended(scan: int, done: int, left: int) -> Response:
    decision = library().latest_decision(scan)
    told = left_behind(decision) if decision and decision.kind is DecisionKind.RULE else ""
    words = render_template("review/bulk_done.html", scan=scan, done=done, left=left, told=told)
    response = make_response(words + overview(scan))
    response.headers["HX-Trigger"] = "groups-changed"
    return response


def _order() -> BulkOrder:
    known = {rule.value: rule for rule in BulkRule}
    rule = known.get(request.form.get("rule", ""))
    if rule is None:
        abort(400)
    names = {relation.value: relation for relation in Relation}
    chosen = [names[name] for name in request.form.getlist("of") if name in names]
    folders = [line.strip() for line in request.form.get("folders", "").splitlines()]
    return BulkOrder(
        rule,
        folders=tuple(folder for folder in folders if folder)[:_MAX_FOLDERS],
        relations=frozenset(chosen),
    )
