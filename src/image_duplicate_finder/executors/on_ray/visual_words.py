"""The group-by over words on a cluster: blocks of pictures deal out, shares of words look up.

Tasks in four rows: every block of pictures is dealt out to the shares; every share builds its
posting lists; every share looks up every block; every block settles what the shares found. What
crosses the network is what blocks post and ask, and what shares find (docs/ray.md has figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from image_duplicate_finder.fingerprint.keypoints import Keypoints
from image_duplicate_finder.progress import OnProgress
from image_duplicate_finder.search import visual_word_partitions
from image_duplicate_finder.search.visual_word_partitions import (
    Asked,
    Found,
    Layout,
    Posted,
    Postings,
)
from image_duplicate_finder.search.visual_words import SEGMENT, VisualWordPairs

_BLOCK, _SMALL_BLOCK = SEGMENT, SEGMENT // 32
_SHARES_PER_CORE = 2
# Posting lists of one share take some hundred megabytes at the most.
_PICTURES_PER_SHARE = 100_000


def layout_for(pictures: int, cores: int, *, thorough: bool) -> Layout:
    """Enough blocks and shares for all cores, and no more objects than a cluster can keep."""
    small = pictures <= SEGMENT * cores
    shares = max(_SHARES_PER_CORE * cores, -(-pictures // _PICTURES_PER_SHARE))
    return Layout(pictures, _SMALL_BLOCK if small else _BLOCK, shares, thorough=thorough)


def visual_word_pairs_on_cluster(
    pictures: Sequence[tuple[int, bytes]], *, thorough: bool, cores: int, on_progress: OnProgress
) -> VisualWordPairs:
    """The pairs that a VisualWordIndex proposes for (content id, encoded keypoints), in its order.

    ``on_progress`` receives the number of pictures whose blocks are settled; what it raises ends
    the tasks.
    """
    import ray

    ids = np.array([content for content, _ in pictures], np.int64)
    if not len(ids):
        return VisualWordPairs(ids, ids, np.zeros(0, np.float32))
    layout = layout_for(len(ids), cores, thorough=thorough)
    deal_out = ray.remote(num_returns=2 * layout.shares)(_deal_out)
    build, look_up, settle = (ray.remote(task) for task in (_build, _look_up, _settle))

    firsts = range(0, len(ids), layout.block)
    blocks = [
        ray.put([data for _, data in pictures[first : first + layout.block]]) for first in firsts
    ]
    dealt = [
        deal_out.remote(first, block, layout) for first, block in zip(firsts, blocks, strict=True)
    ]
    lists = [
        build.remote(layout, *(each[share] for each in dealt)) for share in range(layout.shares)
    ]
    settled = [
        settle.remote(
            first,
            block,
            layout,
            *(
                look_up.remote(lists[share], each[layout.shares + share], layout)
                for share in range(layout.shares)
            ),
        )
        for first, block, each in zip(firsts, blocks, dealt, strict=True)
    ]
    left = settled
    try:
        while left:
            _, left = ray.wait(left)
            on_progress(min(layout.block * (len(settled) - len(left)), len(ids)))
    finally:
        for task in left:
            ray.cancel(task)
    found = ray.get(settled)
    a, b, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    return VisualWordPairs(ids[a], ids[b], scores)


def _decoded(block: Sequence[bytes]) -> list[Keypoints]:
    return [Keypoints.from_bytes(data) for data in block]


def _deal_out(first: int, block: Sequence[bytes], layout: Layout) -> list[Posted | Asked]:
    """What each share gets posted, then what each is asked."""
    dealt = visual_word_partitions.deal_out(first, _decoded(block), layout)
    return [*(posted for posted, _ in dealt), *(asked for _, asked in dealt)]


def _build(layout: Layout, *posted: Posted) -> Postings:
    return visual_word_partitions.build_postings(posted, layout)


def _look_up(postings: Postings, asked: Asked, layout: Layout) -> Found:
    return visual_word_partitions.look_up(postings, asked, layout)


def _settle(first: int, block: Sequence[bytes], layout: Layout, *found: Found) -> Any:
    return visual_word_partitions.settle(first, _decoded(block), found, layout)
