"""Neighbours and similar pairs against brute force, and the tie between the two thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from image_duplicate_finder.model import UNCALIBRATED, Calibration
from image_duplicate_finder.search.vectors import (
    VectorTuning,
    calibrated,
    neighbours,
    pairs_within,
    threshold_cosine,
    uncalibrated,
)


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.maximum(lengths, 1e-9)).astype(np.float32)


def families(count: int, copies: int, length: int = 64, seed: int = 0) -> NDArray[np.float32]:
    """``count`` groups of ``copies`` close vectors, shuffled."""
    rng = np.random.default_rng(seed)
    middles = np.repeat(rng.normal(size=(count, length)), copies, axis=0)
    rows = middles + 0.3 * rng.normal(size=middles.shape)
    return unit(rows[rng.permutation(len(rows))])


@pytest.mark.parametrize(
    ("euclidean", "cosine", "expected"),
    [(0.5, 0.9, 0.875), (0.1, 0.9, 0.9), (1.0, 0.7, 0.5), (0.0, 1.0, 1.0), (0.2, 0.99, 0.98)],
)
def test_the_more_lenient_threshold_decides(
    euclidean: float, cosine: float, expected: float
) -> None:
    assert threshold_cosine(euclidean, cosine) == pytest.approx(expected)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(-1, 1))
def test_one_cosine_says_the_same_as_both_thresholds(
    euclidean: float, cosine: float, actual: float
) -> None:
    distance_sq = 2 - 2 * actual
    near_a_limit = abs(distance_sq - euclidean**2) < 1e-9 or abs(actual - cosine) < 1e-9
    similar = distance_sq <= euclidean**2 or actual >= cosine
    assert near_a_limit or (actual >= threshold_cosine(euclidean, cosine)) == similar


def test_neighbours_are_those_of_brute_force() -> None:
    rows = families(60, 5)
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -2)
    expected = np.argsort(-similarity, axis=1)[:, :7]
    found, cosines = neighbours(rows, 7)
    assert np.array_equal(found, expected)
    assert cosines == pytest.approx(np.take_along_axis(similarity, expected, 1), abs=1e-5)


def test_never_more_answers_than_vectors() -> None:
    rows = families(2, 2)
    assert neighbours(rows, 10)[0].shape == (4, 3)
    assert neighbours(rows[:1], 10)[0].shape == (1, 0)
    assert neighbours(rows[:0], 10)[0].shape == (0, 0)


def test_equal_vectors_do_not_answer_with_the_asker() -> None:
    rows = np.repeat(families(1, 1), 40, axis=0)
    found, _ = neighbours(rows, 5)
    assert not (found == np.arange(40)[:, None]).any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0.2, 1.0), st.floats(0.5, 0.99))
def test_pairs_are_those_of_brute_force(seed: int, euclidean: float, cosine: float) -> None:
    rows = families(25, 3, seed=seed)
    similarity = rows @ rows.T
    limit = threshold_cosine(euclidean, cosine)
    a, b = np.nonzero(np.triu(similarity >= limit, 1))
    unsure = np.abs(similarity - limit) < 1e-5
    pairs = pairs_within(rows, esimilarity_threshold=euclidean, csimilarity_threshold=cosine)
    found, expected = set(zip(pairs.a, pairs.b, strict=True)), set(zip(a, b, strict=True))
    assert all(unsure[pair] for pair in found ^ expected)
    assert pairs.cosine == pytest.approx(similarity[pairs.a, pairs.b], abs=1e-5)


def test_stricter_thresholds_later_find_what_a_search_with_them_finds() -> None:
    rows = families(100, 4)
    lenient = pairs_within(rows, esimilarity_threshold=1.0, csimilarity_threshold=0.7)
    strict = pairs_within(rows, esimilarity_threshold=0.2, csimilarity_threshold=0.93)
    later = lenient.cosine >= threshold_cosine(0.2, 0.93)
    assert 0 < len(strict.a) < len(lenient.a)
    assert np.array_equal(lenient.a[later], strict.a)
    assert np.array_equal(lenient.b[later], strict.b)


def test_pairs_do_not_depend_on_the_order_of_the_vectors() -> None:
    rows = families(40, 4)
    order = np.random.default_rng(5).permutation(len(rows))
    plain = pairs_within(rows, esimilarity_threshold=0.5, csimilarity_threshold=0.9)
    other = pairs_within(rows[order], esimilarity_threshold=0.5, csimilarity_threshold=0.9)
    shuffled = {tuple(sorted(p)) for p in zip(order[other.a], order[other.b], strict=True)}
    assert shuffled == set(zip(plain.a, plain.b, strict=True))


def test_vectors_of_zeros_are_similar_to_none() -> None:
    rows = families(5, 2)
    rows[3] = 0
    pairs = pairs_within(rows, esimilarity_threshold=1.0, csimilarity_threshold=0.0)
    assert len(pairs.a) > 0
    assert 3 not in set(pairs.a) | set(pairs.b)


def test_no_vectors_give_no_pairs() -> None:
    for count in (0, 1):
        rows = families(1, 1)[:count]
        pairs = pairs_within(rows, esimilarity_threshold=1.0, csimilarity_threshold=0.0)
        assert len(pairs.a) == len(pairs.b) == len(pairs.cosine) == 0


def test_approximate_search_keeps_nearly_all_close_pairs() -> None:
    rows = families(1500, 3)
    exact = pairs_within(rows, esimilarity_threshold=1.0, csimilarity_threshold=0.7)
    by_cells = VectorTuning(exact_up_to=1000, compared=1500)
    approximate, again = (
        pairs_within(rows, esimilarity_threshold=1.0, csimilarity_threshold=0.7, tuning=by_cells)
        for _ in range(2)
    )
    wanted = set(zip(exact.a, exact.b, strict=True))
    found = set(zip(approximate.a, approximate.b, strict=True))
    assert len(wanted) > 4_000
    assert len(found & wanted) >= 0.99 * len(wanted)
    assert np.array_equal(approximate.a, again.a)
    assert np.array_equal(approximate.b, again.b)
    nearest, cosines = neighbours(rows, 3, tuning=by_cells)
    assert not (nearest == np.arange(len(rows))[:, None]).any()
    right = np.einsum("nd,nkd->nk", rows, rows[nearest])
    assert cosines == pytest.approx(right, abs=1e-5)


def _euclidean(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """The distances of unit vectors with these cosines."""
    return np.sqrt(np.maximum(2 - 2 * cosines, 0))


def test_calibration_maps_distances_by_its_power_law() -> None:
    cosines = np.linspace(-1, 1, 41).astype(np.float32)
    mapped = calibrated(cosines, Calibration(scale=1.39, power=2.0))
    expected = np.minimum(1.39 * _euclidean(cosines) ** 2, 2)
    assert _euclidean(mapped) == pytest.approx(expected, abs=2e-3)
    assert (np.diff(mapped) >= 0).all()
    assert calibrated(cosines, UNCALIBRATED) == pytest.approx(cosines, abs=1e-6)


@settings(deadline=None)
@given(st.floats(0.0, 1.0), st.floats(0.5, 3.0), st.floats(0.5, 3.0))
def test_uncalibrated_is_the_way_back(cosine: float, scale: float, power: float) -> None:
    calibration = Calibration(scale, power)
    raw = uncalibrated(cosine, calibration)
    if raw > -1:
        there = calibrated(np.array([raw], np.float32), calibration)
        assert there[0] == pytest.approx(cosine, abs=1e-3)


def test_calibrated_pairs_are_those_of_the_mapped_cosines() -> None:
    rows = families(50, 4, length=24, seed=8)
    calibration = Calibration(1.39, 2.0)
    mapped = calibrated(rows @ rows.T, calibration)
    pairs = pairs_within(
        rows,
        esimilarity_threshold=0.5,
        csimilarity_threshold=0.9,
        calibration=calibration,
    )
    plain = pairs_within(rows, esimilarity_threshold=0.5, csimilarity_threshold=0.9)
    assert len(pairs.a) == np.count_nonzero(np.triu(mapped >= 0.875, 1)) != len(plain.a)
    assert pairs.cosine == pytest.approx(mapped[pairs.a, pairs.b], abs=1e-4)
