"""Words: copies are proposed, others hardly, at any number of segments."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from image_duplicate_finder.fingerprint.keypoints import Keypoints, extract
from image_duplicate_finder.search.visual_words import STANDARD, Tuning, VisualWordIndex
from tests.conftest import Painter

COUNT = 24


@pytest.fixture(scope="module")
def families(painted: Painter) -> list[tuple[int, Keypoints]]:
    """Pictures with an original, a mirrored crop, and a copy pasted on another picture each."""
    points = []
    for seed in range(COUNT):
        grey = cv2.cvtColor(painted(100 + seed), cv2.COLOR_RGB2GRAY)
        crop = np.ascontiguousarray(grey[60:330, 90:430][:, ::-1])
        back = cv2.cvtColor(painted(200 + seed), cv2.COLOR_RGB2GRAY)
        back[80:278, 150:414] = cv2.resize(grey, (264, 198), interpolation=cv2.INTER_AREA)
        points += [(10 * seed + k, extract(each)) for k, each in enumerate((grey, crop, back))]
    return points


def _pairs(index: VisualWordIndex) -> set[tuple[int, int]]:
    found = index.candidates()
    return {(min(a, b), max(a, b)) for a, b in zip(found.a.tolist(), found.b.tolist(), strict=True)}


def _filled(families: list[tuple[int, Keypoints]], tuning: Tuning = STANDARD) -> VisualWordIndex:
    index = VisualWordIndex(tuning)
    for content, points in families:
        index.add(content, points)
    return index


def test_copies_are_proposed_and_few_others(families: list[tuple[int, Keypoints]]) -> None:
    pairs = _pairs(_filled(families))
    mirrored = sum((10 * k, 10 * k + 1) in pairs for k in range(COUNT))
    pasted = sum((10 * k, 10 * k + 2) in pairs for k in range(COUNT))
    assert mirrored >= COUNT - 3
    assert pasted >= COUNT - 3
    others = [pair for pair in pairs if pair[0] // 10 != pair[1] // 10]
    assert len(others) <= COUNT


def test_segments_change_nothing(families: list[tuple[int, Keypoints]]) -> None:
    whole = _pairs(_filled(families))
    small = replace(STANDARD, segment=7, posting_batch=3, query_batch=2)
    assert _pairs(_filled(families, small)) == whole


def test_new_pictures_meet_old_ones_only_once(families: list[tuple[int, Keypoints]]) -> None:
    half = len(families) // 2
    index = VisualWordIndex()
    for content, points in families[:half]:
        index.add(content, points, look_up=False)
    for content, points in families[half:]:
        index.add(content, points)
    new = {content for content, _ in families[half:]}
    found = index.candidates()
    assert set(found.a.tolist()) <= new
    assert len(found.a) > 0
    assert len(index.candidates().a) == 0


def test_search_by_example(families: list[tuple[int, Keypoints]]) -> None:
    index = _filled(families)
    index.candidates()
    for content, points in families[::9]:
        best, score = index.search(points)[0]
        assert best == content
        assert score > 20
    assert len(index) == len(families)
    assert len(index.candidates().a) == 0


def test_pictures_without_keypoints_are_harmless() -> None:
    index = VisualWordIndex()
    flat = extract(np.full((200, 200), 9, np.uint8))
    for content in range(3):
        index.add(content, flat)
    assert len(index.candidates().a) == 0
    assert index.search(flat) == []
    assert len(VisualWordIndex().candidates().a) == 0


def test_a_large_family_is_connected(painted: Painter) -> None:
    """More copies than any list of candidates holds still hang together."""
    grey = cv2.cvtColor(painted(300), cv2.COLOR_RGB2GRAY)
    index = VisualWordIndex()
    count = 80
    for k in range(count):
        cropped = grey[k % 9 : 350 - k % 7, k % 11 : 470 - k % 5]
        index.add(k, extract(np.ascontiguousarray(cropped)))
    parent = list(range(count))

    def root(x: int) -> int:
        while parent[x] != x:
            x = parent[x]
        return x

    for a, b in _pairs(index):
        parent[root(a)] = root(b)
    assert len({root(k) for k in range(count)}) == 1
