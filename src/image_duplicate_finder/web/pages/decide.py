"""Decide mode: one pair after the other, full screen, or all files of a group side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for

from image_duplicate_finder.discover.beside import unit_of
from image_duplicate_finder.errors import DecodeError, NotFound, UsageError
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.results import DecisionKind, FileView, GroupView, MemberView
from image_duplicate_finder.web import i18n
from image_duplicate_finder.web.i18n import translate
from image_duplicate_finder.web.labels import contrast, decision_text, left_behind, unit_words
from image_duplicate_finder.web.listing import figures, group_of, listing
from image_duplicate_finder.web.pictures import (
    SCREEN_SIDE,
    full_url,
    missing,
    picture_response,
    thumbnail_or_none,
    thumbnail_url,
)
from image_duplicate_finder.web.state import library

blueprint = Blueprint("decide", __name__, url_prefix="/scans/<int:scan>/decide")

_MOST_IN_SURVEY = 60
_MOST_DETAILS = 30


@blueprint.get("/")
def page(scan: int) -> str:
    """The page, for the groups that the filter finds; ``group`` says where to begin."""
    wanted = listing(request.args)
    found = library().listed(scan, wanted.query)
    return render_template(
        "decide/page.html",
        scan=scan,
        listing=wanted,
        groups=[each.group for each in found],
        pairs=[each.files - each.gone - 1 for each in found],
        begin=request.args.get("group", 0, type=int),
    )


@blueprint.get("/groups/<int:group>")
def group(scan: int, group: int) -> dict[str, Any]:
    """A group with its pairs: addresses, labels, and how each lies on the kept file.

    Of a large group only the first ones, or those that ``files`` names.
    """
    wanted = [int(word) for word in request.args.get("files", "").split(",") if word.isdecimal()]
    return _group(scan, group_of(scan, group), wanted[:_MOST_DETAILS])


@blueprint.get("/groups/<int:group>/sharpness")
def sharpness(scan: int, group: int) -> dict[str, Any]:
    """How sharp the files of a group are beside each other: 1 for the sharpest."""
    from image_duplicate_finder.web.compare_pictures import sharpness_of

    view = group_of(scan, group)
    pictures = [
        (file.id, data)
        for file in view.files[:_MOST_IN_SURVEY]
        if (data := thumbnail_or_none(file, 640)) is not None
    ]
    found = sharpness_of([data for _id, data in pictures])
    return {
        str(id): {"share": share, "words": i18n.percent(share)}
        for (id, _data), share in zip(pictures, found, strict=True)
        if share is not None
    }


@blueprint.get("/groups/<int:group>/faces")
def faces(scan: int, group: int) -> dict[str, Any]:
    """Where the files of a group have faces, as shares of the kept picture, and their strips."""
    from image_duplicate_finder.web import compare_pictures

    view = group_of(scan, group)
    found = compare_pictures.faces(view, _MOST_DETAILS + 1)
    strips = {
        str(file.id): url_for(
            "decide.face_strip", scan=scan, group=group, file=file.id, v=file.content.hex()[:12]
        )
        for file in (view.files[place] for place in found.files)
    }
    return {"squares": found.squares, "strips": strips}


@blueprint.get("/groups/<int:group>/faces/<int:file>")
def face_strip(scan: int, group: int, file: int) -> Response:
    """The faces of one file beside each other."""
    from image_duplicate_finder.web import compare_pictures

    view = group_of(scan, group)
    found = compare_pictures.faces(view, _MOST_DETAILS + 1)
    place = next((each for each in found.files if view.files[each].id == file), None)
    if place is None:
        abort(404)
    try:
        data = compare_pictures.face_strip(view, place, found.squares)
    except (NotFound, DecodeError):
        return missing()
    return picture_response(data, "image/jpeg", view.files[place])


@blueprint.post("/groups/<int:group>/<int:file>")
def decide(scan: int, group: int, file: int) -> dict[str, Any]:
    """Decide about a pair: keep ``left`` (the kept file), ``right``, ``both``, or part them."""
    view = group_of(scan, group)
    member = next((each for each in view.members if each.file.id == file), None)
    if member is None:
        abort(404)
    left: list[int] = [group]
    changed = request.form.get("choice") in ("right", "not_duplicates")
    match request.form.get("choice"):
        case "left":
            if not member.file.removable:
                raise UsageError(Problem.PROTECTED(path=member.file.path))
            library().select([(group, file)], True)
        case "right":
            with library().one_decision(scan, DecisionKind.KEPT):
                kept = library().choose_keeper(group, file)
                left = [kept] if kept else []
                library().select([(each, view.keeper.id) for each in left], True)
        case "both":
            library().select([(group, file)], False)
        case "not_duplicates":
            left = library().dismiss(group, [file])
        case _:
            abort(400)
    latest = library().latest_decision(scan)
    return {
        "gone": not left,
        "group": _group(scan, library().group(left[0])) if left and changed else None,
        "decision": None if latest is None else latest.id,
        "toast": "" if latest is None else decision_text(latest),
        "warning": left_behind(latest) if changed else "",
        "selected": library().selection(scan).files,
    }


@blueprint.post("/undo")
def undo(scan: int) -> dict[str, Any]:
    """Take back the latest decision."""
    undone = library().undo_decision(scan)
    groups = () if undone is None else undone.groups[:1]
    return {
        "groups": [_group(scan, library().group(each)) for each in groups],
        "toast": "" if undone is None else decision_text(undone.decision),
    }


@blueprint.get("/summary")
def summary(scan: int) -> dict[str, Any]:
    """What is selected now, as text."""
    selection = library().selection(scan)
    return figures(scan, listing(request.args).query) | {
        "files": i18n.number(selection.files),
        "bytes": i18n.size(selection.bytes),
    }


def _group(scan: int, view: GroupView, wanted: Sequence[int] = ()) -> dict[str, Any]:
    detailed = set(wanted)
    members = [member for member in view.members if member.file.id in detailed]
    return {
        "id": view.id,
        "keeper": _file(scan, view.keeper) | {"why": translate(view.keep_reasons)},
        "order": [member.file.id for member in view.members if not member.file.gone],
        "members": [
            _member(scan, view, member) for member in (members or view.members[:_MOST_DETAILS])
        ],
    }


def _member(scan: int, view: GroupView, member: MemberView) -> dict[str, Any]:
    from image_duplicate_finder.web.compare_pictures import geometry

    return _file(scan, member.file) | {
        "what": translate(member.description),
        "selected": member.selected,
        "matrix": geometry(view, member)["matrix"],
        "left": contrast(view.keeper, member.file),
        "right": contrast(member.file, view.keeper),
        "regions": url_for("compare.regions", scan=scan, group=view.id, file=member.file.id),
        "compare": url_for("compare.page", scan=scan, group=view.id, file=member.file.id),
    }


def _file(scan: int, file: FileView) -> dict[str, Any]:
    return {
        "file": file.id,
        "gone": file.gone,
        "removable": file.removable and not file.gone,
        "name": i18n.name(file.path),
        "folder": i18n.folder(file.path),
        "width": file.info.width,
        "height": file.info.height,
        "bytes": file.stat.size,
        "facts": " · ".join(
            (
                f"{file.info.width} × {file.info.height}",
                file.info.format,
                i18n.size(file.stat.size),
                i18n.day(file.stat.mtime_ns / 1e9),
                *([unit_words(unit)] if (unit := unit_of(file.path)) else ()),
            )
        ),
        "screen": thumbnail_url(scan, file, SCREEN_SIDE),
        "full": full_url(scan, file),
        "small": thumbnail_url(scan, file, 320),
    }
