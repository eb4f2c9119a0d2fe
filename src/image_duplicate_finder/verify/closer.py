"""A closer look at two pictures that match: in colour, aligned to a fraction of a pixel.

The small grey proofs of verification find copies; they cannot see one digit, a lamp's colour or a
retouched spot. What decides whether a file is worth nothing beside another is measured here, on
pictures of about 1,024 pixels on the long side, and, for fine detail, at full size. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode import Picture
from image_duplicate_finder.model import Box, Difference, Look, Match
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.detail import (
    COSINES,
    Coded,
    compare_detail,
    compare_rounding,
)
from image_duplicate_finder.verify.geometry import Matrix
from image_duplicate_finder.verify.registration import is_displaced, middle, refine

AREA = 1024 * 800
"""How many pixels pictures are compared at, at most: so a long strip is compared as finely."""

CONTENT = 4.0
"""A difference of this strength is content: compression and scaling explain less."""

_SMOOTH = 1.5
_MOST_BOXES = 4
_SMALLEST_OVERLAP = 64
_CLOSE_SCALE = 0.98
# Nearest-neighbour scaling: what leaves less than this part of the difference.
_CLEARLY_LESS = 0.85
_ABOUT_A_PIXEL, _EACH = 1.5, 3
_FLAT = 3.0
_WORTH_HALVING = 0.3
_GREY, _COLOUR_SHARE = 10, 0.002
_SAMPLED, _VERY_FEW = 4096, 32
_HARDLY_MORE, _FINER = 0.5, 1.0
# Of photos with a wide sky up to 0.77 lie in eight colours, but more than 50 colours are seen.
_SEEN, _MANY_COLOURS = 0.001, 50
_ICON, _FEW_IN_AN_ICON = 160 * 160, 0.6
_FEW_COLOURS, _FLAT_STEP, _FLAT_SHARE = 0.75, 1, 0.3

Plane = NDArray[np.float32]
Bytes = NDArray[np.uint8]
_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a picture is reduced to after one full decode.

    ``width``, ``height``: the upright picture at full size. ``small``: RGB (h, w, 3) of at most
    :data:`AREA` pixels; ``luma``: grey at the size it was decoded. ``alpha`` belongs to
    ``small``; None if everything is opaque. ``colourful``: colour can be seen in it.
    ``drawing``: flat areas in few colours, or an icon with transparency; ``few`` is the share of
    the most common colours.
    ``lossless``: nothing was lost in the file. ``bits_used``: the bits per channel that its
    values need. ``steps``: of a JPEG, what the luminance terms of its blocks were rounded to.
    Blocks start at the corner that ``orientation``, the EXIF value that was applied, took the first
    pixel to.
    """

    width: int
    height: int
    small: Bytes
    luma: Bytes
    alpha: Bytes | None = None
    colourful: bool = True
    drawing: bool = False
    few: float = 0.0
    few_colours: bool = False
    lossless: bool = False
    bits_used: int = 8
    steps: tuple[int, ...] | None = None
    orientation: int = 1

    @property
    def alpha_used(self) -> bool:
        """Whether any part of the picture is transparent."""
        return self.alpha is not None


def prepared_bytes(width: int, height: int) -> int:
    """The memory that an opaque picture of this size takes, when it is prepared."""
    return width * height + 3 * min(width * height, AREA)


def prepare(picture: Picture) -> Prepared:
    """Reduce a fully decoded picture to what closer looks need."""
    pixels = picture.pixels
    info = picture.info
    grey = pixels.ndim == 2
    luma = pixels if grey else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    small = _at_most(pixels)
    if grey:
        small = np.repeat(small[:, :, None], 3, axis=2)
    alpha = None if picture.alpha is None else _at_most(picture.alpha)
    if alpha is not None and int(alpha.min()) == 255:
        alpha = None
    small = np.ascontiguousarray(small)
    shares = _colour_shares(small)
    return Prepared(
        width=info.width,
        height=info.height,
        small=small,
        luma=np.ascontiguousarray(luma),
        alpha=alpha,
        colourful=_is_colourful(small),
        drawing=_is_drawing(small, shares) or (alpha is not None and _is_icon(small)),
        few=float(shares[:8].sum()),
        few_colours=info.metadata.few_colours,
        lossless=info.lossless,
        bits_used=info.bit_depth,
        steps=picture.steps,
        orientation=info.orientation,
    )


