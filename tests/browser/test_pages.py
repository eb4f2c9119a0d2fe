"""Every page around the review: accessible in both themes and widths, and usable by keyboard."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, Route, expect

from image_duplicate_finder.additions import Additions
from image_duplicate_finder.decode import read_info
from image_duplicate_finder.decode.xmp_writing import written_into
from image_duplicate_finder.library import Library
from image_duplicate_finder.settings import DecodeLimits, Mode, ScanSettings
from tests import patience
from tests.browser.running import (
    BROKEN_WORDS,
    THEMES,
    WIDTHS,
    Server,
    Visit,
    start_server,
    wait_until,
)
from tests.painting import paint_photo
from tests.patience import PATIENCE

pytestmark = pytest.mark.timeout(900)

Axe = Callable[..., list[str]]
Enter = SignIn = Callable[..., Visit]


def _make_photos(folder: Path, count: int = 4) -> Path:
    """Painted pictures with a byte copy and a small copy each, and a damaged file."""
    (folder / "inner").mkdir(parents=True)
    for seed in range(count):
        picture = cv2.cvtColor(paint_photo(seed), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{seed}.jpg"), picture)
        shutil.copy(folder / f"{seed}.jpg", folder / "inner" / f"{seed} (1).jpg")
        cv2.imwrite(str(folder / f"{seed} small.jpg"), cv2.resize(picture, None, fx=0.5, fy=0.5))
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder for one test."""
    return _make_photos(tmp_path / "photos")


