"""Keypoints as words of a vocabulary: as they are posted, and as they are looked up.

A keypoint's code falls to the nearest of 65,536 words, in two steps (a coarse centre, then a word
of its cell). A keypoint whose direction of growing grey is unsure is looked up in each form that
it may have been posted in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint.keypoints import (
    COLUMNS_UNSURE,
    ROWS_UNSURE,
    Keypoints,
    canonical,
    flip_columns,
    flip_rows,
)

# The words nearest to a code are those of the coarse centres nearest to it.
_NEAREST_CELLS = 3
MOST_WORDS = 3
"""How many of its nearest words a keypoint can be looked up under."""
_CODE_BITS = 128
# The longer side of every picture in the units of an entry's place.
_FRAME = 200.0
_SIZE_STEPS = 8


@dataclass(frozen=True, slots=True)
class Reach:
    """Under which words a keypoint is looked up: its ``words`` nearest ones.

    Of these, only those that are at most ``bits`` further away than the very nearest one.
    """

    words: int
    bits: int = _CODE_BITS


@dataclass(frozen=True, slots=True)
class Forms:
    """One picture's keypoints in every form that may be looked up, by keypoint and flip.

    ``words`` (f, 3) uint16 are the nearest of each, the very nearest first, at ``distances``
    (f, 3) uint8 bits; ``signatures`` (f,) uint64. Kept from posting to looking up: to assign
    words takes a third of both.
    """

    words: NDArray[np.uint16]
    distances: NDArray[np.uint8]
    signatures: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class PostedForm:
    """Keypoints of n pictures in the form in which they are posted.

    ``words`` (q,) int32, ``signatures`` (q,) uint64 and ``geometry`` (q, 4) uint8 of all
    keypoints, of which the pictures have ``lengths`` (n,) int64 each. ``forms`` are the words
    that each picture is looked up under itself.
    """

    words: NDArray[np.int32]
    signatures: NDArray[np.uint64]
    geometry: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    forms: list[Forms]


@dataclass(frozen=True, slots=True)
class Queries:
    """Keypoints of n pictures in the form in which they are looked up.

    Picture k has the keypoints ``offsets[k]`` to ``offsets[k + 1]`` (int64 (n + 1,)), with rows
    of ``places`` (q, 4) float32: x, y, log2 of size, angle. Its look-ups are ``look_ups[k]`` to
    ``look_ups[k + 1]``, in the order in which they vote: by keypoint, by flip, by rank of the
    word. Each has the keypoint ``points`` (int32), ``choices`` (uint8) its place among that
    keypoint's, ``turns`` (uint8) the flips, and ``words`` (uint16) and ``signatures`` (uint64).
    """

    offsets: NDArray[np.int64]
    places: NDArray[np.float32]
    look_ups: NDArray[np.int64]
    points: NDArray[np.int32]
    choices: NDArray[np.uint8]
    turns: NDArray[np.uint8]
    words: NDArray[np.uint16]
    signatures: NDArray[np.uint64]


_NO_NUMBERS = np.zeros(0, np.float32)
_NO_BYTES = np.zeros(0, np.uint8)
NO_KEYPOINTS = Keypoints(
    1, 1, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, _NO_BYTES.reshape(0, 16), _NO_BYTES
)
NO_FORMS = Forms(
    np.zeros((0, MOST_WORDS), np.uint16),
    np.zeros((0, MOST_WORDS), np.uint8),
    np.zeros(0, np.uint64),
)


@cache
def _vocabulary() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Coarse (2, 256) and fine (256, 2, 256) words; tools/train_vocabulary.py made them."""
    path = resources.files("image_duplicate_finder.search") / "vocabulary.npz"
    with path.open("rb") as file, np.load(file) as stored:
        coarse, fine = stored["coarse"], stored["fine"]
    return np.ascontiguousarray(coarse.T), np.ascontiguousarray(fine.transpose(0, 2, 1))


def vocabulary_size() -> int:
    """How many words there are; a word is a number below it."""
    _, fine = _vocabulary()
    return int(fine.shape[0] * fine.shape[2])


