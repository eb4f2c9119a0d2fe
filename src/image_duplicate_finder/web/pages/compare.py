"""The compare page: a group's kept file and one of its members, laid side by side and over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    url_for,
)
from flask.typing import ResponseReturnValue

from image_duplicate_finder.errors import DecodeError, NotFound
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.results import GroupView, MemberView
from image_duplicate_finder.web.labels import contrast, facts, left_behind
from image_duplicate_finder.web.layout import is_partial
from image_duplicate_finder.web.listing import Listing, current_listing, group_of
from image_duplicate_finder.web.pictures import missing, picture_response
from image_duplicate_finder.web.state import library

if TYPE_CHECKING:
    from image_duplicate_finder.web.compare_pictures import Differing

blueprint = Blueprint(
    "compare", __name__, url_prefix="/scans/<int:scan>/compare/<int:group>/<int:file>"
)


@dataclass(frozen=True, slots=True)
class Steps:
    """Where "previous" and "next" lead: (group, file), or None at the ends of the list."""

    previous: tuple[int, int] | None
    next: tuple[int, int] | None


@blueprint.get("/")
def page(scan: int, group: int, file: int) -> ResponseReturnValue:
    """Both pictures with all ways to look at them; for htmx only the part that changes.

    Who comes back to a pair that a decision has ended since is led to the groups.
    """
    from image_duplicate_finder.web.compare_pictures import geometry

    try:
        view, member = _pair(scan, group, file)
    except NotFound:
        if is_partial():
            raise
        return redirect(url_for("review.page", scan=scan))
    wanted = current_listing()
    shape = geometry(view, member)
    values = {
        "scan": scan,
        "group": view,
        "member": member,
        "listing": wanted,
        "steps": _steps(scan, wanted, view, file),
        "place": [each.file.id for each in view.members].index(file) + 1,
        "facts": facts(view.keeper, member.file),
        "advantages": (contrast(view.keeper, member.file), contrast(member.file, view.keeper)),
        "geometry": json.dumps(shape),
        "aligned": shape["matrix"] is not None,
        "selection": library().selection(scan),
    }
    if is_partial():
        return render_template("compare/body.html", **values)
    return render_template("compare/page.html", **values)


@blueprint.get("/aligned")
def aligned(scan: int, group: int, file: int) -> Response:
    """The member drawn in the keeper's frame; without a known alignment, stretched over it."""
    from image_duplicate_finder.web import compare_pictures

    view, member = _pair(scan, group, file)
    try:
        data = compare_pictures.aligned(view, member)
    except (NotFound, DecodeError):
        return missing()
    return picture_response(data, "image/jpeg", member.file)


@blueprint.get("/difference")
def difference(scan: int, group: int, file: int) -> Response:
    """The heat map of where the two differ, in the keeper's frame."""
    view, member = _pair(scan, group, file)
    try:
        found = _difference(view, member)
    except (NotFound, DecodeError):
        return missing()
    return picture_response(found.picture, "image/jpeg", member.file)


@blueprint.get("/difference/words")
def difference_words(scan: int, group: int, file: int) -> str | Response:
    """How large the difference is, in words.

    The page asks in advance, so a decision may have ended the pair meanwhile: that is no error.
    """
    try:
        view, member = _pair(scan, group, file)
    except NotFound:
        return Response(status=204)
    try:
        found = _difference(view, member)
    except DecodeError as error:
        raise NotFound(error.message) from error
    return render_template("compare/difference.html", share=found.share, mean=found.mean)


@blueprint.get("/regions")
def regions(scan: int, group: int, file: int) -> dict[str, Any]:
    """Boxes around what differs, as shares of the kept picture, the weightiest first.

    ``spread`` where they would cover most of it.
    """
    from image_duplicate_finder.web import compare_pictures

    view, member = _pair(scan, group, file)
    try:
        found = compare_pictures.regions(view, member)
        return {"regions": found.boxes, "spread": found.spread}
    except DecodeError as error:
        raise NotFound(error.message) from error


@blueprint.post("/keep")
def keep(scan: int, group: int, file: int) -> Response:
    """Keep the member instead, and show the file that was kept so far against it."""
    view, _member = _pair(scan, group, file)
    changed = library().choose_keeper(group, file)
    if warning := left_behind(library().latest_decision(scan)):
        flash(warning, "warn")
    if not changed:
        return _go(url_for("review.page", scan=scan, **_listed()))
    members = [member.file.id for member in library().group(changed).members]
    other = view.keeper.id if view.keeper.id in members else members[0]
    address = url_for("compare.page", scan=scan, group=changed, file=other, **_listed())
    return _go(address, anew=bool(warning))


@blueprint.post("/dismiss")
def dismiss(scan: int, group: int, file: int) -> Response:
    """Remember the pair as not duplicates and go on with the next one."""
    view, _member = _pair(scan, group, file)
    steps = _steps(scan, current_listing(), view, file)
    left = library().dismiss(group, [file])
    following = steps.next or steps.previous
    if following is not None and following[0] == group:
        following = (left[0], following[1]) if left else None
    if following is None:
        return _go(url_for("review.page", scan=scan, **_listed()))
    number, other = following
    return _go(url_for("compare.page", scan=scan, group=number, file=other, **_listed()))


def _go(address: str, *, anew: bool = False) -> Response:
    """Let htmx show another address in place of this one; ``anew``: as a whole page."""
    response = make_response("", 204)
    if "/compare/" in address and not anew:
        response.headers["HX-Location"] = json.dumps(
            {"path": address, "target": "#compare", "swap": "outerHTML"}
        )
    else:
        response.headers["HX-Redirect"] = address
    return response


def _listed() -> dict[str, Any]:
    return current_listing().arguments()


def _pair(scan: int, group: int, file: int) -> tuple[GroupView, MemberView]:
    view = group_of(scan, group)
    for member in view.members:
        if member.file.id == file:
            return view, member
    raise NotFound(Problem.NO_PAIR(group=group, file=file))


def _steps(scan: int, wanted: Listing, view: GroupView, file: int) -> Steps:
    files = [member.file.id for member in view.members]
    at = files.index(file)
    before, after = library().neighbours(scan, wanted.query, view.id)
    previous = (view.id, files[at - 1]) if at else _end(before, -1)
    following = (view.id, files[at + 1]) if at + 1 < len(files) else _end(after, 0)
    return Steps(previous, following)


def _end(group: int | None, place: int) -> tuple[int, int] | None:
    if group is None:
        return None
    return group, library().group(group).members[place].file.id


def _difference(view: GroupView, member: MemberView) -> Differing:
    """Where the two differ. Aborts where nothing is aligned."""
    from image_duplicate_finder.web import compare_pictures

    found = compare_pictures.difference(view, member)
    if found is None:
        abort(404)
    return found
