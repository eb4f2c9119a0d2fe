"""What one running web app holds, and how a page reaches it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app

from image_duplicate_finder.library import Library
from image_duplicate_finder.web.entry import Entries
from image_duplicate_finder.web.jobs import Jobs

_KEY = "image_duplicate_finder"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in.

    ``token`` lets one browser in, once; ``password``, if there is one, is what people type on
    other machines. ``hosts`` are the names that the app may be called by, lower
    case; ``any_address`` also allows every IP address, for an app that listens on all of them.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    password: str | None = None
    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "::1"})
    any_address: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """The library that is shown, its running work, and who may see it."""

    library: Library
    jobs: Jobs
    access: Access
    entries: Entries


def install(app: Flask, state: State) -> None:
    """Make ``state`` what :func:`state` returns for this app."""
    app.extensions[_KEY] = state


def state() -> State:
    """The state of the app that serves the present request."""
    return cast(State, current_app.extensions[_KEY])


def library() -> Library:
    """The library of the app that serves the present request."""
    return state().library
