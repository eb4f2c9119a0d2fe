"""The compare page in a real browser: modes, synchronous zoom, steps, decisions, accessibility."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from image_duplicate_finder.library import Library
from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.settings import Mode, ScanSettings
from tests.browser.running import (
    CUT,
    OUTSIDE,
    THEMES,
    WIDTHS,
    WINDOWS,
    Server,
    Visit,
    wait_until,
)
from tests.painting import paint_photo
from tests.patience import PATIENCE
from tests.review_scene import CROP, Scene

SignIn = Callable[..., Visit]
Axe = Callable[..., list[str]]

SPOT = (520, 300, 580, 350)
"""Left, top, right, bottom of what was painted over."""

ZOOM = """(id) => {
  const viewer = OpenSeadragon.getViewer(document.getElementById(id));
  const item = viewer.world.getItemAt(0);
  const size = item.getContentSize();
  const centre = item.viewportToImageCoordinates(viewer.viewport.getCenter(true));
  return [item.viewportToImageZoom(viewer.viewport.getZoom(true)), centre.x, centre.y, size.x];
}"""


def compare(visit: Visit, stored: Library, scene: Scene, name: str) -> Page:
    """Open the compare page of a file and wait until both pictures stand."""
    group = stored.groups(scene.scan, GroupQuery(text=name)).groups[0]
    visit.open(f"/scans/{scene.scan}/compare/{group.id}/{scene.files[name]}/")
    ready(visit.page)
    return visit.page


def ready(page: Page) -> None:
    wait_until(
        page,
        """() => ["viewer-keeper", "viewer-member"].every((id) =>
             OpenSeadragon.getViewer(document.getElementById(id))?.world.getItemAt(0))""",
    )


def soon(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until something holds: a picture takes as long to come as the machine is busy."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        page.wait_for_timeout(100)


def at_rest(page: Page) -> None:
    """Wait until both pictures have come to where they are going."""
    wait_until(
        page,
        """["viewer-keeper", "viewer-member"].every((id) => {
          const { viewport } = OpenSeadragon.getViewer(document.getElementById(id));
          const [now, then] = [viewport.getCenter(true), viewport.getCenter(false)];
          const off = Math.hypot(now.x - then.x, now.y - then.y);
          const zoom = viewport.getZoom(true) / viewport.getZoom(false);
          return off < 1e-4 && Math.abs(zoom - 1) < 1e-4;
        })""",
    )


def colour(page: Page, x: float, y: float) -> list[int]:
    """The colour that the left viewer shows at a share of the stage."""
    return page.evaluate(
        """([x, y]) => {
          const canvas = OpenSeadragon.getViewer(document.getElementById("viewer-keeper"))
            .drawer.canvas;
          const at = [Math.round(x * canvas.width), Math.round(y * canvas.height)];
          return [...canvas.getContext("2d").getImageData(...at, 1, 1).data];
        }""",
        [x, y],
    )


def test_both_pictures_move_together_to_single_pixels(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = compare(visit, stored, scene, "b/crop.png")
    page.get_by_role("button", name="1:1").click()
    expect(page.locator("#zoom-level")).to_have_text("100%")
    at_rest(page)
    left, right = (page.evaluate(ZOOM, f"viewer-{which}") for which in ("keeper", "member"))
    assert left[3] == 480 and right[3] == 300
    assert left[0] == pytest.approx(1, abs=0.02) and right[0] == pytest.approx(1, abs=0.02)
    assert right[1] == pytest.approx(left[1] - CROP[0], abs=2)
    assert right[2] == pytest.approx(left[2] - CROP[1], abs=2)

    # The other way round: wheel over the right picture.
    page.locator("#viewer-member").hover()
    page.mouse.wheel(0, -300)
    wait_until(page, f"({ZOOM})('viewer-keeper')[0] > 1.1")
    at_rest(page)
    left, right = (page.evaluate(ZOOM, f"viewer-{which}") for which in ("keeper", "member"))
    assert right[0] > 1.1 and left[0] == pytest.approx(right[0], rel=0.03)
    assert right[1] == pytest.approx(left[1] - CROP[0], abs=3)


def test_a_half_size_copy_is_shown_at_the_size_of_the_scene(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    page = compare(sign_in(server), stored, scene, "b/small.jpg")
    page.get_by_role("button", name="1:1").click()
    expect(page.locator("#zoom-level")).to_have_text("100%")
    at_rest(page)
    assert page.evaluate(ZOOM, "viewer-member")[0] == pytest.approx(2, abs=0.05)


def test_slider_blink_and_difference_show_what_they_say(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    page = compare(sign_in(server), stored, scene, "b/crop.png")
    page.get_by_label("Outline").uncheck()
    grey = [128, 128, 128]

    def differs(found: list[int]) -> bool:
        return max(abs(a - b) for a, b in zip(found[:3], grey, strict=True)) > 3

    # The right end of the original is missing from the crop: plain grey in the aligned picture.
    page.get_by_role("radio", name="Slider").check()
    wait_until(page, "document.getElementById('compare').dataset.mode === 'slider'")
    box = page.locator("#viewer-keeper").bounding_box()
    assert box is not None
    shown = min(box["width"], box["height"] * 4 / 3) / box["width"]
    x = 0.5 + shown * (450 / 480 - 0.5)
    slider = page.get_by_role("slider")
    slider.fill("0")
    soon(page, lambda: not differs(colour(page, x, 0.5)))
    slider.fill("100")
    soon(page, lambda: differs(colour(page, x, 0.5)))

    page.keyboard.press("3")
    expect(page.locator("#blink-words")).to_have_text("Showing the kept file")
    soon(page, lambda: differs(colour(page, x, 0.5)))
    page.get_by_role("button", name="Show the other file").click()
    expect(page.locator("#blink-words")).to_have_text("Showing the other file")
    soon(page, lambda: not differs(colour(page, x, 0.5)))
    page.keyboard.press("b")
    expect(page.locator("#blink-words")).to_have_text("Showing the other file")
    run = page.get_by_role("button", name="Auto-blink")
    run.click()
    expect(run).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#blink-words")).to_have_text("Showing the kept file")
    run.click()

    page.keyboard.press("4")
    expect(page.locator("#difference-words")).to_contain_text("No difference")


def test_pictures_that_do_not_lie_on_each_other_offer_no_difference(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    page = compare(sign_in(server), stored, scene, "c/shot 2.jpg")
    expect(page.get_by_role("radio", name="Difference")).to_be_disabled()
    expect(page.get_by_text("cannot be aligned exactly")).to_be_visible()
    page.keyboard.press("4")
    expect(page.get_by_role("radio", name="Side by side")).to_be_checked()


def test_the_outline_is_drawn_on_the_original(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    page = compare(sign_in(server), stored, scene, "b/crop.png")
    expect(page.get_by_label("Outline")).to_be_checked()
    drawn = page.locator("#viewer-keeper .outline")
    expect(drawn).to_be_visible()
    points = drawn.locator("polygon").last.get_attribute("points")
    assert points is not None
    assert points.split(" ")[0] == f"{CROP[0] / 480},{CROP[1] / 360}"
    page.keyboard.press("o")
    expect(drawn).to_have_count(0)


def test_steps_and_decisions_stay_on_the_page(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = compare(visit, stored, scene, "b/small.jpg")
    page.keyboard.press("2")
    page.evaluate("window.here = true")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**/{scene.files['b/crop.png']}/")
    ready(page)
    expect(page.get_by_role("radio", name="Slider")).to_be_checked()
    expect(page.locator("#remove")).not_to_be_checked()
    page.keyboard.press("Space")
    expect(page.locator("#selection")).to_contain_text("3 files selected")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/{scene.files['b/small.jpg']}/")
    ready(page)
    page.keyboard.press("p")
    page.wait_for_url(f"**/{scene.files['a/original.png']}/")
    kept = stored.groups(scene.scan, GroupQuery(text="original")).groups[0].keeper
    assert kept.id == scene.files["b/small.jpg"]
    ready(page)
    page.keyboard.press("n")
    page.wait_for_url(lambda url: not url.endswith(f"/{scene.files['a/original.png']}/"))
    ready(page)
    assert len(stored.dismissed()) == 1
    assert page.evaluate("window.here") is True
    # The pair before is none any more: Back leads to the groups.
    page.go_back()
    expect(page.locator(".group").first).to_be_visible()
    page.locator(".tile.member").first.hover()
    page.locator(".tile.member").first.get_by_role("link", name="Compare").click()
    page.wait_for_url("**/compare/**")
    ready(page)
    page.keyboard.press("Escape")
    page.wait_for_url("**/scans/*/#group-*")


def test_a_picture_that_does_not_come_leaves_the_rest_at_work(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    page.route(f"**/{scene.files['b/crop.png']}/full**", lambda route: route.abort())
    group = stored.groups(scene.scan, GroupQuery(text="b/crop.png")).groups[0]
    with page.expect_event("requestfailed", lambda request: "/full" in request.url):
        visit.open(f"/scans/{scene.scan}/compare/{group.id}/{scene.files['b/crop.png']}/")
    page.keyboard.press("3")
    expect(page.get_by_role("radio", name="Blink")).to_be_checked()
    page.keyboard.press("Space")
    expect(page.locator("#selection")).to_contain_text("file")
    page.wait_for_timeout(300)


def test_a_large_picture_is_shown_from_a_small_one_and_has_all_its_pixels_when_zoomed(
    server: Server, sign_in: SignIn, library_dir: Path, tmp_path: Path
) -> None:
    """Lines of one pixel are grey in whatever is smaller."""
    folder = tmp_path / "large"
    folder.mkdir()
    photo = np.asarray(Image.fromarray(paint_photo(1)).resize((4000, 3000))).copy()
    photo[1000:2000, 1500:2500] = 255
    photo[1000:2000, 1500:2500:2] = 0
    for name, quality in (("a.jpg", 95), ("b.jpg", 93)):
        Image.fromarray(photo).save(folder / name, quality=quality)
    with Library.open(library_dir) as library:
        scan = library.scan([folder], ScanSettings(mode=Mode.QUICK, jobs=1)).id
        (group,) = library.groups(scan).groups
    visit = sign_in(server)
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.open(f"/scans/{scan}/compare/{group.id}/{group.members[0].file.id}/")
    page = visit.page
    ready(page)
    assert page.evaluate(ZOOM, "viewer-keeper")[3] == 4000
    pictures = [url for url in asked if re.search("/thumbnail/1600|/full", url)]
    assert all("/thumbnail/1600" in url for url in pictures[:2])

    def contrast() -> int:
        shown = [colour(page, 0.5 + step / 700, 0.5)[0] for step in range(6)]
        return max(shown) - min(shown)

    page.get_by_role("button", name="1:1").click()
    expect(page.locator("#zoom-level")).to_have_text("100%")
    soon(page, lambda: contrast() > 200)
    assert any("/full" in url for url in asked)


@pytest.mark.timeout(600)
def test_the_page_is_accessible_and_fits(
    server: Server, sign_in: SignIn, axe: Axe, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    wrong: list[str] = []
    for width, language in ((1440, "en"), (1024, "de"), (390, "de")):
        page.set_viewport_size({"width": width, "height": 900})
        stored.set_preference("language", language)
        compare(visit, stored, scene, "b/crop.png")
        for mode in "1234":
            page.keyboard.press(mode)
            wrong += [f"{width}: beside the window: {each}" for each in page.evaluate(OUTSIDE)]
            wrong += [f"{width}, {mode}, {found}" for found in axe(page, themes=THEMES)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"wider than {width}")
        page.keyboard.press("?")
        expect(page.locator("dialog[open]")).to_be_visible()
        wrong += axe(page, "dialog[open]")
    assert not wrong, "\n".join(wrong)


def test_both_pictures_begin_on_the_first_screen(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    """At 200%, too; and what is said of the files and on the pictures is not cut without a sign."""
    visit = sign_in(server)
    page = visit.page
    for width, height in WINDOWS:
        with visit.window(width, height):
            for language in ("de", "en"):
                stored.set_preference("language", language)
                compare(visit, stored, scene, "b/crop.png")
                assert page.evaluate("scrollY") == 0
                seen = page.evaluate(
                    """[...document.querySelectorAll(".pane")].map((pane) => {
          const box = pane.getBoundingClientRect();
          return (Math.min(box.bottom, innerHeight) - box.top) / innerHeight;
        })"""
                )
                assert seen[0] > 0.2 and seen[1] > 0.1, seen
                cut = page.evaluate(CUT, ".compare-heads *, .compare-head *, .compare-tools *")
                assert not cut, cut
                page.keyboard.press("2")
                page.locator(".slider-tool").wait_for()
                first, second = (
                    each.bounding_box() for each in page.locator(".pane .tile-mark").all()
                )
                assert first and second
                beside = first["x"] + first["width"] <= second["x"]
                assert beside or first["y"] + first["height"] <= second["y"], (
                    "one label is over the other"
                )
                page.locator("#remove").scroll_into_view_if_needed()
                for each in page.locator(".compare-actions > *").all():
                    edges = each.bounding_box()
                    assert edges and edges["x"] >= 8 and edges["x"] + edges["width"] <= width - 8


@pytest.fixture
def retouched(library_dir: Path, tmp_path: Path) -> tuple[Library, int]:
    """A scanned photo with a copy in which one spot was painted over, and the scan's number."""
    photo = paint_photo(7, 800, 600)
    spot = photo.copy()
    spot[SPOT[1] : SPOT[3], SPOT[0] : SPOT[2]] = (250, 20, 20)
    folder = tmp_path / "retouched"
    folder.mkdir()
    for name, pixels in (("photo.png", photo), ("retouched.png", spot)):
        Image.fromarray(pixels).save(folder / name)
    library = Library.open(library_dir)
    return library, library.scan([folder], ScanSettings(mode=Mode.QUICK)).id


