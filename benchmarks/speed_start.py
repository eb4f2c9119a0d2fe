"""How soon something is there: the web app's first answer, the first groups of a scan, and the
first scan after an installation."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.measure import measured
from benchmarks.races import succeeded
from benchmarks.tools import HERE
from image_duplicate_finder.errors import Interrupted
from image_duplicate_finder.library import Library
from image_duplicate_finder.progress import CancelToken, Stage, Step
from image_duplicate_finder.settings import ScanSettings

PATIENCE = 60.0


def web_ready_seconds() -> float:
    """Seconds from starting ``idf serve`` with an empty library to its first HTTP answer.

    Raises ``TimeoutError`` if none comes within a minute.
    """
    idf = Path(sys.executable).parent / "idf"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as library:
        started = time.perf_counter()
        server = subprocess.Popen(
            [idf, "--library", library, "serve", "--no-browser", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while time.perf_counter() - started < PATIENCE:
                if _answers(port):
                    return time.perf_counter() - started
                time.sleep(0.01)
            raise TimeoutError(f"The web app did not answer within {PATIENCE:.0f} s.")
        finally:
            server.terminate()
            server.wait()


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    except urllib.error.HTTPError:
        return True  # It speaks; without its token it may refuse.
    except OSError:
        return False
    return True


def first_groups_seconds(folder: Path) -> float:
    """Seconds from the start of a standard scan to the first groups that a page could show."""
    cancel = CancelToken()
    scans: list[int] = []
    found: list[float] = []
    with tempfile.TemporaryDirectory() as place, Library.open(place) as library:
        started = time.perf_counter()

        def look(_step: Step) -> None:
            if scans and not found and library.summary(scans[0]).groups:
                found.append(time.perf_counter() - started)
                cancel.cancel()

        try:
            library.scan(
                [str(folder)], ScanSettings(), progress=look, cancel=cancel, on_start=scans.append
            )
            look(Step(Stage.GROUP, 0))
        except Interrupted:
            pass
    if not found:
        raise RuntimeError(f"A scan of {folder} found no groups.")
    return found[0]


def installed_by_script(place: Path) -> tuple[Path, list[Path]]:
    """A clone of this checkout's last commit, installed by its start script in ``place``.

    Returns its Python, and the folders in which running the program may leave files.
    """
    clone = place / "clone"
    succeeded(measured(["git", "clone", "--quiet", HERE.parent, clone]))
    succeeded(measured([sys.executable, clone / "scripts" / "environment.py", "run"]))
    return _python_of(clone / ".venv"), [clone]


def installed_by_pip(place: Path) -> tuple[Path, list[Path]]:
    """The same commit, installed by pip alone; needs :func:`installed_by_script` before."""
    environment = place / "pip"
    succeeded(measured([sys.executable, "-m", "venv", environment]))
    python = _python_of(environment)
    succeeded(measured([python, "-m", "pip", "install", "--quiet", place / "clone"]))
    return python, [environment]


def _python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def first_and_second_seconds(
    python: Path, places: list[Path], folder: Path, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of the first scan of ``folder`` after an installation, and of a second one.

    Both have an empty library. Before each round everything is removed that came into ``places``
    since the installation; before a second scan, what the first left to compile is waited for.
    """
    before = _files_in(places)
    first: list[float] = []
    second: list[float] = []
    for _ in range(rounds):
        for file in _files_in(places) - before:
            file.unlink()
        for seconds in (first, second):
            with tempfile.TemporaryDirectory() as library:
                scan: list[str | Path] = [python, "-m", "image_duplicate_finder", "--library"]
                scan += [library, "scan", folder]
                seconds.append(succeeded(measured(scan)).wall)
            succeeded(measured([python, "-m", "image_duplicate_finder.compiled"]))
    return first, second


def _files_in(places: list[Path]) -> set[Path]:
    return {path for place in places for path in place.rglob("*") if not path.is_dir()}
