"""The pages: a module with one blueprint per area."""

from __future__ import annotations

import importlib

from flask import Flask

AREAS = (
    "start",
    "work",
    "review",
    "images",
    "compare",
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
