"""The wheel and the source archive that are handed out: they install into a clean environment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.cli.commands import save_jpeg
from tests.conftest import Painter
from tests.setup.checkouts import REPOSITORY

COPIES = "duplicates"
LONE = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
"""No path from outside leads into the new environment."""


def _run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=LONE, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--outdir", folder, REPOSITORY, cwd=folder)
    return folder


def _only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def _lend(wheel: Path, site: Path) -> None:
    """Links to all that a wheel asks for, as far as its own metadata say, and to nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        waiting = list(Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", []))
    seen: set[str] = set()
    while waiting:
        wanted = Requirement(waiting.pop())
        if wanted.name in seen or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        seen.add(wanted.name)
        package = distribution(wanted.name)
        waiting += package.requires or []
        for top in {file.parts[0] for file in package.files or [] if file.parts[0] != ".."}:
            if not (site / top).exists():
                (site / top).symlink_to(str(package.locate_file(top)))


def _lend_compiled(installed: Path) -> None:
    """The loops that Numba keeps beside these very sources, as far as they are compiled.

    It compares times and sizes of sources. That a new environment compiles them, the start
    script's test shows.
    """
    package = REPOSITORY / "src" / "image_duplicate_finder"
    for ours in package.rglob("*.py"):
        shutil.copystat(ours, installed / ours.relative_to(package))
    for kept in package.rglob("*.nb[ci]"):
        target = installed / kept.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(kept, target)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="makes symbolic links")
def test_a_wheel_works_in_a_clean_environment(
    built: Path, tmp_path: Path, painted: Painter
) -> None:
    """With the packages that it names. That pip finds these, the start script's test shows."""
    _run(sys.executable, "-m", "venv", "--without-pip", "fresh", cwd=tmp_path)
    scripts = tmp_path / "fresh" / "bin"
    (site,) = (tmp_path / "fresh").glob("lib/python*/site-packages")
    wheel = _only(built, "*.whl")
    _lend(wheel, site)
    pip = (sys.executable, "-m", "pip", "--python", scripts / "python")
    _run(*pip, "install", "-q", "--no-deps", "--no-compile", wheel, cwd=tmp_path)
    _run(*pip, "check", cwd=tmp_path)
    _lend_compiled(site / "image_duplicate_finder")

    photos = tmp_path / "photos"
    photos.mkdir()
    for name, seed, quality in (("a.jpg", 1, 90), ("b.jpg", 1, 60), ("c.jpg", 2, 90)):
        save_jpeg(photos / name, painted(seed), quality)
    command = (scripts / "idf", "--library", tmp_path / "library", "scan", photos, "--json", "-")
    document = json.loads(_run(*command, cwd=tmp_path))
    kept = [group["keeper"]["path"] for group in document["groups"] if group["kind"] == COPIES]
    assert [Path(path).name for path in kept] == ["a.jpg"]

    script = (
        "from image_duplicate_finder import find_duplicates\n"
        f"result = find_duplicates({str(photos)!r}, library={str(tmp_path / 'other')!r})\n"
        f"print(*(group.keeper.path for group in result if group.kind == {COPIES!r}))\n"
    )
    assert _run(scripts / "python", "-c", script, cwd=tmp_path).split() == kept
    # Every part that this machine can check works from the package alone.
    _run(scripts / "idf", "--library", tmp_path / "library", "doctor", cwd=tmp_path)


@pytest.mark.slow
def test_the_packages_hold_what_is_needed_and_no_more(built: Path) -> None:
    with zipfile.ZipFile(_only(built, "*.whl")) as wheel:
        names = set(wheel.namelist())
    package = REPOSITORY / "src" / "image_duplicate_finder"
    tracked = subprocess.run(
        ["git", "ls-files", "src/image_duplicate_finder"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(tracked) > 100
    assert {name.removeprefix("src/") for name in tracked if (REPOSITORY / name).exists()} <= names
    assert (package / "py.typed").exists()
    assert any(name.endswith(".data/data/share/man/man1/idf.1") for name in names)
    with tarfile.open(_only(built, "*.tar.gz")) as archive:
        top = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"src", "pyproject.toml", "README.md", "LICENSE"} <= top
    assert not top & {".venv", "benchmarks", "shared"}
