"""What belongs to a picture: names of cameras, phones and training sets, and packages."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from image_duplicate_finder import Library, Mode, ScanSettings, find_duplicates
from image_duplicate_finder.companions import CompanionKind, Folder, Shot, kind_of, one_shot
from image_duplicate_finder.discover import discover
from image_duplicate_finder.discover.beside import beside
from image_duplicate_finder.keeping import Origin, origin_of
from image_duplicate_finder.model import ImageInfo, Metadata
from image_duplicate_finder.sources import library_of
from tests.conftest import Painter


@pytest.mark.parametrize(
    ("picture", "partner"),
    [
        ("IMG_1.JPG", "IMG_1.CR3"),
        ("IMG_1.JPG", "img_1.crw"),
        ("PXL_1.RAW-01.COVER.jpg", "PXL_1.RAW-02.ORIGINAL.dng"),
        ("PXL_1.RAW-01.MP.COVER.jpg", "PXL_1.RAW-02.ORIGINAL.dng"),
        ("20230501_101500.jpg", "20230501_101500_RAW.dng"),
        ("P1_jpg.jpg", "P1.RW2"),
    ],
)
def test_raw_and_picture_as_cameras_and_phones_name_them(picture: str, partner: str) -> None:
    folder = Folder.of([picture, partner, "IMG_2.CR3", "PXL_2.RAW-02.ORIGINAL.dng"])
    assert folder.unit(picture).partners == (partner,)
    assert folder.unit(partner).partners == (picture,)


@pytest.mark.parametrize(
    ("picture", "companion", "kind"),
    [
        ("IMG_2.JPG", "IMG_2_HEVC.MOV", CompanionKind.FILM),
        ("IMG_2.HEIC", "IMG_2.MOV", CompanionKind.FILM),
        ("PXL_2.MP.jpg", "PXL_2.MP", CompanionKind.FILM),
        ("PXL_2.jpg", "PXL_2.MP", CompanionKind.FILM),
        ("MVIMG_2.jpg", "MVIMG_2.mp4", CompanionKind.FILM),
        ("DSC2.JPG", "DSC2.WAV", CompanionKind.SOUND),
        ("2.png", "2.txt", CompanionKind.CAPTION),
        ("2.png", "2.png.txt", CompanionKind.CAPTION),
        ("2.png", "2.caption", CompanionKind.CAPTION),
        ("2.png", "2.json", CompanionKind.CAPTION),
        ("2.png", "2.xml", CompanionKind.CAPTION),
        ("2.png", "2_0512x0768_sdxl.npz", CompanionKind.CAPTION),
        ("2.jpg", "2_mask.png", CompanionKind.MASK),
        ("2.jpg", "2-masklabel.png", CompanionKind.MASK),
        ("tile.tif", "tile.tfw", CompanionKind.WORLD),
        ("tile.jpg", "tile.jgw", CompanionKind.WORLD),
        ("tile.png", "tile.wld", CompanionKind.WORLD),
        ("tile.tif", "tile.tif.aux.xml", CompanionKind.WORLD),
        ("a.NEF", "a.NEF.pp3", CompanionKind.SIDECAR),
        ("a.jpg", "a.jpg.json", CompanionKind.SIDECAR),
    ],
)
def test_companions_are_known_by_name(picture: str, companion: str, kind: CompanionKind) -> None:
    others = ["3.txt", "IMG_3.MOV", "20.caption", "tile2.tfw", "DSC20.WAV", "other_mask.png"]
    assert Folder.of([picture, companion, *others]).unit(picture).companions == (companion,)
    assert kind_of(companion) is kind


def test_a_mask_has_no_companions_of_its_own() -> None:
    assert Folder.of(["2.jpg", "2_mask.png", "2_mask.txt"]).unit("2_mask.png").companions == ()


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [
        ("images/train", "labels/train"),
        ("images", "labels"),
        ("JPEGImages", "Annotations"),
        ("images", "masks"),
    ],
)
def test_labels_beside_the_folder_of_pictures(tmp_path: Path, pictures: str, labels: str) -> None:
    for folder, name in ((pictures, "1.jpg"), (labels, "1.txt"), (labels, "2.txt")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_text("0 0.5 0.5 1 1\n")
    found = beside([str(tmp_path / pictures / "1.jpg")])
    assert [[each.path for each in all] for all in found.values()] == [
        [str(tmp_path / labels / "1.txt")]
    ]


def test_captions_are_compared_by_their_words(tmp_path: Path) -> None:
    for name, text in (("a", "a cat"), ("b", "a cat\n"), ("c", "a dog")):
        (tmp_path / f"{name}.png").write_bytes(b"picture")
        (tmp_path / f"{name}.txt").write_text(text)
    (tmp_path / "a.png.xmp").write_text('<rdf:Description xmp:Rating="4"/>')
    found = beside(str(tmp_path / f"{name}.png") for name in "abc")
    (rated, first), (second,), (third,) = found.values()
    assert first.digest == second.digest != third.digest
    assert rated.metadata is not None
    assert rated.metadata.rating == 4


RAW = ImageInfo("DNG", 4032, 3024, metadata=Metadata(taken="2023-05-01T10:15:00", camera="A B"))
JPEG = replace(RAW, format="JPEG", width=4000, height=3000)
TAKEN_LATER = replace(JPEG, metadata=Metadata(taken="2023-05-01T10:15:07", camera="A B"))
EXPORTED = replace(JPEG, metadata=replace(JPEG.metadata, edited=True))
PLAIN = replace(JPEG, metadata=Metadata())


@pytest.mark.parametrize(
    ("raw", "picture", "info", "together"),
    [
        ("/a/1.dng", "/a/1.jpg", replace(PLAIN, width=200, height=150), True),
        ("/a/RAW/1.dng", "/a/JPG/1.jpg", PLAIN, True),
        ("/a/RAW/1.dng", "/a/JPG/other.jpg", JPEG, True),
        ("/a/RAW/1.dng", "/a/JPG/other.jpg", TAKEN_LATER, False),
        ("/a/RAW/1.dng", "/a/export/1.jpg", EXPORTED, False),
        ("/a/RAW/1.dng", "/a/mail/1.jpg", replace(JPEG, width=1024, height=768), False),
        ("/a/RAW/1.dng", "/a/export/1.png", replace(PLAIN, format="PNG"), False),
    ],
)
def test_raw_and_picture_of_one_shot(
    raw: str, picture: str, info: ImageInfo, together: bool
) -> None:
    assert one_shot(Shot(raw, RAW), Shot(picture, info)) is together
    assert one_shot(Shot(picture, info), Shot(raw, RAW)) is together
    assert not one_shot(Shot(picture, info), Shot(picture, info))


CAMERA = Metadata(taken="2023-05-01T10:15:00", camera="Canon EOS R5")


@pytest.mark.parametrize(
    ("name", "metadata", "origin"),
    [
        ("IMG_0001.JPG", CAMERA, Origin.CAMERA),
        ("IMG_0001.JPG", replace(CAMERA, edited=True), Origin.EDITED),
        ("IMG-20200101-WA0001.jpg", CAMERA, Origin.MESSENGER),
        ("received_123456789.jpeg", Metadata(), Origin.MESSENGER),
        ("signal-2023-05-01-101500.jpg", Metadata(), Origin.MESSENGER),
        ("photo_2023-05-01_10-15-00.jpg", Metadata(), Origin.MESSENGER),
        ("FB_IMG_1588325700000.jpg", Metadata(), Origin.MESSENGER),
        ("Screenshot_20230501-101500.jpg", Metadata(), Origin.SCREENSHOT),
        ("Bildschirmfoto 2023-05-01.jpg", Metadata(), Origin.SCREENSHOT),
        ("download (3).jpg", Metadata(), Origin.DOWNLOAD),
        ("holiday.jpg", Metadata(), Origin.UNKNOWN),
    ],
)
def test_where_a_file_comes_from(name: str, metadata: Metadata, origin: Origin) -> None:
    assert origin_of(f"/photos/{name}", replace(PLAIN, metadata=metadata)) is origin


@pytest.mark.parametrize(
    "package",
    [
        "My.photoslibrary",
        "Old.aplibrary",
        "Trip Previews.lrdata",
        "Cloud.lrlibrary",
        "iPhoto Library",
    ],
)
def test_packages_of_photo_managers_are_never_touched(
    tmp_path: Path, library_dir: Path, painted: Painter, package: str
) -> None:
    photo = Image.fromarray(painted(3))
    inside = tmp_path / package / "originals" / "4" / "4F.jpeg"
    outside = tmp_path / "a folder deep down" / "copy" / "export.jpeg"
    for path in (inside, outside):
        path.parent.mkdir(parents=True)
        photo.save(path, quality=88)
    os.utime(outside, (1, 1))
    assert library_of(str(inside)) == str(tmp_path / package)
    found = find_duplicates([tmp_path], ScanSettings(mode=Mode.QUICK), library=library_dir)
    (group,) = found.duplicates
    assert [m.file.path for m in group.members if m.selected] in ([], [str(outside)])
    with Library.open(library_dir) as library:
        assert library.photo_libraries(1) == (str(tmp_path / package),)
    # Also where the package itself is the root, or a folder in it.
    for root in (tmp_path / package, inside.parent):
        assert not any(file.removable for file in discover([str(root)]).files)
