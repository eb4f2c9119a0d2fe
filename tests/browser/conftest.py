"""The real app in its own process, and a real browser in front of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

from image_duplicate_finder.library import Library
from tests.browser.running import OF_COLOURS, Server, Theme, Visit, find_browser, start_server
from tests.review_scene import Scene, make_scene

REPOSITORY = Path(__file__).parents[2]
AXE_FOLDER = REPOSITORY / "tests" / "artifacts" / "axe"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


LEFT_PAGE = ("htmx:historyCacheMiss", "htmx:sendAbort", "htmx:sendError", "htmx:afterRequest")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, or what IDF_TEST_BROWSER names."""
    path = find_browser()
    if path is None:
        assert not os.environ.get("CI"), "CI needs a browser: install chromium."
        pytest.skip("no browser: install chromium, or name one in IDF_TEST_BROWSER")
    expect.set_options(timeout=180_000)  # a busy machine is no defect
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def server(library_dir: Path) -> Iterator[Server]:
    """The app over an empty library."""
    started = start_server(library_dir)
    yield started
    started.stop()


@pytest.fixture
def scene(
    library_dir: Path, tmp_path: Path, server: Server, request: pytest.FixtureRequest
) -> Scene:
    """Three groups by hand, and as many more as the test or its module asks for, behind the
    running app."""
    more = getattr(request, "param", getattr(request.module, "MORE_GROUPS", 0))
    return make_scene(library_dir, tmp_path / "photos", more=more)


@pytest.fixture
def stored(library_dir: Path, scene: Scene) -> Iterator[Library]:
    """The library that the app shows, read directly."""
    with Library.open(library_dir) as library:
        yield library


@pytest.fixture
def enter(new_visit: Callable[..., Visit]) -> Callable[..., Visit]:
    """Opens the app's printed address, which leads to the start page:
    ``enter(server, width=1440, height=900, theme="light")``."""

    def visit(server: Server, **options: Any) -> Visit:
        made = new_visit(server, **options)
        made.page.goto(server.next_entry())
        made.page.wait_for_url(server.base + "/")
        return made

    return visit


@pytest.fixture
def sign_in(new_visit: Callable[..., Visit]) -> Callable[..., Visit]:
    """As ``enter``, without a page: the browser is let in, and shows none yet."""

    def visit(server: Server, **options: Any) -> Visit:
        made = new_visit(server, **options)
        assert made.page.context.request.get(server.next_entry()).ok
        return made

    return visit


@pytest.fixture
def new_visit(chromium: Browser) -> Iterator[Callable[..., Visit]]:
    """A browser that has not been let in yet.

    A script error or a violation of the content policy in any page fails the test.
    """
    visits: list[Visit] = []

    def visit(
        server: Server, *, width: int = 1440, height: int = 900, theme: Any = "light", **more: Any
    ) -> Visit:
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            locale="en-GB",
            reduced_motion="reduce",
            **more,
        )
        context.set_default_timeout(180_000)
        page = context.new_page()
        made = Visit(page, server.base, [])
        page.on(
            "pageerror",
            lambda error: (
                None
                if any(left in str(error) for left in LEFT_PAGE)
                else made.complaints.append(str(error))
            ),
        )
        page.on(
            "console",
            lambda message: (
                made.complaints.append(message.text)
                # A page that is left while htmx still fetches something says so.
                if message.type == "error"
                and "Failed to load resource" not in message.text
                and not any(left in message.text for left in LEFT_PAGE)
                else None
            ),
        )
        visits.append(made)
        return made

    yield visit
    for made in visits:
        made.page.context.close()
    assert not [complaint for made in visits for complaint in made.complaints]


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[str]]:
    """Checks a page for accessibility: ``axe(page)`` returns what is wrong, in words.

    ``axe(page, "dialog[open]")`` looks at what the selector finds alone, ``themes=THEMES`` at the
    page in each of them.
    """
    script = AXE_FOLDER / "axe.min.js"
    if not script.is_file():
        fetch = [sys.executable, str(REPOSITORY / "tools/vendor_web.py"), "--axe", str(AXE_FOLDER)]
        if subprocess.run(fetch, check=False).returncode != 0:
            assert not os.environ.get("CI"), "CI must be able to fetch axe-core."
            pytest.skip("axe-core could not be fetched")
    source = script.read_text()
    sessions: WeakKeyDictionary[Page, CDPSession] = WeakKeyDictionary()

    def look(page: Page, within: str, rules: Sequence[str]) -> list[str]:
        # In a world of its own, so that the page's policy need not let it in. It stays until
        # another page is loaded, if asked for by the same name in the same session.
        if page not in sessions:
            sessions[page] = page.context.new_cdp_session(page)
        session = sessions[page]
        frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        wanted = {"frameId": frame, "worldName": "axe"}
        world = session.send("Page.createIsolatedWorld", wanted)
        where = {"contextId": world["executionContextId"], "awaitPromise": True}
        present = session.send("Runtime.evaluate", {"expression": "typeof axe", **where})
        if present["result"]["value"] == "undefined":
            session.send("Runtime.evaluate", {"expression": source, **where})
        # Of what is in order the number would do: its elements are not described.
        options: dict[str, object] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = {"type": "rule", "values": rules}
        ask = f"""axe.run({json.dumps(within)}, {json.dumps(options)})
          .then((found) => JSON.stringify(found.violations))"""
        answer = session.send("Runtime.evaluate", {"expression": ask, **where})
        return [
            f"{page.url}: {found['id']}: {found['help']}: {node['target']} {node['failureSummary']}"
            for found in json.loads(answer["result"]["value"])
            for node in found["nodes"]
        ]

    def check(page: Page, within: str = "html", themes: Sequence[Theme] = ()) -> list[str]:
        if not themes:
            return look(page, within, ())
        wrong: list[str] = []
        for theme in themes:
            page.emulate_media(color_scheme=theme)
            rules = () if theme == themes[0] else OF_COLOURS
            wrong += [f"{theme}: {found}" for found in look(page, within, rules)]
        return wrong

    return check
