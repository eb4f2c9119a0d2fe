"""What the program does with paths of Windows, as far as it is pure: drives, shares, long paths.

No Windows was at hand; these run the same functions with Windows' rules for paths (ntpath).
"""

from __future__ import annotations

import ntpath
import os
from pathlib import PureWindowsPath
from types import ModuleType, SimpleNamespace

import pytest

from image_duplicate_finder.discover import walk
from image_duplicate_finder.sources import names
from image_duplicate_finder.web import forms
from image_duplicate_finder.web.forms import path_from_text

DRIVE = "C:\\"
FOLDER = "C:\\Users\\Ann\\Pictures"
SHARE = "\\\\nas\\photos"
LONG = "\\\\?\\C:\\" + "\\".join(["a folder with quite a long name"] * 12)


@pytest.fixture(autouse=True)
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions see Windows' rules in place of this system's."""
    rules = SimpleNamespace(**{**vars(os), "name": "nt", "sep": "\\", "path": ntpath})
    modules: tuple[ModuleType, ...] = (walk, names, forms)
    for module in modules:
        monkeypatch.setattr(module, "os", rules)


@pytest.mark.parametrize("folder", [DRIVE, FOLDER, SHARE, LONG])
def test_what_lies_in_a_folder_is_told_from_what_only_begins_like_it(folder: str) -> None:
    assert walk.is_inside(folder, folder)
    assert walk.is_inside(ntpath.join(folder, "a.jpg"), folder)
    assert walk.is_inside(ntpath.join(folder, "2024", "a.jpg"), folder)
    assert not walk.is_inside("D:\\a.jpg", folder)
    if folder != DRIVE:
        assert not walk.is_inside(folder + " old\\a.jpg", folder)


@pytest.mark.parametrize("root", [FOLDER, SHARE + "\\2024", LONG])
def test_every_folder_above_is_found_with_the_drive_or_share(root: str) -> None:
    above = set(walk.folders_above(root))
    wanted = {str(parent) for parent in PureWindowsPath(root).parents}
    assert {place.rstrip("\\") for place in wanted} <= {place.rstrip("\\") for place in above}
    assert root not in above


def test_a_drive_holds_its_folders_and_no_others() -> None:
    assert DRIVE in walk.folders_above(FOLDER)
    assert DRIVE not in walk.folders_above("D:\\Pictures")
    assert SHARE + "\\" in walk.folders_above(SHARE + "\\2024")


@pytest.mark.parametrize("archive", ["C:\\trip.zip", SHARE + "\\trip.ZIP", LONG + "\\trip.cbz"])
def test_members_of_archives_are_told_from_folders(archive: str) -> None:
    member = archive + "!/day 1/a.jpg"
    assert names.split_member(member) == (archive, "day 1/a.jpg")
    assert names.parent(member) == ntpath.dirname(archive)
    assert walk.is_inside(member, archive)
    assert names.split_member(archive) is None


@pytest.mark.parametrize("path", [DRIVE, FOLDER, SHARE + "\\a.jpg", LONG])
def test_no_path_of_windows_is_taken_for_an_address(path: str) -> None:
    assert not names.is_url(path)


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ('"C:\\My Pictures"', "C:\\My Pictures"),
        ("file:///C:/My%20Pictures/2024", "C:\\My Pictures\\2024"),
        ("file://nas/photos/2024", "\\\\nas\\photos\\2024"),
        ("\\\\nas\\photos", "\\\\nas\\photos"),
    ],
)
def test_what_people_type_or_drop_becomes_a_path(typed: str, path: str) -> None:
    assert path_from_text(typed) == path
