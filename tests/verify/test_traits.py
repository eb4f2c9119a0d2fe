"""Traits that make agreement cheap: repetition, and a place that is the only one that fits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder.verify.decide import repetition, self_difference
from tests.conftest import Painter

Grey = NDArray[np.float32]


def everywhere(grey: Grey) -> NDArray[np.uint8]:
    return np.ones(grey.shape, np.uint8)


def tiles(period: float, seed: int) -> Grey:
    """144 x 192 pixels of one soft tile, repeated every ``period`` pixels, with a little noise."""
    rng = np.random.default_rng(seed)
    tile = cv2.GaussianBlur(rng.integers(0, 255, (64, 64)).astype(np.float32), (0, 0), 6)
    factor = period / 64
    many = cv2.resize(np.tile(tile, (24, 30)), None, fx=factor, fy=factor)[:144, :192]
    return (many + rng.normal(0, 1, many.shape)).astype(np.float32)


@pytest.mark.parametrize("period", [11.0, 17.3, 24.0, 30.7])
def test_tiles_fit_at_every_period(period: float) -> None:
    for seed in range(5):
        grey = tiles(period, seed)
        assert self_difference(grey, everywhere(grey)) < 0.5
        assert repetition(grey, everywhere(grey)) > 0.8


def test_a_picture_fits_in_one_place_only(painted: Painter) -> None:
    for number in range(12):
        grey = cv2.cvtColor(painted(number, 192, 144), cv2.COLOR_RGB2GRAY).astype(np.float32)
        assert self_difference(grey, everywhere(grey)) > 1.0


def test_one_odd_spot_among_tiles_is_seen() -> None:
    grey = tiles(24, 1)
    grey[60:80, 90:110] += 90
    assert self_difference(grey, everywhere(grey)) > 1.0


def test_what_is_flat_or_tiny_proves_nothing() -> None:
    flat = np.full((144, 192), 90, np.float32)
    assert self_difference(flat, everywhere(flat)) == 0.0
    tiny = np.random.default_rng(1).normal(90, 30, (20, 20)).astype(np.float32)
    assert self_difference(tiny, everywhere(tiny)) == 0.0
