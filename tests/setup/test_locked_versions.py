"""The locked versions fit pyproject.toml, hold on every system, and name no index."""

from __future__ import annotations

import json
import platform
import re
import sys
import tomllib
from collections.abc import Sequence

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

import environment
from check_lock import NOT_OFFERED, OFFERED, PYTHONS, WHEELS, System, pins
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
    for system in OFFERED:
        for python in system.pythons:
            locked = dict(pin.split("==") for pin in pins(system, python, kind))
            for requirement in map(Requirement, wanted):
                marker = requirement.marker
                if marker is not None and not marker.evaluate(system.markers(python)):
                    continue
                version = locked.get(canonicalize_name(requirement.name))
                assert version is not None, f"{requirement} is not locked: run scripts/lock.sh"
                assert requirement.specifier.contains(version), f"{version}: run scripts/lock.sh"


@pytest.mark.parametrize("kind", KINDS)
def test_only_exact_versions_and_no_index(kind: str) -> None:
    for line in (REPOSITORY / "requirements" / f"{kind}.txt").read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9._-]+==[0-9][^ ]*( ; .+)?", line), line


def test_both_locks_agree() -> None:
    everything = {(pin.name, str(pin.specifier)) for pin in _locked("dev")}
    assert {(pin.name, str(pin.specifier)) for pin in _locked("run")} <= everything


FOUND: dict[str, dict[str, list[str]]] = json.loads(WHEELS.read_text())
"""What scripts/check_lock.py saw in the registry: the wheels of each locked version."""


def _tags(system: System, python: str) -> set[Tag]:
    version = (3, int(python.split(".")[1]))
    platforms: Sequence[str] = system.platforms
    if system.sys_platform == "darwin":  # as pip does: older systems' wheels fit too
        platforms = [*mac_platforms((14, 0), system.machine)]
    fitting = {*cpython_tags(version, platforms=platforms)}
    return fitting | {*compatible_tags(version, f"cp3{version[1]}", platforms)}


def _without_wheel(system: System, python: str) -> set[str]:
    tags = _tags(system, python)
    return {
        pin
        for pin in pins(system, python)
        if not any(parse_wheel_filename(wheel)[3] & tags for wheel in FOUND[pin]["wheels"])
    }


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", OFFERED, ids=lambda system: system.name)
def test_each_locked_version_has_a_wheel_and_all_that_it_needs(system: System, python: str) -> None:
    if python not in system.pythons:
        pytest.skip("not offered")
    locked = pins(system, python)
    unknown = set(locked) - set(FOUND)
    assert not unknown, "run scripts/check_lock.py"
    assert not _without_wheel(system, python)
    versions = {canonicalize_name(pin.partition("==")[0]): pin.partition("==")[2] for pin in locked}
    for pin in locked:
        for needed in map(Requirement, FOUND[pin]["requires"]):
            if needed.marker is not None and not needed.marker.evaluate(system.markers(python)):
                continue
            version = versions.get(canonicalize_name(needed.name))
            assert version is not None, f"{pin} needs {needed}"
            assert needed.specifier.contains(version, prereleases=True), f"{pin} needs {needed}"


@pytest.mark.parametrize("kind", KINDS)
def test_no_version_is_locked_twice_for_one_system(kind: str) -> None:
    for system in OFFERED:
        for python in system.pythons:
            names = [pin.partition("==")[0] for pin in pins(system, python, kind)]
            assert len(names) == len(set(names)), (system.name, python)


def test_the_table_of_wheels_holds_what_is_locked_and_no_more() -> None:
    everywhere = {pin for each in OFFERED for python in each.pythons for pin in pins(each, python)}
    assert set(FOUND) == everywhere, "run scripts/check_lock.py"


@pytest.mark.parametrize("system", NOT_OFFERED, ids=lambda system: system.name)
def test_where_wheels_are_missing_a_sentence_says_so(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = system.pythons[-1]
    assert _without_wheel(system, python), f"{system.name} could be offered now"
    monkeypatch.setattr(sys, "platform", system.sys_platform)
    monkeypatch.setattr(sys, "version_info", (3, int(python.split(".")[1]), 0))
    monkeypatch.setattr(platform, "machine", lambda: system.machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    sentence = environment.unsupported()
    assert sentence is not None
    assert sentence.endswith((".", ")."))


@pytest.mark.parametrize("system", OFFERED, ids=lambda system: system.name)
def test_offered_systems_are_let_through(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system.sys_platform)
    monkeypatch.setattr(sys, "version_info", (3, int(system.pythons[-1].split(".")[1]), 0))
    monkeypatch.setattr(platform, "machine", lambda: system.machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    assert environment.unsupported() is None
