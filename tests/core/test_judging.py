"""What follows from closer looks: which file is kept, what is proposed, and what is said of it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Generator, Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from image_duplicate_finder import Library, Mode, ScanSettings
from image_duplicate_finder.executors.engine import LocalExecutor
from image_duplicate_finder.executors.messages import LookAnswer, Looked, LookTask
from image_duplicate_finder.model import GroupKind, Lack
from image_duplicate_finder.scan import ScanContext, groups
from image_duplicate_finder.scan.judging import Judge, Judged, judged, look_closer, portions
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.store import Store
from image_duplicate_finder.verify import LOOK_VERSION
from image_duplicate_finder.verify.prepared import prepared_bytes
from tests.conftest import Painter
from tests.painting import add_texture

_MAKE, _MODEL, _EXIF_IFD, _TAKEN, _FRACTION = 0x10F, 0x110, 0x8769, 0x9003, 0x9291


def test_a_judge_reads_again_only_what_looks_have_added(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in (1, 2):
        photo = Image.fromarray(painted(seed))
        for width in (480, 360, 240):
            photo.resize((width, width * 3 // 4)).save(folder / f"{seed}-{width}.png")
    settings = ScanSettings(mode=Mode.QUICK, jobs=1)
    with Library.open(library_dir) as library:
        scan = library.scan([folder], settings).id

    store = Store(library_dir)
    context = ScanContext(store, scan, settings)
    ids = [content.id for content in store.scans.contents(scan)]
    matches = store.matches.among(context.verifier, set(ids))
    looks = store.looks.known(LOOK_VERSION, ids)
    assert len(matches) >= 4
    assert len(looks) >= 4
    with store.atomic() as connection:
        connection.execute("DELETE FROM look")

    judge = Judge(store, scan)
    blind = judge.judge(matches)
    assert not blind.looks
    assert all(not facts.standing.holds for each in blind.contents for facts in each.files)
    store.looks.put(LOOK_VERSION, looks)
    assert judge.judge(matches) == blind

    judge.read_again(ids)
    seeing = judge.judge(matches)
    assert seeing == judged(context, matches)
    assert seeing.looks == looks
    assert seeing.contents != blind.contents
    store.close()


class _Counting(LocalExecutor):
    """Counts the decoded pictures of closer looks."""

    def __init__(self, bytes_kept: int) -> None:
        super().__init__(jobs=1)
        self.bytes_kept = bytes_kept
        self.decoded: Counter[bytes] = Counter()

    def look(
        self, tasks: Sequence[LookTask], limits: DecodeLimits
    ) -> Generator[LookAnswer, None, None]:
        for answer, nothing in super().look(tasks, limits):
            assert isinstance(answer, Looked)
            self.decoded.update(answer.seen.keys())
            yield answer, nothing


def test_pictures_are_decoded_once_for_all_looks(
    tmp_path: Path, library_dir: Path, painted: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as there is room for a family; what is found does not depend on that."""
    folder, temporary = tmp_path / "photos", tmp_path / "temporary"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for seed in (1, 2, 3):
        photo = textured(painted(seed))
        for name, edit in {
            "photo": photo,
            "grey": photo.convert("L"),
            "half": photo.resize((240, 180)),
            "lighter": photo.point([min(255, round(30 + 0.8 * value)) for value in range(256)] * 3),
            "pale": ImageEnhance.Color(photo).enhance(0.5),
        }.items():
            edit.save(folder / f"{seed} {name}.jpg", quality=90)
    settings = ScanSettings(mode=Mode.QUICK, jobs=1)
    with Library.open(library_dir) as library:
        scan = library.scan([folder], settings).id
    store = Store(library_dir)
    context = ScanContext(store, scan, settings)
    contents = {content.id for content in store.scans.contents(scan)}
    stored = store.matches.among(context.verifier, contents)

    def looked(bytes_kept: int) -> tuple[Judged, Counter[bytes]]:
        with store.atomic() as connection:
            connection.execute("DELETE FROM look")
            store.matches.put(context.verifier, stored)
        with _Counting(bytes_kept) as executor:
            found = look_closer(context, stored, executor)
        assert not list(temporary.iterdir())
        return found, executor.decoded

    family = 5 * prepared_bytes(480, 360)
    usual, once = looked(100 * family)
    assert len(usual.looks) > len(contents)
    assert once.keys() == set(store.contents.hashes(sorted(contents)).values())
    assert set(once.values()) == {1}
    by_family, each_once = looked(family)
    assert (by_family, each_once) == (usual, once)
    without, more = looked(0)
    assert without == usual
    assert more.total() > once.total()
    with monkeypatch.context() as patch:  # as where there is no place for temporary files
        patch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        assert looked(family) == (usual, more)
    store.close()


