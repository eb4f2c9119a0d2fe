"""The review page in a real browser: clicks, keys, dialogs, focus, accessibility."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from image_duplicate_finder.library import Library
from image_duplicate_finder.results import GroupQuery
from tests.browser.running import THEMES, WIDTHS, Server, Visit
from tests.review_scene import MARKUP, Scene, make_scene

Enter = Callable[..., Visit]
Axe = Callable[[Page], list[str]]


@pytest.fixture
def scene(library_dir: Path, tmp_path: Path, server: Server) -> Scene:
    """Three groups by hand and twenty more, behind the running app."""
    return make_scene(library_dir, tmp_path / "photos", more=20)


@pytest.fixture
def stored(library_dir: Path, scene: Scene) -> Library:
    """The library that the app shows, read directly."""
    return Library.open(library_dir)


def card(page: Page, name: str) -> Locator:
    return page.locator(".group", has=page.locator(".tile-name", has_text=name)).first


def box(page: Page, name: str) -> Locator:
    return page.locator(".tile", has_text=name).locator(".pick").first


def count(page: Page, files: int) -> None:
    words = (
        "1 file selected" if files == 1 else f"{files} files selected" if files else "No file is"
    )
    expect(page.locator("#selection")).to_contain_text(words)


def test_clicks_shift_clicks_and_the_bar_that_counts(
    server: Server, enter: Enter, scene: Scene, stored: Library
) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    count(page, 2)
    box(page, "crop.png").check()
    count(page, 3)
    page.locator(".tile", has_text="crop.png").locator("img").click()
    count(page, 2)
    expect(page.locator("#selection")).to_contain_text("A copy of each stays.")

    # From the first group's small copy to the third one after it, over the border of groups.
    boxes = page.locator(".pick:not(:disabled)")
    page.get_by_role("button", name="Clear").first.click()
    count(page, 0)
    first = boxes.nth(0)
    first.click()
    count(page, 1)
    boxes.nth(6).click(modifiers=["Shift"])
    count(page, 7)
    assert stored.selection(scene.scan).files == 7
    # The picture takes the shift key as well, and takes the boxes off again.
    page.locator("label.tile-picture:has(.pick:not(:disabled)) img").nth(0).click(
        modifiers=["Shift"]
    )
    count(page, 0)
    page.reload()
    count(page, 0)


def test_a_walk_by_keyboard(server: Server, enter: Enter, scene: Scene, stored: Library) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=original")
    card = page.locator(".group")
    small = card.locator(".tile", has_text="small.jpg")
    page.keyboard.press("j")
    expect(card.locator(".pick").first).to_be_focused()
    page.keyboard.press("x")
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
    expect(page.get_by_label("Search in paths")).to_be_focused()


def test_the_menu_of_a_group(server: Server, enter: Enter, scene: Scene, stored: Library) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=original")
    first = card(page, "original.png")
    count(page, 2)
    menu = first.locator(".group-tools summary")
    menu.click()
    page.get_by_role("button", name="Selected files: a group of their own").click()
    expect(page.locator(".group")).to_have_count(2)
    apart = card(page, "small.jpg")
    expect(apart.locator(".tile")).to_have_count(2)
    expect(apart).not_to_contain_text("original.png")
    apart.locator(".tile.member").get_by_role("button", name="Keep this").click()
    expect(apart.locator(".tile.keeper")).to_contain_text("small.jpg")
    count(page, 0)

    rest = card(page, "original.png")
    rest.locator(".group-tools summary").click()
    rest.get_by_role("button", name="Select all").click()
    count(page, 1)
    rest.locator(".group-tools summary").click()
    rest.get_by_role("button", name="Selected files: not duplicates").click()
    expect(page.locator(".group")).to_have_count(1)
    assert len(stored.dismissed()) == 1


def test_keys_go_on_over_the_end_of_a_page(server: Server, enter: Enter, scene: Scene) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    expect(page.locator(".group")).to_have_count(20)
    page.keyboard.press("k")  # from nowhere: the last group
    page.keyboard.press("j")
    expect(page.locator("#list-status")).to_have_text("Groups 21 to 23 of 23")
    assert "page=2" in page.url
    expect(page.locator(".group").first.locator("[data-stop]").first).to_be_focused()
    page.keyboard.press("[")
    expect(page.locator("#list-status")).to_have_text("Groups 1 to 20 of 23")
    page.keyboard.press("g")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.locator("#list-status")).to_have_text("Groups 21 to 23 of 23")
    page.go_back()
    expect(page.locator("#list-status")).to_have_text("Groups 1 to 20 of 23")


def test_filters_act_at_once_and_stand_in_the_address(
    server: Server, enter: Enter, scene: Scene
) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    cropped = page.locator("#filters").get_by_role("checkbox", name="Cropped")
    cropped.check()
    expect(page.locator(".group")).to_have_count(1)
    assert page.url.endswith("?relation=cropped")
    cropped.uncheck()
    page.get_by_label("Sort by").select_option("count")
    page.wait_for_url("**sort=count")
    expect(page.locator(".group").first).to_contain_text("original.png")
    page.reload()
    expect(page.get_by_label("Sort by")).to_have_value("count")


def test_a_rule_is_previewed_carried_out_and_shown(
    server: Server, enter: Enter, scene: Scene, stored: Library
) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    page.get_by_role("button", name="Select by rule").click()
    dialog = page.get_by_role("dialog", name="Select by rule")
    dialog.get_by_label("In every group, keep").select_option("smallest_file")
    dialog.get_by_role("button", name="Show what would change").click()
    expect(dialog.get_by_role("row", name="Groups that would keep another file")).to_contain_text(
        "22"
    )
    dialog.get_by_role("button", name="Do it").click()
    expect(dialog).to_contain_text("Done for 23 groups.")
    dialog.get_by_role("button", name="Close").last.click()
    groups = stored.groups(scene.scan, GroupQuery(text="/photos/m/", limit=50)).groups
    assert all(group.keeper.path.endswith("small.jpg") for group in groups)
    count(page, stored.selection(scene.scan).files)
    expect(page.locator(".tile.keeper").first).to_contain_text("small.jpg")


def test_selecting_all_that_a_filter_shows_asks_first(
    server: Server, enter: Enter, scene: Scene, stored: Library
) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=large")
    questions: list[str] = []
    page.on("dialog", lambda dialog: (questions.append(dialog.message), dialog.accept()))
    page.get_by_role("button", name="Select all").first.click()
    count(page, 22)
    assert len(questions) == 1 and "20 groups" in questions[0]


def test_the_best_shot_is_suggested_and_kept(server: Server, enter: Enter, scene: Scene) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?kind=similar")
    page.get_by_role("button", name="Suggest the best shot").click()
    expect(page.locator(".best-shot")).to_contain_text("Best shot: shot 2.jpg")
    page.locator(".best-shot").get_by_role("button", name="Keep this").click()
    expect(page.locator(".tile.keeper")).to_contain_text("shot 2.jpg")


def test_hostile_names_are_text(server: Server, enter: Enter, scene: Scene) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=onerror")
    expect(page.locator(".tile-name", has_text=MARKUP)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    page.locator(".tile.member").first.get_by_role("link", name="Compare").click()
    page.wait_for_url("**/compare/**")
    expect(page.get_by_role("cell", name=MARKUP)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_every_thumbnail_is_there_and_nothing_jumps(
    server: Server, enter: Enter, scene: Scene
) -> None:
    visit = enter(server)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/?q=original")
    before = page.locator(".tile-image").evaluate_all("all => all.map(one => one.clientHeight)")
    for image in page.locator(".tile-image").all():
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", True)
        assert image.evaluate("one => one.naturalWidth") > 0
    after = page.locator(".tile-image").evaluate_all("all => all.map(one => one.clientHeight)")
    assert before == after and min(before) > 50


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_accessible(
    server: Server, enter: Enter, axe: Axe, scene: Scene, width: int, theme: str
) -> None:
    visit = enter(server, width=width, theme=theme)
    page = visit.page
    visit.open(f"/scans/{scene.scan}/")
    page.locator(".review-summary summary").click()
    page.locator(".group").first.locator(".group-tools summary").click()
    assert axe(page) == []
    page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Select by rule").click()
    dialog = page.get_by_role("dialog", name="Select by rule")
    dialog.get_by_label("In every group, keep").select_option("folder_order")
    assert axe(page) == []
    dialog.get_by_role("button", name="Show what would change").click()
    dialog.get_by_role("button", name="Back").wait_for()
    assert axe(page) == []
