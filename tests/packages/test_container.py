"""The container and the desktop entry, which are checked without being built or installed."""

from __future__ import annotations

import configparser
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from tests.setup.checkouts import REPOSITORY


def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([linter, REPOSITORY / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_container_runs_as_nobody_special_and_keeps_its_data_outside() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    final = lines[max(k for k, line in enumerate(lines) if line.startswith("FROM")) :]
    steps = [line.split(maxsplit=1) for line in final if line[:1].isupper()]
    assert [rest for step, rest in steps if step == "USER"] == ["${UID}"]
    assert [rest for step, rest in steps if step == "VOLUME"] == ['["/library", "/photos"]']
    assert any(step == "HEALTHCHECK" for step, _ in steps)
    copied = (REPOSITORY / "Dockerfile").read_text().split("COPY ")[1:]
    ignored = (REPOSITORY / ".dockerignore").read_text()
    for name in ("requirements/run.txt", "pyproject.toml", "README.md", "LICENSE", "src"):
        assert any(name in line for line in copied)
        assert f"!{name}" in ignored


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
