"""The index of visual words in partitions that many machines can work on: a group-by over words.

Every picture posts its keypoints under their words and looks up words of its own; words are
assigned to partitions, and each partition matches its posting shards with its query shards. The
hits are then gathered by the picture that was looked up, and scored by the loop that
:class:`~image_duplicate_finder.search.visual_words.VisualWordIndex` uses, in the same order: the
pairs and their scores are the same.

Pure functions over arrays; who runs them where is not decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint.keypoints import Keypoints
from image_duplicate_finder.search.visual_words import (
    STANDARD,
    PostingLists,
    Reach,
    Tuning,
    places_of,
    postings_of,
    queries_of,
    vocabulary_size,
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the work is divided: ``pictures`` into blocks of ``block``, words into ``partitions``.

    A block lies within one segment of the index: ``tuning.segment`` is a multiple of ``block``.
    """

    pictures: int
    block: int
    partitions: int
    tuning: Tuning = STANDARD

    def __post_init__(self) -> None:
        if self.tuning.segment % self.block:
            raise ValueError("a segment must consist of whole blocks")

    @property
    def words_here(self) -> int:
        """At most how many words a partition has; word w is its word w // partitions."""
        return -(-vocabulary_size() // self.partitions)

    def reach(self, first: int) -> Reach:
        """Under which words the keypoints of the block from picture ``first`` on are looked up."""
        segment = self.tuning.segment
        segment_end = (first // segment + 1) * segment
        return self.tuning.reach_among(min(segment_end, self.pictures))


@dataclass(frozen=True, slots=True)
class PostingShard:
    """What one block posts in one partition, in the order of its pictures.

    ``words`` int32 (n,) below ``Layout.words_here``, ``images`` int64 (n,) places of the
    pictures in the index, ``signatures`` uint64 (n,), ``geometry`` uint8 (n, 4).
    """

    words: NDArray[np.int32]
    images: NDArray[np.int64]
    signatures: NDArray[np.uint64]
    geometry: NDArray[np.uint8]


class QueryShard(NamedTuple):
    """What the block from picture ``first`` on looks up in one partition; one row per look-up.

    ``pictures`` uint16 places in the block, ``points`` uint16 keypoints of the picture,
    ``choices`` uint8 the order among a keypoint's look-ups, ``turns`` uint8 flips, ``words``
    int32, ``signatures`` uint64.
    """

    first: int
    pictures: NDArray[np.uint16]
    points: NDArray[np.uint16]
    choices: NDArray[np.uint8]
    turns: NDArray[np.uint8]
    words: NDArray[np.int32]
    signatures: NDArray[np.uint64]


class Hits(NamedTuple):
    """What one block's look-ups found in one partition (see :func:`visual_word_kernels.look_up`).

    ``keys`` uint64 (picture, segment, keypoint, choice, from the highest bits down), ``images``
    uint16 places in the segment, ``distances``, ``variants`` uint8 (h,), ``geometry`` (h, 4).
    """

    keys: NDArray[np.uint64]
    images: NDArray[np.uint16]
    distances: NDArray[np.uint8]
    variants: NDArray[np.uint8]
    geometry: NDArray[np.uint8]


def partition(
    first: int, pictures: Sequence[Keypoints], layout: Layout
) -> list[tuple[PostingShard, QueryShard]]:
    """What the block of ``pictures`` from place ``first`` on posts and looks up, by partition."""
    postings = postings_of(pictures)
    queries = queries_of(pictures, postings.forms, layout.reach(first))
    images = first + np.repeat(np.arange(len(pictures), dtype=np.int64), postings.lengths)
    picture = np.repeat(np.arange(len(pictures)), np.diff(queries.look_ups))
    points = (queries.points - queries.offsets[picture]).astype(np.uint16)
    words = queries.words.astype(np.int32)
    shards = []
    for number in range(layout.partitions):
        posted = np.flatnonzero(postings.words % layout.partitions == number)
        asked = np.flatnonzero(words % layout.partitions == number)
        posting_shard = PostingShard(
            postings.words[posted] // layout.partitions,
            images[posted],
            postings.signatures[posted],
            postings.geometry[posted],
        )
        query_shard = QueryShard(
            first,
            picture[asked].astype(np.uint16),
            points[asked],
            queries.choices[asked],
            queries.turns[asked],
            words[asked] // layout.partitions,
            queries.signatures[asked],
        )
        shards.append((posting_shard, query_shard))
    return shards


def build_postings(shards: Sequence[PostingShard], layout: Layout) -> PostingLists:
    """Posting lists of one partition, of all segments, from the shards in the order of blocks."""
    from image_duplicate_finder.search import visual_word_kernels

    images, segment = np.concatenate([each.images for each in shards]), layout.tuning.segment
    rows = images // segment * layout.words_here
    rows += np.concatenate([each.words for each in shards])
    segments = -(-layout.pictures // segment)
    starts, positions = visual_word_kernels.post(rows, segments * layout.words_here)
    return PostingLists(
        starts,
        (images % segment).astype(np.uint16)[positions],
        np.concatenate([each.signatures for each in shards])[positions],
        np.concatenate([each.geometry for each in shards])[positions],
    )


def look_up(postings: PostingLists, queries: QueryShard, layout: Layout) -> Hits:
    """What one partition finds for one block among the pictures before each that looks up."""
    from image_duplicate_finder.search import visual_word_kernels

    tuning = layout.tuning
    return Hits(
        *visual_word_kernels.look_up(
            queries, postings, tuning.segment, layout.words_here, tuning.voting(1)
        )
    )


def score(
    first: int, pictures: Sequence[Keypoints], hits: Sequence[Hits], layout: Layout
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Proposed pairs of the block from place ``first`` on: places a and b < a, and scores."""
    from image_duplicate_finder.search import visual_word_kernels

    tuning = layout.tuning
    order = np.argsort(np.concatenate([each.keys for each in hits]), kind="stable")
    together = Hits(*(np.concatenate(column)[order] for column in zip(*hits, strict=True)))
    images = np.full((len(pictures), tuning.most), -1, np.int64)
    scores = np.zeros((len(pictures), tuning.most), np.float32)
    voting = tuning.voting(first // tuning.segment + 1)
    offsets, places = places_of(pictures)
    visual_word_kernels.score_hits(
        together, offsets, places, tuning.segment, voting, images, scores
    )
    row, place = np.nonzero(images >= 0)
    return first + row, images[row, place], scores[row, place]