@pytest.mark.parametrize("width", WIDTHS)
def test_facts_stand_above_the_pictures_and_differences_are_outlined(
    server: Server, sign_in: SignIn, retouched: tuple[Library, int], width: int
) -> None:
    library, scan = retouched
    group = library.groups(scan, GroupQuery()).groups[0]
    assert group.members[0].differences, "the closer look stored where they differ"
    visit = sign_in(server, width=width)
    visit.open(f"/scans/{scan}/compare/{group.id}/{group.members[0].file.id}/")
    page = visit.page
    ready(page)
    heads = page.locator(".compare-file")
    expect(heads).to_have_count(2)
    for head, file in zip(heads.all(), (group.keeper, group.members[0].file), strict=True):
        expect(head).to_contain_text(Path(file.path).name)
        expect(head).to_contain_text("800 × 600 · PNG")
        expect(head).to_be_in_viewport(ratio=1)

    expect(page.get_by_role("button", name="Differs in 1 place")).to_be_visible()
    for side in ("keeper", "member"):
        expect(page.locator(f"#viewer-{side} .region")).to_be_visible()
    page.keyboard.press("d")
    middle = [(SPOT[0] + SPOT[2]) / 2, (SPOT[1] + SPOT[3]) / 2]

    def centre(side: str) -> list[float]:
        return page.evaluate(ZOOM, f"viewer-{side}")[1:3]

    soon(page, lambda: centre("keeper") == pytest.approx(middle, abs=12))
    soon(page, lambda: centre("member") == pytest.approx(middle, abs=12))


def test_modes_and_the_next_pair_are_at_hand_before_they_are_asked_for(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    asked: list[str] = []
    visit.page.on("requestfinished", lambda request: asked.append(request.url))
    page = compare(visit, stored, scene, "b/small.jpg")

    def count(part: str) -> int:
        return sum(part in url for url in asked)

    wait_until(
        page,
        """() => performance.getEntriesByType("resource")
             .filter((each) => each.name.includes("/aligned")).length >= 2""",
    )
    assert count(f"/{scene.files['b/small.jpg']}/difference?") == 1
    assert count(f"/{scene.files['b/crop.png']}/aligned") == 1
    before = len(asked)
    for mode in "2341":
        page.keyboard.press(mode)
        page.wait_for_timeout(300)
    assert [url for url in asked[before:] if "/aligned" in url or "/difference" in url] == []
