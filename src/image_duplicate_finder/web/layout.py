"""What every page shares: theme, navigation, versions of static files, and errors as pages."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, g, render_template, request, session, url_for
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from image_duplicate_finder import __version__
from image_duplicate_finder.errors import IdfError, LibraryBusy, NotFound
from image_duplicate_finder.web import i18n
from image_duplicate_finder.web.forms import path_to_text
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import lazy, translate
from image_duplicate_finder.web.pictures import full_url, screen_url, thumbnail_url, thumbnail_urls
from image_duplicate_finder.web.state import library, state

_THEMES = ("system", "light", "dark")
_THEME_PREFERENCE = "theme"
_VISITED = "scan"


def install(app: Flask) -> None:
    """Give the templates of ``app`` their language, theme and links, and errors their page."""
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        i18n.gettext_plain, i18n.ngettext_plain, newstyle=True
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.context_processor(_shared)
    for helper in (static, script, icon, thumbnail_url, thumbnail_urls, screen_url, full_url):
        app.add_template_global(helper)
    app.add_template_filter(path_to_text, "path_text")
    app.register_error_handler(IdfError, _expected)
    app.register_error_handler(HTTPException, _http)


def theme() -> str:
    """The chosen theme, ``system`` unless a person chose otherwise."""
    return _known_theme(library().preference(_THEME_PREFERENCE))


def store_theme(chosen: str) -> None:
    """Remember a theme; what is none is ``system``."""
    library().set_preference(_THEME_PREFERENCE, _known_theme(chosen))


def _known_theme(text: str) -> str:
    return text if text in _THEMES else "system"


def is_partial() -> bool:
    """Whether htmx asks for a part of a page rather than for a whole one.

    A step in the browser's history is always answered with a whole page.
    """
    return request.headers.get("HX-Request") == "true" and not (
        "HX-Boosted" in request.headers or "HX-History-Restore-Request" in request.headers
    )


def icon(name: str, classes: str = "") -> Markup:
    """An icon of the sprite. It is decoration: there is text beside it or in an aria-label."""
    if "icons" not in g:
        g.icons = static("icons.svg")
    return _icon(g.icons, name, classes)


@functools.cache
def _icon(sprite: str, name: str, classes: str) -> Markup:
    return Markup(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>'
    ).format(classes, sprite, name)


def static(name: str) -> str:
    """The address of a static file, which changes with its bytes."""
    return url_for("static", filename=name, v=_digest(Path(str(current_app.static_folder)), name))


def script(name: str) -> Markup:
    """The element of a script, and links with which a browser fetches all that it imports at once.

    It would ask for these one after the other otherwise, and behind the pictures of the page.
    """
    link = Markup('<link rel="modulepreload" href="{}">')
    folder = Path(str(current_app.static_folder)) / "js"
    wanted = [
        link.format(url_for("static", filename=f"js/{each}")) for each in _imports(folder, name)
    ]
    element = Markup('<script src="{}" type="module"></script>').format(static(f"js/{name}"))
    return Markup("").join([*wanted, element])


_IMPORT = re.compile(r'^import .*"\./(\w+\.js)";$', re.MULTILINE)


@functools.cache
def _imports(folder: Path, name: str) -> tuple[str, ...]:
    """What a script imports, directly or through others, in order."""
    found: dict[str, None] = {}
    for each in _IMPORT.findall((folder / name).read_text(encoding="utf-8")):
        found |= dict.fromkeys([*_imports(folder, each), each])
    return tuple(found)


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


_WORDS = {
    400: (lazy("Invalid request"), lazy("Go back and try again.")),
    401: (
        lazy("This browser is not signed in"),
        lazy(
            "Open the newest address that the program printed in its window: each one works "
            "once. If you cannot see that window, start the program again on the same machine "
            "(idf serve): it prints a new address and opens it in the browser."
        ),
    ),
    403: (
        lazy("Refused"),
        lazy("The request came from another website, so nothing was done."),
    ),
    404: (
        lazy("There is nothing here"),
        lazy("This page or picture does not exist, or no longer exists."),
    ),
    405: (lazy("Invalid request"), lazy("Go back and try again.")),
    413: (lazy("Too large"), lazy("The file is larger than this page accepts (64 MB).")),
    421: (
        lazy("Refused"),
        lazy("The app does not accept this host name. Use the address that it printed."),
    ),
    500: (
        lazy("Something went wrong inside the program"),
        lazy("Nothing was removed. The program's window shows the details; please report them."),
    ),
}


def _expected(error: IdfError) -> Response:
    status = 404 if isinstance(error, NotFound) else 409 if isinstance(error, LibraryBusy) else 400
    titles = {
        404: _("There is nothing here"),
        409: _("Something else is running"),
        400: _("This cannot be done"),
    }
    return _page(status, titles[status], translate(error.message))


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    title, advice = _WORDS.get(status, (error.name, error.description or ""))
    return _page(status, _(title), _(advice))


def _page(status: int, title: str, advice: str) -> Response:
    if is_partial():
        return Response(render_template("parts/alert.html", message=advice), status=status)
    if request.accept_mimetypes.best == "application/json":
        return Response(advice, status=status, mimetype="text/plain")
    return Response(
        render_template("error.html", title=title, advice=advice, status=status), status=status
    )
