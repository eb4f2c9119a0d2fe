"""The app in a process of its own, and one visit to it."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Error, Page

from tests import stem
from tests.patience import PATIENCE
from tests.stem import Forked, Stem

WIDTHS = (1440, 390)
WINDOWS = ((1440, 900), (720, 450), (512, 450), (390, 844), (195, 450))
"""Widths and heights of windows: plain ones, and those of 200%."""
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
OF_COLOURS = ("color-contrast", "link-in-text-block")
"""The rules of axe-core whose answer depends on the theme; a second one is checked by them."""


def find_browser() -> str | None:
    """The browser that IDF_TEST_BROWSER names, or Chromium: the whole or its headless shell."""
    names = ("chromium", "chromium-headless-shell")
    return os.environ.get("IDF_TEST_BROWSER") or next(filter(None, map(shutil.which, names)), None)


@dataclass(slots=True)
class Server:
    """A running app: ``entry`` is the printed address, ``base`` the same without the token."""

    process: subprocess.Popen[bytes] | Forked
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


_RUN = """
import socket
from image_duplicate_finder.web.server import run
def serve(library, port):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    run(library, port=port or free, open_browser=False)
"""
_START = _RUN + "import sys; serve(sys.argv[1], int(sys.argv[2]))"
_BECOME = """
import tempfile
import cv2, numpy
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from image_duplicate_finder import api, rendering
from image_duplicate_finder.library import Library
from image_duplicate_finder.scan import pipeline
from image_duplicate_finder.web import compare_pictures, create_app
# Below the tests' folder for temporary files, which they remove in the end.
Flask.jinja_options = {"bytecode_cache": FileSystemBytecodeCache(tempfile.mkdtemp())}
with tempfile.TemporaryDirectory() as folder, Library.open(folder) as library:
    pages = create_app(library).jinja_env
    for name in pages.list_templates():
        pages.get_template(name)
def become(request):
    serve(request["library"], request["port"])
"""
"""Templates and pages are compiled once: each app has only to unpack them."""


@functools.cache
def _app() -> Stem:
    return Stem(_RUN + _BECOME, os.environ)


def start_server(library: Path, port: int = 0, **environment: str) -> Server:
    """Start the app over ``library``, on a free port if none is given, and wait until it says
    that it is ready. ``environment`` is added to that of the tests."""
    process: subprocess.Popen[bytes] | Forked
    if environment or not stem.POSSIBLE:
        process = subprocess.Popen(
            [sys.executable, "-c", _START, str(library), str(port)],
            stdout=subprocess.PIPE,
            env=os.environ | environment,
        )
    else:
        process = _app().fork({"library": str(library), "port": port})
    return Server(process, _address(process))


def _address(process: subprocess.Popen[bytes] | Forked) -> str:
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline().decode())
    assert found is not None, "the app said no address"
    return found.group()


def wait_for_list(page: Page) -> None:
    """Wait until all groups of the review page that are in view are there, where they belong."""
    wait_until(
        page,
        """(() => {
          const list = document.getElementById("groups");
          return "virtual" in list.dataset && list.getAttribute("aria-busy") === "false"
            && document.getElementById("list-status").textContent.trim() !== ""
            && list.querySelector(".group") && !list.querySelector(".ghost");
        })()""",
    )


OUTSIDE = """(() => {
  const parts = "header *, footer *, .toast, .toast *, dialog[open], dialog[open] button";
  const open = "details[open][data-menu] > *, details[open][data-menu] > * *";
  return [...document.querySelectorAll(`${parts}, ${open}`)].filter((each) => {
    const box = each.getBoundingClientRect();
    if (box.width <= 1 || !each.checkVisibility()) return false;
    if (each.closest(".sr-only, .chips, .group-title")) return false;
    return box.left < -1 || box.right > innerWidth + 1;
  }).map((each) => `${each.tagName} ${each.className} ${each.textContent.trim().slice(0, 40)}`);
})()"""
"""What of the bars, messages, open menus and dialogs lies beside the window."""


BROKEN_WORDS = """(within) => {
  const SILENT = ".sr-only, .table.lists thead";
  const found = [];
  for (const part of document.querySelectorAll(within)) {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      if (text.parentElement.getBoundingClientRect().width <= 1) continue;
      if (!text.parentElement.checkVisibility() || text.parentElement.closest(SILENT)) continue;
      for (const word of text.data.matchAll(/\\p{L}+/gu)) {
        const range = new Range();
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].length);
        const boxes = [...range.getClientRects()].filter((each) => each.width);
        const lines = new Set(boxes.map((each) => Math.round(each.top)));
        const frame = text.parentElement.closest(".card, dialog, .menu-list") ?? document.body;
        const room = frame.clientWidth - 40;
        const wide = boxes.reduce((sum, each) => sum + each.width, 0);
        if (lines.size > 1 && wide < room) found.push(word[0]);
      }
    }
  }
  return found;
}"""
"""Words that go over two lines although one would hold them, in the elements that a selector
finds."""

CUT = """(within) => [...document.querySelectorAll(within)].filter((each) => {
  const style = getComputedStyle(each);
  if (!each.checkVisibility() || each.closest(".sr-only") || each.clientWidth <= 1) return false;
  if (each.scrollWidth <= each.clientWidth + 1) return false;
  if (style.overflowX === "visible" || style.display === "inline") return false;
  const titled = each.closest("[title]") || each.querySelector("[title]");
  return style.textOverflow !== "ellipsis" || !titled;
}).map((each) => `${each.className || each.tagName}: ${each.textContent.trim().slice(0, 60)}`)"""
"""Texts that their box cuts without an ellipsis, or without a title that says all of it."""


def wait_until(page: Page, expression: str, seconds: float = PATIENCE) -> None:
    """Wait for a JavaScript expression to be true.

    Playwright's own wait evaluates text inside the page, which the content policy forbids.
    """
    end = time.monotonic() + seconds
    pause = 4.0
    while not _holds(page, expression):
        assert time.monotonic() < end, f"never became true: {expression}"
        page.wait_for_timeout(pause)
        pause = min(2 * pause, 100)


def _holds(page: Page, expression: str) -> bool:
    try:
        return bool(page.evaluate(expression))
    except Error as error:
        if "context was destroyed" not in error.message:
            raise
        return False  # another page is on its way


@dataclass(slots=True)
class Visit:
    """A page of the app in the browser; collects what the browser complains about."""

    page: Page
    base: str
    complaints: list[str]

    def open(self, path: str) -> None:
        """Go to a page of the app."""
        self.page.goto(self.base + path)

    @contextmanager
    def window(self, width: int, height: int) -> Iterator[None]:
        """In a window of this size; what fails there says so."""
        self.page.set_viewport_size({"width": width, "height": height})
        try:
            yield
        except Exception as error:
            error.add_note(f"In a window of {width} x {height}.")
            raise
