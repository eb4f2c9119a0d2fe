"""The start script on a machine that has nothing but Python and git: the whole way once."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from tests.painting import paint_photo
from tests.patience import PATIENCE
from tests.setup.checkouts import git

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="the shell script is for Linux and macOS"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def installed(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh clone in which the start script ran for the first time."""
    folder = tmp_path_factory.mktemp("fresh") / "a clone with spaces"
    git(upstream, "clone", "--quiet", str(upstream), str(folder))
    first = _run(folder, "--version")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("ImageDuplicateFinder ")
    assert "Installing" in first.stderr
    assert not re.search("warning|notice|deprecat", first.stderr, re.IGNORECASE)
    assert len(first.stderr.splitlines()) == 3  # made, installed, prepared
    return folder


def _run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "run_linux_mac.sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _started(checkout: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [checkout / "run_linux_mac.sh", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.terminate()
        process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    """The address that the program prints once it answers."""
    assert process.stdout
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\S+", line):
            return found.group()
    pytest.fail("".join(seen))


def test_second_start_installs_nothing(installed: Path) -> None:
    again = _run(installed, "--version")
    assert again.returncode == 0
    assert again.stderr == ""


def test_nothing_is_installed_that_is_not_asked_for(installed: Path) -> None:
    locked = (installed / "requirements" / "run.txt").read_text().splitlines()
    wanted = {line.split("==")[0] for line in locked} | {"pip", "image-duplicate-finder"}
    python = installed / ".venv" / "bin" / "python"
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze"], capture_output=True, text=True
    ).stdout.splitlines()
    assert {line.split("==")[0].lower().replace("_", "-") for line in listed} <= wanted


def test_after_preparing_a_scan_compiles_nothing(installed: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        picture = paint_photo(number)
        cv2.imwrite(str(photos / f"{number}.jpg"), picture)
        cv2.imwrite(str(photos / f"{number} cropped.jpg"), picture[40:320, 60:440])
        cv2.imwrite(str(photos / f"{number} lighter.jpg"), cv2.convertScaleAbs(picture, beta=30))
        cv2.imwrite(str(photos / f"{number} mirrored.jpg"), picture[:, ::-1])
    before = _compiled(installed)
    assert len(before) > 20
    for mode in ("standard", "quick"):
        library = ("--library", str(tmp_path / mode))
        found = _run(installed, "--no-update", *library, "scan", str(photos), "--mode", mode)
        assert found.returncode == 0, found.stderr
        assert "16 files" in found.stdout + found.stderr
    assert _compiled(installed) == before


def _compiled(checkout: Path) -> dict[Path, int]:
    """The loops that Numba keeps beside their sources, and when each was compiled."""
    return {file: file.stat().st_mtime_ns for file in (checkout / "src").rglob("*.nbc")}


def test_output_of_a_verb_is_its_own(installed: Path, tmp_path: Path) -> None:
    """Nothing of the set-up mixes into what a program may read."""
    (installed / ".venv" / ".installed-run").unlink()
    done = _run(installed, "--library", str(tmp_path), "history", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{")
    assert "Installing" in done.stderr


def test_wrong_options_are_told_by_the_verb(installed: Path) -> None:
    done = _run(installed, "scan", "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr
    assert "Traceback" not in done.stderr


def test_app_answers_on_the_port_and_ends_when_asked(installed: Path, tmp_path: Path) -> None:
    port = _free_port()
    library = str(tmp_path / "library")
    with _started(
        installed, "--no-update", "--library", library, "--no-browser", "--port", str(port)
    ) as process:
        address = _address(process)
        assert f":{port}/" in address
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with browser.open(address, timeout=PATIENCE) as answer:
            assert answer.status == 200
            assert b"ImageDuplicateFinder" in answer.read()
        process.terminate()
        assert process.wait(timeout=PATIENCE) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=PATIENCE)


def test_port_in_use_is_said_in_one_sentence(installed: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = _run(
            installed, "--library", str(tmp_path / "library"), "--no-browser", "--port", str(port)
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"Port {port} is in use" in done.stderr
    assert "--port" in done.stderr


def test_start_updates_itself_first(upstream: Path, installed: Path) -> None:
    script = upstream / "scripts" / "start.py"
    script.write_text(script.read_text() + "# a newer version\n")
    git(upstream, "commit", "--quiet", "--all", "--message", "A newer version")

    held_back = _run(installed, "--no-update", "--version")
    assert held_back.returncode == 0
    assert "a newer version" not in (installed / "scripts" / "start.py").read_text()

    updated = _run(installed, "--version")
    assert updated.returncode == 0
    assert "Updated to the newest version (1 change)." in updated.stderr
    assert updated.stdout.startswith("ImageDuplicateFinder ")
    assert "a newer version" in (installed / "scripts" / "start.py").read_text()


def test_an_empty_folder_of_wheels_is_named(upstream: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    git(upstream, "clone", "--quiet", str(upstream), str(folder))
    (folder / "wheels").mkdir()
    done = _run(folder, "--no-update", "--version")
    assert done.returncode == 1
    assert f"{folder / 'wheels'} lacks a package" in done.stderr
    assert "Traceback" not in done.stderr


def test_uninstalling_says_what_stays(installed: Path, tmp_path: Path) -> None:
    """The last of this module: it takes the environment away."""
    home = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    script = installed / "run_linux_mac.sh"
    subprocess.run([script, "--no-update", "history"], env=home, check=True, capture_output=True)
    command = [script, "--uninstall"]
    done = subprocess.run(command, env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    library = tmp_path / "data" / "image-duplicate-finder" / "library"
    assert f"Your library stays in {library}" in done.stdout
    assert library.is_dir()
    assert "Backups of removed pictures stay" in done.stdout
    assert not (installed / ".venv").exists()
