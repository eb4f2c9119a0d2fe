"""The compare page: a group's kept file and one of its members, laid side by side and over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from blake3 import blake3
from flask import Blueprint, Response, abort, make_response, render_template, url_for

from image_duplicate_finder import overlay
from image_duplicate_finder.decode import decode_full
from image_duplicate_finder.errors import DecodeError, NotFound
from image_duplicate_finder.overlay import Matrix, Pixels, fit
from image_duplicate_finder.rendering import encode_jpeg
from image_duplicate_finder.results import FileView, GroupView, MemberView
from image_duplicate_finder.web.layout import is_partial
from image_duplicate_finder.web.pages.images import missing, picture_response, view_cache
from image_duplicate_finder.web.pages.review import current_listing, group_of
from image_duplicate_finder.web.query import Listing
from image_duplicate_finder.web.sources import LIMITS, decoding_slot, read_scanned
from image_duplicate_finder.web.state import library
from image_duplicate_finder.web.words import facts

blueprint = Blueprint(
    "compare", __name__, url_prefix="/scans/<int:scan>/compare/<int:group>/<int:file>"
)

_ALIGNED_SIDE = 6000
_DIFFERENCE_SIDE = 2000
_QUALITY = 92
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Steps:
    """Where "previous" and "next" lead: (group, file), or None at the ends of the list."""

    previous: tuple[int, int] | None
    next: tuple[int, int] | None


@blueprint.get("/")
def page(scan: int, group: int, file: int) -> str:
    """Both pictures with all ways to look at them; for htmx only the part that changes."""
    view, member = _pair(scan, group, file)
    wanted = current_listing()
    matrix = _matrix(view, member)
    values = {
        "scan": scan,
        "group": view,
        "member": member,
        "listing": wanted,
        "steps": _steps(scan, wanted, view, file),
        "place": [each.file.id for each in view.members].index(file) + 1,
        "facts": facts(view.keeper, member.file),
        "geometry": json.dumps(_geometry(matrix)),
        "aligned": matrix is not None,
        "selection": library().selection(scan),
    }
    if is_partial():
        return render_template("compare/body.html", **values)
    return render_template("compare/page.html", **values)


@blueprint.get("/aligned")
def aligned(scan: int, group: int, file: int) -> Response:
    """The member drawn in the keeper's frame; without a known alignment, stretched over it."""
    view, member = _pair(scan, group, file)

    def make() -> bytes:
        keeper, other = _decoded(view.keeper), _decoded(member.file)
        size = _frame(keeper, _ALIGNED_SIDE)
        matrix = _matrix(view, member)
        if matrix is not None:
            matrix = overlay.refined(keeper, other, matrix)
        drawn, _inside = overlay.align(other, np.eye(3) if matrix is None else matrix, size)
        return encode_jpeg(drawn, _QUALITY)

    try:
        data = view_cache().get(_key("aligned", view, member), make)
    except (NotFound, DecodeError):
        return missing()
    return picture_response(data, "image/jpeg", member.file)


@blueprint.get("/difference")
def difference(scan: int, group: int, file: int) -> Response:
    """The heat map of where the two differ, in the keeper's frame."""
    view, member = _pair(scan, group, file)
    try:
        data = _difference(view, member)[1]
    except (NotFound, DecodeError):
        return missing()
    return picture_response(data, "image/jpeg", member.file)


@blueprint.get("/difference/words")
def difference_words(scan: int, group: int, file: int) -> str:
    """How large the difference is, in words."""
    view, member = _pair(scan, group, file)
    try:
        share, mean = _difference(view, member)[0]
    except DecodeError as error:
        raise NotFound(str(error)) from error
    return render_template("compare/difference.html", share=share, mean=mean)


@blueprint.post("/keep")
def keep(scan: int, group: int, file: int) -> Response:
    """Keep the member instead, and show the file that was kept so far against it."""
    view, _member = _pair(scan, group, file)
    changed = library().choose_keeper(group, file)
    return _go(url_for("compare.page", scan=scan, group=changed, file=view.keeper.id, **_listed()))


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


def _go(address: str) -> Response:
    """Let htmx show another address in place of this one."""
    response = make_response("", 204)
    if "/compare/" in address:
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
    raise NotFound(f"Group {group} has no file number {file} beside the one that is kept.")


def _matrix(view: GroupView, member: MemberView) -> Matrix | None:
    return overlay.normalised(member.transform, member.relation, view.keeper.info, member.file.info)


def _geometry(matrix: Matrix | None) -> dict[str, object]:
    """What the page's script needs: the mapping, and either picture's outline in the other."""
    if matrix is None:
        return {"matrix": None, "outline": None, "reverse": None}
    return {
        "matrix": matrix.tolist(),
        "outline": overlay.outline(matrix),
        "reverse": overlay.outline(np.asarray(np.linalg.inv(matrix), np.float64)),
    }


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


def _decoded(file: FileView) -> Pixels:
    data = read_scanned(file)
    with decoding_slot():
        return decode_full(data, limits=LIMITS).pixels


def _frame(keeper: Pixels, side: int) -> tuple[int, int]:
    height, width = keeper.shape[:2]
    scale = min(1.0, side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _difference(view: GroupView, member: MemberView) -> tuple[tuple[float, float], bytes]:
    """Share and mean of the difference, and the heat map. Aborts where nothing is aligned."""
    matrix = _matrix(view, member)
    if matrix is None:
        abort(404)

    def make() -> bytes:
        keeper, other = fit(_decoded(view.keeper), _DIFFERENCE_SIDE), _decoded(member.file)
        exact = overlay.refined(keeper, other, matrix)
        drawn, inside = overlay.align(other, exact, (keeper.shape[1], keeper.shape[0]))
        found = overlay.difference(keeper, drawn, inside)
        figures = json.dumps([found.share, found.mean]).encode()
        return figures + b"\n" + encode_jpeg(found.picture, _QUALITY)

    figures, data = view_cache().get(_key("difference", view, member), make).split(b"\n", 1)
    share, mean = json.loads(figures)
    return (share, mean), data


def _key(what: str, view: GroupView, member: MemberView) -> str:
    """Both contents and their alignment: what the picture depends on."""
    matrix = _matrix(view, member)
    rounded = b"none" if matrix is None else np.round(matrix, 6).tobytes()
    pair = f"{view.keeper.content.hex()[:24]}_{member.file.content.hex()[:24]}"
    return f"{pair}_{blake3(rounded).hexdigest()[:12]}_{what}_{_VERSION}"
