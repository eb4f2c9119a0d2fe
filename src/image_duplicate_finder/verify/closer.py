"""A closer look at two pictures that match: in colour, aligned to a fraction of a pixel.

The small grey proofs of verification find copies; they cannot see one digit, a lamp's colour or a
retouched spot. What decides whether a file is worth nothing beside another is measured here, on
pictures of about 1,024 pixels on the long side, and, for fine detail, at full size. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import Box, Difference, Look, Match
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.detail import (
    COSINES,
    Coded,
    compare_detail,
    compare_rounding,
)
from image_duplicate_finder.verify.geometry import Matrix
from image_duplicate_finder.verify.prepared import (
    CLOSE_SCALE,
    NO_CHROMA,
    Aligned,
    Bytes,
    Plane,
    Prepared,
    align,
    coding_of,
)
from image_duplicate_finder.verify.registration import is_displaced, middle

CONTENT = 4.0
"""A difference of this strength is content: compression and scaling explain less."""

_SMOOTH = 1.5
_MOST_BOXES = 4
_HARDLY_MORE, _FINER = 0.5, 1.0
# Pixels are rounded to whole levels after that, which moves each term by about so much.
_ROUNDED_PIXELS = 0.5


def closer_look(a: Prepared, b: Prepared, match: Match) -> Look | None:
    """Measure how two matched pictures differ; None if they cannot be aligned.

    ``match`` maps ``a`` to ``b`` in upright full-size pixels.
    """
    to_b = _full_matrix(a, b, match)
    if to_b is None:
        return None
    a_small = geometry.frame_change(a.width, a.height, a.small.shape[1], a.small.shape[0])
    b_small = geometry.frame_change(b.width, b.height, b.small.shape[1], b.small.shape[0])
    start = b_small @ to_b @ geometry.inverse(a_small)
    if not geometry.is_sound(start, a.small.shape[1], a.small.shape[0]):
        return None
    scale = geometry.scale_of(start)
    swapped = scale > 1
    if CLOSE_SCALE <= scale <= 1 / CLOSE_SCALE:
        # Of two about equally large ones, what the stronger compression did to one is known.
        swapped = sum(a.steps or ()) > sum(b.steps or ())
    if swapped:
        aligned = align(a, b, geometry.inverse(start), match.negative)
    else:
        aligned = align(b, a, start, match.negative)
    if aligned is None:
        return None
    matrix = geometry.inverse(aligned.matrix) if swapped else aligned.matrix
    matrix = geometry.inverse(b_small) @ matrix @ a_small
    matrix = matrix / matrix[2, 2]
    drawing = a.drawing and b.drawing
    kind = "usual"
    if drawing and a.lossless and b.lossless and aligned.pixel_on_pixel:
        kind = "exact"
    elif a.few_colours != b.few_colours and not drawing:
        kind = "few colours"
    strength, luma, tone = _differences(aligned, drawing, kind)
    if swapped:
        in_a, in_b = geometry.inverse(a_small), matrix @ geometry.inverse(a_small)
    else:
        in_b, in_a = geometry.inverse(b_small), geometry.inverse(matrix) @ geometry.inverse(b_small)
    found = _boxes(strength, in_a, in_b, a, b)
    beyond = strength >= CONTENT
    area = max(1, int(np.count_nonzero(aligned.mask)))
    only_colour = beyond & (luma < CONTENT)
    rest_a, border_a = _outside(a, matrix, b)
    rest_b, border_b = _outside(b, geometry.inverse(matrix), a)
    target_chroma, source_chroma = (
        _colourfulness(p, aligned.mask) for p in (aligned.target, aligned.source)
    )
    one, other = (target_chroma, source_chroma) if swapped else (source_chroma, target_chroma)
    own_pixels = geometry.frame_change(b.width, b.height, b.luma.shape[1], b.luma.shape[0])
    own_pixels = (
        own_pixels
        @ matrix
        @ geometry.inverse(
            geometry.frame_change(a.width, a.height, a.luma.shape[1], a.luma.shape[0])
        )
    )
    b_luma = np.uint8(255) - b.luma if match.negative else b.luma
    fine = compare_detail(a.luma, b_luma, own_pixels)
    rounded = compare_rounding(a.luma, b_luma, own_pixels, coding_of(a), coding_of(b))
    displaced = is_displaced(aligned.target[..., 0], aligned.source[..., 0], luma >= CONTENT)
    # Where things have moved, windows do not show the same.
    usable = not displaced and rounded.explains * fine.decibels >= 0
    detail = fine.decibels if usable else 0.0
    sharpened = 0.0 if rounded.explains else fine.sharpened
    return Look(
        transform=geometry.transform_of(matrix),
        mirrored=geometry.area_scale(matrix) < 0,
        differences=found,
        worst=float(strength.max(initial=0.0)),
        tone=tone,
        chroma=(other + 0.5) / (one + 0.5),
        detail=detail,
        coherence=fine.coherence,
        rest_a=rest_a,
        rest_b=rest_b,
        border_a=border_a,
        border_b=border_b,
        another_shot=fine.own_noise or displaced,
        differing=float(np.count_nonzero(beyond)) / area,
        recoloured=float(np.count_nonzero(only_colour)) / area,
        drawing=(
            (a.drawing and b.drawing)
            or (a.drawing and _is_blurred_drawing(b, a, detail))
            or (b.drawing and _is_blurred_drawing(a, b, -detail))
        ),
        sharpened=sharpened,
        resaved=rounded.resaved,
        filtered=(
            rounded.filtered
            and not (a.drawing or b.drawing)
            and all(each.lossless or each.steps is not None for each in (a, b))
        ),
        unexplained=rounded.unexplained,
    )


def _is_blurred_drawing(picture: Prepared, drawing: Prepared, finer: float) -> bool:
    """Whether a picture may be a drawing that stronger compression or scaling has blurred.

    That does not make many colours of few, and it takes detail away: by ``finer`` decibels the
    drawing shows more. A photo of one thing on plain ground may pass for a drawing by a border, by
    other tones or by compression of its own.
    """
    if picture.few <= _HARDLY_MORE:
        return False
    if picture.steps is not None and drawing.steps is not None:
        return finer > _FINER or sum(picture.steps) > sum(drawing.steps)
    return finer > _FINER or (drawing.lossless and not picture.lossless)


def _full_matrix(a: Prepared, b: Prepared, match: Match) -> Matrix | None:
    if match.transform is None:
        if abs(a.width * b.height - b.width * a.height) > max(a.width, a.height, b.width, b.height):
            return None
        return geometry.frame_change(a.width, a.height, b.width, b.height)
    return geometry.matrix_of(match.transform)


@dataclass(frozen=True, slots=True)
class _Noise:
    """What may part two copies at a place, in grey levels, by the activity around it.

    ``least`` and ``most`` bound what is fitted: offset and slope. ``scale`` says how many times
    the difference that ``part`` of all places stay below a strength of 1 stands for.
    """

    least: tuple[float, float]
    most: tuple[float, float]
    scale: float
    part: float = 0.9


_NOISE_OF = {
    "usual": (_Noise((0.6, 0.04), (2.0, 0.2), 1.4), _Noise((1.4, 0.07), (3.0, 0.5), 1.9)),
    # Drawings without loss, pixel on pixel: two levels are another colour.
    "exact": (_Noise((0.2, 0.0), (0.2, 0.0), 1.0), _Noise((0.2, 0.0), (0.2, 0.0), 1.0)),
    # One of the two in 256 colours: whatever its dithering, it is parted by more.
    "few colours": (_Noise((5.0, 0.2), (8.0, 0.4), 2.0), _Noise((8.0, 0.3), (10.0, 0.6), 2.0)),
}
# Beyond what JPEG explains, smoothed less: other ways of scaling leave more of fine lines.
_FINE = _Noise((2.7, 0.018), (4.5, 0.27), 1.25, part=0.97)
_FINE_SMOOTH = 0.8
_ALPHA = _Noise((3.0, 0.06), (6.0, 0.3), 1.9)
# By activity: the bins in which noise is measured.
_BINS = np.array([0, 1, 2, 3, 4.5, 6.5, 9, 13, 18, 26, 37, 52, 90], np.float32)
_LEAST_IN_BIN, _SAMPLES = 60, 60_000
# Steps in a unit of the root of activity, which is 128 at most.
_STEPS = 22.5
_LEVELS = (np.arange(256) / _STEPS) ** 2
_BIN_OF = np.searchsorted(_BINS, _LEVELS, side="right") - 1
# Differences are counted in cells: how many there are in a grey level, and in all.
_CELLS_A_LEVEL, _CELLS = 32, 2048
_FIRST_CELL = _BIN_OF * _CELLS
_LEAST_WEIGHT = 0.2
# In means of two by two pixels.
_AROUND, _BLOCK = 5, 7
_SPREAD = 0.3
_TONE_SAMPLES, _TONE_ROUNDS, _TONE_STILL = 4_000, 6, 0.01


def _differences(aligned: Aligned, drawing: bool, kind: str) -> tuple[Plane, Plane, float]:
    """Strength of difference at every pixel, that of luma alone, and the tone change."""
    # What lies right at the rim of the other picture is made of half pixels.
    inner = cv2.erode(aligned.mask, np.ones((3, 3), np.uint8), borderValue=1)
    area = _Area.of(np.asarray(inner, np.uint8))
    target, source = _channels(aligned.target), _channels(aligned.source)
    activity = np.minimum(target[0].activity, source[0].activity)
    toned, tone = _toned(target[0], source[0], area, drawing)
    noise, colour_noise = _NOISE_OF[kind]
    steps = _in_steps(activity)
    luma = np.zeros_like(toned)
    difference = target[0].values - toned
    if aligned.coded is not None and kind == "usual":
        difference = _unexplained(difference, area.mask, aligned.coded)
        _strengthen(luma, difference, steps, area, _FINE, _FINE_SMOOTH)
    _strengthen(luma, difference, steps, area, noise)
    strongest = luma.copy()
    chroma = []
    for one, other in zip(target[1:], source[1:], strict=True):
        toned, _ = _toned(one, other, area, drawing)
        difference = one.values - toned
        chroma.append((one.means, toned, difference))
        most = np.maximum(one.activity, other.activity)
        around = np.asarray(cv2.addWeighted(most, 0.5, activity, 0.5, 0), np.float32)
        _strengthen(strongest, difference, _in_steps(around), area, colour_noise)
    other_hue = _other_hue(chroma, area)
    if other_hue is not None:
        strongest = np.maximum(strongest, other_hue)
    if aligned.alphas is not None:
        one, other = (_channels(alpha[:, :, None])[0] for alpha in aligned.alphas)
        around = np.asarray(np.minimum(one.activity, other.activity), np.float32)
        _strengthen(strongest, one.values - other.values, _in_steps(around), area, _ALPHA)
    return strongest, luma, tone


def _other_hue(chroma: Sequence[tuple[Plane, Plane, Plane]], area: _Area) -> Plane | None:
    """Strength where both are clearly coloured, and in unlike colours: a red rim and a blue one.

    ``chroma`` has for both channels the means of one, the values of the other and the difference.
    None where there is no such place. In thin lines compression takes much of a colour away, but
    does not make another one of it.
    """
    # Unlike colours are at least as far apart as both are from grey; means are less apart.
    most = (cv2.norm(difference, cv2.NORM_INF) for _, _, difference in chroma)
    if math.hypot(*most) < _HARDLY_COLOURED:
        return None
    one, other = (
        [
            np.asarray(cv2.GaussianBlur(plane, (0, 0), _SMOOTH / 2), np.float32) - NO_CHROMA
            for plane in planes
        ]
        for planes in ([own for own, _, _ in chroma], [_by_twos(toned) for _, toned, _ in chroma])
    )
    lengths = cv2.magnitude(*one), cv2.magnitude(*other)
    alike = one[0] * other[0] + one[1] * other[1]
    unlike = (np.minimum(*lengths) >= _CLEARLY_COLOURED) & (alike < lengths[0] * lengths[1] / 2)
    if not unlike.any():
        return None
    apart = cv2.magnitude(one[0] - other[0], one[1] - other[1]) * np.float32(1 / _HUES_APART)
    strength = np.where(unlike, apart, np.float32(0))
    return np.asarray(_by_pixels(strength, area.mask) * area.mask, np.float32)


# How far from grey (levels of chroma) both are at least, and what apart is a strength of 1.
_CLEARLY_COLOURED, _HUES_APART = 20.0, 4.0
_HARDLY_COLOURED = 0.99 * _CLEARLY_COLOURED


@dataclass(frozen=True, slots=True)
class _Area:
    """Where both pictures show the scene.

    ``mask`` is 1 there, and ``everywhere`` says whether that is all of the frame. Noise is measured
    at every ``step`` pixels of it, the change of tone at ``spots``, in means of two by two pixels.
    ``weights``, by the size of smoothing, say how much of what lies around a pixel is in the mask.
    """

    mask: Bytes
    everywhere: bool
    step: int
    spots: tuple[NDArray[np.intp], NDArray[np.intp]]
    weights: dict[float, Plane] = field(default_factory=dict)

    @classmethod
    def of(cls, mask: Bytes) -> _Area:
        """The area of a mask."""
        step = max(1, mask.size // _SAMPLES)
        places = np.flatnonzero(mask.ravel()[::step])
        places = places[:: max(1, len(places) // _TONE_SAMPLES)] * step
        rows, columns = np.divmod(places, mask.shape[1])
        return cls(mask, bool(mask.all()), step, (rows // 2, columns // 2))

    def smoothed(self, plane: Plane, sigma: float) -> Plane:
        """A plane smoothed by what lies within the area alone."""
        if self.everywhere:
            return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
        masked = cv2.multiply(plane, self.mask, dtype=cv2.CV_32F)
        if sigma not in self.weights:
            weight = cv2.GaussianBlur(self.mask.astype(np.float32), (0, 0), sigma)
            self.weights[sigma] = np.maximum(weight, np.float32(_LEAST_WEIGHT))
        smooth = np.asarray(cv2.GaussianBlur(masked, (0, 0), sigma), np.float32)
        return np.divide(smooth, self.weights[sigma], out=smooth)


def _unexplained(difference: Plane, mask: Bytes, coded: Coded) -> Plane:
    """What remains of a difference when each term of a block gives way as far as it was rounded."""
    from image_duplicate_finder.verify import look_kernels

    most, left = coded.steps / 2 + np.float32(_ROUNDED_PIXELS), np.empty_like(difference)
    look_kernels.leave_unexplained(
        difference, mask, most, COSINES, coded.left % 8, coded.top % 8, left
    )
    return left


@dataclass(frozen=True, slots=True)
class _Channel:
    """One channel of a picture, ``means`` of each two by two pixels, and how much goes on there.

    ``activity`` is the standard deviation around these two by two pixels.
    """

    values: Plane
    means: Plane
    activity: Plane


def _channels(picture: Plane) -> list[_Channel]:
    """The channels of a picture (h, w, n) with what is measured of them."""
    from image_duplicate_finder.verify import look_kernels

    height, width, count = picture.shape
    values = np.empty((count, height, width), np.float32)
    means, squares = np.empty((2, count, (height + 1) // 2, (width + 1) // 2), np.float32)
    look_kernels.split(picture, values, means, squares)
    activities = (_activity(*planes) for planes in zip(means, squares, strict=True))
    return [_Channel(*planes) for planes in zip(values, means, activities, strict=True)]


def _activity(means: Plane, squares: Plane) -> Plane:
    from image_duplicate_finder.verify import look_kernels

    around = (_AROUND, _AROUND)
    activity = np.asarray(cv2.blur(squares, around), np.float32)
    look_kernels.deviate(activity, np.asarray(cv2.blur(means, around), np.float32))
    # Compression spreads what an edge leaves over its block: a part of the activity does too.
    near = np.asarray(cv2.dilate(activity, np.ones((_BLOCK, _BLOCK), np.uint8)), np.float32)
    near *= np.float32(_SPREAD)
    return np.asarray(np.maximum(activity, near, out=activity), np.float32)


def _by_twos(plane: Plane) -> Plane:
    height, width = plane.shape
    if height % 2 or width % 2:
        below, behind = height % 2, width % 2
        even = cv2.copyMakeBorder(plane, 0, below, 0, behind, cv2.BORDER_REPLICATE)
        plane = np.asarray(even, np.float32)
    size = (width + 1) // 2, (height + 1) // 2
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _by_pixels(values: NDArray[Any], plane: NDArray[Any]) -> NDArray[Any]:
    """Values of two by two pixels at each pixel of a plane: the reverse of :func:`_by_twos`."""
    height, width = plane.shape
    size = 2 * values.shape[1], 2 * values.shape[0]
    spread = cv2.resize(values, size, interpolation=cv2.INTER_NEAREST)[:height, :width]
    return np.ascontiguousarray(spread, values.dtype)


def _in_steps(activity: Plane) -> Bytes:
    """The root of an activity in steps of a byte: fine where little is going on."""
    return np.asarray(cv2.convertScaleAbs(cv2.sqrt(activity), alpha=_STEPS), np.uint8)


def _strengthen(
    strongest: Plane,
    difference: Plane,
    steps: Bytes,
    area: _Area,
    noise: _Noise,
    smoothing: float = _SMOOTH,
) -> None:
    """Raise ``strongest`` to how far a smoothed difference exceeds what parts these two pictures.

    Compression averages out over some pixels, content does not. What is left of it grows with
    the activity of the place; how fast, is measured on this very pair, within bounds.
    """
    from image_duplicate_finder.verify import look_kernels

    smooth = area.smoothed(difference, smoothing)
    expected = _expected(smooth, steps, area, noise)
    look_kernels.exceed(smooth, steps, expected, area.mask, strongest)


def _expected(difference: Plane, steps: Bytes, area: _Area, noise: _Noise) -> Plane:
    """What parts two pictures at each of the 256 steps of activity, by a sample of places."""
    from image_duplicate_finder.verify import look_kernels

    counts, among = np.zeros((len(_BINS), _CELLS), np.int32), np.zeros(256, np.int64)
    look_kernels.count_sizes(
        difference, steps, area.mask, area.step, _FIRST_CELL, _CELLS_A_LEVEL, counts, among
    )
    quantiles = np.empty(len(_BINS))
    known = look_kernels.find_quantiles(counts, noise.part, _LEAST_IN_BIN, quantiles)
    values = noise.scale * quantiles[:known] / _CELLS_A_LEVEL
    in_bin = np.bincount(_BIN_OF, among, len(_BINS))
    centres = (np.bincount(_BIN_OF, among * _LEVELS, len(_BINS)) / np.maximum(in_bin, 1))[
        in_bin >= _LEAST_IN_BIN
    ]
    expected = np.zeros(256)
    if len(centres):
        expected = np.interp(_LEVELS, centres, np.maximum.accumulate(values))
    expected = np.maximum(expected, noise.least[0] + noise.least[1] * _LEVELS)
    return np.minimum(expected, noise.most[0] + noise.most[1] * _LEVELS).astype(np.float32)


def _toned(one: _Channel, other: _Channel, area: _Area, drawing: bool) -> tuple[Plane, float]:
    """``other`` with the linear change of tone undone that parts it from ``one``; its size."""
    from image_duplicate_finder.verify import look_kernels

    # Means of some pixels: fine noise in one of the two would make its contrast seem higher.
    x, y = np.empty((2, len(area.spots[0])))
    if len(x) < 16:
        return other.values, 0.0
    look_kernels.sample_means(other.means, *area.spots, x)
    look_kernels.sample_means(one.means, *area.spots, y)
    gain, offset = 1.0, 0.0
    for _ in range(_TONE_ROUNDS):
        before = gain * 255 + offset, offset
        scale = max(1.0, 1.5 * middle(np.abs(y - gain * x - offset)))
        mx, my, spread, along, total = look_kernels.weigh(x, y, gain, offset, scale)
        if spread / total > 4:
            gain = float(along / spread)
        offset = float(my - gain * mx)
        if max(abs(gain * 255 + offset - before[0]), abs(offset - before[1])) < _TONE_STILL:
            break
    change = max(abs(gain * v + offset - v) for v in _quantiles(x, 0.02, 0.98))
    if drawing or change < 1.5 or not 0.2 < gain < 5:
        return other.values, float(change)
    return np.asarray(gain * other.values + offset, np.float32), float(change)


def _quantiles(values: NDArray[np.float64], *parts: float) -> list[float]:
    """As ``np.quantile``, which takes five times as long; the order of values is not kept."""
    places = [part * (len(values) - 1) for part in parts]
    values.partition([int(place) + more for place in places for more in (0, 1)])
    return [
        float(np.interp(place, (int(place), int(place) + 1), values[int(place) :][:2]))
        for place in places
    ]


def _colourfulness(ycc: Plane, mask: Bytes) -> float:
    from image_duplicate_finder.verify import look_kernels

    return float(look_kernels.mean_colour(ycc, mask, NO_CHROMA))


def _boxes(
    strength: Plane, in_a: Matrix, in_b: Matrix, a: Prepared, b: Prepared
) -> tuple[Difference, ...]:
    beyond = (strength >= CONTENT).astype(np.uint8)
    if not beyond.any():
        return ()
    joined = cv2.dilate(beyond, np.ones((7, 7), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    if count < 2:
        return ()
    peaks = np.zeros(count, np.float32)
    np.maximum.at(peaks, np.asarray(labels, np.intp).ravel(), (strength * beyond).ravel())
    peaks[0] = 0
    order = [int(k) for k in np.argsort(-peaks)[:_MOST_BOXES] if peaks[k] > 0]
    found = []
    for k in order:
        x, y, w, h = (int(v) for v in stats[k, :4])
        found.append(
            Difference(_box(in_a, x, y, w, h, a), _box(in_b, x, y, w, h, b), float(peaks[k]))
        )
    return tuple(found)


def _box(matrix: Matrix, x: int, y: int, w: int, h: int, picture: Prepared) -> Box:
    outline = geometry.apply(matrix, geometry.corners(w, h) + np.array([x, y])) + 0.5
    left, top = np.floor(outline.min(axis=0)).astype(int)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int)
    left, top = max(0, left), max(0, top)
    return Box(
        int(left),
        int(top),
        int(max(1, min(picture.width, right) - left)),
        int(max(1, min(picture.height, bottom) - top)),
    )


# The rim, which is left out, is wider. Where the deviation around is less, a border is flat.
_HARDLY_OFF, _BUSY = 0.4, 3.5


def _outside(picture: Prepared, matrix: Matrix, other: Prepared) -> tuple[float, float]:
    """The shares of a picture that lie outside of the other: what is content, what is flat."""
    from image_duplicate_finder.verify import look_kernels

    height, width = picture.small.shape[:2]
    to_small = geometry.frame_change(picture.width, picture.height, width, height)
    outline = geometry.apply(
        to_small @ geometry.inverse(matrix), geometry.corners(other.width, other.height)
    )
    if np.abs(outline - geometry.corners(width, height)).max() < _HARDLY_OFF:
        return 0.0, 0.0
    covered = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(covered, np.rint(outline).astype(np.int32), 1)
    rim = max(1, round(0.004 * max(height, width)))
    covered = np.asarray(
        cv2.dilate(covered, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)), np.uint8
    )
    if covered.all():
        return 0.0, 0.0
    grey = np.asarray(cv2.cvtColor(picture.small, cv2.COLOR_RGB2GRAY), np.uint8)
    outside, busy = look_kernels.count_busy(grey, covered, _BUSY)
    return busy / grey.size, (outside - busy) / grey.size
