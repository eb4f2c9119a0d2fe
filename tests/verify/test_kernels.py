"""Compiled loops of verification against plain computations of the same."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint import keypoints, perceptual
from image_duplicate_finder.fingerprint.appearance import decode_proof, encode_proof
from image_duplicate_finder.verify import geometry, kernels, look_kernels, pixel_kernels
from image_duplicate_finder.verify.detail import COSINES
from image_duplicate_finder.verify.pair import VerifyInput, verify
from tests.conftest import Painter

MATRICES = [
    np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]),
    np.array([[0.0, -1, 150], [1, 0, 2], [0, 0, 1]]),
    np.array([[0.9, 0.2, 3], [-0.15, 1.1, 7], [4e-4, -3e-4, 1]]),
    np.array([[-1.3, 0.1, 160], [0.05, 1.2, 9], [0, 0, 1]]),
]


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("shape", [(144, 192), (1, 60), (60, 1)])
def test_a_picture_is_laid_over_another_as_opencv_does_it(
    painted: Painter, matrix: NDArray[np.float64], shape: tuple[int, int]
) -> None:
    grey = cv2.cvtColor(painted(1, 192, 144), cv2.COLOR_RGB2GRAY).astype(np.float32)
    source = np.ascontiguousarray(grey[: shape[0], : shape[1]])
    warped, mask = np.empty((150, 170), np.float32), np.empty((150, 170), np.uint8)
    pixel_kernels.lay_over(source, matrix, warped, mask)
    inside = cv2.warpPerspective(
        np.ones(shape, np.uint8), matrix, (170, 150), flags=cv2.INTER_NEAREST
    )
    # A place just between two pixels may fall on either side.
    assert np.count_nonzero(inside != mask) <= 2 + 0.005 * mask.size
    expected = cv2.warpPerspective(
        source, matrix, (170, 150), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    # Older versions of OpenCV round places to 1/32 pixel.
    apart = np.abs(expected - warped)[mask > 0]
    assert apart.size and float(apart.mean()) < 0.5


@pytest.mark.parametrize("matrix", MATRICES)
def test_fits_find_the_transform_of_points(matrix: NDArray[np.float64]) -> None:
    random = np.random.default_rng(3)
    source = random.uniform(0, 190, (40, 2))
    target = geometry.apply(matrix, source)
    weights = random.uniform(0.1, 1, 40)
    found = np.empty((3, 3))
    assert kernels.fit(source, target, weights, 40, True, found)
    assert found == pytest.approx(matrix, abs=1e-6)
    if not matrix[2, :2].any():
        assert kernels.fit(source, target, weights, 40, False, found)
        assert found == pytest.approx(matrix, abs=1e-6)
    on_a_line = np.stack([source[:, 0], 2 * source[:, 0] + 1], axis=1)
    for projective in (False, True):
        assert not kernels.fit(on_a_line, target, weights, 40, projective, found)


def test_weights_tell_what_a_fit_follows() -> None:
    random = np.random.default_rng(4)
    source = random.uniform(0, 190, (40, 2))
    target = geometry.apply(MATRICES[3], source)
    target[30:] += random.uniform(-50, 50, (10, 2))
    weights = np.ones(40)
    weights[30:] = 1e-6
    found = np.empty((3, 3))
    assert kernels.fit(source, target, weights, 40, False, found)
    assert found == pytest.approx(MATRICES[3], abs=1e-3)


@pytest.mark.parametrize(
    ("matrix", "sound"),
    [
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], True),
        ([[-0.5, 0.1, 90], [0.1, 0.5, 0], [0, 0, 1]], True),
        ([[0.02, 0, 0], [0, 0.02, 0], [0, 0, 1]], False),
        ([[3, 0, 0], [0, 0.5, 0], [0, 0, 1]], False),
        ([[1, 0, 0], [0, 1, 0], [0.002, 0, 1]], True),
        ([[1, 0, 0], [0, 1, 0], [0.02, 0, 1]], False),
        ([[1, 0, 0], [0, 1, 0], [-0.02, 0, 1]], False),
        ([[1, 0, float("nan")], [0, 1, 0], [0, 0, 1]], False),
        ([[1, 1, 0], [1, 1, 0], [0, 0, 1]], False),
    ],
)
def test_transforms_that_no_copy_has_are_refused(matrix: list[list[float]], sound: bool) -> None:
    tried = np.array(matrix, np.float64)
    assert geometry.is_sound(tried, 192, 144) is sound
    assert bool(kernels.is_sound(tried, (144, 192))) is sound


def test_the_largest_piece_of_difference_is_the_largest_component() -> None:
    random = np.random.default_rng(5)
    for share in (0.1, 0.5, 0.9):
        differs = random.random((17, 23)) < share
        rows, columns = np.indices(differs.shape)
        blocks = np.zeros((differs.size, 9))
        blocks[:, pixel_kernels.LEFT], blocks[:, pixel_kernels.TOP] = (
            columns.ravel() * 7,
            rows.ravel() * 7,
        )
        blocks[:, pixel_kernels.NCC] = np.where(differs.ravel(), 0.1, 0.9)
        blocks[:, pixel_kernels.TARGET_DEVIATION] = 9
        _, _, stats, _ = cv2.connectedComponentsWithStats(differs.astype(np.uint8), connectivity=4)
        expected = int(stats[1:, cv2.CC_STAT_AREA].max(initial=0))
        assert pixel_kernels.largest_difference(blocks, 7, 4.0, 0.6) == expected


def inputs(painted: Painter) -> Iterator[VerifyInput]:
    """Twelve pictures: three originals, each with a crop, a turn and a negative of it."""
    for seed in range(3):
        original = painted(80 + seed)
        turned = cv2.warpAffine(original, cv2.getRotationMatrix2D((240, 180), 7, 0.8), (480, 360))
        for copy in (original, original[30:300, 50:420], turned, 255 - original):
            grey = cv2.cvtColor(np.ascontiguousarray(copy), cv2.COLOR_RGB2GRAY)
            yield VerifyInput(
                seed,
                grey.shape[1],
                grey.shape[0],
                perceptual.encode(grey),
                keypoints.extract(grey),
                decode_proof(encode_proof(grey)),
            )


def test_threads_that_share_pictures_find_the_same(painted: Painter) -> None:
    alone = list(inputs(painted))
    pairs = [(a, b) for a in range(12) for b in range(12) if a != b]
    expected = [verify(alone[a], alone[b]) for a, b in pairs]
    assert sum(match is not None for match in expected) >= 24
    shared = list(inputs(painted))
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda pair: verify(shared[pair[0]], shared[pair[1]]), pairs))
    assert found == expected


@pytest.mark.parametrize("shape", [(37, 53, 3), (40, 64, 3), (1, 9, 3), (9, 1, 1)])
def test_channels_and_their_means_are_those_of_opencv(shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(1).uniform(0, 255, shape).astype(np.float32)
    high, wide = (shape[0] + 1) // 2, (shape[1] + 1) // 2
    values = np.empty((shape[2], *shape[:2]), np.float32)
    means, squares = np.empty((2, shape[2], high, wide), np.float32)
    look_kernels.split(picture, values, means, squares)
    assert np.array_equal(values, picture.transpose(2, 0, 1))
    even = np.pad(values, ((0, 0), (0, 2 * high - shape[0]), (0, 2 * wide - shape[1])), "edge")
    for found, plane in ((means, even), (squares, even**2)):
        expected = plane.reshape(shape[2], high, 2, wide, 2).mean(axis=(2, 4))
        assert np.allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turns", range(4))
def test_whole_turns_and_shifts_are_copied(turns: int, mirrored: bool) -> None:
    source = np.random.default_rng(2).uniform(0, 255, (31, 47, 3)).astype(np.float32)
    turned = np.rot90(source[:, ::-1] if mirrored else source, turns)
    matrix = np.linalg.matrix_power(np.array([[0.0, 1], [-1, 0]]), turns)
    matrix = matrix @ np.diag([-1 if mirrored else 1, 1])
    old, new = np.array([46, 30]), np.array([turned.shape[1] - 1, turned.shape[0] - 1])
    shift = new / 2 - matrix @ old / 2 + (3, -2)
    whole = np.vstack([np.column_stack([matrix, shift]), [0, 0, 1]])
    back = np.rint(geometry.inverse(whole)[:2]).astype(np.int64)
    moved, mask = np.empty_like(turned, order="C"), np.empty(turned.shape[:2], np.uint8)
    look_kernels.move(source, back, moved, mask)
    assert np.array_equal(moved[:-2, 3:], turned[2:, :-3])
    assert mask[:-2, 3:].all()
    assert not mask[-2:].any()
    assert not mask[:, :3].any()
    assert np.array_equal(moved[:-2, 0], turned[2:, 0]), "the last pixel goes on"


def test_edges_are_where_opencv_finds_gradients(painted: Painter) -> None:
    grey = cv2.cvtColor(painted(3, 192, 144), cv2.COLOR_RGB2GRAY).astype(np.float32)
    plane = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.float32)
    across, down = (
        np.asarray(cv2.Sobel(plane, cv2.CV_32F, *order, ksize=3, scale=1 / 8))
        for order in ((1, 0), (0, 1))
    )
    strong = np.zeros(plane.shape, bool)
    strong[1:-1, 1:-1] = (np.abs(across) + np.abs(down))[1:-1, 1:-1] >= 1
    rows, columns = np.nonzero(strong)
    for most in (10_000_000, 500):
        found = np.empty((5, len(rows)), np.float32)
        among, taken = look_kernels.find_edges(plane, 1.0, most, found)
        assert among == len(rows)
        every = -(-among // most)
        at = rows[::every], columns[::every]
        assert taken == len(at[0])
        expected = np.stack([at[1], at[0], across[at], down[at], plane[at]])
        assert np.array_equal(found[:, :taken], expected.astype(np.float32))
    assert look_kernels.find_edges(np.ones((9, 9), np.float32), 1.0, 500, found) == (0, 0)


@pytest.mark.parametrize("left", [0, 3])
@pytest.mark.parametrize("top", [0, 5])
def test_what_is_left_of_a_difference_is_beyond_the_steps_of_its_blocks(
    left: int, top: int
) -> None:
    random = np.random.default_rng(4)
    difference = random.normal(scale=9, size=(45, 61)).astype(np.float32)
    most = random.uniform(0, 20, (8, 8)).astype(np.float32)
    found = np.empty_like(difference)
    mask = np.ones(difference.shape, np.uint8)
    look_kernels.leave_unexplained(difference, mask, most, COSINES, left, top, found)
    block = difference[top : top + 8, left : left + 8]
    terms = cv2.dct(block)
    terms -= np.clip(terms, -most, most)
    expected = cv2.idct(terms)
    assert np.allclose(found[top : top + 8, left : left + 8], expected, atol=1e-3)
    look_kernels.leave_unexplained(difference, mask, 0 * most, COSINES, left, top, found)
    assert np.allclose(found, difference, atol=1e-3), "nothing gives way"


def test_borders_and_windows_are_measured_as_numpy_does(painted: Painter) -> None:
    grey = np.asarray(cv2.cvtColor(painted(5, 90, 70), cv2.COLOR_RGB2GRAY), np.uint8)
    covered = np.zeros_like(grey)
    covered[10:50, 20:80] = 1
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(grey.astype(float), 2, "reflect"), (5, 5)
    )
    busy = (around.std(axis=(2, 3)) >= 3.5) & (covered == 0)
    counted = look_kernels.count_busy(grey, covered, 3.5)
    assert counted == (np.count_nonzero(covered == 0), np.count_nonzero(busy))
    places = np.array([[0, 0], [58, 38], [17, 5]])
    found, windows = np.empty(3), np.empty((3, 32, 32), np.float32)
    look_kernels.deviations(grey, places, 32, 32, found)
    look_kernels.cut(grey, places, windows)
    for k, (x, y) in enumerate(places):
        window = grey[y : y + 32, x : x + 32]
        assert np.array_equal(windows[k], window)
        assert found[k] == pytest.approx(window.std(), rel=1e-6)
