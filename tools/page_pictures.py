"""Take a picture of every page of the app in every state, to be looked at one by one.

``python -m tools.page_pictures --photos osie kodak --out FOLDER``: a library over a folder as
people have it (holiday photos, their copies from a phone, exports, bursts, RAW beside JPEG,
captions) is made, and each page of it is shown in several widths, themes, languages and zooms.
``--sheets 6`` puts six pictures on a sheet; ``--only review decide`` takes these pages alone.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.photos import list_photos
from image_duplicate_finder.library import Library
from image_duplicate_finder.model import GroupKind
from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.settings import ScanSettings
from tests.browser.conftest import ARGUMENTS
from tests.browser.running import find_browser, start_server, wait_until

PHOTOS = 40


@dataclass(frozen=True, slots=True)
class Variant:
    """How a page is looked at; a zoom of 2 is what browsers show at 200%."""

    width: int
    theme: Any
    language: str
    zoom: int = 1

    @property
    def name(self) -> str:
        return f"{self.width}-{self.theme}-{self.language}-{self.zoom}00"


LISTED = (
    "document.getElementById('groups')?.getAttribute('aria-busy') === 'false'"
    " && document.querySelector('.tile-image')?.complete"
)
BOTH = (
    "[...document.querySelectorAll('[data-pane] img')]"
    ".filter((each) => each.complete && each.naturalWidth).length > 1"
)
STAGE = (
    "window.OpenSeadragon && ['viewer-keeper', 'viewer-member'].every((id) =>"
    " OpenSeadragon.getViewer(document.getElementById(id))?.world.getItemAt(0))"
)
"""True when the list, both pictures of a pair, and both of a comparison are there."""

FEW = (
    Variant(1440, "light", "en-GB"),
    Variant(1440, "dark", "de-DE"),
    Variant(1024, "light", "de-DE"),
    Variant(390, "light", "de-DE"),
    Variant(390, "dark", "en-GB"),
    Variant(1440, "light", "de-DE", 2),
)
"""Each width, theme, language and zoom at least once."""

ALL = tuple(
    Variant(width, theme, language, zoom)
    for width in (1440, 1024, 390)
    for theme in ("light", "dark")
    for language in ("en-GB", "de-DE")
    for zoom in (1, 2)
)


def make_collection(folder: Path, photos: Sequence[Path]) -> None:
    """Holiday photos with what becomes of them: copies, small ones, crops, bursts, units."""
    holiday, phone, exports = (folder / name for name in ("2021 Holiday", "From phone", "Exports"))
    for made in (holiday, phone, exports):
        made.mkdir(parents=True)
    for number, path in enumerate(photos):
        with Image.open(path) as opened:
            photo = opened.convert("RGB")
        photo = photo.resize((photo.width * 2, photo.height * 2), Image.Resampling.LANCZOS)
        when = datetime.datetime(2021, 6, 1 + number % 28, 11, number % 60).timestamp()
        name = f"IMG_{2041 + number * 7}"

        def put(
            path: Path, image: Image.Image, later: float = 0, when: float = when, **how: Any
        ) -> None:
            image.save(path, **how)
            os.utime(path, (when + later, when + later))

        exif = Image.Exif()
        exif[271], exif[272] = "Canon", "EOS 80D"
        exif.get_ifd(0x8769)[36867] = datetime.datetime.fromtimestamp(when).strftime(
            "%Y:%m:%d %H:%M:%S"
        )
        original = holiday / f"{name}.jpg"
        put(original, photo, quality=93, exif=exif)
        small = photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS)
        width, height = photo.size
        if number % 3 == 0:
            shutil.copy2(original, exports / f"{name} (1).jpg")
        if number % 2 == 0:
            put(phone / f"IMG-202107{number:02}-WA0001.jpg", small, 9e5, quality=75)
        if number % 4 == 1:
            cut = photo.crop((width // 8, height // 10, width - width // 9, height - height // 12))
            put(exports / f"cover {number}.jpg", cut, 5e6, quality=88)
        if number % 5 == 2:
            put(exports / f"{name}-bw.jpg", photo.convert("L"), 6e6, quality=90)
        if number % 6 == 3:  # a burst
            for shot in range(1, 4):
                moved = photo.crop(
                    (shot * 22, shot * 13, width - 70 + shot * 20, height - 50 + shot * 13)
                )
                moved = moved.filter(ImageFilter.GaussianBlur(shot % 3 * 1.4))
                put(holiday / f"{name}_BURST{shot}.jpg", moved, shot, quality=90)
        if number % 8 == 0:  # with a RAW file and a sidecar
            (holiday / f"{name}.CR2").write_bytes(b"II*\x00" + os.urandom(200_000))
            (holiday / f"{name}.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
        if number % 8 == 4:  # with a caption, and its copy with the same
            for picture in (original, phone / f"IMG-202107{number:02}-WA0001.jpg"):
                picture.with_suffix(".txt").write_text("a photo of the holiday")
    (holiday / "IMG_1999.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    (phone / "notes.heic").write_bytes(b"no picture at all")


def make_library(folder: Path, photos: Sequence[Path]) -> tuple[Path, int]:
    """A library with a scan, a dismissed pair and a removal that was partly undone."""
    make_collection(folder / "Pictures", photos)
    with Library.open(folder / "library") as library:
        scan = library.scan([folder / "Pictures"], ScanSettings(jobs=2)).id
        groups = library.groups(scan, GroupQuery(text="bw")).groups
        if groups:
            library.dismiss(groups[0].id)
        exact = library.groups(scan, GroupQuery(text="(1)")).groups[:4]
        library.select_groups(scan, GroupQuery(), False)
        for group in exact:
            library.select([(group.id, group.members[0].file.id)], True)
        library.apply(library.plan(scan))
        library.select_groups(scan, GroupQuery(kinds=(GroupKind.DUPLICATES,)), True)
    return folder / "library", scan


def states(
    scan: int, group: int, file: int, burst: int
) -> Iterator[tuple[str, str, Callable[[Page], None]]]:
    """Every page with what is done on it before it is shown: name, address, action."""

    def nothing(page: Page) -> None:
        page.wait_for_timeout(250)

    def unfold(page: Page) -> None:
        page.evaluate(
            "document.querySelectorAll('main details').forEach((each) => (each.open = true))"
        )
        page.wait_for_timeout(250)

    def keys(*names: str, wait: str = "") -> Callable[[Page], None]:
        def press(page: Page) -> None:
            if wait:
                wait_until(page, wait, 60)
            page.wait_for_timeout(300)
            for name in names:
                page.keyboard.press(name)
                page.wait_for_timeout(350)
            page.wait_for_timeout(500)

        return press

    def opened(selector: str) -> Callable[[Page], None]:
        def click(page: Page) -> None:
            wait_until(page, LISTED, 60)
            page.evaluate(
                """(selector) => {
                  const found = document.querySelector(selector);
                  if (found.tagName === "DETAILS") found.open = true;
                  else found.click();
                }""",
                selector,
            )
            page.wait_for_timeout(600)

        return click

    def typed(page: Page) -> None:
        page.locator("[data-folder-input]").first.fill("/nowhere at all")
        page.keyboard.press("Tab")
        page.wait_for_timeout(900)

    def browse(page: Page) -> None:
        page.locator("[data-browse]").first.click()
        page.wait_for_timeout(600)

    def picture(page: Page) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "photo.jpg"
            path.write_bytes(
                page.request.get(
                    f"{page.url.split('/find')[0]}/scans/{scan}/images/{file}/full"
                ).body()
            )
            page.locator("#picture").set_input_files(path)
            page.wait_for_timeout(4000)

    review, decide = f"/scans/{scan}/", f"/scans/{scan}/decide/?done=1"
    compare = f"/scans/{scan}/compare/{group}/{file}/"
    yield "start", "/", nothing
    yield "start-open", "/", unfold
    yield "start-wrong", "/", typed
    yield "start-dialog", "/", browse
    yield "review-grid", review, keys("2", "j", wait=LISTED)
    yield "review-list", review, keys("1", "j", wait=LISTED)
    yield "review-large", review, keys("3", "j", wait=LISTED)
    yield "review-filters", review, opened(".filter-menu")
    yield "review-menu", review, opened("details.more")
    yield "review-nav", review, opened(".nav-menu")
    yield "review-rule", review, opened("[data-opens=bulk]")
    yield "review-keys", review, keys("2", "?", wait=LISTED)
    yield "review-done", f"{review}?done=1", keys("2", wait=LISTED)
    yield "review-empty", f"{review}?q=nothing+like+this", nothing
    yield "review-toast", review, keys("2", "j", "a", wait=LISTED)
    yield "decide", decide, keys(wait=BOTH)
    yield "decide-crop", f"{decide}&group={group}", keys("d", wait=BOTH)
    yield "decide-survey", f"{decide}&group={burst}", keys("v", wait=BOTH)
    yield "decide-keys", decide, keys("?", wait=BOTH)
    yield "decide-end", f"{decide}&q=cover", keys(*["ArrowDown"] * 30, wait=BOTH)
    yield "compare-side", compare, keys("1", wait=STAGE)
    yield "compare-slider", compare, keys("2", wait=STAGE)
    yield "compare-blink", compare, keys("3", wait=STAGE)
    yield "compare-difference", compare, keys("4", wait=STAGE)
    yield "confirm", f"/scans/{scan}/remove/", nothing
    yield "confirm-open", f"/scans/{scan}/remove/?merge=1", unfold
    yield "history", "/history/", nothing
    yield "report", "/history/1", unfold
    yield "backups", "/backups/", unfold
    yield "dismissed", "/not-duplicates/", nothing
    yield "find", "/find/", nothing
    yield "find-found", "/find/", picture
    yield "settings", "/settings/", unfold
    yield "about", "/about/", nothing
    yield "failures", f"/scans/{scan}/failures/", nothing
    yield "export", f"/scans/{scan}/export/", unfold
    yield "nothing-there", "/no/such/page", nothing


def take(
    base: str,
    context: BrowserContext,
    address: str,
    action: Callable[[Page], None],
    out: Path,
) -> str:
    """Take one picture; returns what is wrong with its width, "" if nothing is."""
    page = context.new_page()
    try:
        page.goto(base + address)
        with suppress(AssertionError):
            action(page)
        page.screenshot(path=str(out))
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return f"{out.name}: {wide} pixels too wide" if wide > 0 else ""
    finally:
        page.close()


def sheets(folder: Path, names: Sequence[str], each: int) -> None:
    """Put the pictures of a variant together, so many a sheet."""
    for first in range(0, len(names), each):
        pictures = [Image.open(folder / f"{name}.png") for name in names[first : first + each]]
        high = 900 if pictures[0].width < pictures[0].height else 640
        shown = [
            p.convert("RGB").resize((round(p.width * high / p.height), high)) for p in pictures
        ]
        columns = 2 if shown[0].width > shown[0].height else len(shown)
        rows = [shown[i : i + columns] for i in range(0, len(shown), columns)]
        sheet = Image.new(
            "RGB",
            (max(sum(p.width + 8 for p in row) for row in rows), len(rows) * (high + 24)),
            "#888",
        )
        draw = ImageDraw.Draw(sheet)
        for line, row in enumerate(rows):
            x = 0
            for column, picture in enumerate(row):
                sheet.paste(picture, (x, line * (high + 24) + 20))
                draw.text(
                    (x + 4, line * (high + 24) + 4), names[first + line * columns + column], "white"
                )
                x += picture.width + 8
        sheet.save(folder / f"sheet-{first // each:02}.png")


def run(
    library: Path, scan: int, out: Path, variants: Sequence[Variant], only: Sequence[str], each: int
) -> None:
    """Show the library in a browser and take the pictures."""
    with Library.open(library) as opened:
        groups = opened.all_groups(scan)
    group, file = next(
        (group.id, member.file.id)
        for group in groups
        for member in group.members
        if "cover" in member.file.path and not member.file.gone
    )
    burst = next(
        (group.id for group in groups if sum("BURST" in m.file.path for m in group.members) > 1),
        group,
    )
    server = start_server(library)
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
            entered = browser.new_context()
            entered.new_page().goto(server.next_entry())
            kept = entered.storage_state()
            for variant in variants:
                folder = out / variant.name
                folder.mkdir(parents=True, exist_ok=True)
                context = _context(browser, variant, kept)
                taken = []
                for name, address, action in states(scan, group, file, burst):
                    if only and not any(re.match(word, name) for word in only):
                        continue
                    if wrong := take(server.base, context, address, action, folder / f"{name}.png"):
                        print(variant.name, wrong, flush=True)
                    taken.append(name)
                context.close()
                if each:
                    sheets(folder, taken, each)
            browser.close()
    finally:
        server.stop()


def _context(browser: Browser, variant: Variant, kept: Any) -> BrowserContext:
    return browser.new_context(
        viewport={"width": variant.width // variant.zoom, "height": 900 // variant.zoom},
        device_scale_factor=variant.zoom,
        color_scheme=variant.theme,
        locale=variant.language,
        reduced_motion="reduce",
        storage_state=kept,
    )


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, make the library and take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m tools.page_pictures", description=__doc__)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--library", type=Path, help="an earlier run's folder with library and photos"
    )
    parser.add_argument("--only", nargs="*", default=[], metavar="PAGE")
    parser.add_argument(
        "--all", action="store_true", help="every width in every theme, language and zoom"
    )
    parser.add_argument("--sheets", type=int, default=0, metavar="N")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        base = given.library or Path(folder)
        if (base / "library").exists():
            library, scan = base / "library", 1
        else:
            found = [photo.path for photo in list_photos(given.photos)]
            library, scan = make_library(base, found[:: max(1, len(found) // PHOTOS)][:PHOTOS])
        run(library, scan, given.out, ALL if given.all else FEW, given.only, given.sheets)


if __name__ == "__main__":
    main()
