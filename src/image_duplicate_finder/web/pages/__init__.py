"""The pages: a module with one blueprint per area."""

from __future__ import annotations

import importlib

from flask import Flask, request

from image_duplicate_finder.web.state import library

AREAS = (
    "start",
    "work",
    "review",
    "images",
    "desktop",
    "compare",
    "decide",
    "bulk",
    "removal",
    "history",
    "backups",
    "failures",
    "dismissed",
    "export",
    "find",
    "settings",
    "about",
)
"""Modules of this package; each has its blueprint as ``blueprint``."""


def install(app: Flask) -> None:
    """Register every area's blueprint."""
    for area in AREAS:
        app.register_blueprint(importlib.import_module(f"{__name__}.{area}").blueprint)
    app.before_request(_show_what_stands)


def _show_what_stands() -> None:
    """Where an earlier scan stands for the one in the address, show that one."""
    arguments = request.view_args
    if arguments is not None and "scan" in arguments:
        arguments["scan"] = library().scan_record(arguments["scan"]).id
