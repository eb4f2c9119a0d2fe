"""Near hashes searched range by range are those of one search, and those of looking at all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder.search.hamming import MAX_DISTANCE, MAX_PAIRS_PER_PICTURE, near_pairs

Hashes = NDArray[np.uint8]


Rows = Callable[..., list[tuple[int, int]]]


def _rows_up_to(few: int) -> Rows:
    def rows(
        hashes: Hashes, rows: tuple[int, int] | None = None, jobs: int = 1
    ) -> list[tuple[int, int]]:
        found = near_pairs(hashes, rows=rows, jobs=jobs, compare_all_up_to=few)
        return list(zip(found.a.tolist(), found.b.tolist(), strict=True))

    return rows


@pytest.fixture(params=[0, 10_000], ids=["by tables", "all with all"])
def rows_of(request: pytest.FixtureRequest) -> Rows:
    """Each test looks at both ways of searching, whichever suits its number of hashes."""
    return _rows_up_to(request.param)


def _families(count: int, copies: int, flips: int) -> Hashes:
    """``count`` families of hashes (8 orientations each) that differ by up to ``flips`` bits."""
    rng = np.random.default_rng(7)
    firsts = rng.integers(0, 256, (count, 8, 32), dtype=np.uint8)
    hashes = np.repeat(firsts, copies, axis=0)
    for row in hashes:
        bits = rng.choice(8 * 32 * 8, flips, replace=False)
        np.bitwise_xor.at(row.reshape(-1), bits // 8, np.uint8(1) << (bits % 8).astype(np.uint8))
    return hashes[rng.permutation(len(hashes))]


def test_ranges_joined_are_the_whole(rows_of: Rows) -> None:
    hashes = _families(40, 7, 30)
    whole = rows_of(hashes)
    assert len(whole) > 400
    joined = [row for k in range(0, 280, 37) for row in rows_of(hashes, (k, min(k + 37, 280)))]
    assert joined == whole


def test_threads_change_nothing(rows_of: Rows) -> None:
    hashes = _families(30, 5, 40)
    whole = rows_of(hashes)
    assert len(whole) > 150
    assert rows_of(hashes, jobs=2) == whole
    assert rows_of(hashes, jobs=7) == whole
    assert rows_of(hashes[:3], jobs=7) == rows_of(hashes[:3])
    assert rows_of(hashes[:0], jobs=2) == []


def test_a_large_family_is_cut_short_alike(rows_of: Rows) -> None:
    hashes = _families(1, 3 * MAX_PAIRS_PER_PICTURE, 8)
    whole = rows_of(hashes)
    assert max(np.bincount([a for a, *_ in whole])) == MAX_PAIRS_PER_PICTURE
    assert rows_of(hashes, (0, 100)) + rows_of(hashes, (100, len(hashes))) == whole


def test_no_pair_is_missed(rows_of: Rows) -> None:
    hashes = _families(30, 4, 90)
    bits = np.unpackbits(hashes, axis=2)
    near = {
        (a, b)
        for a in range(len(hashes))
        for b in range(a)
        if (bits[a] ^ bits[b, 0]).sum(axis=1).min() <= MAX_DISTANCE
    }
    assert len(near) > 100
    assert set(rows_of(hashes)) == near


def test_few_are_searched_as_many_are() -> None:
    hashes = _families(60, 5, 60)
    found = [_rows_up_to(few)(hashes) for few in (0, len(hashes))]
    assert len(found[0]) > 300
    assert found[0] == found[1]
