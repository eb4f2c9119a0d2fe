"""What is installed by default is under licences that the list of licences states."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.setup.checkouts import REPOSITORY
from tools import licences


def test_the_lists_are_up_to_date() -> None:
    for path, text in licences.written().items():
        assert path.read_text(encoding="utf-8") == text, "run: python -m tools.licences"


def test_every_package_that_is_installed_by_default_is_listed() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    waiting = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for one in map(Requirement, needed):
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                waiting |= {canonicalize_name(one.name)} - seen
    listed = json.loads(licences.TABLE.read_text(encoding="utf-8"))
    assert seen <= set(listed)


def test_no_package_itself_is_under_the_gpl_and_one_that_contains_it_is_named() -> None:
    listed = json.loads(licences.TABLE.read_text(encoding="utf-8"))
    assert not [name for name, entry in listed.items() if "GPL" in entry["licence"]]
    strict = {
        name
        for name, entry in listed.items()
        if any("(GPL" in part and "WITH" not in part for part in entry["contains"])
    }
    assert strict == {"pillow-heif"}
    page = licences.PAGE.read_text(encoding="utf-8")
    assert "x265" in page
    assert "pip uninstall pillow-heif" in page


def test_check_tells_when_a_list_is_old() -> None:
    command = [sys.executable, "-m", "tools.licences", "--check"]
    assert subprocess.run(command, cwd=REPOSITORY).returncode == 0
