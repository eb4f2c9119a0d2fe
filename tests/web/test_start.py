"""The start page: folders by name, by dialog, by address; what is wrong is said in the page."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.settings import KeepRule, ScanSettings
from image_duplicate_finder.web import folders, forms
from image_duplicate_finder.web.folders import list_folder
from image_duplicate_finder.web.forms import path_from_text, path_to_text
from tools.example_pictures import distance


@given(st.binary(min_size=1, max_size=60).filter(lambda raw: b"\0" not in raw))
def test_every_path_survives_the_form(raw: bytes) -> None:
    path = os.path.join("/", os.fsdecode(raw))
    text = path_to_text(path)
    text.encode("utf-8")
    if text == text.strip():  # a person's stray blanks are cut off
        assert path_from_text(text) == path


def test_pasted_forms_of_a_path() -> None:
    assert path_from_text("  '/a b/c' ") == "/a b/c"
    assert path_from_text("file:///a%20b/%FF") == os.fsdecode(b"/a b/\xff")
    assert path_from_text("~") == os.path.expanduser("~")


def test_a_folder_that_is_missing_is_named(visitor: FlaskClient, tmp_path: Path) -> None:
    gone = str(tmp_path / "no such <b>folder</b>")
    answer = visitor.post("/", data={"folder": gone, "role": "search", "mode": "quick"})
    assert answer.status_code == 400
    assert "no such &lt;b&gt;folder" in answer.text and "<b>folder" not in answer.text
    assert 'value="quick" checked' in answer.text


def test_no_folder_is_told(visitor: FlaskClient) -> None:
    answer = visitor.post("/", data={"folder": "", "role": "search"})
    assert answer.status_code == 400
    assert "Name at least one folder" in answer.text


@pytest.mark.parametrize("value", ["1.01", "-0.1", "nan", "inf", "much"])
def test_thresholds_out_of_range_are_refused(
    visitor: FlaskClient, tmp_path: Path, value: str
) -> None:
    data = {"folder": str(tmp_path), "role": "search", "esimilarity_threshold": value}
    assert visitor.post("/", data=data).status_code == 400


def test_the_form_becomes_settings() -> None:
    form = MultiDict(
        [
            ("folder", "/a"), ("role", "search"), ("folder", "/b"), ("role", "protect"),
            ("folder", ""), ("role", "search"), ("folder", "/c"), ("role", "compare"),
            ("mode", "thorough"), ("esimilarity_threshold", "0.31"),
            ("csimilarity_threshold", "0,85"), ("recursive", "on"),
            ("exclude", "*.gif\n\n Trash/ "),
        ]
    )  # fmt: skip
    wanted = forms.read_scan(form, ScanSettings(hidden=True))
    assert wanted.roots == ("/a", "/b")
    found = wanted.settings
    assert (found.protected, found.compare_only) == (("/b",), ("/c",))
    assert (found.esimilarity_threshold, found.csimilarity_threshold) == (0.31, 0.85)
    assert (found.recursive, found.hidden, found.exclude) == (True, False, ("*.gif", "Trash/"))
    assert forms.rows_of(wanted.roots, found) == [
        forms.FolderRow("/a", forms.Role.SEARCH),
        forms.FolderRow("/b", forms.Role.PROTECT),
        forms.FolderRow("/c", forms.Role.COMPARE),
    ]


def test_stored_settings_come_back_without_folders(library: Library) -> None:
    assert forms.stored_settings(library) == ScanSettings()
    chosen = ScanSettings(esimilarity_threshold=0.2, protected=("/b",), jobs=3)
    forms.store_settings(library, chosen)
    assert forms.stored_settings(library) == ScanSettings(esimilarity_threshold=0.2, jobs=3)
    library.set_preference(forms.SETTINGS_PREFERENCE, "{broken")
    assert forms.stored_settings(library) == ScanSettings()


def test_rules_move_one_place() -> None:
    rules = tuple(KeepRule)
    assert forms.moved(rules, rules[1], -1)[:2] == (rules[1], rules[0])
    assert forms.moved(rules, rules[0], -1) == rules
    assert forms.moved(rules, rules[-1], 1) == rules


def test_settings_are_checked_before_they_are_kept(visitor: FlaskClient, library: Library) -> None:
    assert visitor.post("/settings/limits", data={"megapixels": "0"}).status_code == 400
    assert (
        visitor.post("/settings/limits", data={"megapixels": "12", "jobs": "2"}).status_code == 303
    )
    kept = forms.stored_settings(library)
    assert (kept.limits.pixels, kept.jobs) == (12_000_000, 2)
    visitor.post("/settings/limits", data={"reset": "1"})
    assert forms.stored_settings(library) == ScanSettings()
    with pytest.raises(UsageError):
        forms.read_limits({"seconds": "-1"}, ScanSettings().limits)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """An empty folder beside the library."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


