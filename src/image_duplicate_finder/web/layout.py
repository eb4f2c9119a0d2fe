"""What every page shares: texts, theme, navigation, versions of static files."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from pathlib import Path
from typing import Any

from flask import Flask, current_app, request, session, url_for
from markupsafe import Markup

from image_duplicate_finder import __version__
from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.web import i18n
from image_duplicate_finder.web.forms import path_to_text
from image_duplicate_finder.web.pictures import full_url, thumbnail_url
from image_duplicate_finder.web.state import library, state

THEMES = ("system", "light", "dark")
THEME_PREFERENCE = "theme"
_VISITED = "scan"


def install(app: Flask) -> None:
    """Give the templates of ``app`` their language, theme and links."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        i18n.gettext_plain, i18n.ngettext_plain, newstyle=True
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_shared)
    for helper in (static, icon, thumbnail_url, full_url):
        app.add_template_global(helper)
    app.add_template_filter(path_to_text, "path_text")


def theme() -> str:
    """The chosen theme, ``system`` unless a person chose otherwise."""
    chosen = library().preference(THEME_PREFERENCE)
    return chosen if chosen in THEMES else "system"


def is_partial() -> bool:
    """Whether htmx asks for a part of a page rather than for a whole one.

    A step in the browser's history is always answered with a whole page.
    """
    return request.headers.get("HX-Request") == "true" and not (
        "HX-Boosted" in request.headers or "HX-History-Restore-Request" in request.headers
    )


def icon(name: str, classes: str = "") -> Markup:
    """An icon of the sprite. It is decoration: words stand beside it or in an aria-label."""
    return Markup(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>'
    ).format(classes, static("icons.svg"), name)


def static(name: str) -> str:
    """The address of a static file, which changes with its bytes."""
    return url_for("static", filename=name, v=_digest(Path(str(current_app.static_folder)), name))


@functools.cache
def _digest(folder: Path, name: str) -> str:
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12]


def _shared() -> dict[str, Any]:
    return {
        "version": __version__,
        "language": i18n.language(),
        "theme": theme(),
        "nav_scan": _scan_of_visit(),
        "running_job": state().jobs.running(),
    }


def _scan_of_visit() -> int | None:
    """The scan that this visitor is looking at, or looked at last; failing that the latest."""
    here = (request.view_args or {}).get("scan")
    with contextlib.suppress(NotFound):
        if here is not None and library().scan_record(here).id != session.get(_VISITED):
            session[_VISITED] = here
    with contextlib.suppress(NotFound):
        if _VISITED in session:
            return library().scan_record(session[_VISITED]).id
    with contextlib.suppress(NotFound):
        return library().latest_scan().id
    return None
