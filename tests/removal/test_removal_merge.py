"""Keepers take over metadata: into files without touching pixels, undone, and safe in a crash."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from image_duplicate_finder import Library, Mode, ScanSettings
from image_duplicate_finder.additions import Additions, lacking
from image_duplicate_finder.decode import coded_digest, decode_full, read_info
from image_duplicate_finder.decode.metadata import read_xmp
from image_duplicate_finder.decode.xmp_writing import sidecar_with, written_into
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.model import Metadata, Relation
from image_duplicate_finder.removal import Merge, Plan, Remover, plan_from_dict, plan_to_dict
from image_duplicate_finder.removal.plan import identified
from image_duplicate_finder.settings import BackupMode, DecodeLimits, RemovalAction
from tests.decode.picture_files import with_segment, with_xmp
from tests.decode.test_decode_facts import FILM, camera_exif
from tests.painting import paint_photo
from tests.removal.faulty import CHANGES, Faults, faults
from tests.removal.support import apply, content_of, evidence, plan_file, plan_for, reasons, tree

pillow_heif.register_heif_opener()
LIMITS = DecodeLimits()
PHOTO = Image.fromarray(paint_photo(6, 160, 120))
ALL = Additions(
    taken="2024-05-01T12:30:45",
    place=(-33.85833, 151.21),
    rating=4,
    label="Red",
    title='Harbour & "sea" <1>',
    description="Two\nlines",
    creator="A. Person; B. Person",
    copyright="(c) A",
    keywords=("sea", "Häfen"),
    people=("Ann", "Bob"),
)


def encoded(name: str, picture: Image.Image = PHOTO, **options: object) -> bytes:
    stream = BytesIO()
    picture.copy().save(stream, name, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def rated(jpeg: bytes) -> bytes:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="..."><rdf:Description'
        ' rdf:about="" xmp:Rating="0" crs:Exposure="+1.5"><dc:subject><rdf:Bag>'
        "<rdf:li>old</rdf:li></rdf:Bag></dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return with_xmp(jpeg, packet)


FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: encoded("JPEG"),
    "jpeg with camera data": lambda: with_segment(encoded("JPEG"), 0xE1, camera_exif(160, 120)),
    "jpeg with xmp": lambda: rated(encoded("JPEG")),
    "motion photo": lambda: encoded("JPEG") + FILM,
    "progressive jpeg": lambda: encoded("JPEG", progressive=True),
    "png": lambda: encoded("PNG"),
    "png with alpha": lambda: encoded("PNG", PHOTO.convert("RGBA")),
    "webp": lambda: encoded("WEBP"),
    "lossless webp": lambda: encoded("WEBP", lossless=True),
    "webp with alpha": lambda: encoded(
        "WEBP", Image.merge("RGBA", (*PHOTO.split(), PHOTO.split()[0]))
    ),
    "animated webp": lambda: encoded(
        "WEBP", save_all=True, append_images=[PHOTO.transpose(Image.Transpose.ROTATE_180)]
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_metadata_are_added_without_touching_pixels(name: str) -> None:
    data = FILES[name]()
    before = read_info(data, limits=LIMITS)
    additions = ALL
    if name == "jpeg with camera data":
        additions = replace(ALL, place=None)
    written = written_into(data, additions, LIMITS)
    assert written is not None
    after = read_info(written, limits=LIMITS)
    assert replace(after, metadata=Metadata()) == replace(before, metadata=Metadata())
    assert coded_digest(written, after) == coded_digest(data, before)
    one, other = (decode_full(each, limits=LIMITS).pixels for each in (data, written))
    assert np.array_equal(one, other)
    assert after.metadata.rating == 4
    assert after.metadata.title == ALL.title
    assert after.metadata.keywords == ALL.keywords
    assert after.metadata.people == ALL.people
    assert Image.open(BytesIO(written)).size == (160, 120)
    if name == "jpeg with xmp":
        assert b'crs:Exposure="+1.5"' in written
    again = written_into(written, Additions(rating=5), LIMITS)
    assert again is not None
    assert read_info(again, limits=LIMITS).metadata == replace(after.metadata, rating=5)


def test_a_jpeg_without_exif_gets_date_and_place_where_programs_look_for_them() -> None:
    written = written_into(encoded("JPEG"), ALL, LIMITS)
    assert written is not None
    exif = Image.open(BytesIO(written)).getexif()
    assert exif.get_ifd(0x8769)[0x9003] == "2024:05:01 12:30:45"
    place = exif.get_ifd(0x8825)
    assert (place[1], place[3]) == ("S", "E")
    assert [round(float(part), 1) for part in place[2]] == [33.0, 51.0, 30.0]


@pytest.mark.parametrize("name", ["TIFF", "GIF", "HEIF", "AVIF", "BMP"])
def test_other_formats_are_left_alone(name: str) -> None:
    picture = PHOTO.convert("P") if name == "GIF" else PHOTO
    assert written_into(encoded(name, picture), ALL, LIMITS) is None


def test_sidecars() -> None:
    new = sidecar_with(None, ALL)
    assert new is not None
    fields = read_xmp(new)
    assert (fields.rating, fields.keywords, fields.place) == (4, ALL.keywords, ALL.place)
    more = sidecar_with(new, Additions(rating=5))
    assert more is not None
    assert read_xmp(more) == replace(fields, rating=5)
    assert more.count(b"xmp:Rating") == 2  # one element, its start and its end
    assert sidecar_with(b"no xmp at all", ALL) is None


def test_what_a_keeper_lacks() -> None:
    keeper = Metadata(taken="2024-05-01T12:00:00", keywords=("sea",), rating=0)
    others = [
        Metadata(taken="2020-01-01T00:00:00", rating=3, keywords=("sun", "sea"), title="One"),
        Metadata(rating=5, place=(1.0, 2.0), title="Two", people=("Ann",)),
    ]
    assert lacking(keeper, others) == Additions(
        rating=5, place=(1.0, 2.0), title="One", keywords=("sea", "sun"), people=("Ann",)
    )
    assert not lacking(others[0], [keeper])


@pytest.fixture
def root(quick_path: Path) -> Path:
    """A keeper with two copies: one of equal bytes, and one with a rating and keywords."""
    folder = quick_path / "photos"
    folder.mkdir()
    (folder / "keep.jpg").write_bytes(encoded("JPEG"))
    (folder / "same.jpg").write_bytes(encoded("JPEG"))
    rated_copy = written_into(encoded("JPEG"), ALL, LIMITS)
    assert rated_copy is not None
    (folder / "rated.jpg").write_bytes(rated_copy)
    os.utime(folder / "keep.jpg", (1_000_000_000, 1_000_000_000))
    return folder


def merging_plan(root: Path, keeper: str = "keep.jpg", additions: Additions = ALL) -> Plan:
    removals = [evidence(root / "rated.jpg", root / keeper, Relation.PIXEL_IDENTICAL)]
    if keeper == "keep.jpg":
        removals.append(evidence(root / "same.jpg", root / keeper))
    plan = plan_for(removals, root)
    merge = Merge(plan_file(root / keeper), additions, (str(root / "rated.jpg"),))
    return identified(replace(plan, merges=(merge,)))


def test_a_keeper_takes_over_and_undo_brings_all_back(root: Path, quick_path: Path) -> None:
    remover, before = Remover(quick_path / "library"), tree(root)
    report = apply(remover, merging_plan(root))
    assert not report.skipped
    assert [item.path for item in report.merged] == [str(root / "keep.jpg")]
    assert {Path(item.path).name for item in report.done} == {"rated.jpg", "same.jpg"}
    kept = (root / "keep.jpg").read_bytes()
    assert read_info(kept, limits=LIMITS).metadata.rating == 4
    assert (root / "keep.jpg").stat().st_mtime == 1_000_000_000
    assert remover.verify().problems == ()
    assert len(remover.undo(report.run).done) == 3
    assert tree(root) == before


@pytest.mark.parametrize("sidecar", [None, "keep.tif.xmp", "keep.xmp"])
def test_other_formats_get_a_sidecar(root: Path, quick_path: Path, sidecar: str | None) -> None:
    (root / "keep.jpg").rename(root / "other.jpg")
    (root / "keep.tif").write_bytes(encoded("TIFF"))
    old = sidecar_with(None, Additions(label="Blue"))
    if sidecar is not None:
        assert old is not None
        (root / sidecar).write_bytes(old)
    remover, before = Remover(quick_path / "library"), tree(root)
    report = apply(remover, merging_plan(root, "keep.tif", replace(ALL, label=None)))
    assert not report.skipped
    fields = read_xmp((root / (sidecar or "keep.tif.xmp")).read_bytes())
    assert (fields.rating, fields.label) == (4, None if sidecar is None else "Blue")
    assert (root / "keep.tif").read_bytes() == encoded("TIFF")
    remover.undo(report.run)
    assert tree(root) == before


def test_what_was_changed_after_the_merge_is_not_replaced(root: Path, quick_path: Path) -> None:
    remover = Remover(quick_path / "library")
    report = apply(remover, merging_plan(root))
    (root / "keep.jpg").write_bytes(b"edited since")
    undone = remover.undo(report.run)
    assert reasons(undone) == {"keep.jpg": "taken"}
    assert (root / "keep.jpg").read_bytes() == b"edited since"
    assert (root / "rated.jpg").exists()


@pytest.mark.parametrize("damage", ["gone", "changed", "protected", "folder"])
def test_where_nothing_can_be_taken_over_the_file_stays(
    root: Path, quick_path: Path, damage: str
) -> None:
    plan = merging_plan(root)
    if damage == "gone":
        (root / "keep.jpg").unlink()
    elif damage == "changed":
        (root / "keep.jpg").write_bytes(encoded("JPEG", quality=50))
    elif damage == "protected":
        plan = identified(replace(plan, protected=(str(root),)))
    else:
        os.chmod(root, 0o500)
    before = tree(root, folder_times=False)
    try:
        report = apply(Remover(quick_path / "library"), plan)
    finally:
        os.chmod(root, 0o700)
    if damage == "folder" and os.geteuid() == 0:
        return  # an administrator may write anywhere
    assert report.merged == ()
    assert reasons(report)["rated.jpg"] == "merge"
    assert (root / "rated.jpg").exists()
    assert tree(root, folder_times=False) == before or damage != "protected"


def test_purge_needs_the_file_that_took_over(root: Path, quick_path: Path) -> None:
    known = content_of(root / "rated.jpg"), content_of(root / "keep.jpg")
    remover = Remover(quick_path / "library", matches=lambda *pair: pair == known)
    report = remover.apply(merging_plan(root), mode=BackupMode.REMOVED)
    assert remover.purge(report.run).purged == 3
    assert read_info((root / "keep.jpg").read_bytes(), limits=LIMITS).metadata.rating == 4


def test_plans_with_merges_are_written_and_read(root: Path) -> None:
    plan = merging_plan(root)
    assert plan_from_dict(plan_to_dict(plan)) == plan
    assert plan.id != identified(replace(plan, merges=())).id
    for field, value in (("rating", 9), ("place", [100, 0]), ("taken", "now"), ("pixels", 1)):
        values = plan_to_dict(plan)
        values["merges"][0]["add"][field] = value
        with pytest.raises(UsageError):
            plan_from_dict(values)


def _in_child(work: Callable[[], object]) -> bool:
    """Do ``work`` in a child; whether it was killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.parametrize("sidecar", [False, True])
