"""Verifies one pair of pictures from their stored fingerprints alone. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint import perceptual
from image_duplicate_finder.fingerprint.appearance import decode_proof
from image_duplicate_finder.fingerprint.keypoints import (
    COLUMNS_FLIPPED,
    ROWS_FLIPPED,
    Keypoints,
    canonical,
    flip_columns,
    flip_rows,
    in_words,
)
from image_duplicate_finder.model import Match, Relation
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.decide import Verdict, decide
from image_duplicate_finder.verify.geometry import Matrix
from image_duplicate_finder.verify.pixels import Comparison, compare

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


@dataclass(frozen=True, slots=True)
class VerifyInput:
    """What verification needs to know of one picture.

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
    for found in alignments(a.keypoints, b.keypoints, least=least, thorough=thorough):
        yield _Start(to_b @ found.matrix @ to_a, found.negative)


def _by_hash(a: VerifyInput, b: VerifyInput) -> list[_Start]:
    """Alignments that hashes suggest where in some orientation they are near enough: of the whole
    pictures first, then of what lies within flat ground in one of them or both.
    """
    starts = []
    for one in _frames(a):
        for other in _frames(b):
            bits = np.bitwise_count(one.hashes ^ other.hashes[0]).sum(axis=1)
            best = int(bits.argmin())
            if bits[best] > _BITS_OF_A_COPY:
                continue
            matrix = other.unit @ _ORIENTATIONS[best] @ geometry.inverse(one.unit)
            both_whole = one.whole and other.whole
            starts.append(_Start(matrix, False, best + 1 if both_whole else None))
    return starts


@dataclass(frozen=True, slots=True)
class _Frame:
    """A picture or what lies within flat ground in it: its hashes (8, 32), and the transform from
    the unit square to its place in the proof.
    """

    hashes: NDArray[np.uint8]
    unit: Matrix
    whole: bool


def _frames(picture: VerifyInput) -> list[_Frame]:
    frames = [_Frame(perceptual.decode(picture.perceptual)[0], _unit_to(picture.proof.shape), True)]
    inner = perceptual.decode_inner(picture.perceptual)
    if inner is not None:
        height, width = picture.proof.shape
        places = (inner.corners * (width, height) - 0.5).astype(np.float32)
        unit = cv2.getPerspectiveTransform(_UNIT_SQUARE, places)
        frames.append(_Frame(inner.hashes, np.asarray(unit, np.float64), False))
    return frames


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
        a.proof, b.proof, start.matrix, negative=start.negative, orientation=start.orientation
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
    verdict, agreeing = found.verdict, found.comparison.agreeing
    means = found.comparison.means[agreeing]
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
        brightness=float((means[:, 1] - means[:, 0]).mean()) if len(means) else 0.0,
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


# Alignments by keypoints.
# Bits of 128. Codes of the same spot differ by 6 in the median and by 19 in one case of ten,
# codes of unlike spots by 57; one in a thousand of the latter by 27 or less.
_ALIKE = 26
_ALIKE_IN_PLACE = 38
_HYPOTHESES_TRIED = 80
_KEPT, _KEPT_THOROUGH = 3, 6
_TOLERANCE = 3.5
_ROUNDS = 3
_FOR_AFFINE = 5
_FOR_HOMOGRAPHY = 12


@dataclass(frozen=True, slots=True)
class Alignment:
    """``matrix`` maps the frame of a's keypoints to that of b's.

    ``support`` counts keypoints that agree on it at places of their own in both pictures.
    """

    matrix: Matrix
    mirrored: bool
    negative: bool
    support: int


def alignments(
    a: Keypoints, b: Keypoints, *, least: int, thorough: bool = False
) -> Iterator[Alignment]:
    """Sound alignments with a support of at least ``least``, the most promising first."""
    if len(a) < least or len(b) < least:
        return
    from image_duplicate_finder.verify import kernels

    place_a, place_b = _places(a), _places(b)
    found = np.empty((len(a) + len(b), 4), np.int64)
    count = kernels.tentative(
        in_words(canonical(a.codes, a.flags)),
        in_words(canonical(b.codes, b.flags)),
        a.flags,
        b.flags,
        _ALIKE,
        found,
    )
    if count < 2:
        return
    most = _KEPT_THOROUGH if thorough else _KEPT
    transforms, variants = np.empty((most, 6)), np.empty(most, np.int64)
    votes = np.empty(most, np.int64)
    found = found[:count]
    closest = np.argsort(found[:, 2], kind="stable")[:_HYPOTHESES_TRIED]
    kept = kernels.hypotheses(
        place_a, place_b, found, closest, _TOLERANCE, transforms, variants, votes
    )
    for k in range(kept):
        start = np.append(transforms[k], (0, 0, 1))
        aligned = _refined(a, b, place_a, place_b, start, int(variants[k]))
        if aligned is not None and aligned.support >= least:
            yield aligned


def _refined(
    a: Keypoints,
    b: Keypoints,
    place_a: NDArray[np.float64],
    place_b: NDArray[np.float64],
    start: NDArray[np.float64],
    variant: int,
) -> Alignment | None:
    from image_duplicate_finder.verify import kernels

    codes_a = in_words(_in_form(a, variant))
    codes_b = in_words(b.codes)
    mirrored, negative = variant in (1, 2), variant >= 2
    matrix: Matrix = start.reshape(3, 3)
    rows = np.empty((len(a), 2), np.int64)
    count, support = 0, 0
    for _ in range(_ROUNDS):
        before = count, support
        count, support = kernels.guided(
            codes_a, codes_b, place_a, place_b, variant, matrix, _TOLERANCE, _ALIKE_IN_PLACE, rows
        )
        if count < 2:
            return None
        if (count, support) == before:
            break
        source, target = place_a[rows[:count, 0], :2], place_b[rows[:count, 1], :2]
        better = _fitted(source, target, support, mirrored)
        if support < 3:
            return None
        if better is None or not geometry.is_sound(better, a.width, a.height):
            break
        matrix = better
    if not geometry.is_sound(matrix, a.width, a.height):
        return None
    return Alignment(matrix, mirrored, negative, int(support))


def _fitted(
    source: NDArray[np.float64], target: NDArray[np.float64], support: int, mirrored: bool
) -> Matrix | None:
    """The transform with as many parameters as the support can bear."""
    if support < _FOR_AFFINE:
        return geometry.fit_similarity(source, target, mirrored)
    weights = np.ones(len(source))
    matrix = geometry.fit_affine(source, target, weights)
    if support < _FOR_HOMOGRAPHY or matrix is None:
        return matrix
    error = np.linalg.norm(geometry.apply(matrix, source) - target, axis=1)
    projective = geometry.fit_homography(source, target, 1 / (1 + error**2))
    return matrix if projective is None else projective


def _in_form(points: Keypoints, variant: int) -> NDArray[np.uint8]:
    codes = flip_rows(points.codes) if variant & ROWS_FLIPPED else points.codes
    return flip_columns(codes) if variant & COLUMNS_FLIPPED else codes


def _places(points: Keypoints) -> NDArray[np.float64]:
    return np.stack([points.x, points.y, points.scale, points.angle], axis=1).astype(np.float64)
