"""The documentation builds as a site without a broken link, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.setup.checkouts import REPOSITORY
from tools import keyboard_page


class _Loaded(HTMLParser):
    """Addresses that a page loads by itself, and those that it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "iframe"):
            self.loaded.append(values.get("src") or "")
        if tag == "link" and values.get("rel") in ("stylesheet", "preconnect", "icon"):
            self.loaded.append(values.get("href") or "")
        if tag == "a":
            self.links.append(values.get("href") or "")


def _read(page: Path) -> _Loaded:
    found = _Loaded()
    found.feed(page.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        elsewhere = [address for address in _read(page).loaded if "//" in address]
        assert not elsewhere, page


def test_links_lead_to_pages_that_exist(site: Path) -> None:
    for page in site.rglob("*.html"):
        for link in _read(page).links:
            path = link.partition("#")[0]
            if page.name == "404.html" or not path or ":" in path:
                continue
            target = (page.parent / path).resolve()
            assert target.exists(), f"{page.relative_to(site)} links to {link}"


def test_the_python_interface_is_described(site: Path) -> None:
    text = (site / "api" / "index.html").read_text(encoding="utf-8")
    for name in ("find_duplicates", "ScanSettings", "all_groups", "NothingReadable"):
        assert name in text
    assert ":meth:" not in text


def test_the_page_of_keys_is_up_to_date() -> None:
    page = keyboard_page.PAGE.read_text(encoding="utf-8")
    assert keyboard_page.with_keys(page) == page, "run: python -m tools.keyboard_page"
    assert "Keep this file instead" in page