@pytest.mark.parametrize("undoing", [False, True])
def test_killed_after_every_change(
    root: Path, quick_path: Path, sidecar: bool, undoing: bool
) -> None:
    keeper = "keep.tif" if sidecar else "keep.jpg"
    (root / "keep.tif").write_bytes(encoded("TIFF"))
    whole = tree(root, folder_times=False)
    pictures = {path.name: path.read_bytes() for path in root.iterdir()}
    at = 0
    while True:
        at += 1
        library = quick_path / f"library {at}"
        remover = Remover(library)
        if undoing:
            run = apply(remover, merging_plan(root, keeper)).run
            work = lambda: remover.undo(run)  # noqa: E731, B023
        else:
            plan = merging_plan(root, keeper)
            work = lambda: apply(remover, plan)  # noqa: E731, B023

        def killed() -> None:
            with faults(Faults(at=at, after=True, only=CHANGES)):  # noqa: B023
                work()  # noqa: B023

        died = _in_child(killed)
        remover = Remover(library)
        remover.recover()
        kept = (root / keeper).read_bytes()
        assert coded_digest(kept, read_info(kept, limits=LIMITS)) == coded_digest(
            pictures[keeper], read_info(pictures[keeper], limits=LIMITS)
        )
        assert not [name for name in os.listdir(root) if name.startswith(".idf-")]
        for done in remover.history():
            remover.undo(done.id)
        assert tree(root, folder_times=False) == whole
        if not died:
            return