def _at_most(pixels: Bytes) -> Bytes:
    height, width = pixels.shape[:2]
    factor = float(np.sqrt(AREA / (height * width)))
    if factor >= 1:
        return pixels
    new = max(1, round(width * factor)), max(1, round(height * factor))
    if factor <= _WORTH_HALVING and height % 2 == width % 2 == 0:
        # Exact halves take far less time than any other size, most so by this method: of a half,
        # linear interpolation is the mean of four pixels.
        half = width // 2, height // 2
        pixels = np.asarray(
            cv2.resize(pixels, half, interpolation=cv2.INTER_LINEAR_EXACT), np.uint8
        )
    return _resized(pixels, new)


def _is_colourful(small: Bytes) -> bool:
    """Whether more than noise parts the channels in one pixel of five hundred."""
    red, green, blue = cv2.split(small)
    spread = cv2.subtract(cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue))
    return float(np.mean(cv2.blur(spread, (3, 3)) > _GREY)) > _COLOUR_SHARE


def _is_drawing(small: Bytes, shares: NDArray[np.float64]) -> bool:
    """Whether the picture is made of flat areas in few colours, or of very few colours alone."""
    pixels = small.reshape(-1, 3)[:: max(1, small.size // 3 // _SAMPLED)].astype(np.uint32)
    if len(np.unique((pixels[:, 0] << 16) | (pixels[:, 1] << 8) | pixels[:, 2])) <= _VERY_FEW:
        return True
    few = float(shares[:8].sum())
    if _is_icon(small):
        if few <= _FEW_IN_AN_ICON:
            return False
    elif few <= _FEW_COLOURS or np.count_nonzero(shares > _SEEN) > _MANY_COLOURS:
        return False
    steps = cv2.split(cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
    flat = cv2.max(cv2.max(steps[0], steps[1]), steps[2]) <= _FLAT_STEP
    return float(np.mean(flat)) > _FLAT_SHARE


def _is_icon(small: Bytes) -> bool:
    return bool(small.shape[0] * small.shape[1] <= _ICON)


def _colour_shares(small: Bytes) -> NDArray[np.float64]:
    """The shares of pixels in each of 4,096 colours, the most common first."""
    counts = cv2.calcHist([small], [0, 1, 2], None, [16, 16, 16], [0, 256, 0, 256, 0, 256])
    shares = np.asarray(counts.ravel(), np.float64) / (small.shape[0] * small.shape[1])
    return np.asarray(np.sort(shares)[::-1])


@dataclass(frozen=True, slots=True)
class _Aligned:
    """Both pictures in one frame, that of the coarser one.

    ``target`` and ``source``: YCrCb (h, w, 3) float32; ``mask`` is 1 where both show the scene.
    ``matrix`` maps the source's small frame to the target's. ``pixel_on_pixel``: nothing had to be
    resampled for that. ``coded``: how the target was compressed, if that is known.
    """

    target: Plane
    source: Plane
    mask: Bytes
    matrix: Matrix
    alphas: tuple[Plane, Plane] | None
    pixel_on_pixel: bool
    coded: Coded | None


def _coded(picture: Prepared) -> Coded | None:
    """How a JPEG was coded, as far as its steps and orientation tell."""
    if picture.steps is None or picture.luma.shape != (picture.height, picture.width):
        return None
    steps = np.array(picture.steps, np.float32).reshape(8, 8)
    if picture.orientation >= _ON_ITS_SIDE:
        steps = steps.T
    left = picture.width % 8 if picture.orientation in _FROM_THE_RIGHT else 0
    top = picture.height % 8 if picture.orientation in _FROM_BELOW else 0
    return Coded(np.ascontiguousarray(steps), left, top)


_ON_ITS_SIDE, _FROM_THE_RIGHT, _FROM_BELOW = 5, (2, 3, 6, 7), (3, 4, 7, 8)
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
    if _CLOSE_SCALE <= scale <= 1 / _CLOSE_SCALE:
        # Of two about equally large ones, what the stronger compression did to one is known.
        swapped = sum(a.steps or ()) > sum(b.steps or ())
    if swapped:
        aligned = _aligned(a, b, geometry.inverse(start), match.negative)
    else:
        aligned = _aligned(b, a, start, match.negative)
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
    rounded = compare_rounding(a.luma, b_luma, own_pixels, _coded(a), _coded(b))
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


def _aligned(target: Prepared, source: Prepared, matrix: Matrix, negative: bool) -> _Aligned | None:
    """The source brought to the target's frame; the target is the coarser picture."""
    one = _ycc(target.small)
    size, to_new = _size_under(source, matrix)
    other, alpha = _shrunk(source, size, negative)
    planes = one[..., 0], other[..., 0]
    if target.alpha is not None and alpha is not None and float(planes[0].std()) < _FLAT:
        # White on transparent ground: the alpha channel is the picture.
        planes = target.alpha.astype(np.float32), alpha
    start = matrix @ geometry.inverse(to_new)
    found = refine(np.ascontiguousarray(planes[0]), np.ascontiguousarray(planes[1]), start)
    if not geometry.is_sound(found, other.shape[1], other.shape[0]):
        return None
    # At the size that it has by the finer alignment: a copy of half the size needs no other step.
    matrix = found @ to_new
    size_then, to_new = _size_under(source, matrix)
    if size_then != size:
        other, alpha = _shrunk(source, size_then, negative)
    found = matrix @ geometry.inverse(to_new)
    size = target.small.shape[1], target.small.shape[0]
    moved, mask = _warped(other, found, size)
    if np.count_nonzero(mask) < min(_SMALLEST_OVERLAP, mask.size // 2):
        return None
    alphas: tuple[Plane, Plane] | None = None
    if target.alpha is not None and alpha is not None:
        alphas = target.alpha.astype(np.float32), _warped(alpha, found, size)[0]
    exact = other.shape[:2] == source.luma.shape and _keeps_pixels(found)
    coded = None
    if target.small.shape[:2] == target.luma.shape:
        moved = _picked(one, source, moved, mask, matrix, negative)
        coded = _coded(target)
    return _Aligned(one, moved, mask, matrix, alphas, exact, coded)


def _picked(
    target: Plane, source: Prepared, moved: Plane, mask: Bytes, matrix: Matrix, negative: bool
) -> Plane:
    """``moved``, or single pixels of the source if the target was made of these.

    Nearest-neighbour scaling takes pixels as they are, each up to half a pixel off, and no mean
    of its neighbours looks like that. Only whole pictures are looked at.
    """
    small = source.small.shape[1::-1]
    if small != source.luma.shape[1::-1] or geometry.scale_of(matrix) >= _CLOSE_SCALE:
        return moved
    height, width = target.shape[:2]
    whole = geometry.frame_change(small[0], small[1], width, height)
    if not geometry.is_close(matrix, whole, source.small.shape, _ABOUT_A_PIXEL):
        return moved
    few = slice(None, None, _EACH)
    shown, luma = mask[few, few] > 0, target[few, few, 0]
    least = _CLEARLY_LESS * float(np.abs(luma - moved[few, few, 0])[shown].mean())
    chosen = None
    for places in (_under_middles, _under_corners):
        columns, rows = places(small[0], width), places(small[1], height)
        picked = _taken(source.small, rows[few], columns[few], negative)
        away = float(np.abs(luma - picked[..., 0])[shown].mean())
        if away < least:
            least, chosen = away, (rows, columns)
    return moved if chosen is None else _taken(source.small, *chosen, negative)


def _taken(
    pixels: Bytes, rows: NDArray[np.intp], columns: NDArray[np.intp], negative: bool
) -> Plane:
    """The pixels (YCrCb) at the crossings of these rows and columns."""
    picked = _ycc(np.ascontiguousarray(pixels[rows[:, None], columns[None, :]]))
    return np.float32(255) - picked if negative else picked


def _under_middles(old: int, new: int) -> NDArray[np.intp]:
    """Which of ``old`` pixels lie under the middles of ``new`` ones, summed up as Pillow does."""
    steps = np.full(new, old / new)
    steps[0] /= 2
    return np.asarray(np.minimum(np.cumsum(steps), old - 1), np.intp)


def _under_corners(old: int, new: int) -> NDArray[np.intp]:
    """Which of ``old`` pixels lie under the first corners of ``new`` ones, as OpenCV does."""
    return np.asarray(np.minimum(np.arange(new) * (old / new), old - 1), np.intp)


def _size_under(picture: Prepared, matrix: Matrix) -> tuple[tuple[int, int], Matrix]:
    """About the size (width, height) that ``matrix`` gives the picture, and the way to it."""
    height, width = picture.small.shape[:2]
    if geometry.scale_of(matrix) >= _CLOSE_SCALE:
        return (width, height), np.eye(3)
    across, down = np.minimum(np.linalg.norm(matrix[:2, :2], axis=0), 1.0)
    new = max(1, round(width * across)), max(1, round(height * down))
    return new, geometry.frame_change(width, height, *new)


def _shrunk(picture: Prepared, size: tuple[int, int], negative: bool) -> tuple[Plane, Plane | None]:
    """The picture (YCrCb) and its alpha at ``size`` (width, height)."""
    shown = _ycc(_resized(picture.small, size))
    if size != picture.small.shape[1::-1]:
        # From full size in one step: a picture that was resized twice is less sharp.
        shown[..., 0] = _resized(picture.luma, size)
    if negative:
        shown = np.array([255, 2 * _NO_CHROMA, 2 * _NO_CHROMA], np.float32) - shown
    alpha = None if picture.alpha is None else _resized(picture.alpha, size).astype(np.float32)
    return shown, alpha


def _resized(pixels: Bytes, size: tuple[int, int]) -> Bytes:
    """At another size (width, height), each pixel the mean of what it covers."""
    if pixels.shape[1::-1] == size:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


_NO_CHROMA = 0.5
"""What OpenCV calls grey in pictures of floats."""


def _ycc(rgb: Bytes) -> Plane:
    # Without rounding: two levels of blue are a fifth of one of luma.
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2YCrCb), np.float32)


def _keeps_pixels(matrix: Matrix) -> bool:
    """Whether whole pixels come to lie on whole pixels."""
    whole = bool(np.abs(matrix - np.rint(matrix)).max() < _WHOLE)
    return whole and abs(abs(geometry.area_scale(matrix)) - 1) < _WHOLE


_IDENTITY, _WHOLE = np.eye(3), 1e-9


def _warped(source: Plane, matrix: Matrix, size: tuple[int, int]) -> tuple[Plane, Bytes]:
    if source.shape[1::-1] == size and np.abs(matrix - _IDENTITY).max() < _WHOLE:
        return source, np.ones(source.shape[:2], np.uint8)
    if _keeps_pixels(matrix):
        from image_duplicate_finder.verify import look_kernels

        # At whole places, to the last bit: right beside them, nearest pixels are chosen by chance.
        back = np.rint(geometry.inverse(np.rint(matrix))[:2]).astype(np.int64)
        moved = np.empty((size[1], size[0], *source.shape[2:]), np.float32)
        mask = np.empty((size[1], size[0]), np.uint8)
        deep = np.atleast_3d(source), np.atleast_3d(moved)
        look_kernels.move(deep[0], back, deep[1], mask)
        return moved, mask
    height, width = source.shape[:2]
    inside = np.ones((height, width), np.uint8)
    mask = np.asarray(cv2.warpPerspective(inside, matrix, size, flags=cv2.INTER_NEAREST), np.uint8)
    moved = cv2.warpPerspective(
        source, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32), mask


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


def _differences(aligned: _Aligned, drawing: bool, kind: str) -> tuple[Plane, Plane, float]:
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
            np.asarray(cv2.GaussianBlur(plane, (0, 0), _SMOOTH / 2), np.float32) - _NO_CHROMA
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

    return float(look_kernels.mean_colour(ycc, mask, _NO_CHROMA))


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
