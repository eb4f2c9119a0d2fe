"""Pictures inside an archive are shown like others, and never offered for removal."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from image_duplicate_finder import GroupView, Library, Mode, ScanSettings
from tests.conftest import Painter
from tests.sources.holders import jpeg, png, write_zip


@pytest.fixture
def group(library: Library, tmp_path: Path, painted: Painter) -> GroupView:
    """``a.png`` with two copies in ``book.zip``."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(png(painted(1)))
    members = {"in.png": png(painted(1)), "deep/in.jpg": jpeg(painted(1), 60)}
    book = write_zip(folder / "book.zip", members)
    scan = library.scan([folder, book], ScanSettings(mode=Mode.QUICK))
    (found,) = library.all_groups(scan.id)
    return found


def test_members_are_shown_and_compared(visitor: FlaskClient, group: GroupView) -> None:
    page = visitor.get(f"/scans/{group.scan}/").text
    assert page.count("never removed from here</p>") == 2
    assert "book.zip!/deep/in.jpg" in page
    for member in group.members:
        for kind in ("thumbnail/320", "full"):
            answer = visitor.get(f"/scans/{group.scan}/images/{member.file.id}/{kind}")
            assert answer.status_code == 200
            assert answer.mimetype in ("image/jpeg", "image/png")
        compared = visitor.get(f"/scans/{group.scan}/compare/{group.id}/{member.file.id}/")
        assert compared.status_code == 200


def test_an_archive_that_changed_shows_nothing(
    visitor: FlaskClient, group: GroupView, tmp_path: Path, painted: Painter
) -> None:
    write_zip(tmp_path / "photos" / "book.zip", {"in.png": png(painted(2))})
    for member in group.members:
        answer = visitor.get(f"/scans/{group.scan}/images/{member.file.id}/full")
        assert answer.status_code == 404


def test_lists_take_the_place_of_a_removal(visitor: FlaskClient, group: GroupView) -> None:
    delete = visitor.get(f"/scans/{group.scan}/export/delete.txt")
    assert delete.headers["Content-Disposition"] == 'attachment; filename="delete-1.txt"'
    assert set(delete.text.splitlines()) == {member.file.path for member in group.members}
    keep = visitor.get(f"/scans/{group.scan}/export/keep.txt?kind=duplicates").text
    assert keep == f"{group.keeper.path}\n"
    assert visitor.get("/scans/9/export/delete.txt").status_code == 404


def test_a_name_with_a_line_break_is_told_and_not_torn(
    visitor: FlaskClient, library: Library, tmp_path: Path, painted: Painter
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in ("a.jpg", "b\nc.jpg"):
        (folder / name).write_bytes(jpeg(painted(1)))
    scan = library.scan([folder], ScanSettings(mode=Mode.QUICK)).id
    answer = visitor.get(f"/scans/{scan}/export/delete.txt")
    assert answer.status_code == 400
    assert "has a line break in its name" in answer.text
