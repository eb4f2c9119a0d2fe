"""A thousand hostile names through the whole program: scan, page, plan, removal, undo.

The server is a process of its own, and all of it is asked for over HTTP.
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder.discover import may_be_image
from image_duplicate_finder.web.i18n import printable
from tests.hostile_names import hostile_names
from tests.patience import PATIENCE
from tests.removal.support import tree

PICTURES = 50
NAMES = 1000


class Page:
    """A visitor of the running app, with cookies, as a browser comes."""

    def __init__(self, entry: str) -> None:
        jar = urllib.request.HTTPCookieProcessor(CookieJar())
        self._opener = urllib.request.build_opener(jar)
        self._opener.addheaders = [("Sec-Fetch-Site", "same-origin")]
        self._base = entry.split("/enter/")[0]
        self._opener.open(entry).read()

    def get(self, path: str) -> bytes:
        """What stands at an address of the app."""
        with self._opener.open(urllib.parse.urljoin(self._base, path)) as answer:
            content: bytes = answer.read()
        return content

    def text(self, path: str) -> str:
        """A page as text, entities resolved."""
        return html.unescape(self.get(path).decode())

    def work(self, path: str, **form: str) -> str:
        """Send a form that starts work; the address of its result, when it has ended."""
        data = urllib.parse.urlencode(form).encode()
        with self._opener.open(urllib.parse.urljoin(self._base, path), data) as answer:
            job = re.search(r"/work/[\w-]+", answer.url)
        if job is None:  # it was quicker than the way to its page
            return str(answer.url).removeprefix(self._base)
        while not (now := json.loads(self.get(f"{job[0]}/now")))["ended"]:
            time.sleep(0.05)
        assert now["state"] == "done", now
        return str(now["next"])


@pytest.fixture
def page(library_dir: Path) -> Iterator[Page]:
    """A visitor of the app that runs as a process over an empty library."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "image_duplicate_finder", "--library", str(library_dir)]
    process = subprocess.Popen(
        [*command, "serve", "--no-browser", "--port", port], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield Page(found.group())
    finally:
        process.terminate()
        process.wait(PATIENCE)


def test_a_thousand_hostile_names(
    page: Page, tmp_path: Path, painted: Callable[..., NDArray[np.uint8]]
) -> None:
    top = os.fsencode(tmp_path) + b"/photos \xff\n"
    folders = (top + b"/keep", top + b"/copies", top + b"/copies/\xe2\x80\xae folder")
    for folder in folders:
        os.makedirs(folder)
    for number in range(PICTURES):
        picture = cv2.resize(painted(number), (96, 72), interpolation=cv2.INTER_AREA)
        coded = cv2.imencode(".png", picture)[1].tobytes()
        Path(os.fsdecode(folders[0] + b"/%d.png" % number)).write_bytes(coded)
    names = hostile_names(NAMES, seed=8)
    paths = [folders[1 + number % 2] + b"/" + name for number, name in enumerate(names)]
    for number, path in enumerate(paths):
        shutil.copyfile(folders[0] + b"/%d.png" % (number % PICTURES), path)
        os.utime(path, ns=(1, 1_400_000_000_000_000_000 + number))
    before = tree(os.fsdecode(top))
    scanned = [os.fsdecode(path) for path in paths if may_be_image(os.fsdecode(path))]
    assert len(scanned) > NAMES - 20  # the others say that they are no pictures, as "README.txt"

    root = "file://" + urllib.parse.quote_from_bytes(top)
    review = page.work("/", folder=root, role="search", mode="quick", recursive="on", hidden="on")
    shown = _shown(page, review)
    assert {printable(path) for path in scanned} <= shown
    _pictures_are_served(page, review)

    confirm = page.text(f"{review}remove/")
    plan = re.search(r'name="plan" value="([0-9a-f]+)"', confirm)
    assert plan is not None
    report = page.work(f"{review}remove/", plan=plan[1], action="backup", mode="removed")
    gone = [path for path in scanned if not os.path.lexists(path)]
    kept = set(scanned) - set(gone)
    assert len(kept) <= PICTURES  # a hostile name can be a keeper
    run = report.split("?")[0]
    listed = Counter(
        name.replace("<wbr>", "")
        for first in range(0, NAMES + PICTURES, 200)
        for name in re.findall(
            r'<td><span class="path">(.*?)</span>', page.text(f"{run}?first={first}")
        )
    )
    assert {printable(path) for path in gone} <= listed.keys()
    assert listed.total() >= len(gone)

    page.work(f"{run}/undo")
    assert tree(os.fsdecode(top)) == before


def _shown(page: Page, review: str) -> set[str]:
    """All paths that the review page shows, each group opened as a whole."""
    outline = json.loads(page.text(f"{review}outline"))
    parts = (
        page.text(f"{review}groups/{group}/tiles?first={first}&count=500")
        for group, files in zip(outline["groups"], outline["files"], strict=True)
        for first in range(0, files, 500)
    )
    return {
        path for part in parts for path in re.findall(r'class="tile-name" title="(.*?)">', part)
    }


def _pictures_are_served(page: Page, review: str) -> None:
    """Thumbnails are fetched by ids, whatever the files are called."""
    addresses = re.findall(r'src="(/\S*?)"', page.text(review))
    thumbnails = [address for address in addresses if "static" not in address]
    assert len(thumbnails) > PICTURES
    for address in thumbnails[:: len(thumbnails) // 40]:
        assert page.get(address)[:4] in (b"RIFF", b"\xff\xd8\xff\xe0", b"\x89PNG")
