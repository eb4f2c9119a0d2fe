"""What a comparison of aligned pixels means: copy, crop, part, another shot, or nothing.

docs/how-it-decides.md says in plain words what these rules do, and with which figures they were
chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import Relation
from image_duplicate_finder.relations import ONE_FRAME
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix
from image_duplicate_finder.verify.pixels import Comparison, Grey, Smooth

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
# Small print on a sheet: hardly anything but one tone.
_SHEET_TONE = 0.85
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
_NOTHING_DIFFERS, _HARDLY_DIFFERS, _SPOTLESS = 0.2, 0.25, 0.5
_LEAST_CONTRAST = 3.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """A relation with the figures that it rests on (see :class:`~model.Match`).

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
    blocks = found.agreement
    if blocks.strong < _LEAST_STRONG_SHARE * blocks.textured or not found.has_structured(
        _LEAST_STRONG
    ):
        return None
    agreement, score = blocks.share, blocks.score
    worst = _worst_difference(found)
    if not _is_proof(found, agreement, score, min(shares), worst):
        return None
    difference = found.largest_difference()
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


def _is_proof(
    found: Comparison, agreement: float, score: float, share: float, worst: float
) -> bool:
    """Whether agreement means anything for pictures of this character."""
    strict = agreement >= _STRICT_AGREEMENT and score >= _STRICT_SCORE
    if share >= ONE_FRAME:
        if worst <= _NOTHING_DIFFERS or (agreement == 1 and worst <= _HARDLY_DIFFERS):
            return True
    elif worst <= _NOTHING_DIFFERS or (strict and worst <= _SPOTLESS):
        # A part of a pattern does not prove itself so: it would agree at every period.
        unique = self_difference(found.target, found.mask)
        if worst <= _NOTHING_DIFFERS and unique >= (_UNIQUE_IF_STRICT if strict else _UNIQUE):
            return True
        if strict and unique >= max(_UNIQUE, _UNIQUE_BY_FAR * worst):
            return True
    one, other = (tones(each, found.mask) for each in (found.target, found.warped))
    page = min(one[0], other[0]) >= _PAGE_TONE
    plain = (min(sum(one), sum(other)) - _PHOTO_TONES) / (_DRAWING_TONES - _PHOTO_TONES)
    needed = _PLAIN_AGREEMENT + (1 - _PLAIN_AGREEMENT) * plain**2
    if not strict and plain >= 0 and agreement < needed:
        return False
    sheet = min(one[0], other[0]) >= _SHEET_TONE
    if plain >= 1 and worst > _SPOTLESS and (agreement < 1 or sheet):
        # Receipts of one shop: blocks of empty paper agree, and so do lines of small print. A photo
        # of one sky in another hue agrees in every block as well.
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
    worst, deviation = found.worst_difference()
    return worst / max(_LEAST_CONTRAST, deviation)


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


# The outline of one picture within another: a seam, or flat ground around it.
_MARGIN = 12
# Where the outline is nearer to the frame, less of its surroundings has to do.
_MARGINS = (12, 8)
_REACH = 2
# An outline nearer than this to the picture's frame says nothing.
_FROM_FRAME = 4
# How often grey steps more across the outline than beside it: 0.5 is chance. Measured per side,
# nine in ten crops stay below 0.68 and nine in ten cells of collages lie above 0.75; the mean of a
# picture's sides is below in 98.6% of crops and above in 99% of cells.
_SEAM, _LONE_SEAM = 0.68, 0.8
_LEAST_STEP = 3.0
_FILLS, _IN_WHOLE = 0.6, 0.9
_FLAT_BLOCK, _FLAT_DEVIATION = 6, 3.5
_FLAT_SHARE = 0.93


def flat_outside(container: NDArray[np.uint8], matrix: Matrix, inner: tuple[float, float]) -> bool:
    """Whether all of ``container`` (h, w) outside the inner picture is flat: a border, a fill.

    ``matrix`` maps the inner picture of size ``inner`` (width, height) into the container.
    """
    height, width = container.shape
    outline = geometry.apply(matrix, geometry.corners(*inner))
    covered = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(covered, np.rint(outline).astype(np.int32), 1)
    outside = cv2.erode(1 - covered, np.ones((7, 7), np.uint8), borderValue=1)
    count = np.count_nonzero(outside)
    if count < 0.01 * outside.size:
        return True
    size = (_FLAT_BLOCK, _FLAT_BLOCK)
    mean = np.asarray(cv2.boxFilter(container, cv2.CV_32F, size), np.float32)
    square = np.asarray(cv2.sqrBoxFilter(container, cv2.CV_32F, size), np.float32)
    flat = np.count_nonzero((square - mean * mean < _FLAT_DEVIATION**2) & (outside > 0))
    return bool(flat >= _FLAT_SHARE * count)