def test_a_plan_of_a_scan_lets_keepers_take_over(quick_path: Path) -> None:
    folder = quick_path / "photos"
    folder.mkdir()
    (folder / "large.jpg").write_bytes(encoded("JPEG", PHOTO.resize((640, 480)), quality=95))
    small = written_into(encoded("JPEG", PHOTO.resize((320, 240))), Additions(rating=5), LIMITS)
    assert small is not None
    (folder / "small.jpg").write_bytes(small)
    described = sidecar_with(None, Additions(title="Harbour"))
    assert described is not None
    (folder / "small.jpg.xmp").write_bytes(described)
    before = tree(folder)
    with Library.open(quick_path / "library") as library:
        scan = library.scan([folder], ScanSettings(mode=Mode.QUICK))
        (group,) = library.all_groups(scan.id)
        library.select((group.id, member.file.id) for member in group.members)
        assert library.plan(scan.id).merges == ()
        plan = library.plan(scan.id, merge_metadata=True)
        (merge,) = plan.merges
        assert merge.additions == Additions(rating=5, title="Harbour")
        report = library.apply(plan)
        assert not report.skipped
        metadata = read_info((folder / "large.jpg").read_bytes(), limits=LIMITS).metadata
        assert (metadata.rating, metadata.title) == (5, "Harbour")
        assert sorted(path.name for path in folder.glob("*.*")) == ["large.jpg"]
        library.undo(report.run)
    assert tree(folder) == before


