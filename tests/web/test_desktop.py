"""Files out of the page: only for who sits at the machine, and only pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_duplicate_finder.library import Library
from image_duplicate_finder.web import Access, create_app
from tests.review_scene import Scene, make_scene
from tests.web.conftest import Browser

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stand-ins for Linux programs")


@pytest.fixture
def scene(library: Library, tmp_path: Path) -> Scene:
    """Groups over files."""
    return make_scene(library.folder, tmp_path / "photos")


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desktop whose programs only write down how they were called, into this file."""
    log, programs = tmp_path / "calls", tmp_path / "programs"
    programs.mkdir()
    for name in ("xdg-open", "dbus-send"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" {name} "$@" >> {log}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    return log


def test_a_picture_is_opened_and_shown(visitor: FlaskClient, scene: Scene, started: Path) -> None:
    name = "a/original.png"
    file = f"/scans/{scene.scan}/files/{scene.files[name]}"
    assert visitor.post(f"{file}/open").status_code == 204
    assert started.read_text().splitlines() == ["xdg-open", str(scene.path(name))]
    started.unlink()
    assert visitor.post(f"{file}/show").status_code == 204
    called = started.read_text().splitlines()
    assert called[0] == "dbus-send" and f"array:string:{scene.path(name).as_uri()}" in called
    assert visitor.get(f"{file}/path").text == str(scene.path(name))
    page = visitor.get(f"/scans/{scene.scan}/").text
    assert all(f'data-desktop="{what}"' in page for what in ("open", "show", "copy"))


def test_a_file_that_is_gone_or_no_picture_is_not_opened(
    visitor: FlaskClient, scene: Scene, started: Path, library: Library
) -> None:
    name = "a/original.png"
    file = f"/scans/{scene.scan}/files/{scene.files[name]}"
    scene.path(name).unlink()
    assert visitor.post(f"{file}/open").status_code == 404
    scene.path(name).symlink_to("/nonexistent")
    assert visitor.post(f"{file}/show").status_code == 404
    assert visitor.post(f"/scans/{scene.scan}/files/999999/open").status_code == 404
    assert not started.exists()


@pytest.mark.parametrize(
    "why", ["password", "every address", "from elsewhere", "no desktop", "ssh"]
)
def test_only_who_sits_at_the_machine_starts_programs(
    library: Library, scene: Scene, started: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    access = Access(
        port=5501,
        password="open sesame" if why == "password" else None,
        any_address=why == "every address",
    )
    address = "192.168.1.7" if why == "from elsewhere" else "127.0.0.1"
    if why == "no desktop":
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    if why == "ssh":
        monkeypatch.setenv("SSH_CONNECTION", "192.168.1.7 1 192.168.1.8 22")
    client = Browser(create_app(library, access), use_cookies=True)
    client.environ_base["REMOTE_ADDR"] = address
    assert client.get(f"/enter/{access.token}").status_code == 200
    file = f"/scans/{scene.scan}/files/{scene.files['a/original.png']}"
    for what in ("open", "show"):
        assert client.post(f"{file}/{what}").status_code == 400
    assert client.get(f"{file}/path").status_code == 200
    page = client.get(f"/scans/{scene.scan}/").text
    assert 'data-desktop="open"' not in page and 'data-desktop="copy"' in page
    assert not started.exists()
