"""Neighbours by cells: those of brute force where every cell is looked at."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder.search.vectors import Cells


def unit(count: int, length: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(length).normal(size=(count, length))
    vectors: NDArray[np.float32] = rows.astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


# Lengths that fill vector registers, and lengths that do not.
@pytest.mark.parametrize("length", [8, 13, 66, 192])
def test_who_looks_at_all_cells_finds_what_brute_force_finds(length: int) -> None:
    vectors = unit(501, length)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    expected = np.argsort(-cosines, axis=1)[:, :9]
    cells = Cells(vectors, len(vectors))
    asked = cells.order[:333]
    rows, found = cells.nearest(asked, 9, -1.0)
    assert np.array_equal(rows, expected[asked])
    assert found == pytest.approx(np.take_along_axis(cosines, expected, 1)[asked], abs=1e-5)


def test_none_is_below_the_limit_and_places_stay_empty() -> None:
    vectors = unit(300, 16)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    rows, found = Cells(vectors, 300).nearest(np.arange(300), 20, 0.5)
    count = np.minimum((cosines >= 0.5).sum(1), 20)
    assert np.array_equal((rows >= 0).sum(1), count)
    assert (found[rows >= 0] >= 0.5).all()
    assert np.isneginf(found[rows < 0]).all()


def test_the_order_names_every_vector_once() -> None:
    cells = Cells(unit(700, 24), 100)
    assert np.array_equal(np.sort(cells.order), np.arange(700))


def test_equal_vectors_share_their_cell_and_find_each_other() -> None:
    vectors = np.repeat(unit(40, 32), 12, axis=0)
    rows, found = Cells(vectors, 40).nearest(np.arange(len(vectors)), 11, 0.99)
    assert np.array_equal(
        np.sort(rows // 12, axis=1), np.repeat(np.arange(40), 12)[:, None] * np.ones((1, 11))
    )
    assert not (rows == np.arange(len(vectors))[:, None]).any()
    assert found == pytest.approx(1, abs=1e-5)
