"""Pictures prepared for a closer look: reduced after one full decode, and two of them aligned.

Pictures are compared at about 1,024 pixels on the long side, in the frame of the coarser one, to a
fraction of a pixel. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode import Picture
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.detail import Coded
from image_duplicate_finder.verify.geometry import Matrix
from image_duplicate_finder.verify.registration import refine

AREA = 1024 * 800
"""How many pixels pictures are compared at, at most: so a long strip is compared as finely."""

CLOSE_SCALE = 0.98
"""Pictures whose sizes differ by less are compared as they are."""

NO_CHROMA = 0.5
"""What OpenCV calls grey in pictures of floats."""

_SMALLEST_OVERLAP = 64
# Nearest-neighbour scaling: what leaves less than this part of the difference.
_CLEARLY_LESS = 0.85
_ABOUT_A_PIXEL, _EACH = 1.5, 3
_FLAT = 3.0
_WORTH_HALVING = 0.3
_GREY, _COLOUR_SHARE = 10, 0.002
_SAMPLED, _VERY_FEW = 4096, 32
# Of photos with a wide sky up to 0.77 lie in eight colours, but more than 50 colours are seen.
_SEEN, _MANY_COLOURS = 0.001, 50
_ICON, _FEW_IN_AN_ICON = 160 * 160, 0.6
_FEW_COLOURS, _FLAT_STEP, _FLAT_SHARE = 0.75, 1, 0.3

Plane = NDArray[np.float32]
Bytes = NDArray[np.uint8]


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
class Aligned:
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


def coding_of(picture: Prepared) -> Coded | None:
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


def align(target: Prepared, source: Prepared, matrix: Matrix, negative: bool) -> Aligned | None:
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
        coded = coding_of(target)
    return Aligned(one, moved, mask, matrix, alphas, exact, coded)


def _picked(
    target: Plane, source: Prepared, moved: Plane, mask: Bytes, matrix: Matrix, negative: bool
) -> Plane:
    """``moved``, or single pixels of the source if the target was made of these.

    Nearest-neighbour scaling takes pixels as they are, each up to half a pixel off, and no mean
    of its neighbours looks like that. Only whole pictures are looked at.
    """
    small = source.small.shape[1::-1]
    if small != source.luma.shape[1::-1] or geometry.scale_of(matrix) >= CLOSE_SCALE:
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
    if geometry.scale_of(matrix) >= CLOSE_SCALE:
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
        shown = np.array([255, 2 * NO_CHROMA, 2 * NO_CHROMA], np.float32) - shown
    alpha = None if picture.alpha is None else _resized(picture.alpha, size).astype(np.float32)
    return shown, alpha


def _resized(pixels: Bytes, size: tuple[int, int]) -> Bytes:
    """At another size (width, height), each pixel the mean of what it covers."""
    if pixels.shape[1::-1] == size:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


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
