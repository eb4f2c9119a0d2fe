"""Alignments of two pictures by their keypoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint.keypoints import (
    COLUMNS_FLIPPED,
    ROWS_FLIPPED,
    Keypoints,
    canonical,
    flip_columns,
    flip_rows,
)
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix

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
        _as_words(canonical(a.codes, a.flags)),
        _as_words(canonical(b.codes, b.flags)),
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
    kept = kernels.hypotheses(
        place_a, place_b, found, count, _HYPOTHESES_TRIED, _TOLERANCE, transforms, variants, votes
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

    codes_a = _as_words(_in_form(a, variant))
    codes_b = _as_words(b.codes)
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


def _as_words(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(codes).view(np.uint64)
