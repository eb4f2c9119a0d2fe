"""Errors as pages that say what to do."""

from __future__ import annotations

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException

from image_duplicate_finder.errors import IdfError, LibraryBusy, NotFound
from image_duplicate_finder.web.i18n import gettext as _
from image_duplicate_finder.web.i18n import lazy, translate
from image_duplicate_finder.web.layout import is_partial

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


def install(app: Flask) -> None:
    """Let ``app`` answer every error with a page."""
    app.register_error_handler(IdfError, _expected)
    app.register_error_handler(HTTPException, _http)


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
