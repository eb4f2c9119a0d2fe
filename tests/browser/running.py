"""The app in a process of its own, and one visit to it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page

from tests.patience import PATIENCE

WIDTHS = (1440, 390)
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")


@dataclass(slots=True)
class Server:
    """A running app: ``entry`` is the printed address, ``base`` the same without the token."""

    process: subprocess.Popen[str]
    entry: str
    entered: bool = False

    def next_entry(self) -> str:
        """The address that was printed last; each lets one browser in."""
        if self.entered:
            self.entry = _address(self.process)
        self.entered = True
        return self.entry

    @property
    def base(self) -> str:
        """The address of the start page, without the slash."""
        return self.entry.split("/enter/")[0]

    def stop(self) -> None:
        """End the app as a person does, and wait for it."""
        self.process.terminate()
        self.process.wait(PATIENCE)

    def kill(self) -> None:
        """End the app as a power cut does."""
        self.process.kill()
        self.process.wait(PATIENCE)


def start_server(library: Path, port: int = 0, **environment: str) -> Server:
    """Start the app over ``library``, on a free port if none is given, and wait until it says
    that it is ready. ``environment`` is added to that of the tests."""
    code = (
        "import socket, sys\n"
        "from image_duplicate_finder.web.server import run\n"
        "probe = socket.socket(); probe.bind(('127.0.0.1', 0))\n"
        "port = int(sys.argv[2]) or probe.getsockname()[1]; probe.close()\n"
        "run(sys.argv[1], port=port, open_browser=False)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(library), str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    return Server(process, _address(process))


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None, "the app said no address"
    return found.group()


def wait_until(page: Page, expression: str, seconds: float = PATIENCE) -> None:
    """Wait for a JavaScript expression to be true.

    Playwright's own wait evaluates text inside the page, which the content policy forbids.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never became true: {expression}"
        page.wait_for_timeout(50)


@dataclass(slots=True)
class Visit:
    """A page of the app in the browser; collects what the browser complains about."""

    page: Page
    base: str
    complaints: list[str]

    def open(self, path: str) -> None:
        """Go to a page of the app."""
        self.page.goto(self.base + path)
