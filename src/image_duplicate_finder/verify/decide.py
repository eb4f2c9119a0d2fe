"""What a comparison of aligned pixels means: copy, crop, part, another shot, or nothing.

docs/how-it-decides.md says in plain words what these rules do, and with which figures they were
chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import Relation
from image_duplicate_finder.relations import ONE_FRAME
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix
from image_duplicate_finder.verify.pixels import AGREES, Comparison

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
    if outside.sum() < 0.01 * outside.size:
        return True
    grey = container.astype(np.float32)
    size = (_FLAT_BLOCK, _FLAT_BLOCK)
    mean = cv2.blur(grey, size)
    deviation = np.sqrt(np.maximum(cv2.blur(grey * grey, size) - mean * mean, 0))
    flat = deviation[outside > 0] < _FLAT_DEVIATION
    return float(np.count_nonzero(flat)) >= _FLAT_SHARE * flat.size


def is_pasted(container: NDArray[np.uint8], matrix: Matrix, inner: tuple[float, float]) -> bool:
    """Whether the inner picture's outline shows in ``container`` as straight steps of grey.

    Arguments as for :func:`flat_outside`.
    """
    scale = geometry.scale_of(matrix)
    across, down = max(8, round(inner[0] * scale)), max(8, round(inner[1] * scale))
    to_canvas = np.array([[1, 0, _MARGIN], [0, 1, _MARGIN], [0, 0, 1.0]]) @ geometry.frame_change(
        *inner, across, down
    )
    size = (across + 2 * _MARGIN, down + 2 * _MARGIN)
    back = to_canvas @ geometry.inverse(matrix)
    canvas = cv2.warpPerspective(container.astype(np.float32), back, size, flags=cv2.INTER_LINEAR)
    inside = np.zeros(container.shape, np.uint8)
    inside[_FROM_FRAME:-_FROM_FRAME, _FROM_FRAME:-_FROM_FRAME] = 1
    known = cv2.warpPerspective(inside, back, size, flags=cv2.INTER_NEAREST) > 0
    # Turned so that the side in question is the upper one.
    measured = (_seam(np.rot90(canvas, turned), np.rot90(known, turned)) for turned in range(4))
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


def _seam(canvas: NDArray[np.float32], known: NDArray[np.bool_]) -> float | None:
    """How often grey steps more across the upper side of the outline than beside it, 0 to 1.

    Each column is compared with itself, so that a busy part beside a calm one hides no seam.
    0 for hardly any step at all; None if that side is not inside the picture.
    """
    columns = slice(_MARGIN + 3, canvas.shape[1] - _MARGIN - 3)
    least = max(6, 0.3 * (canvas.shape[1] - 2 * _MARGIN - 6))
    for margin in _MARGINS:
        band = slice(_MARGIN - margin, _MARGIN + margin)
        usable = np.nonzero(known[band, columns].all(axis=0))[0]
        if len(usable) >= least:
            break
    else:
        return None
    strip = canvas[band, columns][:, usable]
    jumps = np.abs(strip[2:] - strip[:-2])
    # jumps[k] is centred on row k + 1; the outline runs between rows margin - 1 and margin.
    distance = np.abs(np.arange(len(jumps)) - (margin - 1.5))
    near = jumps[distance <= _REACH]
    across = near[near.mean(axis=1).argmax()]
    if across.mean() < _LEAST_STEP:
        return 0.0
    return float((across > jumps[distance >= _REACH + 2]).mean())


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
_SUBPIXEL = ((0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5))


def tones(grey: NDArray[np.float32], mask: NDArray[np.uint8]) -> tuple[float, float]:
    """The shares of pixels within 4 grey levels of the most common tone, and of the second.

    ``grey`` (h, w), 0 to 255, counts where ``mask`` is not 0.
    """
    values = grey[mask > 0]
    counts = np.bincount(values.astype(np.uint8), minlength=256) / max(1, len(values))
    window = np.ones(2 * _TONE_WIDTH + 1)
    shares = np.convolve(counts, window, "same")
    tone = int(shares.argmax())
    counts[max(0, tone - _TONE_WIDTH) : tone + _TONE_WIDTH + 1] = 0
    return float(shares[tone]), float(np.convolve(counts, window, "same").max())


def repetition(grey: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """How well the part of ``grey`` in ``mask`` agrees with itself after the best shift, 0 to 1.

    Shifts of at least 8 pixels count: the highest peak of the autocorrelation there.
    """
    correlation = _self_correlation(_box(grey, mask))
    return 0.0 if correlation is None else max(0.0, float(correlation.max()))


def self_difference(grey: NDArray[np.float32], mask: NDArray[np.uint8]) -> float:
    """How much the part of ``grey`` in ``mask`` differs from itself after the likeliest shifts.

    Of the shifts at which it agrees best with itself, the one that leaves the smallest
    difference counts: where that is largest, in units of the contrast. Near 0 for tiles, which
    fit anywhere, and 0 for what is too flat or too small to tell.
    """
    part = _box(grey, mask)
    correlation = _self_correlation(part)
    if correlation is None:
        return 0.0
    contrast = max(_LEAST_CONTRAST, float(part.std()))
    smooth = np.asarray(cv2.GaussianBlur(part, (0, 0), 1), np.float32)
    least = np.inf
    for _ in range(_SHIFTS):
        down, across = np.unravel_index(int(correlation.argmax()), correlation.shape)
        apart = _shifted_difference(smooth, int(down), int(across), _FAR_OFF * contrast)
        least = min(least, apart / contrast)
        _forget(correlation, int(down), int(across))
    return least


def _box(grey: NDArray[np.float32], mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _self_correlation(part: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """The autocorrelation at every (circular) shift that counts, -1 at the others."""
    height, width = part.shape
    if min(height, width) < 4 * _NEAREST:
        return None
    window, overlap, away = _windows(height, width)
    detail = (part - cv2.GaussianBlur(part, (0, 0), 8)) * window
    spectrum = cv2.dft(detail)
    correlation = cv2.idft(cv2.mulSpectrums(spectrum, spectrum, 0, conjB=True), flags=cv2.DFT_SCALE)
    if correlation[0, 0] < 1e-3:
        return None
    return np.where(away, correlation / correlation[0, 0] / overlap, -1.0)


def _shifted_difference(
    smooth: NDArray[np.float32], down: int, across: int, far_off: float
) -> float:
    """The largest difference, over 8 x 8 pixels, to the same part shifted by about that much.

    A period need not be a whole number of pixels: half a pixel to each side is tried too, where
    the difference is not above ``far_off`` anyway.
    """
    height, width = smooth.shape
    down, across = (
        (down if down <= height // 2 else down - height),
        (across if across <= width // 2 else across - width),
    )
    least = np.inf
    for step in _SUBPIXEL:
        matrix = np.array([[1, 0, across + step[0]], [0, 1, down + step[1]]], np.float32)
        moved = cv2.warpAffine(smooth, matrix, (width, height), flags=cv2.INTER_LINEAR)
        top, bottom = max(0, down) + 1, height + min(0, down) - 1
        left, right = max(0, across) + 1, width + min(0, across) - 1
        apart = cv2.absdiff(smooth, moved)[top:bottom, left:right]
        least = min(least, float(cv2.blur(apart, (_NEAREST, _NEAREST)).max()))
        if least > far_off:
            break
    return least


def _forget(correlation: NDArray[np.float64], down: int, across: int) -> None:
    """Take a peak and its mirror image out, so that the next one is found."""
    height, width = correlation.shape
    rows, columns = np.arange(-_PEAK, _PEAK + 1), np.arange(-_PEAK, _PEAK + 1)
    for sign in (1, -1):
        near = np.ix_((sign * down + rows) % height, (sign * across + columns) % width)
        correlation[near] = -1.0


@lru_cache(maxsize=32)
def _windows(
    height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.bool_]]:
    """A window, its own autocorrelation, and which shifts count."""
    window = np.outer(_hann(height), _hann(width))
    overlap = np.outer(_overlap(height), _overlap(width))
    down = np.minimum(np.arange(height), height - np.arange(height))[:, None]
    across = np.minimum(np.arange(width), width - np.arange(width))[None, :]
    away = (down < _FARTHEST_SHARE * height) & (across < _FARTHEST_SHARE * width)
    away &= np.hypot(down, across) > _NEAREST
    return window.astype(np.float32), np.maximum(overlap, 1e-9), away


def _hann(length: int) -> NDArray[np.float64]:
    return np.asarray(np.hanning(length + 2)[1:-1])


def _overlap(length: int) -> NDArray[np.float64]:
    """The circular autocorrelation of a window of this length, 1 without a shift."""
    window = _hann(length)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(window)) ** 2, n=length)
    return np.asarray(correlation / correlation[0])
