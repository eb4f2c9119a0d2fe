"""The locked versions fit pyproject.toml, hold on every system, and name no index."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.setup.checkouts import REPOSITORY

KINDS = ("run", "dev")


def _locked(kind: str) -> list[Requirement]:
    lines = (REPOSITORY / "requirements" / f"{kind}.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("kind", KINDS)
def test_every_dependency_is_locked_to_a_version_that_fits(kind: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    if kind == "dev":
        wanted += project["dependency-groups"]["dev"]
    locked = _locked(kind)
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        pins = [pin for pin in locked if canonicalize_name(pin.name) == name]
        assert pins, f"{requirement.name} is not locked: run scripts/lock.sh"
        for pin in pins:
            (version,) = (specifier.version for specifier in pin.specifier)
            assert requirement.specifier.contains(version), f"{pin}: run scripts/lock.sh"


@pytest.mark.parametrize("kind", KINDS)
def test_only_exact_versions_and_no_index(kind: str) -> None:
    for line in (REPOSITORY / "requirements" / f"{kind}.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9._-]+==[0-9][^ ]*( ; .+)?", line), line


def test_both_locks_agree() -> None:
    everything = {(pin.name, str(pin.specifier)) for pin in _locked("dev")}
    assert {(pin.name, str(pin.specifier)) for pin in _locked("run")} <= everything
