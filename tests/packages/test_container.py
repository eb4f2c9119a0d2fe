"""The container and the desktop entry, which are checked without being built or installed."""

from __future__ import annotations

import configparser
import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.setup.checkouts import REPOSITORY, git


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, REPOSITORY / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_container_runs_as_nobody_special_and_keeps_its_data_outside() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    final = lines[max(k for k, line in enumerate(lines) if line.startswith("FROM")) :]
    steps = [line.split(maxsplit=1) for line in final if line[:1].isupper()]
    assert [rest for step, rest in steps if step == "ENTRYPOINT"] == ['["entrypoint"]']
    assert [rest for step, rest in steps if step == "VOLUME"] == ['["/library", "/photos"]']
    assert any(step == "HEALTHCHECK" for step, _ in steps)


def test_all_that_the_dockerfile_copies_is_there_and_given_to_docker() -> None:
    copies = re.findall(r"^COPY (?!--from)(.*) \S+$", (REPOSITORY / "Dockerfile").read_text(), re.M)
    copied = {name for names in copies for name in names.split()}
    given = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert given[0] == "*"
    kept = {line[1:].removesuffix("/**") for line in given if line.startswith("!")}
    assert copied == kept
    for name in copied:
        assert git(REPOSITORY, "ls-files", name), name
    # Whoever installs the package from these files needs all that pyproject.toml names.
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"], "src"} <= copied


def test_the_health_check_tells_a_running_app_from_none(tmp_path: Path) -> None:
    text = (REPOSITORY / "Dockerfile").read_text()
    found = re.search(r"HEALTHCHECK.*?CMD (\[.*?\])\n", text, re.DOTALL)
    assert found
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    _python, *check = json.loads(found[1].replace("5501", port))
    idf = [sys.executable, "-m", "image_duplicate_finder", "--library", tmp_path]
    app = subprocess.Popen(
        [*idf, *_served(text), "--port", port],
        env={**os.environ, "IDF_PASSWORD": "open sesame"},
        stdout=subprocess.PIPE,
    )
    try:
        assert app.stdout
        assert b"ready" in app.stdout.readline()
        assert subprocess.run([sys.executable, *check]).returncode == 0
    finally:
        app.kill()
        app.communicate()
    assert subprocess.run([sys.executable, *check], stderr=subprocess.DEVNULL).returncode != 0


def _served(dockerfile: str) -> list[str]:
    """The verb and the options with which the container starts the app."""
    command = json.loads(dockerfile.rsplit("\nCMD ", 1)[1])
    assert command[:3] == ["idf", "--library", "/library"]
    return list(command[3:])


def test_the_desktop_entry_starts_the_app() -> None:
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment,method-assign]
    entry.read(REPOSITORY / "packaging" / "image-duplicate-finder.desktop", encoding="utf-8")
    values = entry["Desktop Entry"]
    assert (values["Type"], values["Exec"]) == ("Application", "idf serve")
    assert "Graphics" in values["Categories"].split(";")


ENTRY = REPOSITORY / "packaging" / "container" / "entrypoint.sh"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_the_entry_point_becomes_the_owner_of_the_pictures(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "old.db").touch()
    environment = {**os.environ, "PUID": "12345", "PGID": "23456", "IDF_LIBRARY": str(library)}
    show = ["sh", "-c", "id -u; id -g; id -G"]
    done = subprocess.run([ENTRY, *show], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["12345", "23456", "23456"], done.stderr
    assert {path.stat().st_uid for path in (library, library / "old.db")} == {12345}


@pytest.mark.parametrize(("uid", "said"), [("0", "must not be 0"), ("ann", "are numbers")])
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_the_entry_point_refuses_root_and_names(uid: str, said: str) -> None:
    environment = {**os.environ, "PUID": uid}
    done = subprocess.run([ENTRY, "id"], env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_pictures_are_read_only_unless_one_says_so() -> None:
    services = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]["idf"]
    (photos,) = (volume for volume in services["volumes"] if ":/photos" in volume)
    assert photos.endswith(":/photos:${PHOTOS_MODE:-ro}")
    assert {"PUID", "PGID", "IDF_PASSWORD"} <= set(services["environment"])
    assert services["cap_drop"] == ["ALL"]


def test_the_templates_for_nas_systems_say_the_same_as_compose() -> None:
    services = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]["idf"]
    container = REPOSITORY / "packaging" / "container"
    unraid = ElementTree.parse(container / "unraid.xml").getroot()
    assert unraid.tag == "Container"
    config = {one.get("Target"): one for one in unraid.findall("Config")}
    assert set(config) == {"5501", "/photos", "/library", *services["environment"]}
    assert config["/photos"].get("Mode") == "ro"
    assert config["IDF_PASSWORD"].get("Mask") == "true"
    assert config["IDF_PASSWORD"].get("Required") == "true"
    truenas = yaml.safe_load((container / "truenas.yaml").read_text())["services"]["idf"]
    assert set(truenas["environment"]) == set(services["environment"])
    assert {one.split(":")[1] for one in truenas["volumes"]} == {"/photos", "/library"}
    assert any(one.endswith("/photos:ro") for one in truenas["volumes"])
    for key in ("cap_drop", "cap_add", "security_opt", "restart", "ports"):
        assert truenas[key] == services[key], key
