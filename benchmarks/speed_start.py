"""How soon something is there: the web app's first answer, and the first groups of a scan."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

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
