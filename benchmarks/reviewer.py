"""A scripted person at the pages, in a real browser: keys, seconds, and what one key takes.

    python -m benchmarks.reviewer decide            200 groups in each mode, by keys alone
    python -m benchmarks.reviewer pictures          12 megapixels in decide mode and in compare
    python -m benchmarks.reviewer scroll LIBRARY    a library of benchmarks.large_library

The person presses the next key as soon as the last one has shown what it does, so the seconds
are those of the program. Times are taken in the page, from the key to the frame that shows it.
``--json FILE`` keeps the figures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.machine import describe
from image_duplicate_finder.library import Library
from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.settings import Mode, ScanSettings
from tests.browser.conftest import ARGUMENTS
from tests.browser.photos import save_large_pairs
from tests.browser.running import find_browser, start_server, wait_for_list, wait_until
from tests.review_scene import make_scene

Figures = Iterator[tuple[str, dict[str, Any]]]
"""Names with what was measured, as it is measured."""

GROUPS = 200
SIZE = {"width": 1440, "height": 900}

_WATCH = """(condition) => {
  const holds = new Function(`return ${condition}`);
  let pressed = null;
  const key = (event) => { pressed ??= event.timeStamp; };
  addEventListener("keydown", key, { capture: true, once: true });
  window.shown = new Promise((resolve) => {
    const look = () => {
      if (pressed !== null && holds()) {
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - pressed)));
      } else {
        setTimeout(look);
      }
    };
    look();
  });
}"""
_COMPLETE = "each.complete && each.naturalWidth"
_PAIR = f"[...document.querySelectorAll('[data-pane] img')].every((each) => {_COMPLETE})"
_STAGE = """["viewer-keeper", "viewer-member"].every((id) => {
  const viewer = OpenSeadragon.getViewer(document.getElementById(id));
  return viewer?.world.getItemAt(0)?.getFullyLoaded();
})"""


@contextmanager
def visited(library: Path) -> Iterator[tuple[Page, str]]:
    """A browser that has entered the app over a library."""
    server = start_server(library)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
            # The watcher is made of text, which the pages' policy forbids.
            context = browser.new_context(viewport=SIZE, bypass_csp=True)
            context.set_default_timeout(180_000)
            page = context.new_page()
            page.goto(server.next_entry())
            yield page, server.base
            browser.close()
    finally:
        server.stop()


def press(page: Page, key: str, condition: str) -> float:
    """Press a key; milliseconds until the page shows what the condition says."""
    page.evaluate(_WATCH, condition)
    page.keyboard.press(key)
    return float(page.evaluate("window.shown"))


def quiet(page: Page, asked: Sequence[str], seconds: float = 1.0) -> None:
    """Wait until the page has fetched nothing for a while: someone looks."""
    seen, since = len(asked), time.monotonic()
    while time.monotonic() - since < seconds:
        page.wait_for_timeout(100)
        if len(asked) != seen:
            seen, since = len(asked), time.monotonic()


def deciding(folder: Path) -> Figures:
    """200 groups of a picture with a small copy: every copy is selected, in each mode."""
    scene = make_scene(folder / "library", folder / "photos", more=GROUPS)
    with Library.open(folder / "library") as stored, visited(folder / "library") as (page, base):
        for key, mode in (("1", "list"), ("2", "grid"), ("3", "large"), ("", "decide")):
            stored.select_groups(scene.scan, GroupQuery(), False)
            if key:
                times = _in_list(page, f"{base}/scans/{scene.scan}/?q=m%2F", key)
            else:
                times = _in_decide(page, f"{base}/scans/{scene.scan}/decide/?q=m%2F")
            end = time.monotonic() + 60
            while stored.selection(scene.scan).files < GROUPS and time.monotonic() < end:
                time.sleep(0.05)
            yield mode, _times(times) | {"selected": stored.selection(scene.scan).files}


def _in_list(page: Page, address: str, view: str) -> list[float]:
    page.goto(address)
    wait_for_list(page)
    page.keyboard.press(view)
    wait_for_list(page)
    times = []
    for number in range(GROUPS):
        focused = "document.activeElement.closest('.group')"
        here = f"{focused}?.id !== '{_focused(page)}' && {focused}"
        pictures = f"[...{focused}.querySelectorAll('.tile-image')].every((each) => {_COMPLETE})"
        times.append(press(page, "j", f"{here} && {pictures}" if number else focused))
        ticked = f"[...{focused}.querySelectorAll('.pick:not(:disabled)')].every((b) => b.checked)"
        times.append(press(page, "a", ticked))
    return times


def _focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.closest('.group')?.id ?? ''"))


def _in_decide(page: Page, address: str) -> list[float]:
    page.goto(address)
    wait_until(page, f"document.querySelector('[data-pane] img') && {_PAIR}")
    times = []
    for _ in range(GROUPS):
        before = page.evaluate("document.getElementById('decide').dataset.pair")
        ended = "document.getElementById('decide').classList.contains('ended')"
        changed = f"document.getElementById('decide').dataset.pair !== '{before}'"
        times.append(press(page, "ArrowLeft", f"{ended} || ({changed} && {_PAIR})"))
    return times


def pictures(folder: Path) -> Figures:
    """Photos of 12 megapixels with a smaller copy each, after what comes next was fetched."""
    photos = folder / "photos"
    save_large_pairs(photos, 6)
    with Library.open(folder / "library") as library:
        scan = library.scan([photos], ScanSettings(mode=Mode.QUICK, jobs=1)).id
        first = library.groups(scan, GroupQuery(open_only=True)).groups[0]
    with visited(folder / "library") as (page, base):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{base}/scans/{scan}/decide/")
        times = []
        for _ in range(5):
            quiet(page, asked)
            before = page.evaluate("document.getElementById('decide').dataset.pair")
            changed = f"document.getElementById('decide').dataset.pair !== '{before}'"
            times.append(press(page, "ArrowDown", f"{changed} && {_PAIR}"))
        yield "decide: next pair", _times(times)
        address = f"{base}/scans/{scan}/compare/{first.id}/{first.members[0].file.id}/"
        page.goto(address)
        wait_until(page, _STAGE, 120)
        quiet(page, asked, 2)
        started = time.monotonic()
        page.goto(address)
        wait_until(page, _STAGE, 120)
        yield "compare: open again", _times([(time.monotonic() - started) * 1000])
        modes: dict[str, list[float]] = {}
        following = []
        for _ in range(4):
            quiet(page, asked, 2)
            for key, mode in (("2", "slider"), ("3", "blink"), ("4", "difference"), ("1", "side")):
                shown = f"document.getElementById('compare').dataset.mode === '{mode}' && {_STAGE}"
                modes.setdefault(mode, []).append(press(page, key, shown))
            before = page.url
            following.append(press(page, "ArrowRight", f"location.href !== '{before}' && {_STAGE}"))
        for mode, each in modes.items():
            yield f"compare: {mode}", _times(each)
        yield "compare: next pair", _times(following)


_IN_VIEW = """[...document.querySelectorAll(".group")].filter((group) => {
  const bars = [".review-bar", ".list-columns"].map((each) => document.querySelector(each));
  const top = Math.max(...bars.map((bar) => bar.getBoundingClientRect().bottom));
  const bottom = document.querySelector(".selection-dock").getBoundingClientRect().top;
  const box = group.getBoundingClientRect();
  return box.height && box.top >= top - 1 && box.bottom <= bottom + 1;
}).map((group) => group.querySelectorAll(".tile").length)"""


_LISTED = """async (pictures) => {
  const list = () => document.getElementById("groups");
  const inView = (each) => {
    const box = each.getBoundingClientRect();
    return box.top < innerHeight && box.bottom > 0;
  };
  const there = () => {
    if (!list() || !("virtual" in list().dataset)) return false;
    const groups = [...list().querySelectorAll(".group")].filter(inView);
    if (!groups.length || groups.some((each) => each.matches(".ghost"))) return false;
    return !pictures || groups.every((group) =>
      [...group.querySelectorAll(".tile-image")].every((each) => !inView(each) || each.complete));
  };
  const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  await frame();
  while (!there()) await new Promise((resolve) => setTimeout(resolve, 10));
  await frame();
  return performance.now();
}"""
_JUMP = f"""async (y) => {{
  const began = performance.now();
  scrollTo(0, y);
  return await Promise.all([false, true].map(async (each) => await ({_LISTED})(each) - began));
}}"""


def scrolling(library: Path) -> Figures:
    """The first page and jumps through a very long list, in each view."""
    with Library.open(library) as stored:
        scan = stored.latest_scan().id
    with visited(library) as (page, base):
        address = f"{base}/scans/{scan}/"
        page.goto(address, wait_until="domcontentloaded")
        wait_for_list(page)
        for key, view in (("1", "list"), ("2", "grid"), ("3", "large")):
            page.keyboard.press(key)
            wait_for_list(page)
            page.wait_for_timeout(500)  # the view is remembered
            first: list[float] = []
            jumps: list[list[float]] = []
            for _ in range(3):
                page.goto(address, wait_until="commit")
                first.append(float(page.evaluate(_LISTED, False)))
            height = page.evaluate("document.documentElement.scrollHeight")
            files = page.evaluate(_IN_VIEW)
            for place in range(1, 11):
                jumps.append(page.evaluate(_JUMP, height * (place * 7 % 11) / 11))
                page.wait_for_timeout(500)
            figures = {
                "first page, ms": round(min(first)),
                "jump, ms, median": round(statistics.median(groups for groups, _ in jumps)),
                "with pictures": round(statistics.median(shown for _, shown in jumps)),
                "slowest": round(max(groups for groups, _ in jumps)),
                "groups on a screen": len(files),
                "files on a screen": sum(files),
            }
            yield view, figures


def _times(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    return {
        "keys": len(ordered),
        "seconds": round(sum(ordered) / 1000, 1),
        "median ms": round(statistics.median(ordered)),
        "95% ms": round(ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]),
        "slowest ms": round(ordered[-1]),
    }


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure, and print a table."""
    summary = __doc__.splitlines()[0] if __doc__ else ""
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("what", choices=("decide", "pictures", "scroll"))
    parser.add_argument("library", type=Path, nargs="?", help="for scroll")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    if given.what == "scroll" and given.library is None:
        parser.error("scroll needs a library made by benchmarks.large_library")
    machine = describe()
    print(f"{machine['processor']}, {machine['cores']} cores, load {machine['load_1min']}")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        measure = {"decide": deciding, "pictures": pictures, "scroll": scrolling}[given.what]
        for name, figures in measure(given.library or Path(folder)):
            found[name] = figures
            words = "  ".join(f"{word} {value}" for word, value in figures.items())
            print(f"{name:24} {words}", flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
