"""Settings (language, theme, what makes a keeper, what one file may cost), and About."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import dataclass, replace
from pathlib import Path

from flask import (
    Blueprint,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule, ScanSettings
from image_duplicate_finder.web import forms, i18n
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import lazy, translate
from image_duplicate_finder.web.layout import store_theme
from image_duplicate_finder.web.security import admit
from image_duplicate_finder.web.state import library, state

blueprint = Blueprint("settings", __name__, url_prefix="/settings")

RULES = {
    KeepRule.PROTECTED: (
        lazy("Protected folder"),
        lazy("always keep pictures in protected folders"),
    ),
    KeepRule.WHOLE: (lazy("Whole picture"), lazy("prefer the uncropped, unedited picture")),
    KeepRule.COMPLETE: (
        lazy("Most complete"),
        lazy("prefer a picture that contains everything another has, and more"),
    ),
    KeepRule.ORIGINAL: (lazy("Camera original"), lazy("prefer the file the camera wrote")),
    KeepRule.DETAIL: (lazy("Finer detail"), lazy("prefer the picture that measures sharper")),
    KeepRule.PIXELS: (lazy("More pixels"), lazy("prefer the larger picture")),
    KeepRule.QUALITY: (
        lazy("Better quality"),
        lazy("prefer the less compressed picture"),
    ),
    KeepRule.METADATA: (
        lazy("Has metadata"),
        lazy("prefer pictures with date, camera or location"),
    ),
    KeepRule.COMPANIONS: (
        lazy("Companion files"),
        lazy("prefer pictures with a caption, a sidecar or a video of their own"),
    ),
    KeepRule.OLDER: (lazy("Older file"), lazy("prefer the older file")),
    KeepRule.NAME: (lazy("Original name"), lazy("prefer names without “copy” or “(1)”")),
}
"""What each keep rule is called and means."""


@blueprint.get("/")
def page() -> str:
    """The settings."""
    return _page()


@blueprint.post("/look")
def look() -> BaseResponse:
    """Store language and theme."""
    language = request.form.get("language", "")
    library().set_preference(i18n.PREFERENCE, language if language in i18n.LANGUAGES else "")
    store_theme(request.form.get("theme", ""))
    return _saved()


@blueprint.post("/theme")
def theme() -> BaseResponse:
    """Store the theme alone; the switch in the bar calls this."""
    store_theme(request.form.get("theme", ""))
    return make_response("", 204)


@blueprint.post("/rules")
def rules() -> BaseResponse:
    """Move a keep rule up or down, or go back to the usual order."""
    settings = forms.stored_settings(library())
    order = settings.keep_rules
    name, _colon, by = request.form.get("move", "").partition(":")
    if "reset" in request.form:
        order = DEFAULT_KEEP_RULES
    elif name in set(KeepRule) and by in ("-1", "1"):
        order = forms.moved(order, KeepRule(name), int(by))
    forms.store_settings(library(), replace(settings, keep_rules=order))
    return redirect(url_for("settings.page", _anchor="rules"), 303)


@blueprint.post("/limits")
def limits() -> BaseResponse:
    """Store what one file may cost, and how many files are read at once."""
    settings = forms.stored_settings(library())
    try:
        if "reset" in request.form:
            usual = ScanSettings()
            changed = replace(settings, limits=usual.limits, jobs=usual.jobs)
        else:
            changed = replace(
                settings,
                limits=forms.read_limits(request.form, settings.limits),
                jobs=forms.read_jobs(request.form),
            )
    except UsageError as error:
        return make_response(_page(translate(error.message)), 400)
    forms.store_settings(library(), changed)
    return _saved()


@blueprint.post("/sign-out")
def sign_out() -> BaseResponse:
    """Sign out every browser but this one."""
    state().entries.sign_out_all()
    flash(_("All other browsers have been signed out."), "good")
    return admit(redirect(url_for("settings.page", _anchor="browsers"), 303))


def _saved() -> BaseResponse:
    flash(_("Saved."), "good")
    return redirect(url_for("settings.page"), 303)


def _page(problem: str = "") -> str:
    return render_template(
        "settings/page.html",
        settings=forms.stored_settings(library()),
        languages=i18n.LANGUAGES,
        chosen_language=library().preference(i18n.PREFERENCE),
        rules=RULES,
        problem=problem,
        folder=str(library().folder),
    )


about = Blueprint("about", __name__, url_prefix="/about")


@dataclass(frozen=True, slots=True)
class Part:
    """A library that the program uses; ``contains`` is foreign code in it, with licences."""

    name: str
    version: str
    license: str
    contains: str = ""


@about.get("/", endpoint="page")
def page_about() -> str:
    """Versions and licences."""
    static = Path(str(current_app.static_folder))
    scripts = json.loads((static / "vendor" / "versions.json").read_text())
    return render_template(
        "about/page.html",
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} ({platform.machine()})",
        libraries=_libraries(),
        scripts=[Part(each["name"], each["version"], each["license"]) for each in scripts],
    )


def _libraries() -> list[Part]:
    """The packages that ``python -m tools.licences`` lists, as far as they are installed here."""
    known = json.loads((Path(__file__).parents[1] / "licences.json").read_text(encoding="utf-8"))
    found = []
    for name, entry in known.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(Part(name, version, entry["licence"], ", ".join(entry["contains"])))
    return found
