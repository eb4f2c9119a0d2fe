"""Generated fingerprints: unlike pictures are unlike, planted copies are copies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.million_data import Pool, copy_of, picture, pool_of
from benchmarks.photos import list_photos, write
from image_duplicate_finder.fingerprint.appearance import decode_proof
from image_duplicate_finder.fingerprint.keypoints import Keypoints

Painter = Callable[..., NDArray[np.uint8]]


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory, painted: Painter) -> Pool:
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(12):
        write(folder / f"{seed}.jpg", painted(seed))
    return pool_of(list_photos([folder]), seed=1)


def _distance(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> int:
    return int(np.bitwise_count(a ^ b).sum())


def test_a_picture_is_the_same_each_time(pool: Pool) -> None:
    one, again = picture(pool, 1, 5), picture(pool, 1, 5)
    assert one.points.to_bytes() == again.points.to_bytes()
    assert np.array_equal(one.hashes, again.hashes)


def test_a_re_encoded_copy_keeps_hash_and_places(pool: Pool) -> None:
    source, copy = picture(pool, 1, 3), copy_of(pool, 1, 3, cropped=False)
    assert np.array_equal(source.hashes, copy.hashes)
    assert _share_at_home(source.points, copy.points) > 0.35


def test_a_crop_has_another_hash_and_moved_places(pool: Pool) -> None:
    source, copy = picture(pool, 1, 4), copy_of(pool, 1, 4, cropped=True)
    assert _distance(source.hashes[0], copy.hashes[0]) > 40
    assert decode_proof(copy.proof).shape < decode_proof(source.proof).shape
    stays = _share_at_home(source.points, copy.points)
    assert stays < 0.15, "a crop's keypoints moved"


def _share_at_home(source: Keypoints, copy: Keypoints) -> float:
    """Share of the source's keypoints that the copy holds within 2 pixels of the same place."""
    found = 0
    for x, y, code in zip(source.x, source.y, source.codes, strict=True):
        near = np.hypot(copy.x - x, copy.y - y) < 2
        found += any(_distance(code, other) < 24 for other in copy.codes[near])
    return found / len(source)
