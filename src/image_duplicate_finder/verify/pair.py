"""Verifies one pair of pictures from their stored fingerprints alone. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint import perceptual
from image_duplicate_finder.fingerprint.appearance import decode_proof
from image_duplicate_finder.fingerprint.keypoints import (
    Keypoints,
    flip_columns,
    flip_rows,
    in_words,
)
from image_duplicate_finder.model import Match, Relation
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.decide import Verdict, decide
from image_duplicate_finder.verify.geometry import Matrix
from image_duplicate_finder.verify.pixels import Comparison, Proof, compare

_LEAST_SUPPORT = 5
_LEAST_SUPPORT_THOROUGH = 4
_BITS_OF_A_COPY = 64
# See _plain_copy.
_SAME_SHAPE, _PLAIN, _LEAST_FINE = 0.01, 70, 1.0
_RIM = 12
_FINE_AGREEMENT, _PLAIN_DIFFERENCE, _SPOT = 0.88, 4.5, 5
# With such an agreement no other alignment needs to be tried.
_SETTLED = 0.9
# The sine of two degrees.
_A_TURN = 0.035
# The cosine of the angle between what were a picture's sides.
_SHEARED = 0.1
# What a turn within the same frame leaves at least.
_TURNED_WHOLE = 0.75


class Points(NamedTuple):
    """Keypoints as compiled loops read them.

    ``forms`` (4, n, 2) uint64: their codes as they are, and flipped by rows, columns and both;
    ``flags`` (n,); ``places`` (n, 6) float64: x, y, size, direction, its cosine and its sine.
    ``order`` (n,) sorts them by columns of a pixel; those of column c begin at ``starts[c]``.
    """

    forms: NDArray[np.uint64]
    flags: NDArray[np.uint8]
    places: NDArray[np.float64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class VerifyInput:
    """What verification needs to know of one picture, and what it makes of that once.

    ``width``, ``height``: the upright picture at full size. ``perceptual``: the stored
    perceptual hashes. ``keypoints`` are None in quick mode.
    ``proof``: the small grey picture (h, w) uint8.
    """

    content: int
    width: int
    height: int
    perceptual: bytes
    keypoints: Keypoints | None
    proof: NDArray[np.uint8]

    @cached_property
    def shown(self) -> Proof:
        """The proof as pixels are compared."""
        return Proof(self.proof)

    @cached_property
    def points(self) -> Points:
        """The keypoints, which are not None, as they are compared."""
        found = self.keypoints
        assert found is not None
        by_rows = flip_rows(found.codes)
        forms = (found.codes, by_rows, flip_columns(found.codes), flip_columns(by_rows))
        columns = (found.x, found.y, found.scale, found.angle)
        angle = found.angle.astype(np.float64)
        column = found.x.astype(np.int64)
        order = np.argsort(column, kind="stable")
        starts = np.searchsorted(column[order], np.arange(column.max(initial=0) + 2))
        return Points(
            np.stack([in_words(form) for form in forms]),
            found.flags,
            np.stack([*columns, np.cos(angle), np.sin(angle)], axis=1).astype(np.float64),
            order,
            starts,
        )

    @cached_property
    def frames(self) -> tuple[_Frame, ...]:
        """The whole picture, and what lies within flat ground in it, if there is any."""
        return tuple(_frames(self))


@dataclass(frozen=True, slots=True)
class EncodedVerifyInput:
    """A :class:`VerifyInput` as it is stored, a fifth of its size: sent to other processes."""

    content: int
    width: int
    height: int
    perceptual: bytes
    keypoints: bytes | None
    proof: bytes

    def decoded(self) -> VerifyInput:
        """The input itself. Raises ``ValueError`` if what is stored is damaged."""
        return VerifyInput(
            content=self.content,
            width=self.width,
            height=self.height,
            perceptual=self.perceptual,
            keypoints=None if self.keypoints is None else Keypoints.from_bytes(self.keypoints),
            proof=decode_proof(self.proof),
        )


@dataclass(frozen=True, slots=True)
class _Start:
    """An alignment to try: from a's proof to b's.

    ``orientation`` is the EXIF orientation, 1 to 8, where the alignment is just that.
    """

    matrix: Matrix
    negative: bool
    orientation: int | None = None


@dataclass(frozen=True, slots=True)
class _Judged:
    comparison: Comparison
    verdict: Verdict
    shares: tuple[float, float]
    negative: bool

    @property
    def worth(self) -> tuple[bool, float]:
        """Orders what several alignments gave: the one that explains most is right."""
        covered = max(self.shares)
        return self.verdict.same_photograph, self.verdict.agreement * covered


def verify(a: VerifyInput, b: VerifyInput, *, thorough: bool = False) -> Match | None:
    """Whether a and b show the same picture, and how; None if that is not proved.

    Deterministic, and the same from both sides: ``verify(b, a)`` is ``verify(a, b).reversed()``.
    Content ids play no part in it: they follow the order in which files happened to be read.
    """
    if _comes_after(a, b):
        match = verify(b, a, thorough=thorough)
        return None if match is None else match.reversed()
    judged: list[_Judged] = []
    tried: list[Matrix] = []
    for start in _starts(a, b, thorough):
        if any(geometry.is_close(start.matrix, other, a.proof.shape) for other in tried):
            continue
        found = _judge(a, b, start)
        tried.append(start.matrix)
        if found is None:
            continue
        if found.verdict.agreement >= _SETTLED and found.verdict.score >= _SETTLED:
            return _match(a, b, found)
        judged.append(found)
    if not judged:
        return _plain_copy(a, b)
    return _match(a, b, max(judged, key=lambda found: found.worth))


def _plain_copy(a: VerifyInput, b: VerifyInput) -> Match | None:
    """The match of two frames too plain for blocks and keypoints: a night sky, one word on black.

    Their fine structure must agree as a whole, and nowhere may they differ by more than what
    compression leaves: copies differ by up to 3.2 grey levels over 5 x 5 pixels, other words on
    one ground by 7.5 and more.
    """
    if abs(a.width * b.height / (a.height * b.width) - 1) > _SAME_SHAPE:
        return None
    if max(perceptual.decode(each.perceptual)[1] for each in (a, b)) > _PLAIN:
        return None
    height, width = (
        min(one, other) for one, other in zip(a.proof.shape, b.proof.shape, strict=True)
    )
    one, other = (_fine(each.proof, width, height) for each in (a, b))
    contrast = float(min(one.std(), other.std()))
    if contrast < _LEAST_FINE:
        return None
    agreement = float((one * other).mean() / (one.std() * other.std()))
    difference = float(cv2.blur(cv2.absdiff(one, other), (_SPOT, _SPOT)).max())
    if agreement < _FINE_AGREEMENT or difference > _PLAIN_DIFFERENCE:
        return None
    scale = np.diag([b.width / a.width, b.height / a.height, 1.0])
    scale[:2, 2] = (np.diag(scale)[:2] - 1) / 2
    same_size = (a.width, a.height) == (b.width, b.height)
    return Match(
        a=a.content,
        b=b.content,
        relation=Relation.REENCODED if same_size else Relation.RESIZED,
        transform=geometry.transform_of(scale),
        score=agreement,
        brightness=float(b.proof.mean()) - float(a.proof.mean()),
    )


def _fine(proof: NDArray[np.uint8], width: int, height: int) -> NDArray[np.float32]:
    """What lies between noise and shading, at the size of the smaller of two proofs."""
    small = cv2.resize(proof, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = cv2.GaussianBlur(small, (0, 0), 1) - cv2.GaussianBlur(small, (0, 0), 8)
    # At the rim a smooth slope seems to bend.
    rim = min(_RIM, width // 4, height // 4)
    return np.asarray(fine[rim : height - rim, rim : width - rim], np.float32)


def _comes_after(a: VerifyInput, b: VerifyInput) -> bool:
    """Which of two pictures is looked at from the other: told by what they show alone."""
    one, other = ((s.perceptual, s.width, s.height) for s in (a, b))
    return one > other or (one == other and a.proof.tobytes() > b.proof.tobytes())


def _starts(a: VerifyInput, b: VerifyInput, thorough: bool) -> Iterator[_Start]:
    yield from _by_hash(a, b)
    if a.keypoints is None or b.keypoints is None:
        return
    least = _LEAST_SUPPORT_THOROUGH if thorough else _LEAST_SUPPORT
    to_a = _between(a.proof.shape, (a.keypoints.height, a.keypoints.width))
    to_b = _between((b.keypoints.height, b.keypoints.width), b.proof.shape)
    for matrix, negative in _alignments(a, b, least, thorough):
        yield _Start(to_b @ matrix @ to_a, negative)


def _by_hash(a: VerifyInput, b: VerifyInput) -> list[_Start]:
    """Alignments that hashes suggest where in some orientation they are near enough: of the whole
    pictures first, then of what lies within flat ground in one of them or both.
    """
    starts = []
    for one in a.frames:
        for other in b.frames:
            bits = [(hash ^ other.hashes[0]).bit_count() for hash in one.hashes]
            best = bits.index(min(bits))
            if bits[best] > _BITS_OF_A_COPY:
                continue
            matrix = other.unit @ _ORIENTATIONS[best] @ geometry.inverse(one.unit)
            both_whole = one.whole and other.whole
            starts.append(_Start(matrix, False, best + 1 if both_whole else None))
    return starts


@dataclass(frozen=True, slots=True)
class _Frame:
    """A picture or what lies within flat ground in it: its hashes in all 8 orientations, and the
    transform from the unit square to its place in the proof.
    """

    hashes: tuple[int, ...]
    unit: Matrix
    whole: bool


def _frames(picture: VerifyInput) -> list[_Frame]:
    hashes, _ = perceptual.decode(picture.perceptual)
    frames = [_Frame(_numbers(hashes), _unit_to(picture.proof.shape), True)]
    inner = perceptual.decode_inner(picture.perceptual)
    if inner is not None:
        height, width = picture.proof.shape
        places = (inner.corners * (width, height) - 0.5).astype(np.float32)
        unit = cv2.getPerspectiveTransform(_UNIT_SQUARE, places)
        frames.append(_Frame(_numbers(inner.hashes), np.asarray(unit, np.float64), False))
    return frames


def _numbers(hashes: NDArray[np.uint8]) -> tuple[int, ...]:
    """Hashes (8, 32) as whole numbers, whose differing bits are counted fastest one by one."""
    return tuple(int.from_bytes(hash.tobytes()) for hash in hashes)


_UNIT_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
# What EXIF orientations 1 to 8 do to the unit square: (x, y) of the stored picture to (x, y) of
# the upright one.
_ORIENTATIONS: tuple[Matrix, ...] = tuple(
    np.array(rows, np.float64)
    for rows in (
        ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        ((-1, 0, 1), (0, 1, 0), (0, 0, 1)),
        ((-1, 0, 1), (0, -1, 1), (0, 0, 1)),
        ((1, 0, 0), (0, -1, 1), (0, 0, 1)),
        ((0, 1, 0), (1, 0, 0), (0, 0, 1)),
        ((0, -1, 1), (1, 0, 0), (0, 0, 1)),
        ((0, -1, 1), (-1, 0, 1), (0, 0, 1)),
        ((0, 1, 0), (-1, 0, 1), (0, 0, 1)),
    )
)


def _unit_to(shape: tuple[int, ...]) -> Matrix:
    """From the unit square to pixel coordinates of a picture of ``shape`` (h, w)."""
    return np.array([[shape[1], 0, -0.5], [0, shape[0], -0.5], [0, 0, 1.0]])


def _between(old: tuple[int, ...], new: tuple[int, ...]) -> Matrix:
    return geometry.frame_change(old[1], old[0], new[1], new[0])


def _judge(a: VerifyInput, b: VerifyInput, start: _Start) -> _Judged | None:
    comparison = compare(
        a.shown, b.shown, start.matrix, negative=start.negative, orientation=start.orientation
    )
    if comparison is None:
        return None
    shares = geometry.overlap_shares(comparison.matrix, a.proof.shape[::-1], b.proof.shape[::-1])
    verdict = decide(comparison, a.proof, b.proof, shares)
    if verdict is None:
        return None
    return _Judged(comparison, verdict, shares, start.negative)


def _match(a: VerifyInput, b: VerifyInput, found: _Judged) -> Match:
    size_a, size_b = (a.height, a.width), (b.height, b.width)
    matrix = (
        _between(b.proof.shape, size_b) @ found.comparison.matrix @ _between(size_a, a.proof.shape)
    )
    matrix = matrix / matrix[2, 2]
    verdict = found.verdict
    return Match(
        a=a.content,
        b=b.content,
        relation=_named(verdict, matrix, found.shares, size_a, size_b),
        transform=geometry.transform_of(matrix),
        mirrored=geometry.area_scale(matrix) < 0,
        negative=found.negative,
        share_a=found.shares[0],
        share_b=found.shares[1],
        score=verdict.score,
        agreement=verdict.agreement,
        brightness=found.comparison.brightness,
        same_photograph=verdict.same_photograph,
    )


def _named(
    verdict: Verdict,
    matrix: Matrix,
    shares: tuple[float, float],
    size_a: tuple[int, int],
    size_b: tuple[int, int],
) -> Relation:
    """Finer names for copies that were not edited."""
    if verdict.relation not in (Relation.EDITED, Relation.CROPPED):
        return verdict.relation
    if not verdict.clean:
        # A crop with a caption or another picture on it is not surely worse than its original.
        return Relation.EDITED
    (a, b, _), (c, d, _), _ = matrix.tolist()
    if abs(a * b + c * d) > _SHEARED * math.hypot(a, c) * math.hypot(b, d):
        return Relation.EDITED
    turn = abs(b - c) / geometry.scale_of(matrix)
    if geometry.area_scale(matrix) < 0 or turn > 2 * _A_TURN or a < 0:
        return Relation.ROTATED if min(shares) >= _TURNED_WHOLE else verdict.relation
    if verdict.relation is Relation.CROPPED:
        return verdict.relation
    return Relation.REENCODED if size_a == size_b else Relation.RESIZED


class _Tuning(NamedTuple):
    """How keypoints are aligned: one value for all compiled loops.

    Codes have 128 bits. Those of the same spot differ by 6 in the median and by 19 in one case of
    ten, those of unlike spots by 57; one in a thousand of the latter by 27 or less.
    """

    alike: int = 26
    alike_in_place: int = 38
    tried: int = 80
    tolerance: float = 3.5
    rounds: int = 3
    for_affine: int = 5
    for_homography: int = 12


_TUNING = _Tuning()
_KEPT, _KEPT_THOROUGH = 3, 6


def _alignments(
    a: VerifyInput, b: VerifyInput, least: int, thorough: bool
) -> Iterator[tuple[Matrix, bool]]:
    """Sound alignments by keypoints, the most promising first, and whether one is a negative.

    They map the frame of a's keypoints to that of b's. ``least``: how many keypoints must agree
    on one, at places of their own in both pictures.
    """
    from image_duplicate_finder.verify import kernels

    points, others, frame = a.points, b.points, a.keypoints
    assert frame is not None
    if min(len(points.flags), len(others.flags)) < least:
        return
    found = np.empty((len(points.flags) + len(others.flags), 4), np.int64)
    found = found[: kernels.tentative(points, others, _TUNING.alike, found)]
    if len(found) < 2:
        return
    closest = np.argsort(found[:, 2], kind="stable")[: _TUNING.tried]
    most = _KEPT_THOROUGH if thorough else _KEPT
    transforms, variants = np.empty((most, 6)), np.empty(most, np.int64)
    count = kernels.hypotheses(
        points, others, found, closest, _TUNING.tolerance, transforms, variants
    )
    for k in range(count):
        matrix: Matrix = np.empty((3, 3))
        variant, shape = int(variants[k]), (frame.height, frame.width)
        support = kernels.align(points, others, transforms[k], variant, shape, _TUNING, matrix)
        if support >= least:
            yield matrix, variant >= 2
