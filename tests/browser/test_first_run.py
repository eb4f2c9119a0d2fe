"""A new user's first hour: scan, stop, go on, review, unselect, delete, undo. On real photos."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.photos import make_collection
from tests.browser.running import Server, Visit, wait_until
from tests.patience import LONG

PHOTOS, COPIES = (600, 200) if LONG else (240, 80)
BACKUP = "ImageDuplicateFinder-backup"


def _tree(folder: Path) -> dict[str, tuple[str, int]]:
    """Digest and modification time of every file, backups left out."""
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and BACKUP not in path.parts
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_path(
    shared_data: Path, tmp_path: Path, server: Server, enter: Callable[..., Visit]
) -> None:
    photos = sorted((shared_data / "photos/osie").glob("*.jpg"))[:PHOTOS]
    assert len(photos) == PHOTOS
    collection = make_collection(tmp_path / "my photos", photos, COPIES)
    before = _tree(collection.folder)
    visit = enter(server)
    page = visit.page
    page.set_default_timeout(300_000)

    # Name the folder; the estimate appears.
    page.get_by_label("Folder", exact=True).fill(str(collection.folder))
    page.get_by_text(f"{PHOTOS + COPIES} files to scan").wait_for()
    page.get_by_role("button", name="Start").click()

    # Stop half-way; what was read is kept. A quick scan might be done before.
    page.wait_for_url("**/work/*")
    wait_until(
        page, "() => /^\\d{2,} of/.test(document.querySelector('[data-field=count]')?.textContent)"
    )
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("heading", name="Stopped").wait_for()

    # A second tab and a reload know the same.
    page.reload()
    page.get_by_role("heading", name="Stopped").wait_for()

    # Start again from where it stopped.
    page.get_by_role("link", name="Start again").click()
    assert page.get_by_label("Folder", exact=True).input_value() == str(collection.folder)
    page.get_by_text("Quick", exact=True).click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/work/*")
    other_tab = page.context.new_page()
    other_tab.goto(visit.base + "/")
    other_tab.close()
    page.wait_for_url(re.compile(r"/scans/\d+/"))

    # Every copy stands in the group of its original.
    scan = re.search(r"/scans/(\d+)/", page.url)
    assert scan is not None
    answer = page.request.get(f"{visit.base}/scans/{scan[1]}/export/groups.json")
    groups = [
        frozenset([group["keeper"]["path"], *(member["path"] for member in group["members"])])
        for group in answer.json()["groups"]
        if group["kind"] == "duplicates"
    ]
    assert set(groups) == collection.groups
    selected = {
        member["path"]
        for group in answer.json()["groups"]
        for member in group["members"]
        if member["selected"]
    }

    # Unselect one file, and remove the others.
    with page.expect_response(lambda answer: answer.url.endswith("/select")):
        page.locator("input.pick:checked").first.uncheck()
    page.goto(f"{visit.base}/scans/{scan[1]}/remove/")
    page.get_by_role("heading", name=f"Remove {len(selected) - 1} files?").wait_for()
    page.get_by_role("button", name="into the backup").click()
    page.wait_for_url(re.compile(r"/history/\d+"))
    page.get_by_text(f"{len(selected) - 1} files moved to the backup.").wait_for()

    after = _tree(collection.folder)
    gone = before.keys() - after.keys()
    assert len(gone) == len(selected) - 1 and gone < selected
    assert all(after[path] == before[path] for path in after)
    kept = {
        hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (collection.folder.parent / BACKUP).rglob("*")
        if path.is_file()
    }
    assert {before[path][0] for path in gone} <= kept

    # Undo: every byte, name and time is back.
    page.locator("#undo-all").click()
    page.wait_for_url(re.compile(r"/history/\d+\?job="))
    page.get_by_text(f"{len(gone)} files restored.").wait_for()
    assert _tree(collection.folder) == before
