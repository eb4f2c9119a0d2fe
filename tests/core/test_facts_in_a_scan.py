"""What scans make of facts: data that are equal, films behind a picture, files that were cut."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

import pytest
from PIL import Image

from image_duplicate_finder import Mode, Relation, ScanSettings, find_duplicates
from tests.conftest import Painter

QUICK = ScanSettings(mode=Mode.QUICK)
FILM = struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + bytes(range(256)) * 8


@pytest.fixture
def jpeg(tmp_path: Path, painted: Painter) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(painted(4)).save(folder / "a.jpg", quality=90)
    return folder / "a.jpg"


def test_equal_coded_data_need_no_second_decode(
    jpeg: Path, library_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comment = b"\xff\xfe\x00\x08kept!!"
    data = jpeg.read_bytes()
    jpeg.with_name("b.jpg").write_bytes(data[:2] + comment + data[2:])
    (group,) = find_duplicates([jpeg.parent], QUICK, library=library_dir).duplicates
    assert [member.relation for member in group.members] == [Relation.PIXEL_IDENTICAL]
    with sqlite3.connect(library_dir / "library.sqlite") as database:
        pixels = database.execute("SELECT count(*) FROM fingerprint WHERE name = 'pixels'")
        assert pixels.fetchone() == (0,)


@pytest.mark.parametrize("copies", [2, 5])
def test_plain_pictures_with_equal_data_are_copies(
    tmp_path: Path, library_dir: Path, copies: int
) -> None:
    for shade in (40, 220):
        Image.new("RGB", (320, 240), (shade, 60, 60)).save(tmp_path / f"{shade}.jpg", quality=90)
        data = (tmp_path / f"{shade}.jpg").read_bytes()
        for number in range(1, copies):
            comment = b"\xff\xfe\x00\x08note %d" % number
            (tmp_path / f"{shade} {number}.jpg").write_bytes(data[:2] + comment + data[2:])
    groups = find_duplicates([tmp_path], QUICK, library=library_dir).duplicates
    assert sorted(len(group.members) for group in groups) == [copies - 1, copies - 1]
    for group in groups:
        assert {member.relation for member in group.members} == {Relation.PIXEL_IDENTICAL}
        shades = {Path(m.file.path).stem[:2] for m in group.members}
        assert shades == {Path(group.keeper.path).stem[:2]}


@pytest.mark.parametrize("older", [True, False])
def test_a_film_behind_a_picture_is_not_given_up(
    jpeg: Path, library_dir: Path, older: bool
) -> None:
    moving = jpeg.with_name("b.MP.jpg" if older else "0.MP.jpg")
    moving.write_bytes(jpeg.read_bytes() + FILM)
    (group,) = find_duplicates([jpeg.parent], QUICK, library=library_dir).duplicates
    selected = {member.file.path for member in group.members if member.selected}
    assert str(moving) not in selected


@pytest.mark.parametrize("progressive", [True, False])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_jpeg_that_was_cut_and_closed_again_is_told(
    tmp_path: Path, library_dir: Path, painted: Painter, progressive: bool, share: float
) -> None:
    photo = Image.fromarray(painted(5))
    photo.save(tmp_path / "whole.jpg", quality=60)
    photo.save(tmp_path / "cut.jpg", quality=95, progressive=progressive)
    data = (tmp_path / "cut.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: int(len(data) * share)] + b"\xff\xd9")
    found = find_duplicates([tmp_path], QUICK, library=library_dir)
    with sqlite3.connect(library_dir / "library.sqlite") as database:
        texts = dict(database.execute("SELECT size, metadata FROM content").fetchall())
    cut, whole = (tmp_path / name for name in ("cut.jpg", "whole.jpg"))
    assert '"incomplete": true' in texts[cut.stat().st_size]
    assert "incomplete" not in texts[whole.stat().st_size]
    selected = [m.file.path for g in found.duplicates for m in g.members if m.selected]
    assert str(whole) not in selected


def test_facts_of_an_older_version_are_read_again(jpeg: Path, library_dir: Path) -> None:
    jpeg.write_bytes(jpeg.read_bytes() + FILM)
    find_duplicates([jpeg.parent], QUICK, library=library_dir)
    with sqlite3.connect(library_dir / "library.sqlite") as database:
        database.execute("UPDATE content SET metadata = '{}'")
        database.execute("UPDATE fingerprint SET version = 0 WHERE name = 'facts'")
    find_duplicates([jpeg.parent], QUICK, library=library_dir)
    with sqlite3.connect(library_dir / "library.sqlite") as database:
        ((metadata,),) = database.execute("SELECT metadata FROM content").fetchall()
    assert '"motion"' in metadata


@pytest.mark.parametrize("factor", [4, 6])
def test_an_enlarged_thumbnail_saved_with_care_is_not_kept(
    tmp_path: Path, painted: Painter, library_dir: Path, factor: int
) -> None:
    """It differs in places, so much detail is lost, and its JPEG quality is the higher one."""
    photo = Image.fromarray(painted(4, 960, 720))
    photo.save(tmp_path / "photo.jpg", quality=88)
    small = photo.resize((960 // factor, 720 // factor), Image.Resampling.LANCZOS)
    small.resize(photo.size, Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", quality=97)
    (group,) = find_duplicates([tmp_path], QUICK, library=library_dir).duplicates
    assert Path(group.keeper.path).stem == "photo"


def test_the_file_that_others_were_saved_from_is_kept(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    """Whatever quality they state: saving again adds bytes and no detail."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in (1, 2):
        first = folder / f"z{seed} as it came.jpg"
        Image.fromarray(painted(seed, 640, 480)).save(first, quality=75)
        with Image.open(first) as opened:
            for quality in (40, 60, 85, 92, 97):
                opened.save(folder / f"a{seed} {quality}.jpg", quality=quality)
    found = find_duplicates([folder], ScanSettings(mode=Mode.QUICK, jobs=2), library=library_dir)
    assert len(found.duplicates) == 2
    for group in found.duplicates:
        assert "as it came" in group.keeper.path
        assert [member.selected for member in group.members] == [True] * 5


def test_files_of_earlier_scans_that_are_gone_are_not_needed(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    """A folder that was moved: its contents are known, and the paths that they had first."""
    folder, moved = tmp_path / "a", tmp_path / "b"
    folder.mkdir()
    photo = Image.fromarray(painted(4))
    photo.save(folder / "large.png")
    photo.resize((240, 180)).save(folder / "small.png")
    Image.fromarray(painted(5)).save(folder / "other.png")
    settings = ScanSettings(mode=Mode.QUICK, jobs=1)
    find_duplicates([folder], settings, library=library_dir)
    with sqlite3.connect(library_dir / "library.sqlite") as library:
        library.execute("DELETE FROM look")
        library.execute("UPDATE scan SET inputs = NULL")
    folder.rename(moved)
    (group,) = find_duplicates([moved], settings, library=library_dir).duplicates
    assert [member.selected for member in group.members] == [True]
