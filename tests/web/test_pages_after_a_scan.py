"""The pages around the review, on a real scan: removal, report, undo, purge, export, and names."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from numpy.typing import NDArray
from werkzeug.test import TestResponse

from image_duplicate_finder.additions import Additions
from image_duplicate_finder.decode import read_info
from image_duplicate_finder.decode.xmp_writing import written_into
from image_duplicate_finder.library import Library
from image_duplicate_finder.settings import DecodeLimits, Mode, ScanSettings
from image_duplicate_finder.web.jobs import JobState, Snapshot
from image_duplicate_finder.web.state import State

Painter = Callable[..., NDArray[np.uint8]]
HOSTILE = b"<img src=x onerror=alert(1)> & \"'\n\xff.jpg"


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    """Three pictures, each with a byte copy; one copy has a hostile name, one file is damaged."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        picture = cv2.cvtColor(painted(seed), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{seed}.jpg"), picture)
        shutil.copy(folder / f"{seed}.jpg", folder / f"{seed} (1).jpg")
    os.rename(folder / "2 (1).jpg", os.path.join(os.fsencode(folder), HOSTILE))
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return folder


@pytest.fixture
def scan(library: Library, photos: Path) -> int:
    """A finished scan of :func:`photos`."""
    return library.scan([photos], ScanSettings(mode=Mode.QUICK, jobs=1)).id


def _finish(app: Flask, answer: TestResponse) -> Snapshot:
    """Follow the redirect to running work until it has ended."""
    assert answer.status_code == 303, answer.text
    state: State = app.extensions["image_duplicate_finder"]
    job = state.jobs.get(answer.headers["Location"].rsplit("/", 1)[1])
    assert job is not None
    now = job.snapshot()
    while not now.state.ended:
        time.sleep(0.01)
        now = job.snapshot()
    assert now.state is JobState.DONE, now.message
    return now


def _files(folder: Path) -> dict[bytes, bytes]:
    return {
        name: (Path(os.fsdecode(os.path.join(os.fsencode(folder), name)))).read_bytes()
        for name in os.listdir(os.fsencode(folder))
        if name.endswith(b".jpg")
    }


