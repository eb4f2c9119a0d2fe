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
from image_duplicate_finder.verify import geometry, kernels, pixel_kernels
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
