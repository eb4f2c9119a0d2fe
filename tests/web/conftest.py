"""A web app over a library of its own, and a visitor who came in with the token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from image_duplicate_finder.library import Library
from image_duplicate_finder.web import Access, create_app, show
from image_duplicate_finder.web.state import State

ADDRESS = "http://127.0.0.1:5501"


@pytest.fixture
def library(library_dir: Path) -> Iterator[Library]:
    """An open library without scans."""
    with Library.open(library_dir) as opened:
        yield opened


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An app with all its pages: to make one takes longer than most tests want of it."""
    with Library.open(tmp_path_factory.mktemp("pages")) as library:
        made = create_app(library, Access(port=5501))
        made.testing = True
        yield made


@pytest.fixture
def app(pages: Flask, library: Library) -> Iterator[Flask]:
    """The app over :func:`library`; its work is stopped when the test ends."""
    pages.extensions.clear()
    show(pages, library, Access(port=5501))
    yield pages
    state: State = pages.extensions["image_duplicate_finder"]
    state.jobs.close()


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """A visitor without a token."""
    return Browser(app, use_cookies=True)


@pytest.fixture
def visitor(app: Flask) -> FlaskClient:
    """A visitor who opened the printed address."""
    client = Browser(app, use_cookies=True)
    state: State = app.extensions["image_duplicate_finder"]
    assert client.get(f"/enter/{state.access.token}").status_code == 200
    return client


class Browser(FlaskClient):
    """Calls the app by its address and says where requests come from, as browsers do."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        """See :meth:`FlaskClient.open`."""
        options.setdefault("base_url", ADDRESS)
        options["headers"] = {"Sec-Fetch-Site": "same-origin"} | dict(options.get("headers") or {})
        return super().open(*args, **options)