def _plan_id(page: str) -> str:
    found = re.search(r'name="plan" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]


def test_a_scan_started_from_the_page(
    app: Flask, visitor: FlaskClient, photos: Path, library: Library
) -> None:
    form = {"folder": str(photos), "role": "search", "mode": "quick", "recursive": "on"}
    now = _finish(app, visitor.post("/", data=form))
    assert now.scan is not None and library.summary(now.scan).selected_files == 3
    page = visitor.get(f"/work/{now.id}")
    assert page.headers["Location"] == f"/scans/{now.scan}/"
    shown = visitor.get(f"/work/{now.id}/now").json
    assert shown is not None and shown["ended"] and shown["state"] == "done"
    assert shown["next"] == f"/scans/{now.scan}/"


def test_the_bar_leads_back_to_the_scan_that_was_looked_at(
    visitor: FlaskClient, scan: int, library: Library, tmp_path: Path, photos: Path
) -> None:
    (tmp_path / "other").mkdir()
    shutil.copy(photos / "0.jpg", tmp_path / "other")
    latest = library.scan([tmp_path / "other"], ScanSettings(mode=Mode.QUICK, jobs=1)).id
    assert f'href="/scans/{latest}/"' in visitor.get("/history/").text
    for page in (f"/scans/{scan}/", "/history/", "/settings/", f"/scans/{scan}/remove/"):
        text = visitor.get(page).text
        assert f'class="nav-link" href="/scans/{scan}/"' in text, page
        assert f'class="nav-link" href="/scans/{latest}/"' not in text, page


def test_what_was_selected_and_stayed_is_accounted_for(
    app: Flask, visitor: FlaskClient, scan: int, photos: Path, library: Library
) -> None:
    selected = library.selection(scan).files
    changed = next(
        member.file.path
        for group in library.groups(scan).groups
        for member in group.members
        if member.selected
    )
    with open(changed, "ab") as file:
        file.write(b"edited since the scan")
    page = visitor.get(f"/scans/{scan}/remove/")
    plan = _plan_id(page.text)
    now = _finish(app, visitor.post(f"/scans/{scan}/remove/", data={"plan": plan}))
    nothing_ticked = visitor.post(f"/history/{now.run}/undo", data={"some": "1"})
    assert nothing_ticked.status_code == 303
    assert "Select the files to restore first." in visitor.get(f"/history/{now.run}").text
    report = visitor.get(f"/history/{now.run}?job={now.id}").text
    assert f"{selected - 1} files moved to the backup" in report and "1 file was skipped" in report
    review = visitor.get(f"/scans/{scan}/").text
    assert review.count("Skipped:") == 1
    assert visitor.get(f"/scans/{scan}/").text.count("Skipped:") == 1  # also later
    assert "It has changed since the scan." in report and "It has changed since the scan." in review
    german = {"Accept-Language": "de"}
    for page in (f"/history/{now.run}?job={now.id}", f"/scans/{scan}/"):
        said = visitor.get(page, headers=german).text
        assert "Sie hat sich seit dem Suchlauf geändert." in said, page


def test_remove_report_undo(app: Flask, visitor: FlaskClient, scan: int, photos: Path) -> None:
    before = _files(photos)
    page = visitor.get(f"/scans/{scan}/remove/")
    assert "Remove 3 files?" in page.text
    now = _finish(app, visitor.post(f"/scans/{scan}/remove/", data={"plan": _plan_id(page.text)}))
    assert len(_files(photos)) == len(before) - 3
    report = visitor.get(f"/history/{now.run}?job={now.id}")
    assert "3 files moved to the backup." in report.text and "Undo: restore 3 files" in report.text
    assert "will be free when you empty it" in report.text and 'id="free" open' in report.text
    assert "Moved into a backup" in visitor.get("/history/").text
    backups = visitor.get("/backups/").text.replace("<wbr>", "")
    assert str(photos.parent / "ImageDuplicateFinder-backup") in backups

    _finish(app, visitor.post(f"/history/{now.run}/undo"))
    assert _files(photos) == before
    assert "Undo: restore" not in visitor.get(f"/history/{now.run}").text


def test_files_that_belong_to_a_picture_are_shown_counted_and_removed_with_it(
    app: Flask, visitor: FlaskClient, library: Library, photos: Path
) -> None:
    for name in ("0.xmp", "0 (1).xmp", "1.txt", "1 (1).txt", "2.CR2"):
        (photos / name).write_text("the same" if "xmp" in name else "a caption")
    scan = library.scan([photos], ScanSettings(mode=Mode.QUICK, jobs=1)).id
    review = visitor.get(f"/scans/{scan}/").text
    assert review.count("+ XMP</span>") == 2 and review.count("+ TXT</span>") == 2
    assert "+ CR2</span>" in review and " + 1.txt" in review
    page = visitor.get(f"/scans/{scan}/remove/").text
    assert "Remove 3 files?" in page and " 2 companion files go with them." in page
    now = _finish(app, visitor.post(f"/scans/{scan}/remove/", data={"plan": _plan_id(page)}))
    report = visitor.get(f"/history/{now.run}?job={now.id}").text
    assert "5 files moved to the backup." in report and "2 of them are companion files." in report
    assert report.count("belongs to a picture") == 2
    now = _finish(app, visitor.post(f"/history/{now.run}/undo"))
    assert "5 files restored." in visitor.get(f"/history/{now.run}?job={now.id}").text
    assert (photos / "0 (1).xmp").exists() and (photos / "1 (1).txt").exists()


def test_a_backup_of_a_lost_library_is_taken_over(
    app: Flask, visitor: FlaskClient, scan: int, photos: Path, library: Library, tmp_path: Path
) -> None:
    before = _files(photos)
    with Library.open(tmp_path / "lost") as lost:
        lost.apply(lost.plan(lost.scan([photos], ScanSettings(mode=Mode.QUICK, jobs=1)).id))
    page = visitor.get("/backups/").text
    (folder,) = re.findall(r'name="folder" value="([^"]+)"', page)
    assert Path(folder).is_relative_to(photos.parent / "ImageDuplicateFinder-backup")
    asked = visitor.post("/backups/adopt", data={"folder": folder}).text
    assert f'name="root" value="{photos}"' in asked and library.history() == []
    answer = visitor.post("/backups/adopt", data={"folder": folder, "sure": "1"})
    assert answer.headers["Location"] == "/backups/" and library.history() == []
    confirmed = {"folder": folder, "sure": "1", "root": str(photos)}
    now = _finish(app, visitor.post("/backups/adopt", data=confirmed))
    assert now.run is not None and len(library.run_items(now.run)) == 3
    assert 'name="folder" value=' not in visitor.get("/backups/").text
    _finish(app, visitor.post(f"/history/{now.run}/undo"))
    assert _files(photos) == before

    for text in ("", str(tmp_path / "nothing"), str(photos)):
        answer = visitor.post("/backups/adopt", data={"folder": text})
        assert answer.headers["Location"] == "/backups/"
    assert "This folder contains no backup" in visitor.get("/backups/").text


def test_one_file_can_be_put_back_alone(
    app: Flask, visitor: FlaskClient, scan: int, photos: Path, library: Library
) -> None:
    page = visitor.get(f"/scans/{scan}/remove/")
    now = _finish(app, visitor.post(f"/scans/{scan}/remove/", data={"plan": _plan_id(page.text)}))
    assert now.run is not None
    item = library.run_items(now.run)[0]
    assert not os.path.lexists(item.path)
    nothing = visitor.post(f"/history/{now.run}/undo", data={"some": "1"})
    assert nothing.headers["Location"] == f"/history/{now.run}"
    _finish(app, visitor.post(f"/history/{now.run}/undo", data={"some": "1", "item": item.id}))
    assert os.path.lexists(item.path)
    states = [each.state.value for each in library.run_items(now.run)]
    assert sorted(states) == ["moved", "moved", "restored"]


def test_purge_wants_to_be_sure(
    app: Flask, visitor: FlaskClient, scan: int, photos: Path, library: Library
) -> None:
    page = visitor.get(f"/scans/{scan}/remove/")
    now = _finish(app, visitor.post(f"/scans/{scan}/remove/", data={"plan": _plan_id(page.text)}))
    held = library.history()[0].held
    assert held > 0
    visitor.post(f"/history/{now.run}/purge")
    assert library.history()[0].held == held
    ended = _finish(app, visitor.post(f"/history/{now.run}/purge", data={"sure": "on"}))
    assert library.history()[0].held == 0
    assert (
        "3 files were permanently deleted."
        in visitor.get(f"/history/{now.run}?job={ended.id}").text
    )


def test_a_stale_confirmation_removes_nothing(
    visitor: FlaskClient, scan: int, photos: Path, library: Library
) -> None:
    plan = _plan_id(visitor.get(f"/scans/{scan}/remove/").text)
    group = library.groups(scan).groups[0]
    library.select([(group.id, group.members[0].file.id)], False)
    before = _files(photos)
    answer = visitor.post(f"/scans/{scan}/remove/", data={"plan": plan})
    assert answer.status_code == 200 and "The selection has changed" in answer.text
    assert _files(photos) == before
    assert library.history() == []


def test_nothing_is_removed_without_a_plan(
    visitor: FlaskClient, scan: int, library: Library
) -> None:
    visitor.post(f"/scans/{scan}/remove/")
    assert library.history() == []


def test_other_ways_of_removing_say_what_they_would_do(visitor: FlaskClient, scan: int) -> None:
    page = visitor.get(f"/scans/{scan}/remove/?action=hardlink&mode=removed")
    assert "Replace 3 files with links" in page.text
    assert 'value="hardlink" checked' in page.text and 'value="removed" checked' in page.text


def test_names_with_markup_are_text_on_every_page(
    app: Flask, visitor: FlaskClient, scan: int, library: Library
) -> None:
    page = visitor.get(f"/scans/{scan}/remove/")
    now = _finish(app, visitor.post(f"/scans/{scan}/remove/", data={"plan": _plan_id(page.text)}))
    pages = [
        f"/scans/{scan}/?done=1", f"/scans/{scan}/remove/", f"/history/{now.run}?job={now.id}",
        "/history/", "/backups/", f"/scans/{scan}/export/report.html",
    ]  # fmt: skip
    shown = 0
    for address in pages:
        text = visitor.get(address).text
        assert "<img src=x" not in text, address
        shown += "&lt;img src=x onerror=alert(1)&gt;" in text
    assert shown >= 3
    assert r"\x0a\xff.jpg" in visitor.get(f"/scans/{scan}/export/groups.csv").text


def test_failures_say_why_and_what_to_do(visitor: FlaskClient, scan: int) -> None:
    page = visitor.get(f"/scans/{scan}/failures/")
    assert "damaged.jpg" in page.text and "Not recognised" in page.text
    assert "damaged.jpg" not in visitor.get(f"/scans/{scan}/failures/?stage=timeout").text


def test_export_as_csv_and_json(visitor: FlaskClient, scan: int, photos: Path) -> None:
    answer = visitor.get(f"/scans/{scan}/export/groups.csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["role"] for row in rows] == ["keeper", "member"] * 3
    assert {row["relation"] for row in rows} == {"", "byte_identical"}
    document = visitor.get(f"/scans/{scan}/export/groups.json").json
    assert document is not None
    assert document["version"] == 1 and document["roots"] == [str(photos)]
    assert len(document["groups"]) == 3 and len(document["failures"]) == 1
    none = visitor.get(f"/scans/{scan}/export/groups.csv?kind=similar").text
    assert len(none.splitlines()) == 1


def test_the_exported_page_stands_alone(visitor: FlaskClient, scan: int) -> None:
    text = visitor.get(f"/scans/{scan}/export/report.html").text
    assert text.count("data:image/jpeg;base64,") == 6
    assert "http://" not in text and "https://" not in text and "<script" not in text


def test_not_duplicates_can_be_taken_back(
    visitor: FlaskClient, scan: int, library: Library
) -> None:
    group = library.groups(scan).groups[0]
    # Byte copies are one content, so two different pictures are needed here.
    other = library.groups(scan).groups[1]
    assert group.keeper.content != other.keeper.content
    library._store.decisions.dismiss([(group.keeper.content, other.keeper.content)])
    page = visitor.get("/not-duplicates/").text
    (pair,) = re.findall(r'name="pair" value="([0-9a-f:]+)"', page)
    for data in ({"pair": "00:11"}, {}):
        said = visitor.post("/not-duplicates/", data=data, follow_redirects=True).text
        assert "First select the pairs" in said
    assert len(library.dismissed()) == 1
    visitor.post("/not-duplicates/", data={"pair": pair})
    assert library.dismissed() == []


def test_find_by_example(visitor: FlaskClient, scan: int, photos: Path) -> None:
    picture = cv2.imread(str(photos / "1.jpg"))
    assert picture is not None
    _, data = cv2.imencode(".png", picture[:, ::-1])
    form = {"scan": str(scan), "picture": (io.BytesIO(data.tobytes()), "mine.png")}
    found = visitor.post("/find/", data=form)
    assert "2 pictures found" in found.text and "mirrored" in found.text
    nothing = {"scan": str(scan), "picture": (io.BytesIO(b"no picture"), "mine.png")}
    assert "not a picture" in visitor.post("/find/", data=nothing).text
    assert "Choose a picture" in visitor.post("/find/", data={"scan": str(scan)}).text


def test_work_of_an_earlier_start_leads_to_the_start_page(visitor: FlaskClient) -> None:
    answer = visitor.get("/work/unknown", follow_redirects=True)
    assert "before the program was restarted" in answer.text


def test_the_way_back_to_the_review_stays_in_the_scan_that_was_looked_at(
    visitor: FlaskClient, library: Library, scan: int, tmp_path: Path
) -> None:
    (tmp_path / "later").mkdir()
    cv2.imwrite(str(tmp_path / "later" / "a.png"), np.full((40, 40, 3), 90, np.uint8))
    later = library.scan([tmp_path / "later"], ScanSettings(mode=Mode.QUICK, jobs=1)).id
    assert f'href="/scans/{later}/"' in visitor.get("/history/").text
    for page in (f"/scans/{scan}/", f"/scans/{scan}/failures/", "/history/", "/settings/"):
        text = visitor.get(page).text
        assert f'href="/scans/{scan}/"' in text and f'href="/scans/{later}/"' not in text
    visitor.get("/scans/999/")
    assert f'href="/scans/{scan}/"' in visitor.get("/history/").text


@pytest.mark.parametrize("page", ["/scans/{}/?q=a", "/scans/{}/compare/{}/{}/"])
def test_a_step_in_the_history_is_answered_with_a_whole_page(
    visitor: FlaskClient, library: Library, scan: int, page: str
) -> None:
    group = library.groups(scan).groups[0]
    address = page.format(scan, group.id, group.members[0].file.id)
    part = {"HX-Request": "true"}
    assert "<html" not in visitor.get(address, headers=part).text
    restored = visitor.get(address, headers=part | {"HX-History-Restore-Request": "true"})
    assert "<html" in restored.text and restored.headers["Cache-Control"] == "no-store"


def test_what_does_not_exist_says_so(visitor: FlaskClient) -> None:
    for address in ("/scans/9/failures/", "/scans/9/remove/", "/scans/9/export/groups.csv",
                    "/history/9", "/nothing"):  # fmt: skip
        assert visitor.get(address).status_code == 404, address


def test_pages_of_a_scan_that_an_earlier_one_stands_for_show_that_one(
    library: Library, visitor: FlaskClient, photos: Path, scan: int
) -> None:
    numbers: list[int] = []
    library.scan([photos], ScanSettings(mode=Mode.QUICK, jobs=1), on_start=numbers.append)
    (again,) = numbers
    assert again != scan
    for page in ("", "export", "failures"):
        answer = visitor.get(f"/scans/{again}/{page}", follow_redirects=True)
        assert answer.status_code == 200
        assert f"/scans/{scan}/" in answer.text
        assert f"/scans/{again}/" not in answer.text
    assert visitor.get("/scans/999/").status_code == 404


def test_metadata_are_taken_over_before_files_go(
    app: Flask, visitor: FlaskClient, library: Library, tmp_path: Path, painted: Painter
) -> None:
    folder = tmp_path / "rated"
    folder.mkdir()
    picture = cv2.cvtColor(painted(7), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(folder / "large.png"), picture)
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    plain = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
    additions = Additions(rating=4, keywords=("sea <1>",))
    tagged = written_into(plain, additions, DecodeLimits())
    assert tagged is not None
    (folder / "small.jpg").write_bytes(tagged)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    scan = library.scan([folder], ScanSettings(mode=Mode.QUICK, jobs=1)).id
    url = f"/scans/{scan}/remove/"
    assert "Nothing to remove" in visitor.get(url).text
    page = visitor.get(f"{url}?merge=1").text
    assert "Remove 1 file?" in page
    assert "rating: 4" in page and "keywords: sea &lt;1&gt;" in page
    # Links make no room for it: both names show one file then.
    assert 'id="merges"' not in visitor.get(f"{url}?merge=1&action=hardlink").text

    form = {"plan": _plan_id(page), "merge": "1"}
    without = visitor.post(url, data={"plan": form["plan"]})
    assert "The selection has changed" in without.text
    now = _finish(app, visitor.post(url, data=form))
    assert sorted(path.name for path in folder.iterdir()) == ["large.png"]
    kept = read_info((folder / "large.png").read_bytes(), limits=DecodeLimits())
    assert (kept.metadata.rating, kept.metadata.keywords) == (4, ("sea <1>",))
    report = visitor.get(f"/history/{now.run}").text
    assert "metadata added" in report and "the backup has the file as it was" in report
    _finish(app, visitor.post(f"/history/{now.run}/undo"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
