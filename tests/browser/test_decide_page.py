"""Decide mode in a real browser: pair after pair by keys, undo, survey, aligned pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from image_duplicate_finder.library import Library
from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.settings import Mode, ScanSettings
from tests import patience
from tests.browser.photos import save_large_pairs
from tests.browser.running import CUT, OUTSIDE, WINDOWS, Server, Visit, wait_until
from tests.patience import PATIENCE
from tests.review_scene import CROP, MARKUP, Scene

SignIn = Callable[..., Visit]
Axe = Callable[[Page], list[str]]

MORE_GROUPS = 3
"""Groups of the scene beside the three that are made by hand."""


def name(page: Page, side: str, text: str) -> None:
    expect(page.locator(f'[data-side="{side}"] [data-field="name"]')).to_have_text(text)


def expect_selected(stored: Library, scene: Scene, names: set[str]) -> None:
    """The page goes on before the server has answered."""
    patience.wait_until(lambda: selected(stored, scene) == names, f"{names} are selected")


def selected(stored: Library, scene: Scene) -> set[str]:
    names = {id: name for name, id in scene.files.items()}
    return {
        names[member.file.id]
        for group in stored.all_groups(scene.scan)
        for member in group.members
        if member.selected
    }


def test_pairs_are_decided_by_single_keys(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    stored.select_groups(scene.scan, GroupQuery(), False)
    visit.open(f"/scans/{scene.scan}/decide/?q=original")
    name(page, "left", "original.png")
    name(page, "right", MARKUP)
    expect(page.locator("#progress")).to_contain_text("1 of 3")
    page.keyboard.press("ArrowLeft")
    name(page, "right", "small.jpg")
    expect(page.locator('[data-side="left"] .chips')).to_contain_text("4.0 times the pixels")
    page.keyboard.press("ArrowRight")  # the small one stays, the original goes
    name(page, "left", "small.jpg")
    name(page, "right", "crop.png")
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="All pairs done")).to_be_visible()
    expect(page.locator('[data-end="decided"]')).to_have_text("3")
    assert "a/original.png" in selected(stored, scene) and len(stored.dismissed()) == 1
    group = stored.groups(scene.scan, GroupQuery(text="original")).groups[0]
    assert group.keeper.id == scene.files["b/small.jpg"]

    for left, right in (("small.jpg", "crop.png"), ("original.png", "small.jpg")):
        page.keyboard.press("Control+z")
        name(page, "left", left)
        name(page, "right", right)
    expect_selected(stored, scene, {f"b/{MARKUP}"})
    assert stored.dismissed() == []
    page.keyboard.press("Control+z")
    name(page, "right", MARKUP)
    expect_selected(stored, scene, set())


def test_later_and_both_and_the_way_out(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/decide/?q=large")
    expect(page.locator("#progress")).to_contain_text("1 of 3")
    for key in ("ArrowDown", "ArrowUp", "ArrowDown"):
        before = page.locator("#decide").get_attribute("data-pair")
        page.keyboard.press(key)
        wait_until(page, f"document.getElementById('decide').dataset.pair !== '{before}' ||"
                   " document.getElementById('decide').classList.contains('ended')")  # fmt: skip
    expect(page.locator('[data-end="later"]')).to_have_text("2")
    page.get_by_role("button", name="Show the ones left for later").click()
    expect(page.locator("#decide")).not_to_have_class("ended")
    expect(page.locator("#progress")).to_contain_text("1 of 3")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#progress")).to_contain_text("3 of 3")
    page.keyboard.press("ArrowLeft")
    expect(page.locator('[data-end="files"]')).to_have_text("4")
    page.keyboard.press("Escape")
    page.wait_for_url("**/scans/*/?q=large")
    expect(page.locator("#list-status")).to_have_text("3 groups")


def test_pairs_of_removed_files_are_not_counted(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    assert stored.apply(stored.plan(scene.scan)).done
    left = sum(not member.file.gone for g in stored.all_groups(scene.scan) for member in g.members)
    visit = sign_in(server)
    visit.open(f"/scans/{scene.scan}/decide/?done=1")
    expect(visit.page.locator("#progress")).to_contain_text(f"1 of {left} ")


def test_the_same_detail_lies_at_the_same_place(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/decide/?relation=cropped")
    for shown in (MARKUP, "small.jpg"):
        name(page, "right", shown)
        page.keyboard.press("ArrowDown")
    name(page, "right", "crop.png")
    place = """([x, y]) => [...document.querySelectorAll("[data-pane]")].map((pane, index) => {
      const image = pane.querySelector("img");
      const matrix = new DOMMatrix(getComputedStyle(image).transform);
      const [u, v] = index ? [x - %d, y - %d] : [x, y];
      const point = matrix.transformPoint(new DOMPoint(u, v));
      return [point.x / point.w, point.y / point.w];
    })""" % CROP[:2]  # noqa: UP031
    for key in ("f", "+", "z"):
        page.keyboard.press(key)
        for detail in ([100, 80], [350, 250]):
            left, right = page.evaluate(place, detail)
            assert right == pytest.approx(left, abs=1.5), (key, detail)


def test_all_files_of_a_group_side_by_side(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/decide/?q=original")
    name(page, "left", "original.png")
    page.keyboard.press("v")
    expect(page.locator(".survey-item")).to_have_count(4)
    expect(page.locator(".survey-item").first).to_contain_text("sharpness")
    assert selected(stored, scene) == {f"b/{MARKUP}", "b/small.jpg"}
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("#progress")).to_contain_text("so far")
    wait_until(page, "document.querySelectorAll('.survey-item :checked').length === 3")
    expect(page.locator("[data-choice]:visible")).to_have_count(0)  # they are for pairs
    page.keyboard.press("Escape")
    name(page, "left", "original.png")
    patience.wait_until(lambda: "b/crop.png" in selected(stored, scene), "the crop is selected")


def test_a_burst_shows_the_faces_of_its_shots(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/decide/?kind=similar")
    name(page, "left", "shot 1.jpg")
    page.keyboard.press("v")
    strips = page.locator(".survey-item .faces img")
    expect(strips).to_have_count(2)
    wait_until(
        page,
        """[...document.querySelectorAll(".faces img")]
             .every((each) => each.complete && each.naturalWidth === 160)""",
    )
    scale = """[...document.querySelectorAll(".survey-item .picture-pane > img")]
      .map((image) => new DOMMatrix(getComputedStyle(image).transform).a)"""
    before = page.evaluate(scale)
    page.keyboard.press("e")
    after = page.evaluate(scale)
    assert after[0] == pytest.approx(after[1]) and after[0] > 1.5 * before[0]
    page.keyboard.press("f")
    assert page.evaluate(scale) == pytest.approx(before)
    strips.last.click()
    assert page.evaluate(scale) == pytest.approx(after)


@pytest.mark.timeout(600)
def test_the_next_picture_of_12_megapixels_is_there_at_once(
    server: Server, sign_in: SignIn, library_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "large"
    save_large_pairs(folder, 5)
    with Library.open(library_dir) as library:
        scan = library.scan([folder], ScanSettings(mode=Mode.QUICK, jobs=1)).id
    visit = sign_in(server)
    page = visit.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    visit.open(f"/scans/{scan}/decide/")
    took: list[float] = []
    for _ in range(3):
        # Someone looks: so long that nothing is fetched any more.
        seen, quiet, end = 0, 0, time.monotonic() + PATIENCE
        while quiet < 10 and time.monotonic() < end:
            page.wait_for_timeout(100)
            quiet, seen = (quiet + 1 if len(asked) == seen else 0), len(asked)
        before = page.locator("#decide").get_attribute("data-pair")
        time_taken, pictures = page.evaluate(
            """async (before) => {
          const began = performance.now();
          const key = new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true });
          document.body.dispatchEvent(key);
          const root = document.getElementById("decide");
          const ready = (image) => image.complete && image.naturalWidth;
          const images = () => [...root.querySelectorAll("[data-pane] img")];
          const there = () => root.dataset.pair !== before && images().every(ready);
          while (!there()) await new Promise((resolve) => setTimeout(resolve));
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
          return [performance.now() - began, images().map((image) => image.src)];
        }""",
            before,
        )
        took.append(time_taken)
        # How long it takes is the machine's; that it was fetched on the key must not come back.
        assert len(pictures) == 2 and set(pictures) <= set(asked[:seen])
    print("from key to picture, ms:", [round(each) for each in took])


def test_what_is_cut_ends_in_an_ellipsis_and_is_in_a_title(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    for width, height in WINDOWS:
        with visit.window(width, height):
            for language in ("de", "en"):
                stored.set_preference("language", language)
                visit.open(f"/scans/{scene.scan}/decide/?q=original")
                name(page, "left", "original.png")
                for shown in (MARKUP, "small.jpg"):
                    name(page, "right", shown)
                    expect(page.locator('[data-side="right"] .chips li')).not_to_have_count(0)
                    assert not page.evaluate(
                        CUT, ".decide-facts *, .decide-bar *, .decide-actions *"
                    )
                    page.keyboard.press("ArrowDown")
                page.keyboard.press("v")
                expect(page.locator("[data-sharp]").first).not_to_be_empty()
                assert not page.evaluate(CUT, ".survey-item > :is(p, label), .survey-item span")
                sharp = page.locator("[data-sharp]").first
                assert sharp.evaluate("(e) => e.scrollWidth <= e.clientWidth"), "sharpness is cut"
                page.keyboard.press("v")
                page.keyboard.press("ArrowDown")
                expect(page.locator("#summary-end")).to_be_visible()
                for last in (page.locator("#summary-end h2"), page.locator("#again")):
                    last.scroll_into_view_if_needed()
                    expect(last).to_be_in_viewport(ratio=0.9)


@pytest.mark.timeout(600)
def test_the_page_is_accessible_and_fits(
    server: Server, sign_in: SignIn, axe: Axe, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    wrong: list[str] = []

    def look(place: str) -> None:
        wrong.extend(f"{place} beside the window: {each}" for each in page.evaluate(OUTSIDE))
        wrong.extend(f"{place}: {found}" for found in axe(page))
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{place} is wider than the window")

    # It is a dark room in either theme; German is the longer language.
    for width, language in ((1440, "en"), (1024, "de"), (390, "de")):
        page.set_viewport_size({"width": width, "height": 900})
        stored.set_preference("language", language)
        visit.open(f"/scans/{scene.scan}/decide/?q=original")
        name(page, "left", "original.png")
        look(f"{width}, pair")
        words = "de" in language and page.locator('[data-choice="left"]').inner_text().split()
        assert not words or words[-2:] == ["Oben" if width == 390 else "Links", "behalten"], words
        page.keyboard.press("v")
        expect(page.locator(".survey-item")).to_have_count(4)
        look(f"{width}, survey")
        page.keyboard.press("v")
        for shown in (MARKUP, "small.jpg", "crop.png"):
            name(page, "right", shown)
            page.keyboard.press("ArrowDown")
        expect(page.locator("#summary-end")).to_be_visible()
        look(f"{width}, end")
    assert not wrong, "\n".join(wrong)
