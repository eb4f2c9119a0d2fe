"""The pipeline on real files: what is found, what is not read again, what survives a kill."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from image_duplicate_finder import (
    CancelToken,
    DecodeLimits,
    GroupKind,
    Library,
    Mode,
    Relation,
    ScanResult,
    ScanSettings,
    Step,
    find_duplicates,
)
from image_duplicate_finder.errors import Interrupted, LibraryBusy, NothingReadable
from image_duplicate_finder.results import GroupQuery, ScanState
from image_duplicate_finder.search import visual_words
from tests.conftest import Painter
from tests.patience import LONG

QUICK = ScanSettings(mode=Mode.QUICK)
Folder = Callable[[str], Path]


def save(picture: np.ndarray[Any, Any], path: Path, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    """Three photos with copies of every simple kind, and two without."""
    folder = tmp_path / "photos"
    for seed in range(3):
        photo = painted(seed)
        original = save(photo, folder / f"{seed}.png")
        shutil.copy(original, folder / f"{seed} copy.png")
        save(photo, folder / f"sub {seed}" / "sent.jpg", quality=70)
        save(np.asarray(Image.fromarray(photo).resize((240, 180))), folder / f"small {seed}.jpg")
        save(photo[:, ::-1], folder / f"mirrored {seed}.jpg", quality=92)
        save(np.rot90(photo), folder / f"turned {seed}.jpg", quality=92)
    for seed in (7, 8):
        save(painted(seed), folder / f"single {seed}.jpg")
    return folder


def shape(result: ScanResult) -> list[tuple[str, list[tuple[str, str]]]]:
    """Groups as names: keeper, then members with their relation."""
    return sorted(
        (
            os.path.basename(group.keeper.path),
            sorted((os.path.basename(m.file.path), m.relation.value) for m in group.members),
        )
        for group in result.duplicates
    )


@pytest.mark.parametrize("mode", [Mode.QUICK, Mode.STANDARD])
def test_copies_are_found_and_named(photos: Path, library_dir: Path, mode: Mode) -> None:
    found = find_duplicates([photos], ScanSettings(mode=mode), library=library_dir)
    assert shape(found) == [
        (
            f"{seed}.png",
            [
                (f"{seed} copy.png", "byte_identical"),
                (f"mirrored {seed}.jpg", "rotated"),
                ("sent.jpg", "reencoded"),
                (f"small {seed}.jpg", "resized"),
                (f"turned {seed}.jpg", "rotated"),
            ],
        )
        for seed in range(3)
    ]
    assert all(member.selected for group in found.duplicates for member in group.members)


def test_pixel_identical_pictures_are_told_from_reencoded_ones(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    photo = painted(1)
    save(photo, tmp_path / "a.png")
    save(photo, tmp_path / "b.bmp")
    changed = photo.copy()
    changed[100, 100] ^= 1
    save(changed, tmp_path / "c.tif")
    (group,) = find_duplicates([tmp_path], QUICK, library=library_dir).duplicates
    relations = {Path(m.file.path).suffix: m.relation for m in group.members}
    relations[Path(group.keeper.path).suffix] = Relation.PIXEL_IDENTICAL
    assert relations[".tif"] is not relations[".bmp"]
    assert list(relations.values()).count(Relation.PIXEL_IDENTICAL) >= 2 or (
        Path(group.keeper.path).suffix == ".tif"
    )


def test_a_second_scan_reads_nothing(photos: Path, library_dir: Path) -> None:
    first = find_duplicates([photos], QUICK, library=library_dir)
    again = find_duplicates([photos], QUICK, library=library_dir)
    assert first.scan.decoded == 20
    assert again.scan.decoded == 0
    assert shape(first) == shape(again)


def test_renamed_moved_and_touched_files_are_recognised(photos: Path, library_dir: Path) -> None:
    find_duplicates([photos], QUICK, library=library_dir)
    (photos / "0.png").rename(photos / "renamed.png")
    (photos / "deep").mkdir()
    (photos / "1.png").rename(photos / "deep" / "1.png")
    os.utime(photos / "2.png")
    again = find_duplicates([photos], QUICK, library=library_dir)
    assert again.scan.decoded == 0
    assert "renamed.png" in str(shape(again))


def test_a_changed_file_is_read_again_though_size_and_time_are_the_same(
    photos: Path, library_dir: Path, painted: Painter
) -> None:
    path = save(painted(20), photos / "x.bmp")
    before = path.stat()
    find_duplicates([photos], QUICK, library=library_dir)
    save(painted(21), path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert find_duplicates([photos], QUICK, library=library_dir).scan.decoded == 1


def test_groups_do_not_depend_on_names_or_order(
    photos: Path, tmp_path: Path, painted: Painter
) -> None:
    """The same files in another order on disk and in the library: the same groups."""
    reference = find_duplicates([photos], QUICK, library=tmp_path / "l1")
    files = [path for path in photos.rglob("*") if path.is_file()]
    random.Random(3).shuffle(files)
    other = tmp_path / "other"
    for path in files:
        target = other / path.relative_to(photos)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    found = find_duplicates([other], QUICK, library=tmp_path / "l2")
    assert shape(found) == shape(reference)
    # In a library that learnt the files in parts, ids differ from those of one scan.
    for part in (files[:4], files[4:9], files[9:]):
        find_duplicates(part, QUICK, library=tmp_path / "l3")
    assert shape(find_duplicates([photos], QUICK, library=tmp_path / "l3")) == shape(reference)


def test_a_quick_scan_can_be_followed_by_a_standard_one(photos: Path, library_dir: Path) -> None:
    quick = find_duplicates([photos], QUICK, library=library_dir)
    standard = find_duplicates([photos], library=library_dir)
    assert standard.scan.decoded > 0
    assert shape(find_duplicates([photos], QUICK, library=library_dir)) == shape(quick)


def test_what_cannot_be_read_is_reported_and_the_rest_goes_on(
    photos: Path, library_dir: Path
) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    (photos / "empty.png").write_bytes(b"")
    found = find_duplicates([photos], QUICK, library=library_dir)
    assert [Path(failure.path).name for failure in found.failures] == ["broken.jpg", "empty.png"]
    assert len(found.duplicates) == 3
    again = find_duplicates([photos], QUICK, library=library_dir)
    assert again.failures == found.failures


def test_a_failure_is_tried_again_when_the_limits_change(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    save(painted(1), tmp_path / "a" / "a.png")
    save(painted(2, width=100, height=100), tmp_path / "a" / "b.png")
    strict = ScanSettings(mode=Mode.QUICK, limits=DecodeLimits(pixels=20_000))
    found = find_duplicates([tmp_path / "a"], strict, library=library_dir)
    assert [failure.stage for failure in found.failures] == ["limits"]
    assert find_duplicates([tmp_path / "a"], QUICK, library=library_dir).failures == ()


def test_nothing_readable_is_an_error_with_its_own_status(
    tmp_path: Path, library_dir: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "a.jpg").write_bytes(b"text")
    with pytest.raises(NothingReadable) as raised:
        find_duplicates([tmp_path / "a"], QUICK, library=library_dir)
    assert raised.value.exit_code == 3


def test_flat_and_dark_pictures_do_not_match(tmp_path: Path, library_dir: Path) -> None:
    rng = np.random.default_rng(1)
    for number, level in enumerate((0, 0, 3, 128, 250, 255)):
        flat = np.full((300, 400, 3), level, np.int16) + rng.integers(-2, 3, (300, 400, 1))
        save(np.clip(flat, 0, 255).astype(np.uint8), tmp_path / "flat" / f"{number}.png")
    for number in range(4):
        slope = np.linspace(20, 200 + 10 * number, 400).astype(np.uint8)
        save(
            np.repeat(np.tile(slope, (300, 1))[..., None], 3, 2),
            tmp_path / "flat" / f"g{number}.jpg",
        )
    for mode in (Mode.QUICK, Mode.STANDARD):
        found = find_duplicates([tmp_path / "flat"], ScanSettings(mode=mode), library=library_dir)
        assert found.duplicates == ()


def test_a_protected_folder_is_kept_and_compared(
    tmp_path: Path, library_dir: Path, painted: Painter
) -> None:
    save(painted(1), tmp_path / "inbox" / "large.png")
    small = np.asarray(Image.fromarray(painted(1)).resize((240, 180)))
    save(small, tmp_path / "album" / "small.jpg")
    settings = ScanSettings(mode=Mode.QUICK, protected=(str(tmp_path / "album"),))
    (group,) = find_duplicates([tmp_path / "inbox"], settings, library=library_dir).duplicates
    assert group.keeper.path == str(tmp_path / "album" / "small.jpg")
    assert not group.keeper.removable
    # The member has more pixels than its keeper, so it is not surely worse.
    assert not group.members[0].selected


def test_stop_keeps_what_is_done(tmp_path: Path, library_dir: Path, painted: Painter) -> None:
    for seed in range(150):
        save(painted(seed, width=200, height=150), tmp_path / "p" / f"{seed}.jpg")
    cancel = CancelToken()

    def stop_half_way(step: Step) -> None:
        if step.stage == "fingerprint" and step.done >= 20:
            cancel.cancel()

    with Library.open(library_dir) as library:
        with pytest.raises(Interrupted):
            library.scan([tmp_path / "p"], QUICK, progress=stop_half_way, cancel=cancel)
        stopped = library.latest_scan()
        assert stopped.state is ScanState.STOPPED
        assert stopped.decoded >= 20
        again = library.scan([tmp_path / "p"], QUICK)
        assert again.decoded == 150 - stopped.decoded


def test_looking_for_pairs_says_how_far_it_is_and_can_be_stopped(
    tmp_path: Path, library_dir: Path, painted: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(visual_words.STANDARD, posting_batch=4, query_batch=4)
    monkeypatch.setattr(visual_words, "STANDARD", small)
    for seed in range(12):
        picture = painted(seed)
        save(picture, tmp_path / "p" / f"{seed}.png")
        save(picture[30:280, 40:390], tmp_path / "p" / f"{seed}-crop.jpg")
    cancel = CancelToken()
    told: list[int] = []

    def stop_half_way(step: Step) -> None:
        if step.stage == "candidates":
            told.append(step.done)
            assert step.total in (None, 24)
            if step.done >= 12:
                cancel.cancel()

    with Library.open(library_dir) as library:
        with pytest.raises(Interrupted):
            library.scan([tmp_path / "p"], progress=stop_half_way, cancel=cancel)
        assert library.latest_scan().state is ScanState.STOPPED
        assert told == sorted(told)
        assert 12 <= told[-1] < 24

        told.clear()
        again = library.scan([tmp_path / "p"], progress=stop_half_way)
        assert again.decoded == 0
        assert len(library.groups(again.id, GroupQuery(kinds=(GroupKind.DUPLICATES,))).groups) == 12
        assert told == sorted(told)
        assert told[-1] == 24


def test_two_scans_of_one_library_exclude_each_other(photos: Path, library_dir: Path) -> None:
    with Library.open(library_dir) as library, Library.open(library_dir) as other:
        caught: list[LibraryBusy] = []

        def try_too(step: Step) -> None:
            if not caught:
                with pytest.raises(LibraryBusy, match="a scan") as raised:
                    other.scan([photos], QUICK)
                caught.append(raised.value)

        library.scan([photos], QUICK, progress=try_too)
        assert caught


SCRIPT = """
import json, sys
from image_duplicate_finder import Mode, ScanSettings, find_duplicates
found = find_duplicates([sys.argv[1]], ScanSettings(mode=Mode(sys.argv[3])), library=sys.argv[2])
print(json.dumps([len(found.duplicates), found.scan.decoded]))
"""


def script(tmp_path: Path) -> Path:
    path = tmp_path / "three_lines.py"
    path.write_text(SCRIPT)
    return path


def test_a_script_without_a_main_guard_works(
    photos: Path, library_dir: Path, tmp_path: Path
) -> None:
    command = [sys.executable, script(tmp_path), photos, library_dir, "quick"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == [3, 20]


def test_a_killed_scan_loses_nothing_and_the_next_one_says_so(
    photos: Path, library_dir: Path, tmp_path: Path, painted: Painter
) -> None:
    """SIGKILL at random instants; the library opens, says so, and ends with the same groups."""
    for seed in range(100, 220):
        save(painted(seed, width=200, height=150), photos / "many" / f"{seed}.jpg")
    reference = find_duplicates([photos], QUICK, library=tmp_path / "reference")
    instants = random.Random(5)
    said = 0
    for _ in range(20 if LONG else 8):
        process = subprocess.Popen(
            [sys.executable, script(tmp_path), photos, library_dir, "quick"],
            stdout=subprocess.DEVNULL,
        )
        while process.poll() is None and not (library_dir / "library.lock.json").exists():
            time.sleep(0.01)
        time.sleep(2.0 * instants.random() ** 3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Library.open(library_dir) as library:
            said += any("cut off" in line for line in library.recovered)
            assert all(scan.state is not ScanState.RUNNING for scan in library.scans())
    assert said > 0
    found = find_duplicates([photos], QUICK, library=library_dir)
    assert shape(found) == shape(reference)
    assert {group.kind for group in found} == {GroupKind.DUPLICATES}
