"""The group-by over visual words on a cluster: blocks of pictures, partitions of words.

Tasks in four rows: every block of pictures is divided into one posting shard and one query shard
for each partition of the words; every partition builds its posting lists; every partition looks up
every query shard; every block scores the hits of all partitions. What crosses the network are
shards and hits (docs/ray.md has figures).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from image_duplicate_finder.fingerprint.keypoints import Keypoints
from image_duplicate_finder.progress import OnProgress
from image_duplicate_finder.search import visual_word_partitions as partitions
from image_duplicate_finder.search.visual_word_partitions import (
    Hits,
    Layout,
    PostingShard,
    QueryShard,
)
from image_duplicate_finder.search.visual_words import PostingLists, VisualWordPairs, tuning_for

# A segment is so many blocks of a small collection; of a large one it is one block.
_BLOCKS_OF_SMALL = 32
_PARTITIONS_PER_CORE = 2
# Posting lists of one partition take at most some hundred megabytes.
_PICTURES_PER_PARTITION = 100_000


def layout_for(pictures: int, cores: int, *, thorough: bool) -> Layout:
    """Enough blocks and partitions for all cores, and no more objects than a cluster can keep."""
    tuning = tuning_for(thorough=thorough)
    blocks = _BLOCKS_OF_SMALL if pictures <= tuning.segment * cores else 1
    number = max(_PARTITIONS_PER_CORE * cores, -(-pictures // _PICTURES_PER_PARTITION))
    return Layout(pictures, tuning.segment // blocks, number, tuning)


def visual_word_pairs_on_cluster(
    pictures: Sequence[tuple[int, bytes]], *, thorough: bool, cores: int, on_progress: OnProgress
) -> VisualWordPairs:
    """The pairs that a VisualWordIndex proposes for (content id, encoded keypoints), in its order.

    ``on_progress`` is called with how many pictures are done; what it raises ends the tasks.
    """
    import ray

    ids = np.array([content for content, _ in pictures], np.int64)
    if not len(ids):
        return VisualWordPairs(ids, ids, np.zeros(0, np.float32))
    layout = layout_for(len(ids), cores, thorough=thorough)
    divide = ray.remote(num_returns=2 * layout.partitions)(_divide)
    build, look_up, score = (ray.remote(task) for task in (_build, _look_up, _score))

    firsts = range(0, len(ids), layout.block)
    blocks = [
        ray.put([data for _, data in pictures[first : first + layout.block]]) for first in firsts
    ]
    # Of each block the posting shards of all partitions, then their query shards.
    shards = [
        divide.remote(first, block, layout) for first, block in zip(firsts, blocks, strict=True)
    ]
    lists = [
        build.remote(layout, *(each[number] for each in shards))
        for number in range(layout.partitions)
    ]
    scored = [
        score.remote(
            first,
            block,
            layout,
            *(
                look_up.remote(lists[number], each[layout.partitions + number], layout)
                for number in range(layout.partitions)
            ),
        )
        for first, block, each in zip(firsts, blocks, shards, strict=True)
    ]
    left = scored
    try:
        while left:
            _, left = ray.wait(left)
            on_progress(min(layout.block * (len(scored) - len(left)), len(ids)))
    finally:
        for task in left:
            ray.cancel(task)
    found = ray.get(scored)
    a, b, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    return VisualWordPairs(ids[a], ids[b], scores)


def _decoded(block: Sequence[bytes]) -> list[Keypoints]:
    return [Keypoints.from_bytes(data) for data in block]


def _divide(first: int, block: Sequence[bytes], layout: Layout) -> list[PostingShard | QueryShard]:
    """The posting shards of all partitions, then their query shards."""
    shards = partitions.partition(first, _decoded(block), layout)
    return [*(posting for posting, _ in shards), *(query for _, query in shards)]


def _build(layout: Layout, *shards: PostingShard) -> PostingLists:
    return partitions.build_postings(shards, layout)


def _look_up(postings: PostingLists, queries: QueryShard, layout: Layout) -> Hits:
    return partitions.look_up(postings, queries, layout)


def _score(first: int, block: Sequence[bytes], layout: Layout, *hits: Hits) -> Any:
    return partitions.score(first, _decoded(block), hits, layout)
