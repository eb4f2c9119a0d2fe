"""Keypoints: their encoding, and that copies have the same ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_duplicate_finder.fingerprint.appearance import PROOF_SIDE, decode_proof, encode_proof
from image_duplicate_finder.fingerprint.keypoints import (
    Keypoints,
    canonical,
    extract,
    flip_columns,
    flip_rows,
)
from tests.conftest import Painter


def _grey(painted: Painter, seed: int) -> np.ndarray:
    return cv2.cvtColor(painted(seed), cv2.COLOR_RGB2GRAY)


def _shared(one: Keypoints, other: Keypoints) -> float:
    """The share of one's keypoints whose canonical code the other has, too."""
    first, second = canonical(one.codes, one.flags), canonical(other.codes, other.flags)
    bits = np.bitwise_count(first[:, None] ^ second[None]).sum(axis=2)
    return float((bits.min(axis=1) <= 20).mean())


def test_bytes_keep_what_matters(painted: Painter) -> None:
    points = extract(_grey(painted, 1))
    data = points.to_bytes()
    again = Keypoints.from_bytes(data)
    assert len(points) > 60
    assert len(data) <= 5600
    assert (again.width, again.height) == (points.width, points.height)
    assert np.abs(again.x - points.x).max() <= 1 / 24 + 1e-4
    assert np.abs(np.log2(again.scale / points.scale)).max() <= 1 / 60
    turned = np.angle(np.exp(1j * (again.angle - points.angle)))
    assert np.abs(turned).max() <= np.pi / 250
    assert np.array_equal(again.codes, points.codes)
    assert np.array_equal(again.flags, points.flags)
    assert again.to_bytes() == data


def test_extraction_is_deterministic(painted: Painter) -> None:
    grey = _grey(painted, 2)
    assert extract(grey).to_bytes() == extract(grey.copy()).to_bytes()


def test_keypoints_are_those_of_the_reference_implementation(painted: Painter) -> None:
    """Place, size, direction and code of OpenCV's SIFT, on the same small pictures."""
    sift = cv2.SIFT.create(0, 3, 0.02, 10, 1.6, cv2.CV_8U)
    count, differences = 0, []
    for seed in range(8):
        grey = cv2.resize(_grey(painted, seed), (200, 150), interpolation=cv2.INTER_AREA)
        found, described = sift.detectAndCompute(grey, None)
        # Its places are a quarter of a pixel off: it doubles the picture and halves the numbers.
        places = np.array([point.pt for point in found]) - 0.25
        angles = np.deg2rad([point.angle for point in found])
        sizes = np.array([point.size / 2 for point in found])
        medians = np.median(described, axis=1, keepdims=True)
        codes = np.packbits(described > medians, axis=1, bitorder="little")
        points = extract(grey)
        count += len(points)
        for x, y, scale, angle, code in zip(
            points.x, points.y, points.scale, points.angle, points.codes, strict=True
        ):
            turned = np.abs(np.angle(np.exp(1j * (angles - angle))))
            near = (np.hypot(*(places - (x, y)).T) < 0.5) & (turned < 0.1)
            near &= np.abs(np.log2(sizes / scale)) < 0.1
            if near.any():
                differences.append(np.bitwise_count(codes[near] ^ code).sum(axis=1).min())
    assert count > 300
    assert len(differences) >= 0.9 * count
    assert np.median(differences) <= 8
    assert np.quantile(differences, 0.9) <= 18


@pytest.mark.parametrize("cut", [0, 3, -1])
def test_damaged_bytes_are_refused(painted: Painter, cut: int) -> None:
    data = extract(_grey(painted, 3)).to_bytes()
    with pytest.raises(ValueError, match="keypoints"):
        Keypoints.from_bytes(data[:cut])


def test_mirrored_and_negative_pictures_share_canonical_codes(painted: Painter) -> None:
    grey = _grey(painted, 4)
    points = extract(grey)
    assert _shared(points, extract(np.ascontiguousarray(grey[:, ::-1]))) > 0.7
    assert _shared(points, extract(255 - grey)) > 0.7
    assert _shared(points, extract(_grey(painted, 5))) < 0.2


@given(st.binary(min_size=16, max_size=16))
def test_flips_undo_themselves(code: bytes) -> None:
    codes = np.frombuffer(code, np.uint8).reshape(1, 16)
    for flip in (flip_rows, flip_columns):
        assert np.array_equal(flip(flip(codes)), codes)
        assert np.bitwise_count(flip(codes)).sum() == np.bitwise_count(codes).sum()


def test_flat_and_tiny_pictures_have_none() -> None:
    for size in ((1, 1), (3, 400), (200, 200)):
        points = extract(np.full(size, 127, np.uint8))
        assert len(points) == 0
        assert len(Keypoints.from_bytes(points.to_bytes())) == 0


def test_keypoints_are_spread_over_the_picture(painted: Painter) -> None:
    """A loud half must not take all places from a quiet one."""
    rng = np.random.default_rng(1)
    loud = rng.integers(0, 256, (300, 200), np.uint8)
    quiet = cv2.resize(_grey(painted, 6), (200, 300)) // 3
    points = extract(np.hstack([loud, quiet]))
    right = (points.x > points.width / 2).mean()
    assert right > 0.25


def test_proof_is_small_and_faithful(painted: Painter) -> None:
    grey = _grey(painted, 7)
    data = encode_proof(grey)
    small = decode_proof(data)
    assert max(small.shape) == PROOF_SIDE
    assert len(data) < 5000
    expected = cv2.resize(grey, small.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 6
    with pytest.raises(ValueError, match="damaged"):
        decode_proof(b"no picture")
