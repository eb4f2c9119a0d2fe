"""About: versions and licences of the program and of all that it stands on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, current_app, render_template

blueprint = Blueprint("about", __name__, url_prefix="/about")

_DISTRIBUTION = "image-duplicate-finder"


@dataclass(frozen=True, slots=True)
class Part:
    """Something that the program stands on."""

    name: str
    version: str
    license: str


@blueprint.get("/")
def page() -> str:
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
    """The Python packages that this one requires, as installed."""
    try:
        required = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    names = {
        match.group()
        for line in required
        if "extra ==" not in line and (match := re.match(r"[A-Za-z0-9._-]+", line))
    }
    found = []
    for name in sorted(names, key=str.lower):
        try:
            meta = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(Part(meta["Name"], meta["Version"], _license(meta)))
    return found


def _license(meta: importlib.metadata.PackageMetadata) -> str:
    """A short name of the licence, from whichever field the package fills in."""
    if "License-Expression" in meta:
        return meta["License-Expression"]
    classifiers = [
        line.rsplit(" :: ", 1)[1]
        for line in meta.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    if classifiers:
        return ", ".join(classifiers)
    return meta["License"].splitlines()[0][:60] if "License" in meta else "–"
