"""Which Python the scripts take, and the sentence where there is none that fits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.checkouts import REPOSITORY

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the shell scripts are for Linux and macOS")
SCRIPTS = ["run_linux_mac.sh", "run_tests.sh"]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder to use as PATH: what the scripts call, and no Python."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("sh", "dirname", "env"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    return folder


def _program(folder: Path, name: str, lines: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)


def _run(script: str, programs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REPOSITORY / script, "--no-update"],
        env={"PATH": str(programs), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_old_python_is_named(script: str, programs: Path) -> None:
    _program(programs, "python3", "echo 3.9")
    done = _run(script, programs)
    assert done.returncode == 1
    assert done.stderr.startswith("Python 3.9 is too old: ImageDuplicateFinder needs Python 3.11")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_missing_python_is_said(script: str, programs: Path) -> None:
    done = _run(script, programs)
    assert done.returncode == 1
    assert done.stderr.startswith("No Python was found")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_missing_venv_module_is_named(script: str, programs: Path, tmp_path: Path) -> None:
    # Debian's python3 without python3-venv: a Python that cannot import ensurepip.
    (tmp_path / "ensurepip.py").write_text("raise ImportError")
    (programs / "python3").symlink_to(sys.executable)
    done = _run(script, programs, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "without its venv module" in done.stderr
    assert "python3-venv" in done.stderr
    assert done.stderr.count("\n") == 1


def test_names_that_start_nothing_are_passed_over(programs: Path, tmp_path: Path) -> None:
    # Version managers leave such names on the PATH for versions that are not active.
    _program(programs, "python3.13", "echo 'not active' >&2; exit 127")
    _program(programs, "python3.12", "echo 3.10")
    (programs / "python3").symlink_to(sys.executable)
    done = subprocess.run(
        ["/bin/sh", "-c", f". '{REPOSITORY}/scripts/find_python.sh'; echo $PYTHON"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("python3\n", "")


def _browser(programs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", f". '{REPOSITORY}/scripts/find_browser.sh'; echo $IDF_TEST_BROWSER"],
        env={"PATH": str(programs), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has browsers at fixed places")
def test_missing_browser_is_said(programs: Path) -> None:
    done = _browser(programs)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "IDF_TEST_BROWSER" in done.stderr


def test_named_browser_is_used_and_checked(programs: Path) -> None:
    _program(programs, "my browser", "exit 0")
    chosen = str(programs / "my browser")
    assert _browser(programs, IDF_TEST_BROWSER=chosen).stdout.strip() == chosen
    wrong = _browser(programs, IDF_TEST_BROWSER=chosen + " not")
    assert wrong.returncode == 1
    assert wrong.stderr.count("\n") == 1
