"""Removing what is selected: what would happen, the question, and the start of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import Message, message_from_json, message_to_json
from image_duplicate_finder.removal import Plan, PlanItem, Refusal
from image_duplicate_finder.removal.plan import LINKS
from image_duplicate_finder.results import FileView
from image_duplicate_finder.settings import BackupMode, RemovalAction
from image_duplicate_finder.web.forms import path_to_text
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.jobs import Job, Kind, Work
from image_duplicate_finder.web.state import library, state

blueprint = Blueprint("removal", __name__, url_prefix="/scans/<int:scan>/remove")

_LEFT_ALONE = "left_alone:"
_MOST_REMEMBERED = 2000

_SHOWN = 100
"""Files that the confirmation lists; the plan can be downloaded whole."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How to remove, as chosen on the page; ``only_from`` are numbers of the scan's folders.

    ``merge``: what stays takes over the metadata that only removed files have.
    """

    action: RemovalAction
    mode: BackupMode
    only_from: tuple[int, ...]
    merge: bool


@blueprint.get("/")
def confirm(scan: int) -> str:
    """What would be removed, where it goes, and the question."""
    choice = _choice(request.args)
    plan = _plan(scan, choice)
    return _page(scan, plan, choice)


@blueprint.post("/")
def remove(scan: int) -> BaseResponse | str:
    """Carry out the plan that was confirmed, provided that it is still the same one."""
    choice = _choice(request.form)
    plan = _plan(scan, choice)
    if plan.id != request.form.get("plan"):
        flash(_("The selection has changed in the meantime. Please check it again."), "warn")
        return _page(scan, plan, choice)
    if not plan.items:
        return redirect(url_for("removal.confirm", scan=scan), 303)
    job = state().jobs.start(Job(Kind.REMOVE, scan=scan), _work(library(), scan, plan, choice.mode))
    return redirect(url_for("work.page", job=job.id), 303)


def _work(shown: Library, scan: int, plan: Plan, mode: BackupMode) -> Work:
    def work(job: Job) -> object:
        report = shown.apply(plan, mode=mode, progress=job.progress, cancel=job.cancel)
        job.belongs_to(run=report.run)
        # What the plan refused was selected too, so the report accounts for it.
        report = replace(report, skipped=(*plan.refusals, *report.skipped))
        _remember_left_alone(shown, scan, report.skipped)
        return report

    return work


def _remember_left_alone(shown: Library, scan: int, refusals: Iterable[Refusal]) -> None:
    """Keep why selected files stayed, for their tiles in the review."""
    kept = [
        (path_to_text(r.path), message_to_json(r.why)) for r in islice(refusals, _MOST_REMEMBERED)
    ]
    shown.set_preference(f"{_LEFT_ALONE}{scan}", json.dumps(kept) if kept else "")


@blueprint.app_template_global()
def left_alone(scan: int, path: str) -> Message | None:
    """Why a selected file stayed when the selection was last removed or about to be."""
    if "left_alone" not in g:
        g.left_alone = dict(json.loads(library().preference(f"{_LEFT_ALONE}{scan}") or "[]"))
    kept = g.left_alone.get(path_to_text(path))
    return kept and message_from_json(kept)


def _plan(scan: int, choice: Choice) -> Plan:
    roots = library().scan_record(scan).roots
    chosen = [roots[number] for number in choice.only_from if number < len(roots)]
    only_from = chosen if len(chosen) < len(roots) else []
    return library().plan(
        scan, action=choice.action, only_from=only_from, merge_metadata=choice.merge
    )


def _choice(values: MultiDict[str, str]) -> Choice:
    action, mode = values.get("action", ""), values.get("mode", "")
    return Choice(
        RemovalAction(action) if action in set(RemovalAction) else RemovalAction.BACKUP,
        BackupMode(mode) if mode in set(BackupMode) else BackupMode.AUTO,
        tuple(sorted({number for number in values.getlist("from", type=int) if number >= 0})),
        values.get("merge") == "1",
    )


def _pictures(items: Iterable[PlanItem]) -> dict[str, FileView]:
    """The files of some items and of their keepers by path, for thumbnails."""
    groups = [library().group(number) for number in {item.evidence.group for item in items}]
    return {file.path: file for group in groups for file in group.files}


def _page(scan: int, plan: Plan, choice: Choice) -> str:
    roots = library().scan_record(scan).roots
    shown = plan.items[:_SHOWN]
    _remember_left_alone(library(), scan, plan.refusals)
    return render_template(
        "removal/confirm.html",
        scan=scan,
        plan=plan,
        choice=choice,
        roots=roots,
        shown=shown,
        most_shown=_SHOWN,
        links=LINKS,
        pictures=_pictures(shown),
        companions=sum(len(item.companions) for item in plan.items),
        backups=library().backup_places(plan),
        full=library().full_backup(scan),
    )