def test_a_picture_that_cannot_be_looked_at_is_named(
    tmp_path: Path, library_dir: Path, painted: Painter, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in (1, 2):
        photo = textured(painted(seed))
        photo.save(folder / f"{seed}.png")
        photo.save(folder / f"{seed}.jpg", quality=85)
    settings = ScanSettings(mode=Mode.QUICK, jobs=1)
    with Library.open(library_dir) as library:
        scan = library.scan([folder], settings).id
    assert not caplog.records

    store = Store(library_dir)
    context = ScanContext(store, scan, settings)
    stored = store.matches.among(context.verifier, {1, 2, 3, 4})
    with store.atomic() as connection:
        connection.execute("DELETE FROM look")
    (folder / "1.png").unlink()  # one of each pair: the first of a task, and its partner
    (folder / "2.jpg").write_bytes(b"no picture")
    with LocalExecutor(jobs=1) as executor:
        found = look_closer(context, stored, executor)
    assert not found.looks
    texts = [record.getMessage() for record in caplog.records]
    assert [Path(text.split(" could not")[0]).name for text in texts] == ["1.png", "2.jpg"]
    assert "vanished" in texts[0]
    assert "changed" in texts[1]
    store.close()


_IDS = st.integers(0, 30)


@given(
    st.lists(st.tuples(_IDS, _IDS).filter(lambda pair: pair[0] < pair[1])),
    st.lists(st.integers(1, 100), min_size=31, max_size=31),
    st.integers(0, 4000),
)
def test_portions_keep_families_whole_and_fit(
    pairs: list[tuple[int, int]], sizes: list[int], room: int
) -> None:
    found = portions(pairs, dict(enumerate(sizes)), room)
    portion_of = {id: number for number, each in enumerate(found) for id in each.contents}
    assert sorted(id for each in found for id in each.contents) == sorted({*chain(*pairs)})
    assert all(portion_of[a] == portion_of[b] for a, b in pairs)
    assert all(sum(sizes[id] for id in each.kept) <= room for each in found)
    partners = Counter(chain(*set(pairs)))
    one_with_two = [id for a, b in pairs for id in (a, b) if partners[id] > 1 and room >= 31 * 100]
    assert all(id in found[portion_of[id]].kept for id in one_with_two)


def test_unlike_edits_are_not_looked_at_beside_each_other(
    tmp_path: Path, library_dir: Path, painted: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Groups that are shown while a slow scan reads verify more pairs, of which more are looked at.
    monkeypatch.setattr(
        groups, "PREVIEW_TIMING", groups.PreviewTiming(first=1e9, looks=10**9, pixels=10**12)
    )
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = painted(3)
    Image.fromarray(photo).save(folder / "photo.png")
    edits = {
        "grey": Image.fromarray(photo).convert("L"),
        "lighter": Image.fromarray((photo * 0.8 + 51).astype("uint8")),
        "darker": Image.fromarray((photo * 0.7).astype("uint8")),
    }
    for name, edit in edits.items():
        edit.save(folder / f"{name}.jpg", quality=92)
        edit.save(folder / f"{name} again.jpg", quality=60)
    with Library.open(library_dir) as library:
        scan = library.scan([folder], ScanSettings(mode=Mode.QUICK, jobs=1))
        (group,) = library.groups(scan.id).groups
        names = {member.file.id: Path(member.file.path).name for member in group.members}
        assert Path(group.keeper.path).name == "photo.png"
        for member in group.members:
            name = names[member.file.id]
            assert Lack.UNMEASURED not in member.lacks, name
            assert member.selected == ("again" in name), name
            if "again" in name:
                assert member.witness is not None
                assert names[member.witness] == name.replace(" again", "")

    store = Store(library_dir)
    ids = [content.id for content in store.scans.contents(scan.id)]
    # Of 21 pairs, those of a grey picture and one of other tones are not looked at.
    assert len(store.looks.known(LOOK_VERSION, ids)) <= 13
    store.close()


def test_a_turned_copy_is_not_looked_at_beside_others_that_were_not_turned(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    """It comes first by its path, but could not hold as many as the keeper does."""
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = textured(painted(5, 480, 360))
    photo.save(folder / "photo.jpg", quality=90)
    photo.rotate(180).save(folder / "a turned copy.jpg", quality=90)
    photo.resize((360, 360)).save(folder / "b.jpg", quality=90)
    photo.crop((30, 20, 450, 340)).save(folder / "c.jpg", quality=90)
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "d.jpg", quality=90)
    photo.resize((240, 180)).save(folder / "e.jpg", quality=80)
    with Library.open(library_dir) as library:
        scan = library.scan([folder], ScanSettings(jobs=1))
        (group,) = library.groups(scan.id).groups
    assert Path(group.keeper.path).name == "photo.jpg"
    selected = {Path(each.file.path).name for each in group.members if each.selected}
    assert selected >= {"c.jpg", "d.jpg", "e.jpg"}
    assert "a turned copy.jpg" not in selected

    store = Store(library_dir)
    ids = [content.id for content in store.scans.contents(scan.id)]
    assert len(store.looks.known(LOOK_VERSION, ids)) == len(group.members)
    store.close()


def test_of_equal_pictures_the_one_without_a_border_stays(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    """Also beside a keeper that holds neither, and if a crop leaves out a flat part of both."""
    photo = textured(painted(7, 500, 375))
    sky = Image.linear_gradient("L").resize((500, 60)).convert("RGB")
    photo.paste(sky, (0, 0))
    photo.save(tmp_path / "photo.png")
    stretched = photo.resize((800, 375), Image.Resampling.BICUBIC)
    stretched.save(tmp_path / "a stretched.png")
    for width in (760, 720, 680):
        stretched.resize((width, width * 375 // 800)).save(tmp_path / f"{width}.jpg", quality=85)
    boxed = Image.new("RGB", (500, 599))
    boxed.paste(photo, (0, 112))
    boxed.save(tmp_path / "boxed.png")
    crop = photo.crop((50, 60, 450, 345)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    crop.save(tmp_path / "mirrored crop.jpg", quality=85)
    with Library.open(library_dir) as library:
        groups = library.groups(library.scan([tmp_path], ScanSettings(jobs=1)).id).groups
    (group,) = (each for each in groups if each.kind is GroupKind.DUPLICATES)
    assert Path(group.keeper.path).name == "a stretched.png"
    selected = {Path(each.file.path).name for each in group.members if each.selected}
    assert "boxed.png" in selected
    assert "photo.png" not in selected


def test_a_smaller_copy_goes_beside_its_source_in_the_group_of_a_stretched_picture(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    """That lacks the proportions of the source, but of a softer copy it lacks none."""
    photo = textured(painted(11, 480, 360))
    photo.save(tmp_path / "photo.jpg", quality=90)
    photo.resize((240, 180)).save(tmp_path / "small.jpg", quality=90)
    captioned = photo.copy()
    captioned.paste((250, 240, 60), (60, 280, 260, 310))
    captioned.resize((640, 360), Image.Resampling.BICUBIC).save(tmp_path / "captioned.png")
    with Library.open(library_dir) as library:
        (group,) = library.groups(library.scan([tmp_path], ScanSettings(jobs=1)).id).groups
    assert [Path(each.file.path).name for each in group.members if each.selected] == ["small.jpg"]


def textured(image: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(add_texture(image))


def test_an_enlargement_is_not_kept_and_its_source_stays(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    """Pixels that a program made up are worth nothing, but they are not thrown away either."""
    photo = textured(painted(3, 640, 480))
    photo.save(tmp_path / "photo.jpg", quality=92)
    photo.resize((1280, 960), Image.Resampling.BICUBIC).save(tmp_path / "large.jpg", quality=92)
    photo.resize((320, 240)).save(tmp_path / "small.jpg", quality=85)
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path], ScanSettings(mode=Mode.QUICK, jobs=1)).id
        (group,) = library.groups(scan).groups
    assert Path(group.keeper.path).name == "photo.jpg"
    members = {Path(each.file.path).name: each for each in group.members}
    assert members["small.jpg"].selected
    assert not members["large.jpg"].selected
    assert members["large.jpg"].words == "twice the size, enlarged"
    assert Lack.SIZE in members["large.jpg"].lacks


def test_copies_say_how_they_were_edited(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    photo = Image.fromarray(painted(4, 640, 480))
    framed = Image.new("RGB", (700, 540), "white")
    framed.paste(photo, (30, 30))
    edited = {
        "grey": photo.convert("L").convert("RGB"),
        "pale": ImageEnhance.Color(photo).enhance(0.5),
        "vivid": ImageEnhance.Color(photo).enhance(1.8),
        "soft": photo.filter(ImageFilter.GaussianBlur(1.5)),
        "flat": ImageEnhance.Contrast(photo).enhance(0.7),
        "framed": framed,
    }
    photo.save(tmp_path / "photo.png")
    for name, picture in edited.items():
        picture.save(tmp_path / f"{name}.jpg", quality=90)
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path], ScanSettings(mode=Mode.QUICK, jobs=1)).id
        (group,) = library.groups(scan).groups
    assert Path(group.keeper.path).name == "photo.png"
    members = {Path(each.file.path).stem: each for each in group.members}
    assert "black and white" in members["grey"].words
    assert "paler colours" in members["pale"].words
    assert "stronger colours" in members["vivid"].words
    assert "less detail" in members["soft"].words
    assert "other contrast" in members["flat"].words
    assert "with a border" in members["framed"].words
    assert Lack.COLOURS in members["grey"].lacks


def test_frames_of_a_burst_are_other_shots_and_copies_of_one_are_not(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    def shot(name: str, taken: str, fraction: str = "10", quality: int = 92) -> None:
        exif = Image.Exif()
        exif[_MAKE], exif[_MODEL] = "Maker", "Model 1"
        exif.get_ifd(_EXIF_IFD).update({_TAKEN: taken, _FRACTION: fraction})
        photo.save(tmp_path / f"{name}.jpg", quality=quality, exif=exif)

    photo = textured(painted(6, 640, 480))
    shot("first", "2024:05:01 12:30:00")
    shot("a third of a second later", "2024:05:01 12:30:00", "43", quality=90)
    shot("two seconds later", "2024:05:01 12:30:02", quality=91)
    shot("in another zone", "2024:05:01 14:30:00", quality=75)
    shot("saved again", "2024:05:01 12:30:00", quality=70)
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path], ScanSettings(mode=Mode.QUICK, jobs=1)).id
        groups = library.groups(scan).groups
    (copies,) = (group for group in groups if group.kind is GroupKind.DUPLICATES)
    files = {Path(each.path).stem for each in (copies.keeper, *(m.file for m in copies.members))}
    assert files >= {"first", "in another zone", "saved again"}
    assert not files & {"a third of a second later", "two seconds later"}


def test_what_was_smoothed_or_sheared_stays_beside_its_source(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    for seed, how in ((3, "smooth"), (4, "sheared"), (5, "leaning")):
        photo = textured(painted(seed, 480, 360))
        photo.save(tmp_path / f"{how}-source.jpg", quality=85)
        pixels = np.asarray(photo)
        if how == "smooth":
            edited = cv2.bilateralFilter(pixels, 9, 30, 7)
        else:
            by = 0.35 if how == "sheared" else -0.35
            matrix = np.array([[1, by, max(0.0, -by) * 360], [0, 1, 0]])
            edited = cv2.warpAffine(pixels, matrix, (606, 360), flags=cv2.INTER_CUBIC)
        Image.fromarray(edited).save(tmp_path / f"{how}.jpg", quality=90)
        photo.resize((240, 180)).save(tmp_path / f"{how}-small.jpg", quality=80)
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path], ScanSettings(jobs=1)).id
        groups = library.groups(scan).groups
    removed = {Path(m.file.path).name for each in groups for m in each.members if m.selected}
    assert removed >= {"smooth-small.jpg", "sheared-small.jpg", "leaning-small.jpg"}
    assert not removed & {"smooth.jpg", "smooth-source.jpg", "sheared-source.jpg"}
    assert "leaning-source.jpg" not in removed


def test_an_icon_that_points_elsewhere_is_another_one(tmp_path: Path, library_dir: Path) -> None:
    clock = Image.new("RGBA", (64, 64))
    draw = ImageDraw.Draw(clock)
    draw.ellipse((4, 4, 60, 60), fill="white", outline="darkred", width=5)
    draw.line((32, 12, 32, 32, 48, 40), fill="black", width=4)
    clock.save(tmp_path / "four.png")
    clock.save(tmp_path / "four again.png", compress_level=1)
    clock.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "eight.png")
    clock.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "half past ten.png")
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path], ScanSettings(jobs=1)).id
        groups = library.groups(scan).groups
    (copies,) = (each for each in groups if each.kind is GroupKind.DUPLICATES)
    files = {Path(each.path).stem for each in (copies.keeper, *(m.file for m in copies.members))}
    assert files == {"four", "four again"}


