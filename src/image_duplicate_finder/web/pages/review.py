"""The review page: the groups of one scan, what is selected in them, and what a person changes.

Rules select in many groups at once: chosen in a dialog, shown as a preview, carried out in short
steps. Pairs that a person said are not duplicates have a page of their own, to restore them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.keeping import BulkOrder, BulkRule
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.model import GroupKind, Relation
from image_duplicate_finder.relations import PRESELECTABLE
from image_duplicate_finder.results import DecisionKind, GroupQuery, GroupSort, GroupView, ScanState
from image_duplicate_finder.settings import Mode
from image_duplicate_finder.web import labels
from image_duplicate_finder.web.forms import read_thresholds
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import lazy, ngettext
from image_duplicate_finder.web.labels import left_behind
from image_duplicate_finder.web.layout import is_partial
from image_duplicate_finder.web.listing import (
    LOOK_PREFERENCE,
    Listing,
    Look,
    View,
    current_listing,
    figures,
    group_of,
    listing,
    look,
    overview,
    summary_of,
)
from image_duplicate_finder.web.pictures import thumbnail_or_none
from image_duplicate_finder.web.state import library, state

blueprint = Blueprint("review", __name__, url_prefix="/scans/<int:scan>")


@blueprint.record
def _install(setup: BlueprintSetupState) -> None:
    labels.install(cast(Flask, setup.app))


SHOWN_MEMBERS = 24
"""A larger group shows the others on demand."""

_FIRST_GROUPS = 24
"""What the page brings with it; the others come as they are scrolled to."""

_MOST_GROUPS = 200
_MOST_TILES = 500
_MAX_SELECTED_AT_ONCE = 20_000

VIEWS = {
    View.LIST: lazy("List"),
    View.GRID: lazy("Grid"),
    View.LARGE: lazy("Large"),
}


@blueprint.get("/")
def page(scan: int) -> str:
    """The groups of a scan; for htmx only the list."""
    wanted = listing(request.args)
    if is_partial():
        return _results(scan, wanted)
    record = library().scan_record(scan)
    return render_template(
        "review/page.html",
        scan=scan,
        record=record,
        job=state().jobs.of_scan(scan),
        can_tune=record.settings.mode is not Mode.QUICK,
        look=look(),
        views=VIEWS,
        **summary_of(scan),
        **_list(scan, wanted),
    )


@blueprint.get("/outline")
def outline(scan: int) -> dict[str, object]:
    """All groups that the filter finds, by number and size, with the figures beside them."""
    query = listing(request.args).query
    found = library().listed(scan, query)
    return {
        "groups": [each.group for each in found],
        "files": [each.files for each in found],
    } | figures(scan, query)


@blueprint.get("/figures")
def current_figures(scan: int) -> dict[str, object]:
    """The figures beside the list, for what another page has changed."""
    return figures(scan, listing(request.args).query)


@blueprint.get("/cards")
def cards(scan: int) -> str:
    """The cards of the groups that ``ids`` names, in this order."""
    numbers = [int(word) for word in request.args.get("ids", "").split(",") if word.isdecimal()]
    return _cards(scan, library().groups_of(scan, numbers[:_MOST_GROUPS]))


@blueprint.get("/groups/<int:group>/tiles")
def tiles(scan: int, group: int) -> str:
    """Some of a large group's files: ``count`` from ``first`` on, the keeper is 0."""
    view = group_of(scan, group)
    first = max(0, request.args.get("first", 0, type=int))
    count = min(_MOST_TILES, max(0, request.args.get("count", 0, type=int)))
    return render_template(
        "review/tiles.html",
        scan=scan,
        group=view,
        listing=current_listing(),
        with_keeper=first == 0,
        members=view.members[max(0, first - 1) : max(0, first + count - 1)],
    )


@blueprint.post("/look")
def remember_look(scan: int) -> Response:  # noqa: ARG001
    """Remember in which view, and how large, groups are shown."""
    chosen = Look.of(request.form.get("view", ""), request.form.get("sizes", ""))
    library().set_preference(LOOK_PREFERENCE, chosen.to_text())
    return make_response("", 204)


@blueprint.get("/notice")
def notice(scan: int) -> Response:
    """How far the scan is; when it has ended, the page is told to reload."""
    record, job = library().scan_record(scan), state().jobs.of_scan(scan)
    response = make_response(
        render_template("review/notice.html", scan=scan, record=record, job=job)
    )
    if job is None:
        response.headers["HX-Trigger"] = "scan-ended"
        if record.state is ScanState.DONE:
            flash(_("The scan is finished: these are all the groups."), "good")
    return response


