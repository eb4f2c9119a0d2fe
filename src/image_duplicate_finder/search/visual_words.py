"""Candidates from visual words: pictures that share rare words at places that fit together.

A keypoint's code falls to the nearest of 65,536 words, in two steps (a coarse centre, then a word
of its cell). The vocabulary is shipped with the package and never changes, so a new picture costs
its own words and no more. A keypoint whose direction of growing grey is unsure is looked up in
each form that it may have been posted in. Keypoints of one word are compared by 64 bits of their
codes (Hamming embedding: Jegou, Douze and Schmid, "Hamming embedding and weak geometric
consistency for large scale image search", 2008) and vote for their picture; votes count as far as
they agree on one similarity transform.

Pictures are held in segments of 32,768, each with posting lists of its own: 14 bytes for each
keypoint, and nothing is ever moved. A segment's pictures are looked up while those of the next
one are added, so that no core waits for reading; at most two segments wait in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint.keypoints import (
    COLUMNS_UNSURE,
    ROWS_UNSURE,
    Keypoints,
    canonical,
    flip_columns,
    flip_rows,
    in_words,
)
from image_duplicate_finder.progress import OnProgress

MOST_WORDS = 3
"""How many of its nearest words a keypoint can be looked up under."""
_CODE_BITS = 128
# The words nearest to a code are those of the coarse centres nearest to it.
_NEAREST_CELLS = 3
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


class Voting(NamedTuple):
    """How the look-ups of one picture vote in one segment; compiled loops take it as it is.

    ``limit``: within how many bits of 64 signatures match. ``longest``: how many entries of a
    posting list are compared. ``matches``: how many vote at most. ``tolerance``: by how many units
    of the frame places may disagree. ``least``: the lowest score that counts.
    """

    limit: int
    longest: int
    matches: int
    tolerance: float
    least: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """Everything that decides which pairs are proposed, and how many pictures a step takes.

    ``segment``: pictures in a segment, at most 65,536. ``posting_batch``, ``query_batch``:
    pictures that are posted and looked up at a time. ``reach``: a Reach for each largest number
    of pictures, None for any. ``matches``: how many vote for a picture in all segments together,
    at least ``matches_per_segment`` in each. ``most``: pairs kept for a picture. The rest is as
    in :class:`Voting`.
    """

    # A keypoint is looked up under fewer words, the more pictures there are, so that the time for
    # one picture grows slowly. One word finds 0.49 of the matching keypoints, two 0.57, three
    # 0.62; a second one that is hardly further away than the first finds two thirds of what all
    # second ones find.
    reach: tuple[tuple[int | None, Reach], ...] = (
        (16_384, Reach(MOST_WORDS)),
        (300_000, Reach(2)),
        (None, Reach(2, bits=1)),
    )
    # Nineteen of twenty pairs of keypoints that show the same spot are within it.
    limit: int = 11
    # A word that very many keypoints share is not distinctive.
    longest: int = 256
    # Without such a bound the time for a picture grows with the number of its copies.
    matches: int = 8192
    matches_per_segment: int = 1024
    tolerance: float = 4.0
    most: int = 24
    least: float = 2.2
    segment: int = 32_768
    posting_batch: int = 512
    # The more, the more often a posting list that is in the cache is asked for again, and the less
    # of what was found is there when it votes. 1024 takes from nothing to 8% less than 512.
    query_batch: int = 1024

    def reach_among(self, pictures: int) -> Reach:
        """Under which words a keypoint is looked up among that many pictures."""
        return next(reach for most, reach in self.reach if most is None or pictures <= most)

    def voting(self, segments: int) -> Voting:
        """How a picture's look-ups vote in each of that many segments."""
        matches = max(self.matches_per_segment, self.matches // max(segments, 1))
        return Voting(self.limit, self.longest, matches, self.tolerance, self.least)


STANDARD = Tuning()
THOROUGH = replace(STANDARD, most=50, least=1.8)


def tuning_for(*, thorough: bool) -> Tuning:
    """The tuning of the two modes that use visual words."""
    return THOROUGH if thorough else STANDARD


@dataclass(frozen=True, slots=True)
class VisualWordPairs:
    """Proposed pairs of content ids: ``a`` and ``b`` int64 (n,), ``score`` float32 (n,)."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    score: NDArray[np.float32]


class VisualWordIndex:
    """Pictures by the visual words of their keypoints.

    Pictures are added one by one; each is looked up among those that were added before it, so
    a pair is proposed once. Pictures whose pairs are known need not be looked up: add them first.
    """

    def __init__(
        self,
        tuning: Tuning = STANDARD,
        *,
        jobs: int = 2,
        on_progress: OnProgress = lambda _done: None,
    ) -> None:
        """``on_progress`` is called in the thread that adds pictures."""
        self._tuning = tuning
        self._jobs = jobs
        self._ids: list[int] = []
        self._pool = ThreadPoolExecutor(jobs)
        self._waiting: list[Keypoints] = []
        self._look_up: list[bool] = []
        self._posted: list[Future[Postings]] = []
        self._segments: list[Future[_Segment]] = []
        # What the pool looks up: how many pictures will be done then, and their pairs.
        self._sought: deque[tuple[int, Future[VisualWordPairs]]] = deque()
        self._looked_up = 0
        self._found: list[VisualWordPairs] = []
        self._on_progress = on_progress

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, content: int, points: Keypoints, *, look_up: bool = True) -> None:
        """Add a picture; ``look_up``: whether it is to be compared with earlier ones."""
        self._ids.append(content)
        self._waiting.append(points)
        self._look_up.append(look_up)
        if len(self._waiting) % self._tuning.posting_batch == 0:
            self._post(self._tuning.posting_batch)
            self._take_found()
            self._report()
        if len(self._waiting) == self._tuning.segment:
            self._flush()

    def candidates(self) -> VisualWordPairs:
        """For every picture the earlier ones most likely to show the same, with a score each.

        Each call gives the pairs that were found since the last one.
        """
        self._flush()
        self._take_found(wait=True)
        found, self._found = self._found, []
        if not found:
            none = np.zeros(0, np.int64)
            return VisualWordPairs(none, none, np.zeros(0, np.float32))
        return VisualWordPairs(
            np.concatenate([pairs.a for pairs in found]),
            np.concatenate([pairs.b for pairs in found]),
            np.concatenate([pairs.score for pairs in found]),
        )

    def search(self, points: Keypoints, *, most: int = 50) -> list[tuple[int, float]]:
        """Search by example: contents and scores, the best first; the index does not change."""
        self._flush()
        ids = np.array(self._ids, np.int64)
        images, scores = _best_of(
            tuple(self._segments),
            [points],
            forms_of([points]),
            len(ids),
            self._tuning.reach_among(len(ids)),
            replace(self._tuning, most=most),
        )
        known = images[0] >= 0
        return list(zip(ids[images[0][known]].tolist(), scores[0][known].tolist(), strict=True))

    def _flush(self) -> None:
        """Have a segment built of what waits, and its pictures looked up, while more are added."""
        if not self._waiting:
            return
        self._post(len(self._waiting) % self._tuning.posting_batch)
        self._take_found(wait=True)
        base = len(self._ids) - len(self._waiting)
        parts = [part.result() for part in self._posted]
        forms = [each for part in parts for each in part.forms]
        # The pool takes tasks in turn: who asks for a segment finds it built or being built.
        self._segments.append(self._pool.submit(_build_segment, base, parts))
        ids, segments = np.array(self._ids, np.int64), tuple(self._segments)
        size = min(self._tuning.query_batch, -(-len(self._waiting) // self._jobs))
        for start in range(0, len(self._waiting), size):
            part = slice(start, start + size)
            pairs = self._pool.submit(
                _pairs,
                ids,
                segments,
                base + start,
                self._waiting[part],
                forms[part],
                self._look_up[part],
                self._tuning,
            )
            self._sought.append((min(base + start + size, len(ids)), pairs))
        self._waiting, self._look_up, self._posted = [], [], []

    def _take_found(self, *, wait: bool = False) -> None:
        """Take the pairs that were found meanwhile; or wait until all are."""
        while self._sought and (wait or self._sought[0][1].done()):
            self._looked_up, pairs = self._sought.popleft()
            self._found.append(pairs.result())
            self._report()

    def _report(self) -> None:
        try:
            # To add a picture and to look it up take about as long.
            self._on_progress((len(self._ids) + self._looked_up) // 2)
        except BaseException:
            self._pool.shutdown(wait=False, cancel_futures=True)
            raise

    def _post(self, count: int) -> None:
        """Have the last ``count`` pictures posted while others are added."""
        if count:
            self._posted.append(self._pool.submit(postings_of, self._waiting[-count:]))


class PostingLists(NamedTuple):
    """Entries by word: those of word w are ``starts[w]`` to ``starts[w + 1]`` (int32).

    ``images`` (e,) uint16 are places in the segment, ascending within a word; ``signatures`` (e,)
    uint64 the code's first half; ``geometry`` (e, 4) uint8 is x, y, size in the upper six bits with
    the flips in the lower two, and angle.
    """

    starts: NDArray[np.int32]
    images: NDArray[np.uint16]
    signatures: NDArray[np.uint64]
    geometry: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Segment:
    """Posting lists of the pictures from place ``base`` on."""

    base: int
    lists: PostingLists


def _build_segment(base: int, parts: Sequence[Postings]) -> _Segment:
    from image_duplicate_finder.search import visual_word_kernels

    words = np.concatenate([part.words for part in parts])
    lengths = np.concatenate([part.lengths for part in parts])
    starts, positions = visual_word_kernels.post(words, vocabulary_size())
    lists = PostingLists(
        starts,
        np.repeat(np.arange(len(lengths)), lengths).astype(np.uint16)[positions],
        np.concatenate([part.signatures for part in parts])[positions],
        np.concatenate([part.geometry for part in parts])[positions],
    )
    return _Segment(base, lists)


def _pairs(
    ids: NDArray[np.int64],
    segments: Sequence[Future[_Segment]],
    first: int,
    pictures: Sequence[Keypoints],
    forms: Sequence[Forms],
    look_up: Sequence[bool],
    tuning: Tuning,
) -> VisualWordPairs:
    """Pairs of those of ``pictures`` that are to be looked up; the first is number ``first``."""
    each = zip(pictures, forms, look_up, strict=True)
    wanted = [
        (points, form) if wants else (_NO_KEYPOINTS, _NO_FORMS) for points, form, wants in each
    ]
    images, scores = _best_of(
        segments,
        [points for points, _ in wanted],
        [form for _, form in wanted],
        first,
        tuning.reach_among(len(ids)),
        tuning,
    )
    row, place = np.nonzero(images >= 0)
    return VisualWordPairs(ids[first + row], ids[images[row, place]], scores[row, place])


def _best_of(
    segments: Sequence[Future[_Segment]],
    pictures: Sequence[Keypoints],
    forms: Sequence[Forms],
    first: int,
    reach: Reach,
    tuning: Tuning,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best of the pictures before each: images and scores (n, most), -1 where there is none.

    ``pictures`` are those of the index from place ``first`` on.
    """
    from image_duplicate_finder.search import visual_word_kernels

    images = np.full((len(pictures), tuning.most), -1, np.int64)
    scores = np.zeros((len(pictures), tuning.most), np.float32)
    queries = queries_of(pictures, forms, reach)
    # Words are below 65,536: two bytes are sorted in one pass.
    order = np.argsort(queries.words, kind="stable").astype(np.int32)
    by_word = SortedLookUps(order, queries.words[order], queries.signatures[order])
    voting = tuning.voting(len(segments))
    for built in segments:
        segment = built.result()
        earlier = first - segment.base >= tuning.segment
        visual_word_kernels.search(
            first, queries, by_word, segment.lists, segment.base, earlier, voting, images, scores
        )
    return images, scores


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
class Postings:
    """Keypoints of n pictures as they are posted.

    ``words`` (q,) int32, ``signatures`` (q,) uint64 and ``geometry`` (q, 4) uint8 of all
    keypoints, of which the pictures have ``lengths`` (n,) int64 each. ``forms`` are the words
    that each picture is looked up under itself.
    """

    words: NDArray[np.int32]
    signatures: NDArray[np.uint64]
    geometry: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    forms: list[Forms]


class Queries(NamedTuple):
    """Keypoints of n pictures as they are looked up.

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


class SortedLookUps(NamedTuple):
    """Look-ups by ascending word: which each is (int32), its word (uint16), its signature."""

    order: NDArray[np.int32]
    words: NDArray[np.uint16]
    signatures: NDArray[np.uint64]


_NO_NUMBERS = np.zeros(0, np.float32)
_NO_BYTES = np.zeros(0, np.uint8)
_NO_KEYPOINTS = Keypoints(
    1, 1, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS, _NO_BYTES.reshape(0, 16), _NO_BYTES
)
_NO_FORMS = Forms(
    np.zeros((0, MOST_WORDS), np.uint16),
    np.zeros((0, MOST_WORDS), np.uint8),
    np.zeros(0, np.uint64),
)


def postings_of(pictures: Sequence[Keypoints]) -> Postings:
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
    return Postings(words.astype(np.int32), signatures, geometry, lengths, forms)


def queries_of(pictures: Sequence[Keypoints], forms: Sequence[Forms], reach: Reach) -> Queries:
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


def forms_of(pictures: Sequence[Keypoints]) -> list[Forms]:
    """Every picture's keypoints as they may be looked up."""
    from image_duplicate_finder.search import visual_word_kernels

    flags = np.concatenate([points.flags for points in pictures])
    plain = canonical(np.concatenate([points.codes for points in pictures]), flags)
    by_rows = flip_rows(plain)
    flipped = (plain, by_rows, flip_columns(plain), flip_columns(by_rows))
    point, form = _permitted(flags)
    codes = np.stack([in_words(each) for each in flipped], axis=1)[point, form]
    words = np.zeros((len(codes), MOST_WORDS), np.uint16)
    distances = np.zeros(words.shape, np.uint8)
    visual_word_kernels.assign(codes, *_vocabulary(), _NEAREST_CELLS, words, distances)
    ends = np.searchsorted(point, _offsets(pictures)[1:-1])
    columns = (np.split(each, ends) for each in (words, distances, codes[:, 0].copy()))
    return [Forms(*each) for each in zip(*columns, strict=True)]


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