@pytest.fixture(scope="module")
def busy_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An app whose library has a scan, a removal, a dismissed pair and failures. Only read."""
    base = tmp_path_factory.mktemp("busy")
    folder = _make_photos(base / "photos")
    with Library.open(base / "library") as library:
        scan = library.scan([folder], ScanSettings(mode=Mode.QUICK, jobs=1)).id
        groups = library.groups(scan).groups
        small = next(m.file.id for m in groups[0].members if "small" in m.file.path)
        library.dismiss(groups[0].id, [small])
        library.apply(library.plan(scan))
        library.scan([folder], ScanSettings(mode=Mode.QUICK, jobs=1))
    server = start_server(base / "library")
    yield server
    server.stop()


PAGES = (
    "/", "/history/", "/history/1", "/backups/", "/not-duplicates/", "/find/", "/settings/",
    "/about/", "/scans/1/failures/", "/scans/1/export/", "/scans/1/remove/", "/nothing",
)  # fmt: skip


def test_every_page_is_accessible_and_fits(busy_server: Server, sign_in: SignIn, axe: Axe) -> None:
    """In both themes and at both widths, with everything unfolded, the menu included."""
    visit = sign_in(busy_server)
    page = visit.page
    wrong: list[str] = []
    for address in PAGES:
        visit.open(address)
        page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wrong.append(f"{address} is wider than {width} pixels")
            wrong += [f"{width}, {found}" for found in axe(page, themes=THEMES)]
    assert not wrong, "\n".join(wrong)


def test_what_has_the_focus_is_seen_and_menus_fit(busy_server: Server, sign_in: SignIn) -> None:
    """Also at 200%: 720 x 450 is what 1440 x 900 is then, and 195 what 390 is."""
    visit = sign_in(busy_server)
    page = visit.page
    for width, height in [(1440, 900), (720, 450), (390, 844), (195, 450)]:
        with visit.window(width, height):
            for address in PAGES:
                visit.open(address)
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
            visit.open("/")
            page.locator(".bar summary").click()
            bottom = page.locator(".bar .menu-list").evaluate(
                "(e) => e.getBoundingClientRect().bottom"
            )
            assert bottom <= height
            page.keyboard.press("Escape")
            if width < 320:
                continue  # here the longest links alone fill the window
            page.evaluate(
                "document.querySelectorAll('main details').forEach((e) => (e.open = true))"
            )
            stops = page.evaluate(
                "document.querySelectorAll('main :is(a, button, input, select)').length"
            )
            for _ in range(min(stops, 45)):
                page.keyboard.press("Tab")
                hidden = page.evaluate(
                    """() => {
          const focused = document.activeElement;
          const box = focused.getBoundingClientRect();
          // Of a field of several lines the browser shows the one with the caret.
          const y = focused.matches("textarea") ? box.top + 2 : box.bottom - 2;
          const at = document.elementFromPoint((box.left + box.right) / 2, y);
          const seen = focused.closest("label, summary, header") ?? focused;
          return document.body === focused || seen.contains(at) || at?.contains(focused)
            ? "" : `${focused.outerHTML} is under ${at?.outerHTML ?? "the edge"}`;
        }"""
                )
                assert not hidden, hidden


def test_words_are_whole_on_every_page_where_a_line_holds_them(
    busy_server: Server, sign_in: SignIn
) -> None:
    """At 195 pixels, which is a phone at 200%, in both languages and with everything unfolded."""
    visit = sign_in(busy_server, width=195, height=450)
    page = visit.page
    broken: list[str] = []
    for language in ("de", ""):
        visit.open("/settings/")
        page.locator("#language").select_option(language)
        page.locator("form", has=page.locator("#language")).locator("button.primary").click()
        for address in PAGES:
            visit.open(address)
            page.evaluate("document.querySelectorAll('details').forEach((e) => (e.open = true))")
            page.wait_for_timeout(50)
            # The browser is a British one: days come before months.
            assert not re.search(r"[A-Z][a-z]{2} \d{1,2}, \d{4}", page.inner_text("body")), address
            found = page.evaluate(BROKEN_WORDS, "main, .menu-list, .bar")
            broken += [f"{address} ({language or 'en'}): {word}" for word in found]
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    assert not broken, "\n".join(broken)


def test_what_is_wrong_is_in_view(busy_server: Server, sign_in: SignIn) -> None:
    """At 200%, too, below the bar at the top and above that at the bottom."""
    visit = sign_in(busy_server)
    page = visit.page
    for width, height in [(1440, 900), (720, 450), (512, 450), (195, 450)]:
        with visit.window(width, height):
            visit.open("/")
            page.get_by_label("Folder", exact=True).fill("/nowhere at all")
            page.keyboard.press("Tab")
            expect(page.locator("#estimate .field-error")).to_be_visible()
            wait_until(page, f"({UNCOVERED})('#estimate .field-error')")
            expect(page.get_by_label("Folder", exact=True)).to_have_accessible_description(
                re.compile("There is no folder or file")
            )
            page.get_by_role("button", name="Start").click()
            expect(page.locator("#problem")).to_be_focused()
            wait_until(page, f"({UNCOVERED})('#problem')")
            visit.open("/settings/")
            page.get_by_label("Seconds").fill("never")
            page.locator("form", has=page.get_by_label("Seconds")).locator("button.primary").click()
            expect(page.locator("main [role=alert]")).to_be_focused()
            wait_until(page, f"({UNCOVERED})('main [role=alert]')")


UNCOVERED = """(selector) => {
  const box = document.querySelector(selector).getBoundingClientRect();
  return [box.top + 2, box.bottom - 2].every((y) =>
    document.elementFromPoint(box.left + 5, y)?.closest(selector));
}"""
"""Whether nothing lies over the first and the last line of an element."""


def test_the_folder_dialog_shows_several_folders_at_once(
    server: Server, sign_in: SignIn, tmp_path: Path
) -> None:
    for name in ("one", "two", "three", "four", "five", "six", "seven", "eight"):
        (tmp_path / "many" / name).mkdir(parents=True)
    visit = sign_in(server)
    page = visit.page
    for width, height in [(1440, 900), (720, 450), (512, 450), (195, 450)]:
        with visit.window(width, height):
            visit.open("/")
            page.get_by_label("Folder", exact=True).fill(str(tmp_path / "many"))
            page.get_by_role("button", name="Browse").click()
            expect(page.locator(".folder-item")).to_have_count(9)
            expect(page.locator("[data-choose]")).to_be_in_viewport(ratio=1)
            page.locator(".folder-item").nth(4).focus()
            seen = page.evaluate(
                """[...document.querySelectorAll(".folder-item")].filter((each) => {
      const box = each.getBoundingClientRect();
      return [box.top + 5, box.bottom - 5].every((y) =>
        document.elementFromPoint(box.left + 30, y)?.closest(".folder-item") === each);
    }).length"""
            )
            assert seen >= 4
            expect(page.get_by_role("button", name="eight")).to_have_count(1)
            page.get_by_role("button", name="eight").scroll_into_view_if_needed()
            expect(page.get_by_role("button", name="eight")).to_be_in_viewport(ratio=0.9)


def test_the_progress_page_is_accessible(
    server: Server, enter: Enter, axe: Axe, photos: Path
) -> None:
    visit = enter(server)
    page = visit.page
    page.route(re.compile("/now$"), lambda route: route.abort())  # it stays as it is
    page.get_by_label("Folder", exact=True).fill(str(photos))
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/work/*")
    wrong: list[str] = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wrong += axe(page, themes=THEMES)
    assert not wrong, "\n".join(wrong)


def test_every_page_speaks_german(busy_server: Server, sign_in: SignIn) -> None:
    visit = sign_in(busy_server)
    page = visit.page
    visit.open("/settings/")
    page.get_by_label("Language").select_option("de")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("heading", name="Einstellungen")).to_be_visible()
    headings = {
        "/": "Doppelte Bilder finden", "/history/": "Verlauf", "/backups/": "Sicherungen",
        "/not-duplicates/": "Keine Duplikate", "/find/": "Nach Beispiel suchen",
        "/scans/1/failures/": "Dateien, die nicht lesbar waren", "/scans/1/export/": "Exportieren",
    }  # fmt: skip
    for address, heading in headings.items():
        visit.open(address)
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    visit.open("/settings/")
    page.get_by_label("Sprache").select_option("")
    page.get_by_role("button", name="Speichern").first.click()


def test_the_folder_dialog_by_keyboard(server: Server, enter: Enter, photos: Path) -> None:
    (photos / "another").mkdir()
    visit = enter(server)
    page = visit.page
    page.get_by_label("Folder", exact=True).fill(str(photos))
    page.get_by_role("button", name="Browse").focus()
    page.keyboard.press("Enter")
    up = page.get_by_role("button", name="Up one folder")
    expect(up).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="another", exact=True)).to_be_focused()
    page.keyboard.press("i")
    expect(page.get_by_role("button", name="inner", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-path]")).to_have_attribute("data-path", str(photos / "inner"))
    expect(up).to_be_focused()
    page.keyboard.press("Backspace")
    expect(page.locator("[data-path]")).to_have_attribute("data-path", str(photos))
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-path]")).to_have_attribute("data-path", str(photos / "inner"))
    page.get_by_role("button", name="Choose this folder").focus()
    page.keyboard.press("Enter")
    box = page.get_by_label("Folder", exact=True)
    expect(box).to_have_value(str(photos / "inner"))
    expect(box).to_be_focused()
    expect(page.get_by_text("4 files to scan")).to_be_visible()
    page.get_by_role("button", name="Browse").click()
    page.keyboard.press("Escape")
    expect(page.locator("#folder-dialog")).not_to_be_visible()


def test_folders_with_roles_and_presets(server: Server, enter: Enter, photos: Path) -> None:
    visit = enter(server)
    page = visit.page
    page.get_by_label("Folder", exact=True).first.fill(str(photos))
    page.get_by_role("button", name="Add another folder").click()
    page.get_by_label("Folder", exact=True).nth(1).fill(str(photos / "inner"))
    page.get_by_label("Role of this folder").nth(1).select_option("protect")
    page.get_by_role("radio", name="Lenient").check()
    expect(page.locator("#esimilarity")).to_be_hidden()
    page.get_by_role("radio", name="Custom").check()
    expect(page.get_by_text("esimilarity_threshold")).to_be_visible()
    expect(page.locator("output[for=esimilarity]")).to_have_text("1.00")
    expect(page.locator("output[for=csimilarity]")).to_have_text("0.70")
    page.locator("#esimilarity").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("output[for=esimilarity]")).to_have_text("0.99")
    expect(page.locator("#presets input:checked")).to_have_value("own")
    page.get_by_text("Quick", exact=True).click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/scans/\d+/"))
    scan = re.findall(r"/scans/(\d+)/", page.url)[0]
    document = page.request.get(f"{visit.base}/scans/{scan}/export/groups.json").json()
    assert document["settings"]["protected"] == [str(photos / "inner")]
    assert document["settings"]["esimilarity_threshold"] == 0.99
    kept = {group["keeper"]["path"] for group in document["groups"]}
    assert all(os.path.dirname(path) == str(photos / "inner") for path in kept)
    visit.open(f"/?again={scan}")
    expect(page.get_by_label("Role of this folder").nth(1)).to_have_value("protect")


def test_what_is_wrong_with_a_folder_is_said(server: Server, enter: Enter) -> None:
    visit = enter(server)
    page = visit.page
    page.get_by_label("Folder", exact=True).fill("/no/such/folder")
    expect(page.locator("#estimate")).to_contain_text("There is no folder or file")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no folder or file")
    expect(page.get_by_label("Folder", exact=True)).to_have_value("/no/such/folder")


@pytest.mark.skipif(sys.platform != "linux", reason="where such folders are differs")
def test_the_start_page_offers_folders(library_dir: Path, enter: Enter, tmp_path: Path) -> None:
    home = tmp_path / "home"
    _make_photos(home / "Pictures", count=1)
    (home / "Downloads").mkdir()
    started = start_server(library_dir, HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"))
    try:
        page = enter(started).page
        places = page.get_by_role("list", name="Suggested folders")
        expect(places.get_by_role("button")).to_have_text(["Pictures", "Downloads"])
        places.get_by_role("button", name="Pictures").click()
        box = page.get_by_label("Folder", exact=True)
        expect(box).to_have_value(str(home / "Pictures"))
        expect(page.locator("#estimate")).to_contain_text("files to scan")
    finally:
        started.stop()


def test_a_path_is_completed_and_not_blamed_while_it_is_typed(
    server: Server, enter: Enter, photos: Path
) -> None:
    (photos.parent / "photos of 2019").mkdir()
    (photos.parent / "other").mkdir()
    page = enter(server).page
    box = page.get_by_label("Folder", exact=True)
    box.press_sequentially(str(photos)[:-1])
    options = page.locator("#folder-completions option")
    expect(options).to_have_count(2)
    expect(options.nth(0)).to_have_attribute("value", str(photos))
    expect(options.nth(1)).to_have_attribute("value", str(photos.parent / "photos of 2019"))
    expect(page.locator("#estimate")).to_contain_text("There is no folder or file")
    expect(page.locator("#estimate .field-error")).to_have_count(0)
    box.blur()
    expect(page.locator("#estimate .field-error")).to_be_visible()
    box.fill(str(photos))
    expect(page.locator("#estimate")).to_contain_text("files to scan")


def test_folders_dropped_from_the_desktop(server: Server, enter: Enter, photos: Path) -> None:
    (photos / "über").mkdir()
    page = enter(server).page
    for text in (f"{photos.as_uri()}\r\n{(photos / 'über').as_uri()}", ""):
        data = page.evaluate_handle(
            "(text) => { const data = new DataTransfer();"
            " if (text) data.setData('text/uri-list', text);"
            " else data.items.add(new File(['x'], 'folder')); return data; }",
            text,
        )
        page.dispatch_event("#folder-list", "drop", {"dataTransfer": data})
    boxes = page.get_by_label("Folder", exact=True)
    expect(boxes).to_have_count(2)
    expect(boxes.nth(0)).to_have_value(str(photos))
    expect(boxes.nth(1)).to_have_value(str(photos / "über"))
    expect(
        page.get_by_text("This browser does not reveal where dropped folders are")
    ).to_be_visible()


def test_a_browser_that_came_in_once_needs_only_a_bookmark(
    library_dir: Path, enter: Enter, axe: Axe
) -> None:
    first = start_server(library_dir)
    try:
        owner, other = enter(first), enter(first)
        first.stop()
        again = start_server(library_dir, int(first.base.rpartition(":")[2]))
        try:
            for visit in (owner, other):
                visit.open("/")
                expect(visit.page.get_by_role("button", name="Start")).to_be_visible()
            owner.open("/settings/")
            owner.page.get_by_role("button", name="Sign out all other browsers").click()
            expect(
                owner.page.get_by_text("All other browsers have been signed out.")
            ).to_be_visible()
            owner.open("/")
            expect(owner.page.get_by_role("button", name="Start")).to_be_visible()
            other.open("/")
            expect(other.page.get_by_role("heading")).to_have_text("This browser is not signed in")
            expect(other.page.get_by_text("idf serve")).to_be_visible()
            assert not axe(other.page)
        finally:
            again.stop()
    finally:
        first.stop()


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for a browser is a shell script")
def test_the_file_that_leads_the_browser_in(
    library_dir: Path, tmp_path: Path, chromium: Browser
) -> None:
    seen, script = tmp_path / "seen", tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {seen}.new && mv {seen}.new {seen}\n')
    script.chmod(0o755)
    code = (
        "import socket, sys\n"
        "from image_duplicate_finder.web.server import run\n"
        "probe = socket.socket(); probe.bind(('127.0.0.1', 0))\n"
        "port = probe.getsockname()[1]; probe.close()\n"
        "run(sys.argv[1], port=port)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(library_dir)],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"BROWSER": str(script)},
    )
    page = chromium.new_context().new_page()
    try:
        until = time.monotonic() + PATIENCE
        while not seen.exists() and time.monotonic() < until:
            time.sleep(0.1)
        file = seen.read_text().strip()
        page.goto(file)
        page.wait_for_url(re.compile(r"http://127\.0\.0\.1:\d+/$"))
        expect(page.get_by_role("button", name="Start")).to_be_visible()
        assert not Path(file.removeprefix("file://")).exists()
    finally:
        page.context.close()
        process.terminate()
        process.wait(PATIENCE)


def test_progress_goes_on_after_a_failed_answer(server: Server, enter: Enter, photos: Path) -> None:
    visit = enter(server)
    page = visit.page
    page.route("**/now", lambda route: route.fulfill(status=503), times=1)
    page.get_by_label("Folder", exact=True).fill(str(photos))
    page.get_by_text("Quick", exact=True).click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/scans/\d+/"))


def test_a_scan_that_is_stopped_early_can_go_on(
    server: Server, enter: Enter, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for seed in range(300):  # enough to be busy for some seconds
        cv2.imwrite(str(folder / f"{seed}.png"), paint_photo(seed, 240, 180))
    visit = enter(server)
    page = visit.page
    page.get_by_label("Folder", exact=True).fill(str(folder))
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/work/*")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("heading", name="Stopped")).to_be_visible()
    expect(page.get_by_role("link", name="Review results")).to_be_hidden()
    stopped = page.url
    page.set_viewport_size({"width": 390, "height": 900})
    visit.open("/scans/1/")
    shown = page.get_by_role("button", name="Continue").bounding_box()
    assert shown is not None and shown["width"] > shown["height"]
    page.goto(stopped)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(lambda url: url != stopped)
    page.wait_for_url(re.compile(r"/scans/\d+/"))


def test_progress_says_how_much_is_done_left_and_found(
    server: Server, enter: Enter, photos: Path
) -> None:
    visit = enter(server)
    page = visit.page
    page.add_init_script(  # a page that is not looked at, in a browser that was not asked yet
        "document.hasFocus = () => false;"
        "window.Notification = class { static permission = 'default';"
        " static async requestPermission() { this.permission = 'granted'; }"
        " constructor(title, { body }) { sessionStorage.notice = body; } };"
    )
    ended = False

    def answer(route: Route) -> None:
        real = route.fetch().json()
        state = "stopped" if ended else "running"
        fields = {"percent": "" if ended else "37%", "title": "Scanning", "left": "about 4 minutes"}
        notice = "Scanning: Done" if ended else ""
        changed = {"ended": ended, "state": state, "notice": notice, "share": 0.5}
        route.fulfill(json=real | changed | {"fields": real["fields"] | fields})

    page.route("**/now", answer)
    page.get_by_label("Folder", exact=True).fill(str(photos))
    page.get_by_text("Quick", exact=True).click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/work/*")
    expect(page).to_have_title("37% · Scanning · ImageDuplicateFinder")
    expect(page.get_by_text("about 4 minutes")).to_be_visible()
    expect(page.locator("#found-so-far")).to_contain_text("copies")
    page.get_by_role("button", name="Notify me when it is done").click()
    expect(page.get_by_role("button", name="Notify me when it is done")).to_be_hidden()
    ended = True
    wait_until(page, "sessionStorage.notice === 'Scanning: Done'")


@pytest.mark.skipif(sys.platform != "linux", reason="the stand-in for a viewer is a shell script")
def test_files_are_opened_and_their_path_copied_by_keys(
    library_dir: Path, sign_in: SignIn, photos: Path, tmp_path: Path
) -> None:
    log, viewer = tmp_path / "opened", tmp_path / "bin" / "xdg-open"
    viewer.parent.mkdir()
    viewer.write_text(f'#!/bin/sh\necho "$1" >> {log}\n')
    viewer.chmod(0o755)
    with Library.open(library_dir) as library:
        scan = library.scan([photos], ScanSettings(mode=Mode.QUICK, jobs=1)).id
        group = library.groups(scan).groups[0]
    path = os.pathsep.join((str(viewer.parent), os.environ["PATH"]))
    started = start_server(library_dir, PATH=path, DISPLAY=":99")
    try:
        visit = sign_in(started, permissions=["clipboard-read", "clipboard-write"])
        page, member = visit.page, group.members[0].file
        clipboard = "navigator.clipboard.readText()"
        visit.open(f"/scans/{scan}/")
        page.locator(f"[data-file='{member.id}'] .pick").first.focus()
        page.keyboard.press("c")
        expect(page.get_by_text("Path copied.")).to_be_visible()
        assert page.evaluate(clipboard) == member.path
        page.keyboard.press("w")
        patience.wait_until(lambda: log.exists() and log.stat().st_size > 0, "a viewer starts")
        assert log.read_text().splitlines() == [member.path]
        visit.open(f"/scans/{scan}/compare/{group.id}/{member.id}/")
        page.get_by_role("button", name="Copy path").first.click()
        expect(page.get_by_text("Path copied.")).to_be_visible()
        assert page.evaluate(clipboard) == group.keeper.path
        page.locator("body").press("c")
        wait_until(page, f"{clipboard}.then((text) => text === {json.dumps(member.path)})")
    finally:
        started.stop()


def test_a_removal_goes_on_without_its_tab(server: Server, enter: Enter, photos: Path) -> None:
    visit = enter(server)
    page = visit.page
    page.get_by_label("Folder", exact=True).fill(str(photos))
    page.get_by_text("Quick", exact=True).click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/work/*")
    tab = page.context.new_page()
    tab.goto(page.url)
    page.close()
    tab.wait_for_url(re.compile(r"/scans/\d+/"))
    scan = re.findall(r"/scans/(\d+)/", tab.url)[0]
    tab.goto(f"{visit.base}/scans/{scan}/remove/")
    tab.get_by_text("Other options").click()
    with tab.expect_navigation():
        tab.get_by_label("Only what is removed").click()
    expect(tab.get_by_label("Only what is removed")).to_be_checked()
    tab.get_by_role("button", name="into the backup").click()
    tab.wait_for_url(re.compile(r"/history/\d+"))
    expect(tab.get_by_text("8 files moved to the backup.")).to_be_visible()

    # One file alone, then the rest, then for good: nothing is left to purge.
    tab.locator("input[name=item]").first.check()
    tab.get_by_role("button", name="Restore selected").click()
    tab.wait_for_url(re.compile(r"job="))
    expect(tab.get_by_text("1 file restored.")).to_be_visible()
    tab.get_by_text("Delete this backup to free its space").click()
    delete = tab.get_by_role("button", name="Permanently delete")
    delete.click()
    assert (
        "history" in tab.url
        and len(list(photos.parent.rglob("ImageDuplicateFinder-backup/**/*.jpg"))) == 7
    )
    tab.get_by_label("I am sure").check()
    delete.click()
    expect(tab.get_by_text("7 files were permanently deleted.")).to_be_visible()
    assert not list(photos.parent.rglob("ImageDuplicateFinder-backup/**/*.jpg"))


def test_metadata_are_copied_to_what_is_kept(
    server: Server, enter: Enter, axe: Axe, tmp_path: Path
) -> None:
    folder = tmp_path / "rated"
    folder.mkdir()
    picture = cv2.cvtColor(paint_photo(7), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "large.png"), picture)
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    plain = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    tagged = written_into(plain, Additions(rating=4), DecodeLimits())
    assert tagged is not None
    (folder / "small.jpg").write_bytes(tagged)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    visit = enter(server)
    page = visit.page
    page.get_by_label("Folder", exact=True).fill(str(folder))
    page.get_by_text("Quick", exact=True).click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"/scans/\d+/"))
    page.goto(f"{visit.base}/scans/1/remove/")
    expect(page.get_by_role("heading", name="Nothing to remove")).to_be_visible()
    page.get_by_text("Other options").click()
    with page.expect_navigation():
        page.get_by_label("Copy metadata to the pictures that are kept").check()
    expect(page.get_by_role("heading", name="Remove 1 file?")).to_be_visible()
    expect(page.get_by_label("Copy metadata to the pictures that are kept")).to_be_checked()
    expect(page.locator("#merges")).to_contain_text("rating: 4")
    assert axe(page) == []
    page.get_by_role("button", name="into the backup").click()
    page.wait_for_url(re.compile(r"/history/\d+"))
    expect(page.get_by_text("1 file moved to the backup.")).to_be_visible()
    kept = read_info((folder / "large.png").read_bytes(), limits=DecodeLimits())
    assert kept.metadata.rating == 4
    page.locator("#undo-all").click()
    page.wait_for_url(re.compile(r"/history/\d+\?job="))
    expect(page.get_by_text("2 files restored.")).to_be_visible()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_find_by_example_with_a_dropped_file(
    busy_server: Server, sign_in: SignIn, axe: Axe, tmp_path: Path
) -> None:
    example = tmp_path / "example.png"
    cv2.imwrite(str(example), cv2.cvtColor(paint_photo(1), cv2.COLOR_RGB2BGR))
    visit = sign_in(busy_server)
    page = visit.page
    visit.open("/find/")
    page.locator("#picture").set_input_files(str(example))
    expect(page.locator("#found-title")).to_be_visible()
    expect(page.locator("#preview")).to_be_visible()
    assert axe(page) == []
    # What was found is in view in a small window, too, and the keyboard goes on from there.
    for width, height in ((512, 450), (195, 450)):
        page.set_viewport_size({"width": width, "height": height})
        visit.open("/find/")
        page.locator("#picture").set_input_files(str(example))
        expect(page.locator("#found-title")).to_be_focused()
        wait_until(page, f"({UNCOVERED})('#found-title')")
        expect(page.locator(".found-item img").first).to_be_in_viewport(ratio=0.9)


def test_the_theme_switch_is_remembered(server: Server, enter: Enter) -> None:
    visit = enter(server)
    page = visit.page
    page.locator("details[data-menu] > summary").click()
    with page.expect_response("**/settings/theme"):
        page.get_by_role("button", name="Dark").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator("details[data-menu] > summary").click()
    page.keyboard.press("Escape")
    expect(page.locator("details[data-menu]")).not_to_have_attribute("open", "")


def test_after_a_restart_the_old_tab_is_told(
    enter: Enter, axe: Axe, library_dir: Path, photos: Path
) -> None:
    first = start_server(library_dir)
    visit = enter(first)
    first.kill()
    second = start_server(library_dir)
    try:
        with pytest.raises(Exception, match="ERR_CONNECTION_REFUSED"):
            visit.page.reload()
        stranger = enter(second)
        stranger.page.context.clear_cookies()
        stranger.open("/")
        expect(stranger.page.get_by_role("heading")).to_have_text("This browser is not signed in")
        assert axe(stranger.page) == []
    finally:
        second.stop()