@blueprint.get("/groups/<int:group>")
def group(scan: int, group: int) -> str:
    """One group's card."""
    return _cards(scan, [group_of(scan, group)])


@blueprint.post("/select")
def select(scan: int) -> str:
    """Select or unselect members: ``members`` is "group:file group:file ..."."""
    pairs = [_pair(word) for word in request.form.get("members", "").split()]
    if len(pairs) > _MAX_SELECTED_AT_ONCE:
        abort(413)
    _check_groups(scan, {number for number, _ in pairs})
    library().select(pairs, request.form.get("selected") == "1")
    return _selection_bar(scan) + _toast(scan)


@blueprint.post("/select-between")
def select_between(scan: int) -> str:
    """Select or unselect all members from one ("group:file") to another, in the list's order."""
    first, last = _pair(request.form.get("first", "")), _pair(request.form.get("last", ""))
    members = library().members_between(scan, listing(request.args).query, first, last)
    library().select(members, request.form.get("selected") == "1")
    return _selection_bar(scan) + _toast(scan)


@blueprint.post("/undo")
def undo(scan: int) -> str:
    """Take back the latest decision; ``decision`` says which one the person means."""
    undone = library().undo_decision(scan, request.form.get("decision", type=int))
    return render_template("review/undone.html", scan=scan, undone=undone) + overview(scan)


@blueprint.post("/select-found")
def select_found(scan: int) -> str:
    """Select, unselect or invert (``how``) all members of the groups that the filter finds."""
    wanted = listing(request.args)
    library().select_groups(scan, wanted.query, _how())
    return _results(scan, wanted) + overview(scan) + _toast(scan)


@blueprint.post("/groups/<int:group>/select")
def select_group(scan: int, group: int) -> str:
    """Select, unselect or invert (``how``) all members of one group."""
    view, how = group_of(scan, group), _how()
    if how is not False and view.kind is not GroupKind.DUPLICATES:
        raise UsageError(Problem.NO_COPIES())
    members = [
        (member.file.id, not member.selected if how is None else how) for member in view.members
    ]
    kinds = {True: DecisionKind.SELECTED, False: DecisionKind.UNSELECTED}
    with library().one_decision(scan, DecisionKind.INVERTED if how is None else kinds[how]):
        for value in (True, False):
            library().select(((group, file) for file, wanted in members if wanted is value), value)
    return _cards(scan, [group_of(scan, group)]) + overview(scan) + _toast(scan)


@blueprint.post("/groups/<int:group>/keeper")
def keeper(scan: int, group: int) -> str:
    """Keep another file (``file``) of a group."""
    before = {member.file.id for member in group_of(scan, group).members if member.selected}
    changed = library().choose_keeper(group, _file())
    kept = [library().group(changed)] if changed else []
    after = {member.file.id for view in kept for member in view.members if member.selected}
    return _changed(scan, [changed] if changed else [], unselected=len(before - after - {_file()}))


@blueprint.post("/groups/<int:group>/split")
def split(scan: int, group: int) -> str:
    """Make the selected members a group of their own."""
    made = library().split(group, _selected(group_of(scan, group)))
    return _changed(scan, made)


@blueprint.post("/groups/<int:group>/dismiss")
def dismiss(scan: int, group: int) -> str:
    """Remember as not duplicates: the selected members, or all (``all``)."""
    view = group_of(scan, group)
    files = None if request.form.get("all") else _selected(view)
    return _changed(scan, library().dismiss(group, files))


@blueprint.post("/thresholds")
def thresholds(scan: int) -> Response:
    """Move the two thresholds; the similar groups follow."""
    euclidean, cosine = read_thresholds(request.form, library().scan_record(scan).settings)
    library().set_thresholds(scan, esimilarity_threshold=euclidean, csimilarity_threshold=cosine)
    response = make_response(
        render_template("review/tune_status.html", summary=library().summary(scan))
    )
    response.headers["HX-Trigger"] = "groups-changed"
    return response


@blueprint.get("/groups/<int:group>/best-shot")
def best_shot(scan: int, group: int) -> str:
    """Which file of a group is the best shot, with reasons."""
    from image_duplicate_finder.web.compare_pictures import best_shot as judge

    view = group_of(scan, group)
    pictures = [
        (file, data)
        for file in view.files[:SHOWN_MEMBERS]
        if (data := thumbnail_or_none(file, 640)) is not None
    ]
    found = judge([(file.info, data) for file, data in pictures])
    best = None if found is None else (pictures[found[0]][0], found[1])
    return render_template("review/best_shot.html", scan=scan, group=view, best=best)


def _results(scan: int, wanted: Listing) -> str:
    return render_template("review/results.html", scan=scan, **_list(scan, wanted))


