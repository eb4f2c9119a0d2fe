"""The generated sets: same for the same seed, whatever the order, and true to their truth."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.edits import SET_A, SET_B
from benchmarks.edits_extra import EXTRA
from benchmarks.make import main
from benchmarks.negatives import make_c
from benchmarks.photos import Photo, list_photos, read, resized, write
from benchmarks.sets import make_a, make_b, make_extra
from benchmarks.truth import FILE_NAME, Truth

Painter = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, painted: Painter) -> list[Photo]:
    """Twenty painted photos."""
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(20):
        write(folder / f"photo {seed}.jpg", painted(seed))
    return list_photos([folder])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_set_a_has_six_files_and_fifteen_pairs_per_photo(
    photos: list[Photo], tmp_path: Path
) -> None:
    truth = make_a(photos, tmp_path, seed=1, limit=3, half=None)
    assert len(truth.files) == 18
    assert len(truth.pairs) == 45
    assert {*truth.files, FILE_NAME} == set(contents(tmp_path))
    assert Truth.load(tmp_path) == truth


def test_sets_are_the_same_in_any_order_of_photos(photos: list[Photo], tmp_path: Path) -> None:
    """File names and bytes depend on the seed and the photo alone."""
    for make, name in ((make_b, "b"), (make_extra, "extra")):
        one, other = tmp_path / f"{name} one", tmp_path / f"{name} other"
        make(photos, one, 3, 1, None, 5)
        make(photos[::-1], other, 3, 1, None, 5)
        ours, theirs = contents(one), contents(other)
        assert ours.keys() == theirs.keys()
        assert all(ours[file] == theirs[file] for file in ours if file != FILE_NAME)


def test_set_b_pairs_each_original_with_36_copies(photos: list[Photo], tmp_path: Path) -> None:
    truth = make_b(photos, tmp_path, seed=1, limit=2, half=None, distractors=6)
    assert len(SET_B) == 36
    assert len(truth.pairs) == 72
    assert {truth.kinds[pair.a] for pair in truth.pairs} == {"original"}
    assert {pair.edit for pair in truth.pairs} == set(SET_B)
    assert len(truth.distractors) == 6
    assert len(truth.files) == 2 * 37 + 6


def test_backgrounds_are_neither_originals_nor_distractors(
    photos: list[Photo], tmp_path: Path
) -> None:
    truth = make_b(photos, tmp_path, seed=1, limit=3, half=None, distractors=100)
    used = {name for names in truth.backgrounds.values() for name in names}
    assert used
    assert used.isdisjoint(truth.families.values())
    kinds = {truth.kinds[file] for file in truth.backgrounds}
    assert kinds == {"pip_35", "pip_45", "pip_60", "collage_4", "mix_mirror_gamma_pip"}


def test_halves_share_no_photo(photos: list[Photo], tmp_path: Path) -> None:
    first = make_a(photos, tmp_path / "1", seed=1, limit=99, half="first")
    second = make_a(photos, tmp_path / "2", seed=2, limit=99, half="second")
    ours, theirs = set(first.families.values()), set(second.families.values())
    assert ours and theirs
    assert ours.isdisjoint(theirs)
    assert ours | theirs == {photo.name for photo in photos}


def test_names_do_not_tell_families(photos: list[Photo], tmp_path: Path) -> None:
    truth = make_a(photos, tmp_path, seed=1, limit=2, half=None)
    assert all(
        len(name) == 36 and set(name[:-4]) <= set("0123456789abcdef") for name in truth.files
    )


def test_every_edit_changes_the_picture_and_keeps_it_a_picture(
    photos: list[Photo], tmp_path: Path
) -> None:
    """No edit gives a blank file or leaves the photo as it was."""
    make_b(photos, tmp_path / "b", seed=5, limit=1, half=None, distractors=0)
    make_extra(photos, tmp_path / "extra", seed=5, limit=1, half=None, distractors=0)
    for folder, edits in ((tmp_path / "b", SET_B), (tmp_path / "extra", EXTRA)):
        truth = Truth.load(folder)
        original = read(folder / truth.pairs[0].a)
        for pair in truth.pairs:
            copy = read(folder / pair.b)
            assert copy.std() > 8, pair.edit
            same_shape = copy.shape == original.shape
            assert not (same_shape and np.abs(copy - original.astype(float)).mean() < 0.5), (
                pair.edit
            )
        assert {pair.edit for pair in truth.pairs} == set(edits)


def test_a_crop_shows_a_window_of_its_original(photos: list[Photo], tmp_path: Path) -> None:
    truth = make_b(photos, tmp_path, seed=1, limit=2, half=None, distractors=0)
    crops = [pair for pair in truth.pairs if pair.edit == "crop_50"]
    for pair in crops:
        whole, part = read(tmp_path / pair.a), read(tmp_path / pair.b)
        area = part.shape[0] * part.shape[1] / (whole.shape[0] * whole.shape[1])
        assert area == pytest.approx(0.5, abs=0.01)
        assert cv2.matchTemplate(whole, part, cv2.TM_CCOEFF_NORMED).max() > 0.95


def test_set_a_edits_are_what_they_say(photos: list[Photo]) -> None:
    image = resized(read(photos[0].path), 200)
    rng = np.random.default_rng(0)
    made = {name: edit(image, rng, iter(())) for name, edit in SET_A.items()}
    assert np.array_equal(made["mirror"], image[:, ::-1])
    assert np.array_equal(made["upside_down"], image[::-1])
    assert made["square"].shape == (150, 150, 3)
    assert made["crop"].shape == (131, 175, 3)
    assert made["rotate_25"].shape == image.shape


def test_set_c_holds_no_pair_and_allows_only_its_pans(photos: list[Photo], tmp_path: Path) -> None:
    truth = make_c(photos, tmp_path, seed=1, limit=60, half=None)
    assert not truth.pairs
    assert len(set(truth.families.values())) == len(truth.files)
    assert truth.overlapping
    assert {truth.kinds[path] for pair in truth.overlapping for path in pair} == {"pan"}
    assert len(set(contents(tmp_path).values())) == len(truth.files) + 1, "two files are equal"


def test_documents_of_a_family_differ_in_little(photos: list[Photo], tmp_path: Path) -> None:
    """The hard part of set C: pages that a hash cannot tell apart, yet none equal."""
    truth = make_c(photos, tmp_path, seed=1, limit=60, half=None)
    pages: dict[str, list[str]] = {}
    for file, family in truth.families.items():
        if truth.kinds[file] == "document":
            pages.setdefault(family.rsplit("/", 1)[0], []).append(file)
    for family in pages.values():
        for a, b in combinations(family, 2):
            changed = np.abs(read(tmp_path / a).astype(int) - read(tmp_path / b)) > 60
            assert 0 < changed.mean() < 0.15


def test_pan_frames_share_30_to_50_percent(photos: list[Photo], tmp_path: Path) -> None:
    truth = make_c(photos, tmp_path, seed=1, limit=60, half=None)
    a, b = truth.overlapping[0]
    frames = sorted((read(tmp_path / a), read(tmp_path / b)), key=lambda frame: frame.shape)
    width = frames[0].shape[1]
    overlap = 2 - 480 / width
    assert 0.28 < overlap < 0.52


def test_the_command_makes_a_set_and_refuses_a_full_folder(
    photos: list[Photo], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["a", "--photos", str(photos[0].path.parent), "--out", str(tmp_path), "--limit", "1"]
    main(command)
    assert "6 files, 15 true pairs" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(command)
    assert "not empty" in capsys.readouterr().err


def test_a_folder_without_photos_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no photo"):
        list_photos([tmp_path])
