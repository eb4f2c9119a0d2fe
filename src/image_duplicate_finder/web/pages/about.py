"""About: versions and licences of the program and of all that it stands on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, current_app, render_template

blueprint = Blueprint("about", __name__, url_prefix="/about")


@dataclass(frozen=True, slots=True)
class Part:
    """Something that the program stands on; ``contains`` is foreign code in it, with licences."""

    name: str
    version: str
    license: str
    contains: str = ""


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
    """The packages that ``python -m tools.licences`` lists, as far as they are installed here."""
    known = json.loads((Path(__file__).parents[1] / "licences.json").read_text(encoding="utf-8"))
    found = []
    for name, entry in known.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(Part(name, version, entry["licence"], ", ".join(entry["contains"])))
    return found
