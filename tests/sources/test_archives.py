"""Archives are scanned without unpacking; nothing in them is ever offered for removal."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_duplicate_finder import (
    DecodeLimits,
    Library,
    Mode,
    ScanResult,
    ScanSettings,
    find_duplicates,
)
from image_duplicate_finder.discover import clean_roots, discover
from image_duplicate_finder.errors import DecodeError, UsageError
from image_duplicate_finder.removal import Evidence, PlanFile, Reason, make_plan
from image_duplicate_finder.sources import is_read_only, read, split_member
from tests.conftest import Painter
from tests.sources.holders import jpeg, png, write_tar, write_zip

QUICK = ScanSettings(mode=Mode.QUICK)
LIMITS = DecodeLimits()


@pytest.fixture
def album(tmp_path: Path, painted: Painter) -> Path:
    """A folder with ``a.png``, a comic book with a JPEG of it, and a shard with a mirrored one."""
    folder = tmp_path / "album"
    folder.mkdir()
    photo = painted(1)
    (folder / "a.png").write_bytes(png(photo))
    write_zip(
        folder / "book.cbz",
        {
            "pages/01 sent.jpg": jpeg(photo, 70),
            "pages/02.jpg": jpeg(painted(2)),
            "info.xml": b"<x/>",
        },
    )
    write_tar(
        folder / "shard-000.tar",
        {"0001.jpg": jpeg(photo[:, ::-1].copy()), "0001.cls": b"7", "0001.json": b"{}"},
    )
    return folder


def shape(result: ScanResult, folder: Path) -> list[tuple[str, dict[str, str]]]:
    return [
        (
            os.path.relpath(group.keeper.path, folder),
            {os.path.relpath(m.file.path, folder): m.relation.value for m in group.members},
        )
        for group in result.duplicates
    ]


def test_archives_and_folders_are_compared_together(album: Path, library_dir: Path) -> None:
    roots = [album, album / "book.cbz", album / "shard-000.tar"]
    found = find_duplicates(roots, QUICK, library=library_dir)
    assert found.failures == ()
    assert found.scan.files == 4
    assert shape(found, album) == [
        (
            "a.png",
            {"book.cbz!/pages/01 sent.jpg": "reencoded", "shard-000.tar!/0001.jpg": "rotated"},
        )
    ]
    assert not any(member.file.removable for member in found.groups[0].members)
    assert not any(member.selected for member in found.groups[0].members)


def test_a_folder_alone_does_not_open_its_archives(album: Path, library_dir: Path) -> None:
    assert find_duplicates(album, QUICK, library=library_dir).scan.files == 1


def test_an_unchanged_archive_is_not_read_again(
    album: Path, library_dir: Path, painted: Painter
) -> None:
    book = album / "book.cbz"
    assert find_duplicates(book, QUICK, library=library_dir).scan.decoded == 2
    assert find_duplicates(book, QUICK, library=library_dir).scan.decoded == 0
    with zipfile.ZipFile(book, "a") as archive:
        archive.writestr("pages/03.jpg", jpeg(painted(3)))
    again = find_duplicates(book, QUICK, library=library_dir)
    # All members count as changed, but known bytes are recognised and not decoded.
    assert (again.scan.files, again.scan.decoded) == (3, 1)


def test_removal_refuses_members_and_what_only_an_archive_keeps(
    album: Path, library_dir: Path
) -> None:
    with Library.open(library_dir) as library:
        scan = library.scan([album, album / "book.cbz"], QUICK)
        (group,) = library.all_groups(scan.id)
        (member,) = group.members
        assert library.select([(group.id, member.file.id)]) == 0
        # Nor does a plan that was made without the library's help get through.
        removal = Evidence(
            PlanFile(member.file.path, member.file.stat, member.file.content),
            PlanFile(group.keeper.path, group.keeper.stat, group.keeper.content),
            member.relation,
        )
        (refusal,) = make_plan([removal], roots=[str(album), *scan.roots]).refusals
        assert (refusal.path, refusal.reason) == (member.file.path, Reason.READ_ONLY)
        assert "delete-list" in refusal.message

        turned = library.choose_keeper(group.id, member.file.id)
        library.select([(turned, group.keeper.id)])
        plan = library.plan(scan.id)
        assert plan.items == ()
        (refusal,) = plan.refusals
        assert (refusal.path, refusal.reason) == (str(album / "a.png"), Reason.READ_ONLY)
        assert "Its keeper" in refusal.message


def test_nothing_is_preselected_whose_keeper_lies_in_an_archive(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    large = painted(1, 480, 360)
    (tmp_path / "photos").mkdir()
    small = np.asarray(Image.fromarray(large).resize((240, 180)))
    (tmp_path / "photos" / "small.jpg").write_bytes(jpeg(small))
    for name in ("small again.jpg", "small third.jpg"):
        shutil.copy(tmp_path / "photos" / "small.jpg", tmp_path / "photos" / name)
    book = write_zip(tmp_path / "book.zip", {"large.png": png(large)})
    (group,) = find_duplicates([tmp_path / "photos", book], QUICK, library=library_dir).duplicates
    assert group.keeper.path == f"{book}!/large.png"
    assert len(group.members) == 3
    # Equal files in folders are witnesses for each other; what lies in the archive is for none.
    (stays,) = (member for member in group.members if not member.selected)
    assert {member.witness for member in group.members if member.selected} == {stays.file.id}


def test_hostile_names_are_only_names(tmp_path: Path, painted: Painter) -> None:
    data = jpeg(painted(1))
    archive = write_zip(tmp_path / "odd.zip", {"../../evil.jpg": data, "/etc/x.jpg": data})
    found = discover(clean_roots([archive]), hidden=True)
    assert {split_member(file.path) for file in found.files} == {
        (str(archive), "../../evil.jpg"),
        (str(archive), "/etc/x.jpg"),
    }
    assert all(read(file.path, LIMITS)[0] == data for file in found.files)
    assert sorted(os.listdir(tmp_path)) == ["odd.zip"]


def test_hidden_members_and_excluded_ones_are_passed_over(tmp_path: Path) -> None:
    names = ["a.jpg", ".b.jpg", "__MACOSX/._a.jpg", "thumbs/c.jpg", "deep/d.jpg"]
    archive = write_zip(tmp_path / "x.zip", dict.fromkeys(names, b"x"))
    found = discover(clean_roots([archive]), exclude=["thumbs/"])
    assert [split_member(file.path)[1] for file in found.files] == ["a.jpg", "deep/d.jpg"]  # type: ignore[index]
    flat = discover(clean_roots([archive]), recursive=False)
    assert [split_member(file.path)[1] for file in flat.files] == ["a.jpg"]  # type: ignore[index]


def test_a_member_that_says_it_is_huge_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "bomb.zip", {"zeros.jpg": bytes(30_000_000)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(DecodeError, match="limit of 1 MB") as refused:
        read(f"{archive}!/zeros.jpg", DecodeLimits(bytes=1024 * 1024))
    assert refused.value.stage == "limits"


@pytest.mark.parametrize("name", ["broken.zip", "broken.tar"])
def test_what_is_no_archive_is_a_failure(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 but nothing else" * 100)
    found = discover(clean_roots([tmp_path / name]))
    assert found.files == ()
    (failure,) = found.failures
    assert failure.message.startswith("Its archive cannot be read:")


def test_a_damaged_member_costs_that_member_only(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    photos = {f"{number}.png": png(painted(number)) for number in range(3)}
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        for name, data in photos.items():
            out.writestr(name, data)
    damaged = archive.read_bytes().replace(photos["1.png"][200:260], b"\0" * 60)
    archive.write_bytes(damaged)
    found = find_duplicates(archive, QUICK, library=library_dir)
    (failure,) = found.failures
    assert failure.path == f"{archive}!/1.png"
    assert "CRC" in failure.message
    assert found.scan.files == 3
    assert found.scan.decoded == 2


def test_members_of_a_shard_cut_off_are_failures(tmp_path: Path, painted: Painter) -> None:
    whole = write_tar(tmp_path / "x.tar", {"a.jpg": jpeg(painted(1)), "b.jpg": jpeg(painted(2))})
    whole.write_bytes(whole.read_bytes()[: 512 + len(jpeg(painted(1))) // 2])
    found = discover(clean_roots([whole]))
    assert found.files == () or read_fails(found.files[0].path)


def read_fails(path: str) -> bool:
    try:
        read(path, LIMITS)
    except DecodeError:
        return True
    return False


def test_a_folder_with_the_name_of_an_archive_stays_a_folder(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    for name in ("set.zip", "set.zip!"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "a.jpg").write_bytes(jpeg(painted(1)))
    found = find_duplicates(tmp_path / "photos", QUICK, library=library_dir)
    assert (found.failures, len(found.duplicates)) == ((), 1)
    # The odd one is never removed, since its name could be that of a member.
    assert is_read_only(str(tmp_path / "photos" / "set.zip!" / "a.jpg"))


def test_a_compressed_tar_is_no_archive_for_this_program(tmp_path: Path, painted: Painter) -> None:
    packed = write_tar(tmp_path / "x.tar.gz", {"a.jpg": jpeg(painted(1))}, "w:gz")
    shutil.copy(packed, tmp_path / "really.tar")
    found = discover(clean_roots([tmp_path / "really.tar"]))
    assert found.files == ()
    assert len(found.failures) == 1


def test_roots_that_fit_a_pattern(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "a/2.png", "b/3.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert clean_roots([tmp_path / "*" / "*.jpg"]) == (
        str(tmp_path / "a/1.jpg"),
        str(tmp_path / "b/3.jpg"),
    )
    assert clean_roots([tmp_path / "?"]) == (str(tmp_path / "a"), str(tmp_path / "b"))
    with pytest.raises(UsageError, match="There is no folder"):
        clean_roots([tmp_path / "*.gif"])