def test_the_dialog_lists_folders_with_any_name(visitor: FlaskClient, pictures: Path) -> None:
    for name in (b"<b>bold", b"a b", b"\xff\xfe", "emoji 🎈".encode(), b".hidden"):
        os.mkdir(os.path.join(os.fsencode(pictures), name))
    (pictures / "picture.jpg").write_bytes(b"")
    (pictures / "notes.txt").write_bytes(b"")
    answer = visitor.get("/folders", query_string={"path": str(pictures)})
    assert "&lt;b&gt;bold" in answer.text and "<b>bold" not in answer.text
    assert "emoji 🎈" in answer.text and ".hidden" not in answer.text
    assert "1 picture directly in this folder" in answer.text
    strange = path_to_text(os.fsdecode(os.path.join(os.fsencode(pictures), b"\xff\xfe")))
    assert strange in answer.text
    assert visitor.get("/folders", query_string={"path": strange}).status_code == 200
    hidden = visitor.get("/folders", query_string={"path": str(pictures), "hidden": "1"})
    assert ".hidden" in hidden.text


def test_the_dialog_opens_the_nearest_folder_there_is(visitor: FlaskClient, tmp_path: Path) -> None:
    answer = visitor.get("/folders", query_string={"path": str(tmp_path / "gone" / "deeper")})
    assert f'data-path="{tmp_path}"' in answer.text


def test_a_folder_without_permission_says_so(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    assert list_folder(str(closed)).problem


def test_the_estimate_counts_what_a_scan_would_read(visitor: FlaskClient, pictures: Path) -> None:
    (pictures / "below").mkdir()
    for name in ("a.jpg", "b.png", "below/c.heic", "notes.txt"):
        (pictures / name).write_bytes(b"x" * 500_000)
    form = {"folder": str(pictures), "role": "search", "recursive": "on"}
    answer = visitor.post("/estimate", data=form)
    assert "3 files to scan" in answer.text and "1.5 MB" in answer.text
    flat = visitor.post("/estimate", data={"folder": str(pictures), "role": "search"})
    assert "2 files to scan" in flat.text
    missing = visitor.post("/estimate", data={"folder": "/no/such", "role": "search"})
    assert "no folder" in missing.text
    assert visitor.post("/estimate", data={"folder": ""}).text.strip() == ""


def test_the_examples_are_as_far_apart_as_the_page_says(visitor: FlaskClient) -> None:
    page = visitor.get("/").get_data(as_text=True)
    pictures = re.findall(r'src="(/static/img/examples/(\w+)\.jpg[^"]*)"', page)
    assert all(visitor.get(address).status_code == 200 for address, _ in pictures)
    said = [float(number) for number in re.findall(r'data-distance="([\d.]+)"', page)]
    names = [name for _, name in pictures if name != "bay"]
    assert [round(distance("bay", name), 2) for name in names] == pytest.approx(said, abs=0.03)
    assert said == sorted(said)


FOUND = ("Alpha", "alpine", "beta")


def test_completions_are_folders_that_begin_so(visitor: FlaskClient, tmp_path: Path) -> None:
    tmp_path = tmp_path / "inside"
    tmp_path.mkdir()
    for name in ("Alpha", "alpine", "beta", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "alphabet.jpg").touch()

    def complete(text: str) -> object:
        return visitor.get("/folders/complete", query_string={"text": text}).json

    assert complete(f"{tmp_path}/al") == [f"{tmp_path}/Alpha", f"{tmp_path}/alpine"]
    assert complete(f"{tmp_path}/") == [f"{tmp_path}/{name}" for name in FOUND]
    assert complete(f"{tmp_path}/.h") == [f"{tmp_path}/.hidden"]
    for nothing in ("", "al", "../", f"{tmp_path}/none/x", f"{tmp_path}/al\0", "http://x/y"):
        assert complete(nothing) == []


def test_mounts_are_read_as_they_are_written() -> None:
    assert folders.unescaped(rb"/media/me/My\040Card\134x") == "/media/me/My Card\\x"
