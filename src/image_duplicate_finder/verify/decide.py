"""What a comparison of aligned pixels means: copy, crop, part, another shot, or nothing.

docs/how-it-decides.md says in plain words what these rules do, and with which figures they were
chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import Relation
from image_duplicate_finder.relations import ONE_FRAME
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.outline import flat_outside, is_pasted
from image_duplicate_finder.verify.pixels import AGREES, Comparison
from image_duplicate_finder.verify.traits import repetition, self_difference, tones

# A block that agrees this well is evidence; unlike pictures have few such blocks.
_STRONG = 0.85
_LEAST_STRONG, _LEAST_STRONG_SHARE = 14, 0.2
_SAME_PHOTOGRAPH = 0.88
# One picture lies within the other if so much of it does.
_WITHIN = 0.7
_CLEAN_AGREEMENT, _CLEAN_SCORE = 0.97, 0.95
# So much of a picture in one piece is no sticker any more but another picture.
_PASTED_OVER = 0.08
_NEARLY_ALL, _HALF, _MOST, _FIFTH = 0.8, 0.5, 0.6, 0.2
# What is left of a copy under something else is the same picture. Windows of one program, drawn
# anew, agree by 0.89 to 0.95 in at most this share of their blocks.
_LITTLE, _LOOSELY = 0.65, 0.95
_PAN = 0.75
# Fewer agreeing blocks than this are a part in common, not an edited copy.
_EDITED = 0.3
# Pages of text: one tone and lines that repeat. Other drawings have few tones: from the share of
# two tones that photos rarely have to the share that only drawings have, more must agree.
_PAGE_TONE, _PAGE_REPETITION = 0.4, 0.68
_PHOTO_TONES, _DRAWING_TONES = 0.5, 0.6
_PLAIN_AGREEMENT = 0.65
_STRICT_AGREEMENT, _STRICT_SCORE = 0.97, 0.95
_PATTERN_REPETITION = 0.8

# A picture that differs so much from itself after any shift fits in one place only. Measured:
# photos lie above 1.3, tiles and regular patterns below 0.5. Crops of plain pictures (a product on
# one ground) differ from themselves 8 to 10 times as much as from their originals; crops of pages
# that differ in a word 5 times at most.
_UNIQUE, _UNIQUE_IF_STRICT, _UNIQUE_BY_FAR = 1.0, 0.6, 8.0

# See _worst_difference.
_NOTHING_DIFFERS, _SPOTLESS = 0.2, 0.5
_SPOT, _LEAST_CONTRAST = 8, 3.0

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A relation with the figures that it stands on (see :class:`~model.Match`).

    ``clean``: nothing but size, turn and framing tells the two apart.
    """

    relation: Relation
    score: float
    agreement: float
    same_photograph: bool
    clean: bool = False


def decide(found: Comparison, a: Grey, b: Grey, shares: tuple[float, float]) -> Verdict | None:
    """Judge the comparison of a and b; ``shares`` of a that b shows and of b that a shows.

    None if it does not prove that both pictures show the same.
    """
    ncc = found.ncc[found.textured]
    strong = found.textured & (found.ncc >= _STRONG)
    if strong.sum() < _LEAST_STRONG_SHARE * len(ncc) or not found.has_structured(
        strong, _LEAST_STRONG
    ):
        return None
    agreement = float((ncc >= AGREES).mean())
    score = _median(ncc[ncc >= AGREES])
    worst = _worst_difference(found)
    if not _is_proof(found, agreement, score, min(shares), worst):
        return None
    difference = _largest_difference(found)
    if min(shares) >= _NEARLY_ALL and (
        agreement < _HALF
        or (agreement < _MOST and difference >= _FIFTH)
        or (agreement < _LITTLE and score < _LOOSELY)
    ):
        # Two windows of one program, two posters of one design: what is in them differs.
        return None
    if max(shares) < _WITHIN:
        # Frames of a pan, each of which shows much that the other does not.
        is_pan = agreement >= _PAN
        return Verdict(Relation.SIMILAR, score, agreement, False) if is_pan else None
    if score < _SAME_PHOTOGRAPH:
        return Verdict(Relation.SIMILAR, score, agreement, False)
    relation = _framing(found, a, b, shares)
    if relation is Relation.CROPPED and agreement < _MOST and difference >= _FIFTH:
        # Two things on one cloth, two people before one wall.
        return Verdict(Relation.SIMILAR, score, agreement, False)
    if agreement < _EDITED or difference >= _PASTED_OVER:
        relation = Relation.CONTAINS
    clean = agreement >= _CLEAN_AGREEMENT and score >= _CLEAN_SCORE and worst <= _SPOTLESS
    return Verdict(relation, score, agreement, True, clean)


