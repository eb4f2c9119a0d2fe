"""What the program does with paths of Windows, as far as it is pure: drives, shares, long paths.

No Windows was at hand; these run the same functions with Windows' rules for paths (ntpath).
"""

from __future__ import annotations

import errno
import ntpath
import os
import stat
from pathlib import Path, PureWindowsPath
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from image_duplicate_finder.discover import walk
from image_duplicate_finder.errors import lacks_permission
from image_duplicate_finder.removal import adopt, backup, fs, links
from image_duplicate_finder.removal.journal import BackupFolder
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
    modules: tuple[ModuleType, ...] = (walk, names, forms, adopt, backup, links)
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


@pytest.mark.parametrize("name", ["CON", "nul.txt", "Com1.jpg", "lpt9", "COM¹", "aux .jpg"])
def test_names_of_devices_are_no_files(name: str) -> None:
    assert names.is_no_name_of_windows(name)


@pytest.mark.parametrize("name", ["a.", "a.jpg ", "a:b.jpg", "what?.jpg", "a|b", "a\tb"])
def test_names_that_windows_changes_or_refuses_are_known(name: str) -> None:
    assert names.is_no_name_of_windows(name)


@pytest.mark.parametrize("name", ["console.jpg", "null.txt", "com.jpg", "com10", "Ä.jpg", ".a"])
def test_names_that_only_look_like_them_are_fine(name: str) -> None:
    assert not names.is_no_name_of_windows(name)


def _stored(place: str) -> str:
    return backup.stored_in({"stored": place}, FOLDER)


def test_a_manifest_names_places_in_its_backup_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fs, "realpath", ntpath.normpath)
    assert _stored("removed\\2024\\a.jpg") == FOLDER + "\\removed\\2024\\a.jpg"
    for place in (
        "..\\a.jpg",
        "removed\\..\\..\\a.jpg",
        "D:\\a.jpg",
        "D:a.jpg",
        "\\Windows\\a.jpg",
        "\\\\nas\\photos\\a.jpg",
        "removed\\CON",
        "removed\\nul.txt",
        "removed\\a.jpg:stream",
        "removed\\a.jpg. ",
    ):
        with pytest.raises(ValueError):
            _stored(place)


def test_a_manifest_restores_to_plain_paths_with_a_drive_or_share() -> None:
    for path in (FOLDER + "\\a.jpg", SHARE + "\\a.jpg", LONG + "\\a.jpg"):
        assert adopt._absolute({"path": path}, "path") == path
    for path in ("\\a.jpg", "C:a.jpg", "a.jpg", DRIVE, FOLDER + "\\..\\a.jpg", DRIVE + "prn.jpg"):
        with pytest.raises(ValueError):
            adopt._absolute({"path": path}, "path")


def test_a_link_to_another_drive_says_the_whole_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fs, "realpath", ntpath.normpath)
    assert links.link_target_of(FOLDER + "\\a.jpg", "D:\\b.jpg") == "D:\\b.jpg"
    assert links.link_target_of(FOLDER + "\\a.jpg", FOLDER + "\\2024\\b.jpg") == "2024\\b.jpg"


def test_a_backup_does_not_repeat_paths_that_are_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On this system's own paths: what is asked for is made.
    monkeypatch.setattr(backup, "os", SimpleNamespace(**{**vars(os), "name": "nt"}))
    root = tmp_path / "photos"
    made = backup.RunBackup(BackupFolder(1, str(root), str(tmp_path / "backup")))
    short = made.place_for(str(root / "2024" / "a.jpg"))
    assert short == str(tmp_path / "backup" / "removed" / "2024" / "a.jpg")
    deep = root.joinpath(*["a folder with quite a long name"] * 6)
    places = [Path(made.place_for(str(deep / name))) for name in ("a.jpg", "b.jpg", "a.jpg")]
    assert len(set(places)) == 3
    assert [place.name for place in places] == ["a.jpg", "b.jpg", "a.jpg"]
    for place in places:
        assert place.parent.is_dir()
        assert len(str(place)) < len(str(tmp_path)) + 40


@pytest.mark.parametrize("name", ["$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information"])
def test_the_recycle_bin_is_passed_over_however_it_is_written(name: str) -> None:
    assert walk.Choice(hidden=True).passes_over(name, name)
    assert not walk.Choice().passes_over("Recycled pictures", "Recycled pictures")


class Entry:
    """An entry of a folder as Windows lists it."""

    def __init__(self, attributes: int = 0, tag: int = 0) -> None:
        self.name = "Pictures"
        self.path = FOLDER
        self._status = SimpleNamespace(st_file_attributes=attributes, st_reparse_tag=tag)

    def stat(self, *, follow_symlinks: bool) -> Any:
        assert not follow_symlinks
        return self._status


def test_hidden_entries_and_junctions_are_passed_over() -> None:
    def passed(entry: Any, *, hidden: bool = False) -> bool:
        return walk._passed_over(entry, DRIVE, walk.Choice(hidden=hidden))

    assert not passed(Entry())
    assert passed(Entry(attributes=stat.FILE_ATTRIBUTE_HIDDEN))
    assert not passed(Entry(attributes=stat.FILE_ATTRIBUTE_HIDDEN), hidden=True)
    assert passed(Entry(tag=0xA0000003), hidden=True)


@pytest.mark.parametrize(("code", "lacking"), [(5, True), (32, False), (33, False)])
def test_a_file_in_use_is_not_called_forbidden(code: int, lacking: bool) -> None:
    error = PermissionError(errno.EACCES, "in use")
    error.winerror = code  # type: ignore[attr-defined,unused-ignore]
    assert lacks_permission(error) is lacking
