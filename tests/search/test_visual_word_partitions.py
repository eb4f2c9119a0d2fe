"""Words dealt out to shares propose the pairs of the one index, with the same scores."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from image_duplicate_finder.fingerprint.keypoints import Keypoints, extract
from image_duplicate_finder.search import visual_words as words
from image_duplicate_finder.search.visual_word_partitions import (
    Layout,
    build_postings,
    deal_out,
    look_up,
    settle,
)
from image_duplicate_finder.search.visual_words import Reach, VisualWordIndex
from tests.conftest import Painter

Scored = dict[tuple[int, int], float]


@pytest.fixture(scope="module")
def pictures(painted: Painter) -> list[Keypoints]:
    """Families of a picture, its mirrored crop and a collage; and one without keypoints."""
    points = [extract(np.zeros((200, 200), np.uint8))]
    for seed in range(14):
        grey = cv2.cvtColor(painted(300 + seed), cv2.COLOR_RGB2GRAY)
        crop = np.ascontiguousarray(grey[60:330, 90:430][:, ::-1])
        back = cv2.cvtColor(painted(400 + seed), cv2.COLOR_RGB2GRAY)
        back[80:278, 150:414] = cv2.resize(grey, (264, 198), interpolation=cv2.INTER_AREA)
        points += [extract(each) for each in (grey, crop, back)]
    return points


def _by_index(pictures: list[Keypoints], thorough: bool) -> Scored:
    index = VisualWordIndex(thorough=thorough)
    for place, points in enumerate(pictures):
        index.add(place, points)
    found = index.candidates()
    pairs = zip(found.a.tolist(), found.b.tolist(), strict=True)
    return dict(zip(pairs, found.score.tolist(), strict=True))


def _by_shares(pictures: list[Keypoints], layout: Layout) -> Scored:
    firsts = range(0, len(pictures), layout.block)
    blocks = {first: pictures[first : first + layout.block] for first in firsts}
    dealt = [deal_out(first, block, layout) for first, block in blocks.items()]
    lists = [
        build_postings([block[share][0] for block in dealt], layout)
        for share in range(layout.shares)
    ]
    scored: Scored = {}
    for (first, block), each in zip(blocks.items(), dealt, strict=True):
        found = [look_up(mine, each[share][1], layout) for share, mine in enumerate(lists)]
        a, b, scores = settle(first, block, found, layout)
        scored |= dict(zip(zip(a.tolist(), b.tolist(), strict=True), scores.tolist(), strict=True))
    return scored


@pytest.mark.parametrize(
    ("shares", "block", "segment"), [(1, 64, 64), (3, 8, 32_768), (5, 4, 8), (2, 1, 7)]
)
def test_shares_propose_what_the_index_proposes(
    pictures: list[Keypoints],
    shares: int,
    block: int,
    segment: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(words, "SEGMENT", segment)
    expected = _by_index(pictures, thorough=False)
    assert len(expected) > 20
    layout = Layout(len(pictures), block, shares, segment)
    assert _by_shares(pictures, layout) == expected


def test_crowded_words_are_cut_short_alike(
    pictures: list[Keypoints], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long lists, fewer words, more matches than vote, and more pairs than are kept."""
    monkeypatch.setattr(words, "LONGEST", 2)
    monkeypatch.setattr(words, "MOST_THOROUGH", 3)
    reaches = ((20, Reach(3)), (30, Reach(2)), (None, Reach(2, bits=1)))
    monkeypatch.setattr(words, "_REACH", reaches)
    monkeypatch.setattr(words, "_MATCHES", 200)
    monkeypatch.setattr(words, "_MATCHES_EACH", 90)
    monkeypatch.setattr(words, "SEGMENT", 12)
    copies = [points for points in pictures for _ in range(3)]
    layout = Layout(len(copies), 6, 4, 12, thorough=True)
    assert _by_shares(copies, layout) == _by_index(copies, thorough=True)