def test_tiny_icons_in_other_colours_are_no_duplicates(tmp_path: Path, library_dir: Path) -> None:
    """At 24 pixels most of an icon is soft edges, not flat colour."""
    for name, colour in (
        ("gold", (253, 203, 88)),
        ("blue", (85, 172, 238)),
        ("rust", (193, 105, 79)),
    ):
        large = Image.new("RGBA", (192, 192), (*colour, 0))
        draw = ImageDraw.Draw(large)
        draw.rounded_rectangle((24, 12, 168, 180), 24, (*colour, 255))
        draw.rounded_rectangle((48, 132, 160, 162), 12, (0, 0, 0, 0))
        for line in (54, 84):
            draw.rounded_rectangle((64, line, 136, line + 12), 6, (0, 0, 0, 0))
        large.resize((24, 24), Image.Resampling.LANCZOS).save(tmp_path / f"{name}.png")
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path], ScanSettings(jobs=1)).id
        groups = library.groups(scan).groups
    assert not [group for group in groups if group.kind is GroupKind.DUPLICATES]


def test_what_stands_nearer_moves_between_two_shots_and_an_edit_moves_nothing(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    scene, figure = (np.asarray(textured(painted(seed, 640, 480))) for seed in (7, 8))

    def with_figure(left: int, scene: NDArray[np.uint8] = scene) -> NDArray[np.uint8]:
        mask = np.zeros(scene.shape[:2], np.uint8)
        cv2.ellipse(mask, (left + 60, 250), (45, 90), 0, 0, 360, 1, -1)
        moved = np.roll(figure, left - 250, axis=1)
        return np.where(mask[..., None] == 1, moved, scene)

    def save(name: str, pixels: NDArray[np.uint8], quality: int) -> None:
        Image.fromarray(pixels).save(tmp_path / f"{name}.jpg", quality=quality)

    cloned = with_figure(250).copy()
    cloned[60:140, 60:160] = cloned[60:140, 170:270]
    save("shot", with_figure(250), 92)
    save("from the left", with_figure(268), 91)
    save("without the figure", scene, 90)
    save("retouched", cloned, 89)
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path], ScanSettings(mode=Mode.STANDARD, jobs=1)).id
        groups = library.groups(scan).groups
    copies = next(group for group in groups if group.kind is GroupKind.DUPLICATES)
    names = {Path(each.path).stem for each in copies.files}
    assert {"shot", "retouched"} <= names
    assert "from the left" not in names
    assert not any(member.selected for group in groups for member in group.members)
    similar = {
        Path(each.path).stem
        for group in groups
        for each in group.files
        if group.kind is GroupKind.SIMILAR
    }
    assert "from the left" in similar


