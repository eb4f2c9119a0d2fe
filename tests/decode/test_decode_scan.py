"""Whole scans over every format, over odd and hostile files, and over what is no file at all."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest
from PIL import Image

from image_duplicate_finder import (
    DecodeLimits,
    GroupKind,
    Mode,
    Relation,
    ScanSettings,
    find_duplicates,
)
from image_duplicate_finder.decode import decode_small
from image_duplicate_finder.errors import DecodeError
from tests.decode.bombs import BOMBS
from tests.decode.picture_files import encode
from tests.decode.test_decode_bombs import DECODED
from tests.decode.test_decode_formats import WRITABLE, in_mode
from tests.painting import paint_photo

QUICK = ScanSettings(mode=Mode.QUICK, jobs=2)
# What Pillow's writers leave exactly as it is in these formats.
EXACT = frozenset({"BMP", "DDS", "DIB", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA",
                   "TIFF"})  # fmt: skip
GREY = frozenset({"1", "L", "LA", "I", "I16", "F"})
THUMBNAILS = frozenset({"ICO", "ICNS"})


def names(paths: list[str]) -> set[str]:
    return {os.path.basename(path) for path in paths}


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder with five unrelated pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed in range(60, 65):
        Image.fromarray(paint_photo(seed)).save(folder / f"other {seed}.jpg")
    return folder


def test_one_picture_in_every_format_is_one_group(others: Path, library_dir: Path) -> None:
    formats = [name for name in WRITABLE["RGB"] if name not in THUMBNAILS]
    for name in formats:
        (others / f"photo.{name.lower()}").write_bytes(encode(in_mode("RGB", width=240), name))
    (others / "photo lies.jpg").write_bytes(
        encode(in_mode("RGB", width=240), "PNG", compress_level=1)
    )
    (others / "photo without extension").write_bytes(encode(in_mode("RGB", width=240), "BMP"))

    found = find_duplicates([others], QUICK, library=library_dir)

    assert not found.failures
    [group] = found.duplicates
    assert os.path.basename(group.keeper.path).startswith("photo")
    relations = {os.path.basename(one.file.path): one.relation for one in group.members}
    assert len(relations) == len(formats) + 1
    bytes_alike = {"photo.bmp", "photo without extension"}
    for name in formats:
        relation = relations.get(f"photo.{name.lower()}")
        if relation is None or relation is Relation.BYTE_IDENTICAL:
            continue  # the keeper, or its twin
        exact = name in EXACT and f"photo.{name.lower()}" not in bytes_alike
        assert not exact or relation is Relation.PIXEL_IDENTICAL, name
        if name == "SPIDER":  # keeps no colours
            assert relation is Relation.EDITED
        else:
            assert relation in (Relation.PIXEL_IDENTICAL, Relation.REENCODED), name
    for name in ("jpeg", "webp", "avif", "mpo"):
        assert relations[f"photo.{name}"] is Relation.REENCODED, name


def write_in(folder: Path, mode: str, width: int) -> int:
    """Write the photo in a mode, in every format that has it; the number of files."""
    formats = [name for name in WRITABLE[mode] if name not in THUMBNAILS]
    for name in formats:
        path = folder / f"photo {mode.replace(';', '')}.{name.lower()}"
        path.write_bytes(encode(in_mode(mode, width), name))
    return len(formats)


def test_one_picture_in_every_mode_is_one_group(others: Path, library_dir: Path) -> None:
    # CMYK's inks are something that all others lack: it would be the keeper.
    modes = [mode for mode in WRITABLE if mode not in ("CMYK", "1")]
    files = sum(write_in(others, mode, width=240) for mode in modes)
    found = find_duplicates([others], QUICK, library=library_dir)
    assert not found.failures
    [group] = found.duplicates
    assert len(group.members) == files - 1
    assert os.path.basename(group.keeper.path).startswith("photo RGB")
    for member in group.members:
        _, mode, name = re.split("[ .]", os.path.basename(member.file.path).upper())
        if mode in ("LAB", "P"):  # what their few colours or their rounding change may be seen
            continue
        if mode in GREY or name == "SPIDER":
            expected = Relation.EDITED
        elif mode in ("RGB", "RGBA") and name in EXACT:
            expected = Relation.PIXEL_IDENTICAL
        else:
            expected = Relation.REENCODED
        if member.relation is not Relation.BYTE_IDENTICAL:
            assert member.relation is expected, member.file.path


def test_a_picture_in_black_and_white_is_in_the_group_of_its_original(
    others: Path, library_dir: Path
) -> None:
    files = write_in(others, "1", width=480)
    in_mode("RGB").save(others / "photo.png")
    found = find_duplicates([others], QUICK, library=library_dir)
    [group] = found.duplicates
    assert os.path.basename(group.keeper.path) == "photo.png"
    assert len(group.members) == files
    relations = {one.relation for one in group.members}
    assert relations <= {Relation.EDITED, Relation.BYTE_IDENTICAL}, relations


def test_pictures_that_differ_only_in_alpha_are_not_identical(
    others: Path, library_dir: Path
) -> None:
    for value in (255, 250, 245):
        picture = in_mode("RGBA")
        picture.paste((*picture.getpixel((9, 9))[:3], value), (0, 0, 4, 4))
        picture.save(others / f"alpha {value}.png")
    found = find_duplicates([others], QUICK, library=library_dir)
    [group] = found.duplicates
    assert group.kind is GroupKind.DUPLICATES and len(group.members) == 2
    assert {one.relation for one in group.members} == {Relation.REENCODED}


def test_what_is_no_file_is_passed_over_and_blocks_nothing(others: Path, library_dir: Path) -> None:
    (others / "folder.jpg").mkdir()
    os.mkfifo(others / "fifo.jpg")
    (others / "dangling.jpg").symlink_to(others / "nothing.jpg")
    (others / "loop.jpg").symlink_to(others / "loop.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(others)  # a socket's path must be short
        try:
            listening.bind("socket.jpg")
        finally:
            os.chdir(here)
    (others / "device.jpg").symlink_to("/dev/zero")
    (others / "text.jpg").write_text("milk, bread")
    (others / "video.jpg").write_bytes(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(50))
    (others / "empty.jpg").write_bytes(b"")

    found = find_duplicates([others], QUICK, library=library_dir)

    reasons = {os.path.basename(one.path): one.message for one in found.failures}
    assert "text" in reasons["text.jpg"]
    assert "video" in reasons["video.jpg"]
    assert "empty" in reasons["empty.jpg"]
    assert not {"fifo.jpg", "socket.jpg", "device.jpg"} & {
        os.path.basename(one.path) for one in found.failures if one.stage in ("crash", "timeout")
    }
    assert found.scan.files - found.scan.failures >= 5


def test_bombs_cost_only_themselves(others: Path, library_dir: Path) -> None:
    for number, make in enumerate(BOMBS.values()):
        (others / f"bomb {number:02}.jpg").write_bytes(make())
    found = find_duplicates([others], QUICK, library=library_dir)
    failed = names([one.path for one in found.failures])
    expected = {f"bomb {number:02}.jpg" for number, name in enumerate(BOMBS) if name not in DECODED}
    assert failed == expected
    assert {one.stage for one in found.failures} <= {"header", "limits", "decode"}
    assert find_duplicates([others], QUICK, library=library_dir).scan.decoded == 0


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["formats/heif", "formats/modes", "bad"])
def test_no_odd_file_is_lost(shared_data: Path, library_dir: Path, folder: str) -> None:
    root = shared_data / folder
    paths = [path for path in root.rglob("*") if path.is_file()]
    undecodable: dict[str, str] = {}
    for path in paths:
        try:
            decode_small(path.read_bytes(), long_side=256, colour=False, limits=DecodeLimits())
        except DecodeError as error:
            undecodable[str(path)] = str(error)
    found = find_duplicates([root], QUICK, library=library_dir)
    failed = {one.path for one in found.failures}
    assert found.scan.files - len(failed) == len(paths) - len(undecodable)
    assert failed <= undecodable.keys()
    # Discovery does not list what is no picture by its name, and that is none by content.
    not_listed = undecodable.keys() - failed
    assert len(not_listed) == len(paths) - found.scan.files
    assert all("not a picture" in undecodable[path] for path in not_listed)
    assert all(one.message.endswith(".") for one in found.failures)
