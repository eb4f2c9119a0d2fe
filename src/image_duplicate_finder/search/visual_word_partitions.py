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

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint.keypoints import Keypoints
from image_duplicate_finder.search import visual_words as index
from image_duplicate_finder.search.visual_words import (
    Forms,
    Reach,
    asked_form,
    places_of,
    posted_form,
    vocabulary_size,
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How ``pictures`` are dealt out: in blocks of ``block`` pictures, words to ``shares``.

    A block lies within one segment of the index, so ``segment`` is a multiple of ``block``.
    """

    pictures: int
    block: int
    shares: int
    segment: int = index.SEGMENT
    thorough: bool = False

    def __post_init__(self) -> None:
        if self.segment % self.block:
            raise ValueError("a segment must consist of whole blocks")

    @property
    def words_here(self) -> int:
        """How many words a share has at most; word w is its word w // shares."""
        return -(-vocabulary_size() // self.shares)

    def reach(self, first: int) -> Reach:
        """Under which words the keypoints of the block from picture ``first`` on are sought."""
        segment_end = (first // self.segment + 1) * self.segment
        return index.reach_among(min(segment_end, self.pictures))


@dataclass(frozen=True, slots=True)
class Posted:
    """What one block posts under one share's words, in the order of its pictures.

    ``words`` int32 (n,) below ``Layout.words_here``, ``images`` int64 (n,) places of the
    pictures in the index, ``signatures`` uint64 (n,), ``geometry`` uint8 (n, 4).
    """

    words: NDArray[np.int32]
    images: NDArray[np.int64]
    signatures: NDArray[np.uint64]
    geometry: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the block from picture ``first`` on asks one share for; one row per look-up.

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


@dataclass(frozen=True, slots=True)
class Postings:
    """One share's posting lists of all segments (see :func:`visual_word_kernels.look_up`)."""

    starts: NDArray[np.int32]
    images: NDArray[np.uint16]
    signatures: NDArray[np.uint64]
    geometry: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Found:
    """What one share found for one block (see :func:`visual_word_kernels.look_up`)."""

    keys: NDArray[np.uint64]
    images: NDArray[np.uint16]
    distances: NDArray[np.uint8]
    variants: NDArray[np.uint8]
    geometry: NDArray[np.uint8]


def deal_out(
    first: int, pictures: Sequence[Keypoints], layout: Layout
) -> list[tuple[Posted, Asked]]:
    """What the block of ``pictures`` from place ``first`` on posts and asks, share by share."""
    all_posted = posted_form(pictures)
    words, lengths = all_posted.words, all_posted.lengths
    images = first + np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    asked = _asked(first, pictures, all_posted.forms, layout.reach(first))
    dealt = []
    for share in range(layout.shares):
        mine = np.flatnonzero(words % layout.shares == share)
        posted = Posted(
            words[mine] // layout.shares,
            images[mine],
            all_posted.signatures[mine],
            all_posted.geometry[mine],
        )
        theirs = np.flatnonzero(asked.words % layout.shares == share)
        dealt.append(
            (
                posted,
                Asked(
                    first,
                    asked.pictures[theirs],
                    asked.points[theirs],
                    asked.choices[theirs],
                    asked.turns[theirs],
                    asked.words[theirs] // layout.shares,
                    asked.signatures[theirs],
                ),
            )
        )
    return dealt


def _asked(
    first: int, pictures: Sequence[Keypoints], forms: Sequence[Forms], reach: Reach
) -> Asked:
    """All look-ups of a block, in the order in which the index makes them."""
    queries = asked_form(pictures, forms, reach)
    picture = np.repeat(np.arange(len(pictures)), np.diff(queries.look_ups))
    return Asked(
        first,
        picture.astype(np.uint16),
        (queries.points - queries.offsets[picture]).astype(np.uint16),
        queries.choices,
        queries.turns,
        queries.words.astype(np.int32),
        queries.signatures,
    )


def build_postings(posted: Sequence[Posted], layout: Layout) -> Postings:
    """Posting lists of one share from what every block posted, in the order of the blocks."""
    from image_duplicate_finder.search import visual_word_kernels

    images = np.concatenate([each.images for each in posted])
    segments = -(-layout.pictures // layout.segment)
    rows = images // layout.segment * layout.words_here
    rows += np.concatenate([each.words for each in posted])
    starts, positions = visual_word_kernels.post(rows, segments * layout.words_here)
    return Postings(
        starts,
        (images % layout.segment).astype(np.uint16)[positions],
        np.concatenate([each.signatures for each in posted])[positions],
        np.concatenate([each.geometry for each in posted])[positions],
    )


def look_up(postings: Postings, asked: Asked, layout: Layout) -> Found:
    """What one share finds for one block among the pictures before each one that asks."""
    from image_duplicate_finder.search import visual_word_kernels

    return Found(
        *visual_word_kernels.look_up(
            asked.first, asked.pictures, asked.points, asked.choices, asked.turns, asked.words,
            asked.signatures, postings.starts, postings.images, postings.signatures,
            postings.geometry, layout.segment, layout.words_here, index.LIMIT, index.LONGEST,
        )
    )  # fmt: skip


def settle(
    first: int, pictures: Sequence[Keypoints], found: Sequence[Found], layout: Layout
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Proposed pairs of the block from place ``first`` on: places a and b < a, and scores."""
    from image_duplicate_finder.search import visual_word_kernels

    keys = np.concatenate([each.keys for each in found])
    order = np.argsort(keys, kind="stable")
    most = index.MOST_THOROUGH if layout.thorough else index.MOST
    images = np.full((len(pictures), most), -1, np.int64)
    scores = np.zeros((len(pictures), most), np.float32)
    offsets, places = places_of(pictures)
    visual_word_kernels.settle_found(
        keys[order],
        np.concatenate([each.images for each in found])[order],
        np.concatenate([each.distances for each in found])[order],
        np.concatenate([each.variants for each in found])[order],
        np.concatenate([each.geometry for each in found])[order],
        offsets, places, layout.segment, index.LIMIT,
        index.matches_looked_at(first // layout.segment + 1), index.TOLERANCE,
        index.LEAST_THOROUGH if layout.thorough else index.LEAST,
        images, scores,
    )  # fmt: skip
    row, place = np.nonzero(images >= 0)
    return first + row, images[row, place], scores[row, place]