def is_pasted(container: NDArray[np.uint8], matrix: Matrix, inner: tuple[float, float]) -> bool:
    """Whether the inner picture's outline shows in ``container`` as straight steps of grey.

    Arguments as for :func:`flat_outside`.
    """
    from image_duplicate_finder.verify import pixel_kernels

    scale = geometry.scale_of(matrix)
    across, down = max(8, round(inner[0] * scale)), max(8, round(inner[1] * scale))
    to_canvas = np.array([[1, 0, _MARGIN], [0, 1, _MARGIN], [0, 0, 1.0]]) @ geometry.frame_change(
        *inner, across, down
    )
    framed = container[_FROM_FRAME:-_FROM_FRAME, _FROM_FRAME:-_FROM_FRAME]
    if not framed.size:
        return False
    from_frame = np.array([[1, 0, _FROM_FRAME], [0, 1, _FROM_FRAME], [0, 0, 1.0]])
    canvas = np.empty((down + 2 * _MARGIN, across + 2 * _MARGIN), np.float32)
    known = np.empty(canvas.shape, np.uint8)
    pixel_kernels.lay_over(
        framed.astype(np.float32), to_canvas @ geometry.inverse(matrix) @ from_frame, canvas, known
    )
    # Turned so that the side in question is the upper one.
    measured = (
        _seam(
            np.ascontiguousarray(np.rot90(canvas, turned)),
            np.ascontiguousarray(np.rot90(known, turned)),
        )
        for turned in range(4)
    )
    seams = [seam for seam in measured if seam is not None]
    share = across * down / container.size
    if share >= _FILLS:
        # So large a picture was more likely cut from the container, or turned within it, than
        # pasted into it: it must be there in whole, with a clear seam on all its sides.
        whole = float(known[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].mean()) >= _IN_WHOLE
        return whole and len(seams) > 1 and min(seams) >= _SEAM
    if len(seams) == 1:
        return seams[0] >= _LONE_SEAM
    return bool(seams) and sum(seams) / len(seams) >= _SEAM


def _seam(canvas: NDArray[np.float32], known: NDArray[np.uint8]) -> float | None:
    """How often grey steps more across the upper side of the outline than beside it, 0 to 1.

    None if that side is not inside the picture.
    """
    from image_duplicate_finder.verify import pixel_kernels

    for margin in _MARGINS:
        seam = pixel_kernels.seam(canvas, known, _MARGIN, margin, _REACH, _LEAST_STEP)
        if seam >= 0:
            return float(seam)
    return None


# Traits that make agreement cheap: few tones, repetition. Drawings, forms
# and pages of text agree in most blocks with others of their kind, and a repeated pattern agrees
# with itself at every shift by its period. Such pictures need stricter proof.
_TONE_WIDTH = 4
_NEAREST = 8
_FARTHEST_SHARE = 0.35
_SHIFTS = 3
_PEAK = 3
# What differs so much, in units of the contrast, is no period, whatever half a pixel changes.
_FAR_OFF = 1.8
_HALF_STEPS = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))


def tones(grey: Smooth, mask: Grey) -> tuple[float, float]:
    """The shares of pixels within 4 grey levels of the most common tone, and of the second.

    ``grey`` (h, w), relative to middle grey, counts where ``mask`` is not 0.
    """
    counted = cv2.calcHist([grey], [0], mask, [256], [-128, 128])
    counts = np.ravel(counted).astype(np.float64) / (np.count_nonzero(mask) or 1)
    window = np.ones(2 * _TONE_WIDTH + 1)
    shares = np.convolve(counts, window, "same")
    tone = int(shares.argmax())
    counts[max(0, tone - _TONE_WIDTH) : tone + _TONE_WIDTH + 1] = 0
    return float(shares[tone]), float(np.convolve(counts, window, "same").max())


def repetition(grey: Smooth, mask: Grey) -> float:
    """How well the part of ``grey`` in ``mask`` agrees with itself after the best shift, 0 to 1.

    Shifts of at least 8 pixels count: the highest peak of the autocorrelation there.
    """
    found = _likeliest_shifts(_box(grey, mask), 1)
    return max(0.0, found[0][0]) if found else 0.0