def _list(scan: int, wanted: Listing) -> dict[str, object]:
    first = replace(wanted.query, offset=wanted.at - 1, limit=_FIRST_GROUPS)
    found = library().groups(scan, first)
    if wanted.at > 1 and not found.groups:
        wanted = Listing(wanted.query)
        found = library().groups(scan, replace(wanted.query, limit=_FIRST_GROUPS))
    nothing = not found.total and not wanted.filtered
    return {
        "listing": wanted,
        "all_done": nothing and library().groups(scan, GroupQuery(limit=1)).total > 0,
        "groups": found.groups,
        "total": found.total,
        "sorts": tuple(GroupSort),
        "shown_members": SHOWN_MEMBERS,
    }


def _cards(scan: int, groups: Iterable[GroupView]) -> str:
    return render_template(
        "review/cards.html",
        scan=scan,
        groups=groups,
        listing=current_listing(),
        shown_members=SHOWN_MEMBERS,
    )


def _changed(scan: int, groups: Sequence[int], *, unselected: int = 0) -> str:
    """The cards that replace a changed group, and the new figures."""
    return (
        _cards(scan, [library().group(each) for each in groups])
        + overview(scan)
        + _toast(scan, unselected)
    )


def _selection_bar(scan: int) -> str:
    return render_template(
        "review/selection.html", scan=scan, swap=True, selection=library().selection(scan)
    )


def _toast(scan: int, unselected: int = 0) -> str:
    """What the latest decision was, with the way to undo it."""
    decision = library().latest_decision(scan)
    return render_template(
        "review/toast.html",
        decision=decision,
        unselected=unselected,
        warning=labels.left_behind(decision),
    )


def _check_groups(scan: int, groups: Iterable[int]) -> None:
    for each in groups:
        group_of(scan, each)


def _selected(view: GroupView) -> list[int]:
    files = [member.file.id for member in view.members if member.selected]
    if not files:
        raise UsageError(Problem.NONE_SELECTED())
    return files


def _pair(word: str) -> tuple[int, int]:
    group, _, file = word.partition(":")
    if not (group.isdecimal() and file.isdecimal()):
        abort(400)
    return int(group), int(file)


def _file() -> int:
    text = request.form.get("file", "")
    if not text.isdecimal():
        abort(400)
    return int(text)


def _how() -> bool | None:
    values: dict[str, bool | None] = {"all": True, "none": False, "invert": None}
    how = request.form.get("how", "")
    if how not in values:
        abort(400)
    return values[how]


bulk = Blueprint("bulk", __name__, url_prefix="/scans/<int:scan>/bulk")

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


@bulk.get("/")
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


@bulk.post("/preview")
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


@bulk.post("/apply")
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


@bulk.post("/stop")
def stop(scan: int) -> Response:
    """Say how far the rule came; the steps that were done stay."""
    done = request.form.get("done", 0, type=int)
    return _ended(scan, done, request.form.get("left", 0, type=int))


def _ended(scan: int, done: int, left: int) -> Response:
    decision = library().latest_decision(scan)
    warning = left_behind(decision) if decision and decision.kind is DecisionKind.RULE else ""
    done_text = render_template(
        "review/bulk_done.html", scan=scan, done=done, left=left, warning=warning
    )
    response = make_response(done_text + overview(scan))
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


dismissed = Blueprint("dismissed", __name__, url_prefix="/not-duplicates")

_PAGE = 200


@dismissed.get("/", endpoint="page")
def page_dismissed() -> str:
    """All such pairs, the latest first."""
    pairs = library().dismissed()
    first = max(0, request.args.get("first", 0, type=int))
    return render_template(
        "dismissed/page.html",
        pairs=pairs[first : first + _PAGE],
        first=first,
        page_size=_PAGE,
        total=len(pairs),
    )


@dismissed.post("/")
def undismiss() -> BaseResponse:
    """Forget the chosen pairs, each sent as two content hashes with a colon between."""
    known = {(pair.first.hex(), pair.second.hex()): pair for pair in library().dismissed()}
    chosen = [
        known[key]
        for text in request.form.getlist("pair")
        if (key := tuple(text.split(":", 1))) in known
    ]
    if not chosen:
        flash(_("First select the pairs to remove from the list."), "warn")
        return redirect(url_for("dismissed.page"), 303)
    library().undismiss((pair.first, pair.second) for pair in chosen)
    flash(
        ngettext(
            "%(num)s pair was removed from the list. The next scan will show it again.",
            "%(num)s pairs were removed from the list. The next scan will show them again.",
            len(chosen),
        ),
        "good",
    )
    return redirect(url_for("dismissed.page"), 303)