def test_of_two_lossy_formats_the_one_made_from_the_other_goes(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    """What WebP adds in the finest scales is no detail that a JPEG lacks."""
    for seed, quality in ((3, 92), (4, 85), (5, 78)):
        source = tmp_path / f"{seed}.jpg"
        textured(painted(seed, 480, 360)).save(source, quality=quality)
        with Image.open(source) as picture:
            picture.save(tmp_path / f"{seed}-copy.webp", quality=60)
    for seed, quality in ((6, 80), (7, 60)):
        source = tmp_path / f"{seed}.webp"
        textured(painted(seed, 480, 360)).save(source, quality=quality)
        with Image.open(source) as picture:
            picture.save(tmp_path / f"{seed}-copy.jpg", quality=95)
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path], ScanSettings(mode=Mode.QUICK, jobs=1)).id
        groups = library.groups(scan).groups
    assert sorted(Path(each.keeper.path).name for each in groups) == [
        "3.jpg", "4.jpg", "5.jpg", "6.webp", "7.webp",
    ]  # fmt: skip
    assert all(member.selected for each in groups for member in each.members)


def test_a_file_in_the_inks_of_a_print_stays(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    inks = textured(painted(3, 480, 360)).convert("CMYK")
    inks.save(tmp_path / "print.jpg", quality=85)
    inks.convert("RGB").save(tmp_path / "screen.jpg", quality=95)
    inks.convert("RGB").resize((240, 180)).save(tmp_path / "small.jpg", quality=80)
    with Library.open(library_dir) as library:
        scan = library.scan([tmp_path], ScanSettings(mode=Mode.QUICK, jobs=1)).id
        (group,) = library.groups(scan).groups
    members = {Path(each.file.path).name: each for each in group.members}
    assert members["small.jpg"].selected
    assert Path(group.keeper.path).name == "print.jpg" or not members["print.jpg"].selected