@pytest.mark.parametrize("more", ["", "other title", "decided"])
def test_what_only_lacked_a_merge_is_worthless_then(quick_path: Path, more: str) -> None:
    folder = quick_path / "photos"
    folder.mkdir()
    title = Additions(title="Harbour") if more == "other title" else Additions(label="Red")
    large = written_into(encoded("JPEG", PHOTO.resize((640, 480)), quality=95), title, LIMITS)
    small = written_into(
        encoded("JPEG", PHOTO.resize((320, 240))), Additions(rating=5, title="Sea"), LIMITS
    )
    assert large is not None
    assert small is not None
    (folder / "large.jpg").write_bytes(large)
    (folder / "small.jpg").write_bytes(small)
    with Library.open(quick_path / "library") as library:
        scan = library.scan([folder], ScanSettings(mode=Mode.QUICK))
        (group,) = library.all_groups(scan.id)
        assert not group.members[0].selected
        if more == "decided":
            for selected in (True, False):
                library.select([(group.id, group.members[0].file.id)], selected)
        assert library.plan(scan.id).items == ()
        plan = library.plan(scan.id, merge_metadata=True)
        links = library.plan(scan.id, merge_metadata=True, action=RemovalAction.HARDLINK)
        assert links.items == ()
        if more:
            assert plan.items == () and plan.merges == ()
            return
        (item,) = plan.items
        assert Path(item.path).name == "small.jpg"
        assert not library.apply(plan).skipped
        metadata = read_info((folder / "large.jpg").read_bytes(), limits=LIMITS).metadata
        assert (metadata.rating, metadata.title, metadata.label) == (5, "Sea", "Red")