def _median(values: NDArray[np.float64]) -> float:
    """As np.median, which takes five times as long on a few hundred values."""
    ordered = np.sort(values)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _is_proof(
    found: Comparison, agreement: float, score: float, share: float, worst: float
) -> bool:
    """Whether agreement means anything for pictures of this character."""
    strict = agreement >= _STRICT_AGREEMENT and score >= _STRICT_SCORE
    if share >= ONE_FRAME:
        if worst <= _NOTHING_DIFFERS:
            return True
    elif worst <= _NOTHING_DIFFERS or (strict and worst <= _SPOTLESS):
        # A part of a pattern does not prove itself so: it would agree at every period.
        unique = self_difference(found.target, found.mask)
        if worst <= _NOTHING_DIFFERS and unique >= (_UNIQUE_IF_STRICT if strict else _UNIQUE):
            return True
        if strict and unique >= max(_UNIQUE, _UNIQUE_BY_FAR * worst):
            return True
    one, other = tones(found.target, found.mask), tones(found.warped, found.mask)
    page = min(one[0], other[0]) >= _PAGE_TONE
    plain = (min(sum(one), sum(other)) - _PHOTO_TONES) / (_DRAWING_TONES - _PHOTO_TONES)
    needed = _PLAIN_AGREEMENT + (1 - _PLAIN_AGREEMENT) * plain**2
    if not strict and plain >= 0 and agreement < needed:
        return False
    if strict and share >= ONE_FRAME and not page and worst <= _SPOTLESS:
        return True
    repeats = repetition(found.target, found.mask)
    return repeats < (_PAGE_REPETITION if page else _PATTERN_REPETITION)


def _worst_difference(found: Comparison) -> float:
    """How far the common area differs where it differs most, in units of its contrast.

    One change of brightness and contrast for the whole picture is allowed. Crops, turns and new
    encodings of photos, plain ones too, stay below 0.2 (0.3 in one of a hundred); pages that
    differ in a word, maps, icons and tiles lie above 0.5, hardly one below 0.25.
    """
    from image_duplicate_finder.verify import kernels

    left = np.empty_like(found.target)
    deviation = float(kernels.residual(found.target, found.warped, found.mask, left))
    # At the rim of the common area the warped picture is made of half pixels.
    inner = cv2.erode(found.mask, np.ones((5, 5), np.uint8), borderValue=0)
    worst = cv2.blur(left * inner, (_SPOT, _SPOT)).max()
    return float(worst) / max(_LEAST_CONTRAST, deviation)


def _framing(found: Comparison, a: Grey, b: Grey, shares: tuple[float, float]) -> Relation:
    """EDITED for the same frame (or one with a border), CROPPED or CONTAINS for a part."""
    if min(shares) >= ONE_FRAME:
        return Relation.EDITED
    # The picture of which the smaller share is seen in the other is the container.
    if shares[1] < shares[0]:
        container, inner, matrix = b, a, found.matrix
    else:
        container, inner, matrix = a, b, geometry.inverse(found.matrix)
    size = (float(inner.shape[1]), float(inner.shape[0]))
    if flat_outside(container, matrix, size):
        return Relation.EDITED
    if is_pasted(container, matrix, size):
        return Relation.CONTAINS
    return Relation.CROPPED


def _largest_difference(found: Comparison) -> float:
    """The share of the compared area that the largest connected piece of difference takes."""
    step = found.size // 2
    places = (found.places / step).astype(np.intp)
    grid = np.zeros(places.max(axis=0)[::-1] + 1, np.uint8)
    grid[places[:, 1], places[:, 0]] = found.textured & (found.ncc < AGREES)
    _, _, sizes, _ = cv2.connectedComponentsWithStats(grid, connectivity=4)
    pieces = sizes[1:, cv2.CC_STAT_AREA]
    return float(pieces.max(initial=0)) / len(places)