def self_difference(grey: Smooth, mask: Grey) -> float:
    """How much the part of ``grey`` in ``mask`` differs from itself after the likeliest shifts.

    Of the shifts at which it agrees best with itself, the one that leaves the smallest
    difference counts: where that is largest, in units of the contrast. Near 0 for tiles, which
    fit anywhere, and 0 for what is too flat or too small to tell.
    """
    part = _box(grey, mask)
    found = _likeliest_shifts(part, _SHIFTS)
    if not found:
        return 0.0
    contrast = max(_LEAST_CONTRAST, float(part.std()))
    smooth = np.asarray(cv2.GaussianBlur(part, (0, 0), 1), np.float32)
    far_off = _FAR_OFF * contrast
    least = min(_shifted_difference(smooth, down, across, far_off) for _, down, across in found)
    return least / contrast


def _shifted_difference(smooth: Smooth, down: int, across: int, far_off: float) -> float:
    """The largest difference, over 8 x 8 pixels, to the same part shifted by about that much.

    A period need not be a whole number of pixels: half a pixel to each side is tried too, where
    the difference is not above ``far_off`` anyway.
    """
    height, width = smooth.shape
    rows = slice(max(0, down) + 1, height + min(0, down) - 1)
    columns = slice(max(0, across) + 1, width + min(0, across) - 1)

    def moved(down: int, across: int) -> Smooth:
        return smooth[
            rows.start - down : rows.stop - down, columns.start - across : columns.stop - across
        ]

    least = math.inf
    for half_down, half_across in _HALF_STEPS:
        other = moved(down, across)
        if half_down or half_across:
            other = (other + moved(down + half_down, across + half_across)) * np.float32(0.5)
        apart = cv2.absdiff(smooth[rows, columns], other)
        least = min(least, float(cv2.blur(apart, (_NEAREST, _NEAREST)).max()))
        if least > far_off:
            break
    return least


def _box(grey: Smooth, mask: Grey) -> Smooth:
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _likeliest_shifts(part: Smooth, count: int) -> list[tuple[float, int, int]]:
    """The shifts after which a picture agrees best with itself: (autocorrelation, down, across).

    ``count`` of them; a shift and its opposite are one. None for what is too flat or too small.
    """
    height, width = part.shape
    if min(height, width) < 4 * _NEAREST:
        return []
    down, across = _window(height), _window(width)
    detail = part - _shading(part)
    detail *= down.weights[:, None]
    detail *= across.weights
    spectrum = cv2.dft(detail)
    correlation = cv2.idft(cv2.mulSpectrums(spectrum, spectrum, 0, conjB=True), flags=cv2.DFT_SCALE)
    if correlation[0, 0] < 1e-3:
        return []
    # Down from 0, across from left to right.
    farthest = int(_FARTHEST_SHARE * height), int(_FARTHEST_SHARE * width)
    order = np.arange(-farthest[1], farthest[1] + 1)
    heights = correlation[: farthest[0] + 1, order] / correlation[0, 0]
    heights /= down.overlap[: farthest[0] + 1, None] * across.overlap[order]
    near = np.arange(_NEAREST + 1)[:, None] ** 2 + order**2 <= _NEAREST**2
    heights[: _NEAREST + 1][near] = -1.0
    found = []
    for _ in range(count):
        y, x = divmod(int(heights.argmax()), len(order))
        found.append((float(heights[y, x]), y, x - farthest[1]))
        # Take the peak and its opposite out, so that the next one is found.
        for at_y, at_x in ((y, x), (-y, len(order) - 1 - x)):
            rows = slice(max(at_y - _PEAK, 0), max(at_y + _PEAK + 1, 0))
            heights[rows, max(at_x - _PEAK, 0) : at_x + _PEAK + 1] = -1.0
    return found


def _shading(part: Smooth) -> Smooth:
    """The picture without detail: nearly a blur by 8 pixels, in a quarter of its time."""
    height, width = part.shape
    half = cv2.resize(part, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    # Scaling down and up again blurs a little too.
    blurred = cv2.GaussianBlur(half, (0, 0), 3.97)
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR))


class _Window(NamedTuple):
    """Weights that fade a picture out towards its sides, and their circular autocorrelation."""

    weights: NDArray[np.float32]
    overlap: NDArray[np.float32]


@lru_cache(maxsize=512)
def _window(length: int) -> _Window:
    weights = np.hanning(length + 2)[1:-1]
    correlation = np.fft.irfft(np.abs(np.fft.rfft(weights)) ** 2, n=length)
    overlap = np.maximum(correlation / correlation[0], 1e-9)
    return _Window(weights.astype(np.float32), overlap.astype(np.float32))
