"""The review page in a real browser: clicks, keys, dialogs, focus, accessibility."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Error, Locator, Page, Route, expect

from image_duplicate_finder.library import Library
from image_duplicate_finder.results import GroupQuery
from tests import patience
from tests.browser.running import (
    BROKEN_WORDS,
    CUT,
    OUTSIDE,
    THEMES,
    Server,
    Visit,
    wait_for_list,
    wait_until,
)
from tests.patience import PATIENCE
from tests.review_scene import MARKUP, Scene, make_scene

SignIn = Callable[..., Visit]
Axe = Callable[..., list[str]]

MORE_GROUPS = 20
"""Groups of the scene beside the three that are made by hand."""


def card(page: Page, name: str) -> Locator:
    return page.locator(".group", has=page.locator(".tile-name", has_text=name)).first


def box(page: Page, name: str) -> Locator:
    return page.locator(".tile", has_text=name).locator(".pick").first


def count(page: Page, files: int) -> None:
    words = (
        "1 file selected" if files == 1 else f"{files:,} files selected" if files else "No files"
    )
    expect(page.locator("#selection")).to_contain_text(words)


def test_clicks_shift_clicks_and_the_bar_that_counts(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    count(page, 2)
    box(page, "crop.png").check()
    count(page, 3)
    page.locator(".tile", has_text="crop.png").locator("img").click()
    count(page, 2)
    expect(page.locator("#selection")).to_contain_text("A copy of each is kept.")

    # From the first group's small copy to the third one after it, over the border of groups.
    boxes = page.locator(".pick:not(:disabled)")
    page.get_by_role("button", name="Clear", exact=True).click()
    count(page, 0)
    first = boxes.nth(0)
    first.click()
    count(page, 1)
    boxes.nth(6).click(modifiers=["Shift"])
    count(page, 7)
    assert stored.selection(scene.scan).files == 7
    expect(first).to_be_checked()
    # The picture takes the shift key as well, and takes the boxes off again.
    page.locator("label.tile-picture:has(.pick:not(:disabled)) img").nth(0).click(
        modifiers=["Shift"]
    )
    count(page, 0)
    page.reload()
    count(page, 0)


def test_a_click_while_groups_are_fetched_is_kept(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    """An answer on its way is older than the click, and a card is not replaced under it."""
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    page.get_by_role("button", name="Clear", exact=True).click()
    count(page, 0)
    wait_for_list(page)
    held: list[Route] = []
    holding = [re.compile("/cards")]

    def hold(route: Route) -> None:
        if holding and holding[0].search(route.request.url):
            held.append(route)
        else:
            route.continue_()

    def wait_for_held() -> None:
        end = time.monotonic() + PATIENCE
        while not held and time.monotonic() < end:
            page.wait_for_timeout(20)
        holding.clear()

    page.route("**/scans/**", hold)
    boxes = page.locator(".pick:not(:disabled)")
    boxes.nth(3).click()
    boxes.nth(5).click(modifiers=["Shift"])
    wait_for_held()
    boxes.nth(6).click()
    held.pop().continue_()
    count(page, 4)
    expect(boxes.nth(6)).to_be_checked()
    assert stored.selection(scene.scan).files == 4

    # A group is cleared by key while the mouse button goes down on another of its boxes.
    box(page, "small.jpg").check()
    count(page, 5)
    holding.append(re.compile("/groups/[0-9]+/"))
    page.keyboard.press("x")
    wait_for_held()
    crop = box(page, "crop.png")
    place = crop.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.mouse.down()
    with page.expect_response(re.compile("/groups/[0-9]+/")):
        held.pop().continue_()
    page.wait_for_timeout(100)  # so long that the card would have been replaced
    page.mouse.up()
    count(page, 5)
    expect(crop).to_be_checked()


def test_a_walk_by_keyboard(server: Server, sign_in: SignIn, scene: Scene, stored: Library) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=original")
    card = page.locator(".group")
    small = card.locator(".tile", has_text="small.jpg")
    page.keyboard.press("j")
    expect(card.locator(".pick").first).to_be_focused()
    page.keyboard.press("X")  # as Caps Lock has it
    count(page, 0)
    page.keyboard.press("a")
    count(page, 3)
    page.keyboard.press("i")
    count(page, 0)
    expect(card.locator(".pick").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(small.locator(".pick")).to_be_focused()
    page.keyboard.press("Space")
    count(page, 1)
    expect(small.locator(".pick")).to_be_checked()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Space")
    count(page, 2)

    # Faster than the server answers: each key acts on what the one before has made.
    for key in "axiax":
        page.keyboard.press(key)
    count(page, 0)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("p")
    expect(card.locator(".tile.keeper")).to_contain_text("small.jpg")
    expect(card).to_contain_text("chosen by you")

    page.keyboard.press("Enter")
    page.wait_for_url("**/compare/**")
    page.go_back()
    page.keyboard.press("?")
    help_dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(help_dialog).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("Shift+N")
    expect(page.locator(".group")).to_have_count(0)
    assert stored.groups(scene.scan, GroupQuery(text="original")).total == 0
    page.keyboard.press("/")
    expect(page.get_by_label("Search paths")).to_be_focused()
    page.keyboard.type("third")
    page.keyboard.press("Enter")
    wait_until(page, "document.activeElement.closest('.group')?.innerText.includes('third.jpg')")
    expect(page.locator(".group")).to_have_count(1)
    page.keyboard.press("/")
    page.keyboard.press("Escape")  # empties the field
    expect(page.get_by_label("Search paths")).to_have_value("")
    expect(page.get_by_label("Search paths")).to_be_focused()
    page.keyboard.press("Escape")
    wait_until(page, "document.activeElement.closest('.group')?.innerText.includes('third.jpg')")


def test_the_menu_of_a_group(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=original")
    first = card(page, "original.png")
    count(page, 2)
    expect(page.locator(".group-tools .nav-link")).to_have_count(
        0
    )  # each card gets them when asked
    menu = first.locator(".group-tools summary")
    menu.click()
    expect(first.get_by_role("link", name="Compare", exact=True)).to_have_attribute(
        "href", re.compile(rf"/scans/{scene.scan}/compare/\d+/\d+/\?q=original$")
    )
    expect(first.get_by_role("button", name="Suggest the best shot")).to_be_hidden()
    first.get_by_role("button", name="Split into new group").click()
    expect(page.locator(".group")).to_have_count(2)
    apart = card(page, "small.jpg")
    expect(apart.locator(".tile")).to_have_count(2)
    expect(apart).not_to_contain_text("original.png")
    apart.locator(".tile.member").hover()
    apart.locator(".tile.member").get_by_role("button", name="Keep this").click()
    expect(apart.locator(".tile.keeper")).to_contain_text("small.jpg")
    count(page, 0)

    rest = card(page, "original.png")
    rest.locator(".group-tools summary").click()
    rest.get_by_role("button", name="Select all").click()
    count(page, 1)
    rest.locator(".group-tools summary").click()
    rest.get_by_role("button", name="Mark selected as not duplicates").click()
    expect(page.locator(".group")).to_have_count(1)
    assert len(stored.dismissed()) == 1


def test_filters_act_at_once_and_stand_in_the_address(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    page.keyboard.press("f")
    cropped = page.locator("#filters").get_by_role("checkbox", name="Cropped")
    cropped.check()
    expect(page.locator(".group")).to_have_count(1)
    assert page.url.endswith("?relation=cropped")
    cropped.uncheck()
    expect(page.locator("#list-status")).to_have_text("23 groups")
    page.get_by_label("Sort by").select_option("count")
    page.wait_for_url("**sort=count")
    expect(page.locator(".group").first).to_contain_text("original.png")
    page.reload()
    expect(page.get_by_label("Sort by")).to_have_value("count")


def test_back_and_forward_show_whole_pages(server: Server, sign_in: SignIn, scene: Scene) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    status = page.locator("#list-status")
    whole = page.locator(".review-bar")
    expect(status).to_have_text("23 groups")
    page.get_by_label("Search paths").fill("original")
    expect(status).to_have_text("1 group")
    page.get_by_label("Search paths").fill("nothing of that name")
    expect(page.get_by_text("No groups match the filter.")).to_be_visible()
    page.go_back()
    expect(status).to_have_text("1 group")
    expect(page.get_by_label("Search paths")).to_have_value("original")
    page.locator(".tile.keeper .tile-picture").first.click()
    page.wait_for_url("**/compare/**")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**/{scene.files['b/small.jpg']}/**")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**/{scene.files['b/crop.png']}/**")
    for place in (f"/{scene.files['b/small.jpg']}/", "/compare/"):
        page.go_back()
        page.wait_for_url(f"**{place}**")
        expect(page.locator("header.bar").first).to_be_visible()
        expect(page.locator("#compare .stage")).to_be_visible()
        assert page.locator("main").count() == 1
    page.go_back()
    expect(status).to_have_text("1 group")
    expect(whole).to_be_visible()
    page.go_back()
    expect(status).to_have_text("23 groups")
    page.go_forward()
    expect(status).to_have_text("1 group")
    page.reload()
    expect(status).to_have_text("1 group")
    expect(whole).to_be_visible()
    page.keyboard.press("j")  # and its keys are at work
    expect(page.locator(".pick").first).to_be_focused()


IN_VIEW = """() => {
  const tile = document.activeElement.closest(".tile") ?? document.activeElement;
  const box = tile.getBoundingClientRect();
  const bar = (selector) => {
    const found = document.querySelector(selector);
    return found && ["sticky"].includes(getComputedStyle(found).position)
      ? found.getBoundingClientRect() : null;
  };
  const top = Math.max(0, bar(".review-bar")?.bottom ?? 0, bar(".list-columns")?.bottom ?? 0);
  const bottom = Math.min(innerHeight, bar(".selection-dock")?.top ?? innerHeight);
  const fits = box.height <= bottom - top;
  const seen = fits ? box.top >= top - 1 && box.bottom <= bottom + 1
    : box.top >= top - 1 && box.top < bottom;
  const ring = getComputedStyle(tile.querySelector(".tile-picture") ?? tile);
  const row = getComputedStyle(tile);
  const marked = ring.outlineStyle !== "none" || row.outlineStyle !== "none";
  return document.activeElement !== document.body && seen && marked ? "" :
    JSON.stringify([document.activeElement.className, seen, marked, box.top, box.bottom, top]);
}"""


def test_keys_that_move_bring_their_target_into_view(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    """At every size, which a zoomed page is as well: 720 x 450 is 1440 x 900 at 200%."""
    visit = sign_in(server)
    page = visit.page
    for width, height in [(1440, 900), (1024, 700), (720, 450), (390, 844), (360, 225)]:
        with visit.window(width, height):
            visit.open(f"/scans/{scene.scan}/")
            expect(page.locator("#list-status")).to_have_text("23 groups")
            for view in "123":
                page.keyboard.press(view)
                page.keyboard.press("j")
                page.keyboard.press("Home")
                for key in (
                    *("j" * 10), "ArrowRight", "ArrowLeft", "ArrowDown", "ArrowDown", "k",
                    "ArrowUp", "ArrowUp", "ArrowUp", "End", "ArrowRight", "k", "Home", "k",
                ):  # fmt: skip
                    page.keyboard.press(key)
                    wait_until(page, f"({IN_VIEW})() === ''")
                for _ in range(4):
                    page.keyboard.press("Tab")
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_group_of_a_thousand_files(
    server: Server, sign_in: SignIn, library_dir: Path, tmp_path: Path
) -> None:
    scene = make_scene(library_dir, tmp_path / "many", copies=1200)
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=/n/")
    for view in "123":
        page.keyboard.press(view)
        card = page.locator(".group")
        wait_for_list(page)
        assert page.evaluate("document.documentElement.scrollHeight") < 3000
        assert page.evaluate(
            """[...document.querySelectorAll(".group .tile")]
              .map((tile) => tile.getBoundingClientRect())
              .every((box) => box.width > 60 && box.height >= 19)"""
        )
        page.keyboard.press("Home")
        page.keyboard.press("j")
        page.keyboard.press("e")
        more = card.locator("[data-unfold]")
        expect(more).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("x")
        count(page, 2)  # those of another group
        expect(more).to_have_attribute("aria-expanded", "true")
        assert page.locator(".tile").count() < 400
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight * 0.7)")
        wait_until(
            page,
            """scrollY > innerHeight && !document.querySelector(".tile.ghost")
              && [...document.querySelectorAll(".tile")].some((tile) => {
                const box = tile.getBoundingClientRect();
                return box.top > 0 && box.bottom < innerHeight;
              })""",
        )
        assert page.locator(".tile").count() < 400
        page.locator(".tile:not(.ghost) .pick").nth(5).click()
        count(page, 3)
        page.keyboard.press("ArrowRight")
        wait_until(page, f"({IN_VIEW})() === ''")
        page.keyboard.press("a")
        count(page, 1201)
        page.keyboard.press("e")
        expect(more).to_have_attribute("aria-expanded", "false")
        page.keyboard.press("Home")


def test_another_kept_file_says_what_it_changed(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=original")
    count(page, 2)
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("p")
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Now keeping crop.png")
    expect(toast).to_contain_text("2 files are no longer selected")
    count(page, 0)
    toast.get_by_role("button", name="Undo").click()
    count(page, 2)
    expect(page.locator(".tile.keeper")).to_contain_text("original.png")


def test_every_decision_is_undone_also_after_a_reload(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=shot")
    expect(page.locator(".group")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("Shift+N")
    expect(page.get_by_text("No groups match")).to_be_visible()
    visit.open(f"/scans/{scene.scan}/")
    expect(page.locator("#list-status")).to_have_text("22 groups")
    page.get_by_role("button", name="Clear", exact=True).click()
    count(page, 0)
    page.keyboard.press("k")
    page.keyboard.press("a")
    count(page, 1)
    page.keyboard.press("Control+z")
    count(page, 0)
    page.reload()
    count(page, 0)
    expect(page.locator("#list-status")).to_have_text("22 groups")
    page.keyboard.press("Control+z")
    expect(page.locator("#list-status")).to_have_text("22 groups")
    page.keyboard.press("Control+z")
    expect(page.locator("#list-status")).to_have_text("23 groups")
    count(page, 2)
    expect(page.locator(".group[aria-current]")).to_contain_text("shot 1.jpg")
    page.keyboard.press("Control+z")
    expect(page.locator(".toast").last).to_contain_text("Nothing to undo")
    assert stored.dismissed() == []


def test_figures_are_true_after_every_decision_and_in_other_tabs(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?kind=duplicates")
    other = page.context.new_page()
    other.goto(f"{visit.base}/scans/{scene.scan}/")

    def figures(tab: Page, groups: str, copies: str, duplicates: str, similar: str) -> None:
        expect(tab.locator("#summary")).to_contain_text(f"{groups} groups")
        expect(tab.locator("#summary")).to_contain_text(f"{copies} extra copies")
        for name, wanted in (("kind:duplicates", duplicates), ("kind:similar", similar)):
            expect(tab.locator(f'[data-count="{name}"]')).to_have_text(wanted)

    for tab in (page, other):
        figures(tab, "23", "25", "22", "1")
    page.bring_to_front()
    page.keyboard.press("j")
    page.keyboard.press("s")  # the two selected ones go apart
    for tab in (page, other):
        figures(tab, "24", "24", "23", "1")
    expect(page.locator("#list-status")).to_have_text("23 groups")
    expect(other.locator("#list-status")).to_have_text("24 groups")
    page.keyboard.press("Shift+N")
    for tab in (page, other):
        figures(tab, "23", "23", "22", "1")
    other.bring_to_front()
    other.keyboard.press("Control+z")
    for tab in (page, other):
        figures(tab, "24", "24", "23", "1")


def test_so_much_fits_on_a_screen(server: Server, sign_in: SignIn, scene: Scene) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?sort=path")
    whole = """(selector) => {
      const top = document.querySelector(".review-bar").getBoundingClientRect().bottom;
      const bottom = document.querySelector(".selection-dock").getBoundingClientRect().top;
      return [...document.querySelectorAll(selector)].filter((each) => {
        const box = each.getBoundingClientRect();
        return box.top >= top - 1 && box.bottom <= bottom + 1;
      }).length;
    }"""
    wait_for_list(page)
    assert page.evaluate(whole, ".group") >= 6
    with page.expect_response("**/look"):
        page.keyboard.press("1")
    expect(page.locator(".list-columns")).to_be_visible()
    wait_for_list(page)
    assert page.evaluate(whole, ".tile") >= 40
    page.reload()  # the view is remembered
    expect(page.locator(".list-columns")).to_be_visible()
    page.get_by_role("button", name="Date").click()
    page.wait_for_url("**sort=date**")
    page.get_by_role("button", name="Date").click()
    page.wait_for_url("**reverse=1**")
    page.keyboard.press("2")
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("scrollTo(0, 0)")
    wait_until(page, "scrollY === 0 && document.getElementById('groups').clientWidth < 390")
    wait_until(page, f"({whole})('.group') >= 1")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_rows_of_the_list_hold_their_buttons(server: Server, sign_in: SignIn, scene: Scene) -> None:
    """Those of a file and of its group appear in the row, none over another or the next row."""
    visit = sign_in(server)
    page = visit.page
    for width in [1440, 1024, 720, 390]:
        with visit.window(width, 900):
            visit.open(f"/scans/{scene.scan}/")
            wait_for_list(page)
            page.keyboard.press("1")
            wait_until(page, "document.querySelector('[data-view=\"list\"]')")
            wait_for_list(page)
            page.keyboard.press("j")  # the first group is below the bars
            focused = "document.activeElement.closest('.group')"
            assert page.evaluate(f"{focused} === document.querySelector('.group')")
            group = page.locator(".group").first
            for tile in group.locator(".tile").all():
                tile.hover()
                wrong = page.evaluate(
                    """(tile) => {
          const row = tile.getBoundingClientRect();
          const group = tile.matches(".keeper") ? tile.closest(".group") : null;
          const of = (root, which) => [...(root?.querySelectorAll(which) ?? [])];
          const buttons = of(tile, ".tile-tools .button")
            .concat(of(group, ".group-tools > .button, .group-tools summary"))
            .filter((each) => each.offsetWidth)
            .map((each) => [each.outerHTML, each.getBoundingClientRect()]);
          const out = ([, box]) => box.top < row.top - 1 || box.bottom > row.bottom + 1;
          const over = ([, one], at) => buttons.slice(at + 1).some(([, other]) =>
            one.left < other.right - 1 && other.left < one.right - 1);
          return buttons.filter((...each) => out(...each) || over(...each)).map(([html]) => html);
        }""",
                    tile.element_handle(),
                )
                assert not wrong, (width, wrong)


def test_buttons_of_a_row_cover_nothing_that_it_says(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    """And what a row cuts ends in an ellipsis and is in a title; in German, which is longer."""
    stored.set_preference("language", "de")
    visit = sign_in(server)
    page = visit.page
    for width in [1440, 1024, 720, 512, 390, 195]:
        with visit.window(width, 450 if width < 1000 else 900):
            visit.open(f"/scans/{scene.scan}/")
            wait_for_list(page)
            for view in "12":
                page.keyboard.press(view)
                wait_for_list(page)
                assert not page.evaluate(CUT, ".tile-text *, .group-name")
            page.keyboard.press("1")
            wait_for_list(page)
            page.keyboard.press("j")
            for key in ("ArrowDown", "ArrowUp", "ArrowUp"):
                page.keyboard.press(key)
                wrong = page.evaluate(
                    """() => {
          const group = document.activeElement.closest(".group");
          const shown = [...group.querySelectorAll(".tile-tools .button, .group-tools > *")]
            .filter((each) => each.offsetWidth && getComputedStyle(each.parentElement).opacity > 0
              && (each.closest(".tile")?.contains(document.activeElement) ?? true))
            .map((each) => each.getBoundingClientRect());
          return [...group.querySelectorAll(".tile-text p, .tile-facts span")].filter((each) => {
            if (each.matches(".tile-facts, .sr-only") || !each.textContent.trim()) return false;
            const box = each.getBoundingClientRect();
            return box.width > 1 && shown.some((other) => other.left < box.right - 1
              && box.left < other.right - 1
              && other.top < box.bottom - 1 && box.top < other.bottom - 1);
          }).map((each) => each.textContent.trim());
        }"""
                )
                assert not wrong, (key, wrong)


SIZES = ((1440, 900), (1024, 768), (720, 450), (512, 450), (390, 844), (195, 450), (320, 256))
"""Windows: plain ones, those of 200%, and of 400%."""


def test_every_menu_fits_the_window_and_can_be_reached(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    """It scrolls in itself, lies above the bars, and leaves its button free."""
    visit = sign_in(server)
    page = visit.page
    wrong: list[str] = []
    for width, height in SIZES:
        with visit.window(width, height):
            for address in (f"/scans/{scene.scan}/", "/"):
                visit.open(address)
                if address != "/":
                    wait_for_list(page)
                    page.keyboard.press("2")
                    wait_for_list(page)
                    page.keyboard.press("j")
                of_groups = page.locator(".group details[data-menu] > summary")
                summaries = page.locator("details[data-menu] > summary").and_(
                    page.locator(":not(.group *)")
                )
                for summary in [*summaries.all(), *of_groups.all()[:1]]:
                    summary.click()
                    page.wait_for_timeout(100)
                    wrong += page.evaluate(
                        """() => {
              const menu = document.querySelector("details[data-menu][open]");
              const list = menu.querySelector(".menu-list");
              const what = menu.textContent.trim().slice(0, 20);
              const name = `${innerWidth} ${menu.className} ${what}`;
              const [box, button] = [list, menu.querySelector("summary")]
                .map((each) => each.getBoundingClientRect());
              const found = [];
              if (box.top < 0 || box.left < 0 || box.bottom > innerHeight || box.right > innerWidth)
                found.push("beside the window");
              if (box.top < button.bottom && button.top < box.bottom
                && box.left < button.right && button.left < box.right)
                found.push("over its button");
              const stops = [...list.querySelectorAll("a, button, input, select")]
                .filter((each) => each.offsetWidth);
              for (const stop of [stops[0], stops.at(-1)].filter((each) => each)) {
                stop.focus();
                const at = stop.getBoundingClientRect();
                const [x, y] = [(at.left + at.right) / 2, (at.top + at.bottom) / 2];
                const hit = document.elementFromPoint(x, y);
                if (!list.contains(hit)) found.push(`${stop.outerHTML} is under ${hit?.outerHTML}`);
              }
              return found.map((each) => `${name}: ${each}`);
            }"""
                    )
                    page.keyboard.press("Escape")
                    expect(page.locator("details[data-menu][open]")).to_have_count(0)
    assert not wrong, "\n".join(wrong)


def test_every_dialog_fits_the_window_and_can_be_reached(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    for width, height in SIZES[3:]:
        with visit.window(width, height):
            visit.open(f"/scans/{scene.scan}/")
            wait_for_list(page)
            for key, last in (("?", ".keys dd"), ("b", "button[type=submit]")):
                page.keyboard.press(key)
                dialog = page.locator("dialog[open]")
                dialog.locator(last).last.wait_for()
                for part in (dialog.locator(last).last, dialog.locator("[data-closes]").first):
                    part.scroll_into_view_if_needed()
                    expect(part).to_be_in_viewport(ratio=0.9)
                box = dialog.bounding_box()
                assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
                assert box["y"] >= 0 and box["y"] + box["height"] <= height
                page.keyboard.press("Escape")


def test_a_message_covers_no_bar(server: Server, sign_in: SignIn, scene: Scene) -> None:
    visit = sign_in(server)
    page = visit.page
    for width, height in SIZES:
        with visit.window(width, height):
            visit.open(f"/scans/{scene.scan}/")
            wait_for_list(page)
            page.keyboard.press("j")
            page.keyboard.press("x")
            page.locator(".toast-action").wait_for()
            toast, dock = (
                page.locator(each).bounding_box() for each in (".toast", ".selection-dock")
            )
            assert toast and dock
            assert toast["y"] + toast["height"] <= max(dock["y"], 0) or dock["y"] >= height
            assert toast["y"] >= 0
            expect(page.locator(".toast-action")).to_be_in_viewport(ratio=1)
            page.locator(".toast-action").click()
            count(page, 2)


def test_the_confirmation_opens_at_its_title_with_the_button_in_view(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    for width, height in [(1440, 900), (720, 450), (512, 450), (195, 450)]:
        with visit.window(width, height):
            visit.open(f"/scans/{scene.scan}/remove/")
            expect(page.locator("#remove-button")).to_be_focused()
            expect(page.locator("#remove-button")).to_be_in_viewport(ratio=0.95)
            expect(page.locator("h1")).to_be_in_viewport(ratio=1)
            assert page.evaluate("scrollY") == 0
            # What is said of a file is beside its thumbnail or below it, and flows around none.
            assert page.locator(".pictured img").count() > 1
            rows = page.locator(".table tbody tr", has=page.locator(".pictured"))
            inside = rows.locator("img").evaluate_all(
                """(images) => images.every((image) => {
      const cell = image.closest("td").getBoundingClientRect();
      return image.getBoundingClientRect().bottom <= cell.bottom;
    })"""
            )
            assert inside, "a thumbnail hangs over the next cell"


def test_what_was_removed_is_not_counted(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    assert len(stored.apply(stored.plan(scene.scan)).done) == 2
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=crop.png")
    expect(page.locator(".group-figures").first).to_contain_text("1 copy · ")
    box(page, "crop.png").check()
    count(page, 1)
    assert len(stored.apply(stored.plan(scene.scan)).done) == 1
    visit.open(f"/scans/{scene.scan}/?q=crop.png&done=1")
    expect(page.locator(".group-figures").first).to_have_text("All copies removed")


def test_a_rule_is_previewed_carried_out_and_shown(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    page.keyboard.press("b")
    dialog = page.get_by_role("dialog", name="Select by rule")
    dialog.get_by_label("In every group, keep").select_option("smallest_file")
    dialog.get_by_role("button", name="Preview changes").click()
    expect(dialog.get_by_role("row", name="Groups with a different kept file")).to_contain_text(
        "22"
    )
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog).to_contain_text("Applied to 23 groups.")
    dialog.get_by_role("button", name="Close").last.click()
    groups = stored.groups(scene.scan, GroupQuery(text="/photos/m/", limit=50)).groups
    assert all(group.keeper.path.endswith("small.jpg") for group in groups)
    count(page, stored.selection(scene.scan).files)
    expect(page.locator(".tile.keeper").first).to_contain_text("small.jpg")


def test_selecting_all_that_a_filter_shows_asks_first(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=large")
    questions: list[str] = []
    page.on("dialog", lambda dialog: (questions.append(dialog.message), dialog.accept()))
    page.get_by_role("button", name="Select all").first.click()
    count(page, 22)
    assert len(questions) == 1 and "20 groups" in questions[0]


def test_the_best_shot_is_suggested_and_kept(server: Server, sign_in: SignIn, scene: Scene) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?kind=similar")
    expect(page.locator(".group")).to_have_count(1)
    page.locator(".group-tools summary").click()
    page.get_by_role("button", name="Suggest the best shot").click()
    expect(page.locator(".toast")).to_contain_text("Best shot: shot 2.jpg")
    page.keyboard.press("p")
    expect(page.locator(".tile.keeper")).to_contain_text("shot 2.jpg")


def test_hostile_names_are_text(server: Server, sign_in: SignIn, scene: Scene) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=onerror")
    expect(page.locator(".tile-name", has_text=MARKUP)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    page.locator(".tile.member").first.hover()
    page.locator(".tile.member").first.get_by_role("link", name="Compare").click()
    page.wait_for_url("**/compare/**")
    expect(page.get_by_role("cell", name=MARKUP).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_every_thumbnail_is_there_and_nothing_jumps(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=original")
    wait_for_list(page)
    before = page.locator(".tile-image").evaluate_all("all => all.map(one => one.clientHeight)")
    for image in page.locator(".tile-image").all():
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("one => one.naturalWidth") > 0
    after = page.locator(".tile-image").evaluate_all("all => all.map(one => one.clientHeight)")
    assert before == after and min(before) > 50


AXE_AT = ("1440, en", "390, en", "rule")
LOOKS = [(width, language) for width in (1440, 1024, 390) for language in ("en", "de")]
LOOKS += [(720, "de"), (512, "de")]  # 1440 and 1024 at 200%


def choose_view(visit: Visit, address: str, key: str) -> None:
    """Open a list of groups and choose its view by a key; the choice is stored."""
    visit.open(address)
    wait_for_list(visit.page)
    with visit.page.expect_response("**/look"):
        visit.page.keyboard.press(key)


def test_what_is_in_view_is_asked_for_before_what_is_near(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    choose_view(visit, f"/scans/{scene.scan}/", "3")
    asked: list[set[str]] = []
    page.on(
        "request",
        lambda request: (
            asked.append(set(parse_qs(urlsplit(request.url).query)["ids"][0].split(",")))
            if request.url.split("?")[0].endswith("/cards")
            else None
        ),
    )
    visit.open(f"/scans/{scene.scan}/?at=20")  # brings the last ones with it
    wait_for_list(page)
    page.keyboard.press("Home")
    wait_until(page, "document.activeElement.closest('.group')?.ariaPosInSet === '1'")
    wait_for_list(page)
    dock = "document.querySelector('.selection-dock').getBoundingClientRect().top"
    seen = page.evaluate(
        f"""[...document.querySelectorAll(".group")]
          .filter((group) => group.getBoundingClientRect().top < {dock})
          .map((group) => group.dataset.group)"""
    )
    assert len(asked) > 1
    assert asked[0] <= set(seen)


def test_pictures_that_are_scrolled_past_are_not_waited_for(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    choose_view(visit, f"/scans/{scene.scan}/?sort=path", "3")
    held: list[Route] = []
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))
    page.route("**/thumbnail/**", lambda route: held.append(route))
    page.reload(wait_until="domcontentloaded")
    wait_for_list(page)
    for place in (0, 1):
        page.evaluate("(at) => scrollTo(0, at * document.documentElement.scrollHeight)", place)
        wait_for_list(page)
        page.wait_for_timeout(300)
        # What is being fetched is not the picture's current source before it is there.
        wanted = page.evaluate(
            """[...document.querySelectorAll(".tile-image")].flatMap((each) =>
                 each.srcset.split(", ").map((one) => new URL(one.split(" ")[0], location).href))"""
        )
        assert {route.request.url for route in held} - set(given_up) <= set(wanted)
    page.evaluate("scrollTo(0, 0)")
    page.unroute("**/thumbnail/**")
    for route in held:
        with suppress(Error):  # those that were given up
            route.continue_()
    wait_for_list(page)
    wait_until(
        page,
        """[...document.querySelectorAll(".tile-image")].every((each) =>
             each.srcset && each.complete && each.naturalWidth)""",
    )


def test_the_first_page_asks_for_its_scripts_at_once_and_for_each_picture_once(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    for key in "123":
        before = sign_in(server)
        choose_view(before, f"/scans/{scene.scan}/", key)
        page = sign_in(server).page  # a browser that has no picture yet
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))  # type: ignore[misc]
        page.goto(f"{server.base}/scans/{scene.scan}/")
        wait_for_list(page)
        wait_until(page, "document.querySelector('.tile-image').complete")
        pictures = [url.split("/thumbnail/")[0] for url in asked if "/thumbnail/" in url]
        assert pictures and len(pictures) == len(set(pictures)), key
        at = [place for place, url in enumerate(asked) if "/js/" in url]
        assert max(at) < asked.index(next(url for url in asked if "/thumbnail/" in url))


def test_the_first_groups_are_in_their_places_before_all_are_known(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    visit = sign_in(server)
    page = visit.page
    held: list[Route] = []
    page.route("**/outline", lambda route: held.append(route))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    visit.open(f"/scans/{scene.scan}/")
    wait_until(page, "'virtual' in document.getElementById('groups').dataset")
    expect(page.locator(".group").first).to_be_visible()
    wait_until(page, "[...document.querySelectorAll('.tile-image')].every((each) => each.complete)")
    places = "[...document.querySelectorAll('.group')].map((each) => each.style.cssText).join()"
    before = page.evaluate(places)
    patience.wait_until(lambda: bool(held), "the outline is asked for")
    held[0].continue_()
    wait_for_list(page)
    assert page.evaluate(places) == before
    pictures = [url.split("/thumbnail/")[0] for url in asked if "/thumbnail/" in url]
    assert pictures and len(pictures) == len(set(pictures))


def test_words_are_whole_at_200_percent(
    server: Server, sign_in: SignIn, scene: Scene, stored: Library
) -> None:
    visit = sign_in(server, width=195, height=450)
    page = visit.page
    stored.set_preference("language", "de")
    broken: list[str] = []

    def look(within: str) -> None:
        broken.extend(page.evaluate(BROKEN_WORDS, within))
        beside = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert beside <= 0, f"{within}: {beside} pixels too wide"

    visit.open(f"/scans/{scene.scan}/")
    wait_for_list(page)
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.locator(".toast-action").wait_for()
    look(".toast, .button")
    page.locator(".menu.more > summary").click()
    look("details[open] .menu-list")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    look("#shortcuts")
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.locator("#bulk-body form").wait_for()
    look("#bulk")
    visit.open(f"/scans/{scene.scan}/decide/")
    wait_until(page, "document.querySelector('[data-pane] img')?.complete")
    look(".button")
    visit.open("/")
    page.locator("details.roles > summary").click()
    look(".button, .terms dt")
    for place in ("history/", "backups/", "settings/", "find/", f"scans/{scene.scan}/remove/"):
        visit.open(f"/{place}")
        look(".button, .choice, h1, h2")
    group = stored.groups(scene.scan, GroupQuery(text="crop")).groups[0]
    for width in (195, 512, 720):
        page.set_viewport_size({"width": width, "height": 450})
        visit.open(f"/scans/{scene.scan}/compare/{group.id}/{group.members[0].file.id}/")
        page.keyboard.press("2")
        page.locator(".slider-tool").wait_for()
        look(".button, .choice")
        visit.open(f"/scans/{scene.scan}/")
        wait_for_list(page)
        look(".selection-dock, .review-bar")
        assert width == 195 or page.locator("#search").bounding_box()["width"] > 100  # type: ignore[index]
    assert not broken, broken


def test_a_menu_is_seen_only_where_it_belongs(
    server: Server, sign_in: SignIn, scene: Scene
) -> None:
    """The script puts it there when it hears that the menu is open, which is a moment later."""
    visit = sign_in(server, width=390)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    wait_for_list(page)
    opened = """(() => {
      const menu = document.getElementById("summary");
      menu.querySelector("summary").click();
      return [menu.open, menu.querySelector(".menu-list").checkVisibility()];
    })()"""
    assert page.evaluate(opened) == [True, False]
    expect(page.locator("#summary > .menu-list")).to_be_visible()
    assert page.evaluate(OUTSIDE) == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scene", [4], indirect=True)  # more groups would show nothing else
def test_the_page_is_accessible_and_fits(
    server: Server, sign_in: SignIn, axe: Axe, scene: Scene, stored: Library
) -> None:
    """In both themes, at all widths, and in both languages: German is the longer one."""
    visit = sign_in(server)
    page = visit.page
    wrong: list[str] = []

    def look(place: str, within: str = "html") -> None:
        page.evaluate("new Promise((seen) => requestAnimationFrame(() => setTimeout(seen)))")
        wrong.extend(f"{place} beside the window: {each}" for each in page.evaluate(OUTSIDE))
        if place.endswith(AXE_AT):
            wrong.extend(f"{place}, {found}" for found in axe(page, within, THEMES))

    for width, language in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        stored.set_preference("language", language)
        visit.open(f"/scans/{scene.scan}/")
        wait_for_list(page)
        for view in "123":
            page.keyboard.press(view)
            wait_for_list(page)
            look(f"view {view}, {width}, {language}")
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wrong.append(f"view {view} is wider than {width} in {language}")
        page.keyboard.press("2")
        page.keyboard.press("j")
        page.keyboard.press("a")
        page.locator(".toast-action").wait_for()
        look(f"message, {width}, {language}", ".toasts")
        for menu in (".nav-menu > summary", "#summary > summary", ".filter-menu > summary",
                     ".menu.more > summary", ".group-tools summary"):  # fmt: skip
            page.locator(menu).first.click()
            expect(page.locator("details[open] > .menu-list")).to_be_visible()
            look(f"{menu}, {width}, {language}", "details[open]")
            page.keyboard.press("Escape")
        page.keyboard.press("Control+z")
        expect(page.locator("#undo")).to_be_disabled()
    stored.set_preference("language", "")
    visit.open(f"/scans/{scene.scan}/")
    wait_for_list(page)
    page.keyboard.press("b")
    dialog = page.get_by_role("dialog", name="Select by rule")
    dialog.get_by_label("In every group, keep").select_option("folder_order")
    look("rule", "dialog[open]")
    dialog.get_by_role("button", name="Preview changes").click()
    dialog.get_by_role("button", name="Back").wait_for()
    look("preview of a rule", "dialog[open]")
    assert not wrong, "\n".join(wrong)
