"""The web app: one blueprint per area under :mod:`.pages`, over the library facade."""

from __future__ import annotations

import secrets

from flask import Flask

from image_duplicate_finder.library import Library
from image_duplicate_finder.settings import DEFAULT_PORT
from image_duplicate_finder.web.state import Access

__all__ = ["Access", "create_app"]


def create_app(library: Library, access: Access | None = None) -> Flask:
    """The WSGI app that shows ``library`` to those whom ``access`` lets in.

    The app starts threads for scans and removals; the caller closes the library when they have
    ended (see :meth:`~image_duplicate_finder.web.jobs.Jobs.close`).
    """
    from image_duplicate_finder.web import i18n, layout, pages, security

    access = access or Access(port=DEFAULT_PORT)
    app = Flask(__name__, static_url_path="/static")
    # Flask's session carries nothing but messages to the next page and the scan looked at last.
    app.secret_key = secrets.token_bytes(32)
    app.config["SESSION_COOKIE_NAME"] = f"idf_messages_{access.port}"
    app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
    app.config["MAX_CONTENT_LENGTH"] = security.MOST_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = 8 * 1024**2
    app.config["MAX_FORM_PARTS"] = 20_000
    show(app, library, access)
    security.install(app)
    i18n.install(app)
    layout.install(app)
    pages.install(app)
    return app


def show(app: Flask, library: Library, access: Access) -> None:
    """Have an app show ``library``, to those whom ``access`` lets in; it is for the same port."""
    from image_duplicate_finder.web.jobs import Jobs
    from image_duplicate_finder.web.state import Entries, State, install

    entries = Entries(library.folder, access.port, access.token, access.password)
    install(app, State(library, Jobs(library), access, entries))