def _joined(pictures: Sequence[Keypoints]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Rows (x, y, log2 of size, angle) in a frame of 200 for the longer side; and all flags."""
    rows = []
    for points in pictures:
        factor = _FRAME / max(points.width, points.height)
        size = np.log2(np.maximum(points.scale * factor, 1e-3))
        rows.append(np.stack([points.x * factor, points.y * factor, size, points.angle], axis=1))
    return np.concatenate(rows), np.concatenate([points.flags for points in pictures])


def _permitted(flags: NDArray[np.uint8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The forms that may be looked up, as keypoints and flips: of each keypoint at least one."""
    rows, columns = flags & ROWS_UNSURE > 0, flags & COLUMNS_UNSURE > 0
    forms = np.stack([np.ones_like(rows), rows, columns, rows & columns], axis=1)
    point, form = np.nonzero(forms)
    return point, form


def forms_of(pictures: Sequence[Keypoints]) -> list[Forms]:
    """Every picture's keypoints as they may be looked up."""
    from image_duplicate_finder.search import vocabulary_kernels

    flags = np.concatenate([points.flags for points in pictures])
    plain = canonical(np.concatenate([points.codes for points in pictures]), flags)
    by_rows = flip_rows(plain)
    flipped = (plain, by_rows, flip_columns(plain), flip_columns(by_rows))
    point, form = _permitted(flags)
    codes = np.stack([_as_words(each) for each in flipped], axis=1)[point, form]
    words = np.zeros((len(codes), MOST_WORDS), np.uint16)
    distances = np.zeros(words.shape, np.uint8)
    vocabulary_kernels.assign(codes, *_vocabulary(), _NEAREST_CELLS, words, distances)
    ends = np.searchsorted(point, _offsets(pictures)[1:-1])
    columns = (np.split(each, ends) for each in (words, distances, codes[:, 0].copy()))
    return [Forms(*each) for each in zip(*columns, strict=True)]


def posted_form(pictures: Sequence[Keypoints]) -> PostedForm:
    """Words, signatures and geometry of all keypoints, and how many each picture has."""
    rows, flags = _joined(pictures)
    size = np.clip(np.rint((rows[:, 2] + 1) * _SIZE_STEPS), 0, 63).astype(np.uint8)
    geometry = np.empty((len(rows), 4), np.uint8)
    geometry[:, :2] = np.clip(np.rint(rows[:, :2]), 0, 255)
    geometry[:, 2] = (size << 2) | (flags & 3)
    geometry[:, 3] = np.rint(rows[:, 3] * (128 / np.pi)).astype(np.int64) % 256
    lengths = np.array([len(points) for points in pictures], np.int64)
    forms = forms_of(pictures)
    # The form without a flip comes first of each keypoint's.
    plain = np.flatnonzero(_permitted(flags)[1] == 0)
    words = np.concatenate([each.words for each in forms])[plain, 0]
    signatures = np.concatenate([each.signatures for each in forms])[plain]
    return PostedForm(words.astype(np.int32), signatures, geometry, lengths, forms)


def asked_form(pictures: Sequence[Keypoints], forms: Sequence[Forms], reach: Reach) -> Queries:
    """Keypoints of ``pictures`` as they are looked up, each under the words within ``reach``."""
    places, flags = _joined(pictures)
    point, form = _permitted(flags)
    offsets = _offsets(pictures)
    words = np.concatenate([each.words for each in forms])
    distances = np.concatenate([each.distances for each in forms])[:, : reach.words]
    row, rank = np.nonzero(distances - distances[:, :1] <= reach.bits)
    points, flips = point[row], form[row]
    return Queries(
        offsets,
        places,
        look_ups=np.searchsorted(points, offsets),
        points=points.astype(np.int32),
        choices=(flips * reach.words + rank).astype(np.uint8),
        turns=((flags[points] ^ flips) & 3).astype(np.uint8),
        words=words[row, rank],
        signatures=np.concatenate([each.signatures for each in forms])[row],
    )


def places_of(pictures: Sequence[Keypoints]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Offsets (n + 1,) and places (q, 4) of :class:`Queries`, without the words."""
    return _offsets(pictures), _joined(pictures)[0]


def _offsets(pictures: Sequence[Keypoints]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum([len(points) for points in pictures])]).astype(np.int64)


def _as_words(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(codes).view(np.uint64)
