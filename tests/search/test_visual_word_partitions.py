"""Words in partitions propose the pairs of the one index, with the same scores."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from image_duplicate_finder.fingerprint.keypoints import Keypoints, extract
from image_duplicate_finder.search.visual_word_partitions import (
    Layout,
    build_postings,
    look_up,
    partition,
    score,
)
from image_duplicate_finder.search.visual_words import (
    STANDARD,
    THOROUGH,
    Reach,
    Tuning,
    VisualWordIndex,
)
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


def _by_index(pictures: list[Keypoints], tuning: Tuning) -> Scored:
    index = VisualWordIndex(tuning)
    for place, points in enumerate(pictures):
        index.add(place, points)
    found = index.candidates()
    pairs = zip(found.a.tolist(), found.b.tolist(), strict=True)
    return dict(zip(pairs, found.score.tolist(), strict=True))


def _by_partitions(pictures: list[Keypoints], layout: Layout) -> Scored:
    firsts = range(0, len(pictures), layout.block)
    blocks = {first: pictures[first : first + layout.block] for first in firsts}
    shards = [partition(first, block, layout) for first, block in blocks.items()]
    lists = [
        build_postings([block[number][0] for block in shards], layout)
        for number in range(layout.partitions)
    ]
    scored: Scored = {}
    for (first, block), each in zip(blocks.items(), shards, strict=True):
        hits = [look_up(mine, each[number][1], layout) for number, mine in enumerate(lists)]
        a, b, scores = score(first, block, hits, layout)
        scored |= dict(zip(zip(a.tolist(), b.tolist(), strict=True), scores.tolist(), strict=True))
    return scored


@pytest.mark.parametrize(
    ("partitions", "block", "segment"), [(1, 64, 64), (3, 8, 32_768), (5, 4, 8), (2, 1, 7)]
)
def test_partitions_propose_what_the_index_proposes(
    pictures: list[Keypoints], partitions: int, block: int, segment: int
) -> None:
    tuning = replace(STANDARD, segment=segment)
    expected = _by_index(pictures, tuning)
    assert len(expected) > 20
    layout = Layout(len(pictures), block, partitions, tuning)
    assert _by_partitions(pictures, layout) == expected


def test_crowded_words_are_cut_short_alike(pictures: list[Keypoints]) -> None:
    """Long lists, fewer words, more matches than vote, and more pairs than are kept."""
    tuning = replace(
        THOROUGH,
        longest=2,
        most=3,
        reach=((20, Reach(3)), (30, Reach(2)), (None, Reach(2, bits=1))),
        matches=200,
        matches_per_segment=90,
        segment=12,
    )
    copies = [points for points in pictures for _ in range(3)]
    layout = Layout(len(copies), 6, 4, tuning)
    assert _by_partitions(copies, layout) == _by_index(copies, tuning)
