"""The pages: a module per area. They do not import each other."""

from __future__ import annotations

import importlib

from flask import Blueprint, Flask, request

from image_duplicate_finder.web.state import library

AREAS = (
    "start",
    "work",
    "review",
    "images",
    "desktop",
    "compare",
    "decide",
    "removal",
    "history",
    "failures",
    "export",
    "find",
    "settings",
)
"""Modules of this package; each has one blueprint or several."""


def install(app: Flask) -> None:
    """Register every area's blueprints."""
    for area in AREAS:
        for value in vars(importlib.import_module(f"{__name__}.{area}")).values():
            if isinstance(value, Blueprint):
                app.register_blueprint(value)
    app.before_request(_show_superseding)


def _show_superseding() -> None:
    """Where another scan supersedes the one in the address, show that one."""
    arguments = request.view_args
    if arguments is not None and "scan" in arguments:
        arguments["scan"] = library().scan_record(arguments["scan"]).id
