"""What belongs together stays together: RAW and picture, Live Photos, sidecars."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from image_duplicate_finder.companions import Folder
from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Evidence, Remover, look_around, make_plan
from image_duplicate_finder.removal.checks import content_identifier
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.removal.support import (
    any_match,
    apply,
    evidence,
    forged,
    plan_file,
    plan_for,
    reasons,
    tree,
    write,
)


def film(identifier: str | None) -> bytes:
    """A QuickTime film of no length that states a content identifier."""

    def atom(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body) + 8, kind) + body

    moov = b""
    if identifier is not None:
        key = atom(b"mdta", b"com.apple.quicktime.content.identifier")
        keys = atom(b"keys", struct.pack(">II", 0, 1) + key)
        data = atom(b"data", struct.pack(">II", 1, 0) + identifier.encode())
        values = atom(b"ilst", atom(struct.pack(">I", 1), data))
        moov = atom(b"meta", atom(b"hdlr", bytes(24)) + keys + values)
    body = atom(b"mdat", b"\0" * 100) + atom(b"moov", moov)
    return atom(b"ftyp", b"qt  ") + body


@pytest.mark.parametrize("identifier", ["3F2504E0-4F89-11D3-9A0C-0305E82C3301", None])
def test_a_film_tells_its_identifier(tmp_path: Path, identifier: str | None) -> None:
    assert content_identifier(write(tmp_path / "a.mov", film(identifier))) == identifier


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0\0\0\x08free", b"\xff" * 64, film("x")[:-9]])
def test_broken_films_tell_nothing(tmp_path: Path, data: bytes) -> None:
    assert content_identifier(write(tmp_path / "a.mov", data)) in (None, "")


@pytest.mark.parametrize(
    ("picture", "sidecars"),
    [
        ("IMG_1.JPG", {"IMG_1.xmp", "IMG_1.AAE", "IMG_1.JPG.xmp"}),
        ("a.jpg", {"a.jpg.json", "a.jpg.supplemental-metadata.json"}),
        ("a(1).jpg", {"a.jpg(1).json", "a.jpg.supplemental-metadata(1).json"}),
        (
            "a name that is rather long for a photo.jpg",
            {"a name that is rather long for a photo.jpg.sup.json"},
        ),
        ("MVI_2.JPG", {"MVI_2.THM"}),
    ],
)
def test_sidecars_are_known_by_name(picture: str, sidecars: set[str]) -> None:
    others = {"IMG_2.xmp", "b.jpg.json", "a.jpg(2).json", "MVI_3.THM", "IMG_10.AAE"}
    unit = Folder.of({picture, *sidecars, *others}).unit(picture)
    assert {*unit.own_sidecars, *unit.stem_sidecars} == sidecars


@pytest.fixture
def root(quick_path: Path) -> Path:
    """RAW and JPEG with sidecars, and a Live Photo, each twice: in "keep" and in "copies"."""
    for base in ("keep", "copies"):
        folder = quick_path / "photos" / base
        for name in ("R1.CR3", "R1.JPG", "L1.HEIC", "L1.MOV"):
            write(folder / name, name.encode())
        for name in ("R1.xmp", "R1.JPG.xmp", "L1.AAE", "L1.HEIC.json", "unrelated.xmp"):
            write(folder / name, (base + name).encode())
    return quick_path / "photos"


def removal(root: Path, name: str, identifier: str | None = None) -> Evidence:
    keeper = plan_file(root / "keep" / name, identifier)
    return Evidence(plan_file(root / "copies" / name, identifier), keeper, Relation.BYTE_IDENTICAL)


def names(root: Path) -> set[str]:
    return {path.name for path in (root / "copies").iterdir()}


def test_raw_and_picture_go_together_with_their_sidecars(root: Path, quick_path: Path) -> None:
    remover, before = Remover(quick_path / "library"), tree(root)
    plan = plan_for([removal(root, "R1.CR3"), removal(root, "R1.JPG")], root)
    assert {item.unit for item in plan.items} == {0}
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert {Path(i.path).name for i in report.done} == {
        "R1.CR3",
        "R1.JPG",
        "R1.xmp",
        "R1.JPG.xmp",
    }
    assert names(root) == {"L1.HEIC", "L1.MOV", "L1.AAE", "L1.HEIC.json", "unrelated.xmp"}
    one = next(item for item in report.done if item.path.endswith("R1.xmp"))
    assert len(remover.undo(report.run, [one.id]).done) == 4  # a unit comes back as one
    assert tree(root) == before


@pytest.mark.parametrize("name", ["R1.CR3", "R1.JPG"])
def test_half_of_raw_and_picture_stays(root: Path, name: str) -> None:
    plan = plan_for([removal(root, name)], root)
    assert plan.items == () and plan.refusals[0].reason == "unit"


def test_raw_and_picture_of_one_shot_are_no_duplicates(root: Path) -> None:
    same = evidence(root / "copies/R1.JPG", root / "copies/R1.CR3", Relation.REENCODED)
    assert [r.reason for r in plan_for([same], root).refusals] == ["unit"]


def test_a_live_photo_takes_its_film_along(root: Path, quick_path: Path) -> None:
    remover, before = Remover(quick_path / "library"), tree(root)
    plan = plan_for([removal(root, "L1.HEIC")], root)
    assert {c.kind for c in plan.items[0].companions} == {"video", "sidecar"}
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert {i.kind for i in report.done} == {"picture", "video", "sidecar"}
    assert names(root) == {"R1.CR3", "R1.JPG", "R1.xmp", "R1.JPG.xmp", "unrelated.xmp"}
    assert len(remover.undo(report.run).done) == len(report.done)
    assert tree(root) == before


def test_a_live_photo_stays_when_its_keeper_has_no_film(root: Path) -> None:
    (root / "keep/L1.MOV").unlink()
    plan = plan_for([removal(root, "L1.HEIC")], root)
    assert [r.reason for r in plan.refusals] == ["unit"]
    assert "Live Photo" in plan.refusals[0].message


def test_a_film_is_found_by_its_identifier(root: Path) -> None:
    for base in ("keep", "copies"):
        (root / base / "L1.MOV").unlink()
        write(root / base / "film of another name.mov", film("ABC"))
    plan = plan_for([removal(root, "L1.HEIC", "ABC")], root)
    assert str(root / "copies/film of another name.mov") in {
        c.path for c in plan.items[0].companions
    }


def test_equal_names_with_other_identifiers_are_no_live_photo(root: Path) -> None:
    write(root / "copies/L1.MOV", film("OTHER"))
    plan = plan_for([removal(root, "L1.HEIC", "ABC")], root)
    assert {c.kind for c in plan.items[0].companions} == {"sidecar"}


def test_a_film_that_two_pictures_share_stays_with_the_other(root: Path) -> None:
    write(root / "copies/L1.JPG", b"L1.HEIC")
    plan = plan_for([evidence(root / "copies/L1.JPG", root / "copies/L1.HEIC")], root)
    assert len(plan.items) == 1 and plan.items[0].companions == ()


def test_a_unit_that_changed_since_the_plan_stays(root: Path, quick_path: Path) -> None:
    remover = Remover(quick_path / "library")
    plan = plan_for([removal(root, "L1.HEIC")], root)
    write(root / "copies/L1.xmp", b"a rating given since")
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert reasons(report) == {"L1.HEIC": "unit"}
    (root / "copies/L1.xmp").unlink()
    write(root / "copies/L1.AAE", b"an edit made since")
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert reasons(report) == {"L1.HEIC": "changed"} and "L1.MOV" in names(root)


def test_a_plan_that_forgot_the_companions_is_not_applied(root: Path, quick_path: Path) -> None:
    careless = make_plan([removal(root, "L1.HEIC")], roots=[str(root)])
    report = Remover(quick_path / "library").apply(
        careless, matches=any_match, mode=BackupMode.REMOVED
    )
    assert reasons(report) == {"L1.HEIC": "unit"}


def test_a_unit_moves_wholly_or_not_at_all(
    root: Path, quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from image_duplicate_finder.removal import fs

    rename, before = fs.rename, tree(root, folder_times=False)

    def refuse_sidecars(source: str, target: str) -> None:
        if source.endswith("copies/L1.AAE"):
            raise PermissionError(13, "Permission denied", source)
        rename(source, target)

    monkeypatch.setattr(fs, "rename", refuse_sidecars)
    report = Remover(quick_path / "library").apply(
        plan_for([removal(root, "L1.HEIC")], root), matches=any_match, mode=BackupMode.REMOVED
    )
    assert not report.done and "Permission denied" in report.skipped[0].message
    assert tree(root, folder_times=False) == before


def test_links_leave_companions_where_they_are(root: Path, quick_path: Path) -> None:
    plan = plan_for([removal(root, "R1.JPG")], root, RemovalAction.HARDLINK)
    report = Remover(quick_path / "library").apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert len(report.done) == 1 and "R1.JPG.xmp" in names(root)


def test_looking_around_opens_films_only_beside_pictures_with_identifiers(root: Path) -> None:
    write(root / "copies/L1.MOV", film("ABC"))
    assert look_around([removal(root, "L1.HEIC")]).identifiers == {}
    assert str(root / "copies/L1.MOV") in look_around([removal(root, "L1.HEIC", "ABC")]).identifiers


def test_captions_masks_and_labels_go_and_come_back_with_their_picture(
    root: Path, quick_path: Path
) -> None:
    for base in ("keep", "images"):
        write(root / base / "1.jpg", b"a picture")
    belongs = ["images/1.txt", "images/1.caption", "images/1_mask.png", "labels/1.txt"]
    for name in (*belongs, "images/10.txt", "labels/10.txt"):
        write(root / name, name.encode())
    remover, before = Remover(quick_path / "library"), tree(root)
    plan = plan_for([evidence(root / "images/1.jpg", root / "keep/1.jpg")], root)
    report = remover.apply(plan, matches=any_match, mode=BackupMode.REMOVED)
    assert {item.path for item in report.done} == {
        str(root / name) for name in (*belongs, "images/1.jpg")
    }
    assert len(remover.undo(report.run).done) == 5
    assert tree(root) == before


def test_a_mask_that_is_kept_for_another_file_stays(root: Path) -> None:
    for base in ("keep", "images"):
        write(root / base / "1.jpg", b"a picture")
    for name in ("images/1_mask.png", "other mask.png"):
        write(root / name, b"a mask")
    plan = plan_for(
        [
            evidence(root / "images/1.jpg", root / "keep/1.jpg"),
            evidence(root / "other mask.png", root / "images/1_mask.png"),
        ],
        root,
    )
    assert len(plan.items) == 2
    assert all(item.companions == () for item in plan.items)


def test_labels_outside_of_the_scanned_folders_stay(root: Path) -> None:
    for base in ("images/keep", "images/copies"):
        write(root / base / "1.jpg", b"a picture")
    write(root / "labels/copies/1.txt", b"0 0 0 1 1")
    removal = evidence(root / "images/copies/1.jpg", root / "images/keep/1.jpg")
    plan = plan_for([removal], root / "images")
    assert len(plan.items) == 1 and plan.items[0].companions == ()
    assert plan_for([removal], root).items[0].companions != ()


def test_nothing_is_taken_out_of_the_package_of_a_photo_manager(
    root: Path, quick_path: Path
) -> None:
    inside = root / "My.photoslibrary/originals/1.jpg"
    for path in (inside, root / "keep/1.jpg"):
        write(path, b"a picture")
    removal = evidence(inside, root / "keep/1.jpg")
    plan = plan_for([removal], root)
    assert plan.items == () and [each.reason for each in plan.refusals] == ["library"]
    report = apply(Remover(quick_path / "library"), forged(plan, removal))
    assert reasons(report) == {"1.jpg": "library"} and inside.exists()
    # A link that leads into it gives it no other place.
    (root / "link").symlink_to(inside.parent)
    removal = evidence(root / "link/1.jpg", root / "keep/1.jpg")
    report = apply(Remover(quick_path / "library"), forged(plan, removal))
    assert not report.done and inside.exists()
