"""How much fine detail two pictures of one scene show, measured on their own pixels.

Pixel counts, header qualities and formats tell nothing of it: an enlarged thumbnail has more
pixels, and a ruined JPEG saved again at 97 a better header. What counts is the energy of the
finest scales that the coarser picture can hold and of those beyond, and, where those are alike,
how many fine terms compression has set to zero: what is gone never comes back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix

Bytes = NDArray[np.uint8]
Planes = NDArray[np.float32]
Values = NDArray[np.float64]
_Value = TypeVar("_Value", bound=np.generic)

_WINDOW, _SMALL_WINDOW, _LEAST_WINDOW = 32, 16, 8
_SMALL_PICTURE, _TINY_PICTURE = 160, 48
# In each ninth of the scene: those of most texture, and some of little for the noise.
_PARTS = 3
_MOST_WINDOWS = 2048
_BUSY, _CALM = 10, 3
# In cycles per pixel of the coarser picture: 0.5 to 0.9 of its Nyquist frequency, what lies
# beyond that, and a band well below.
_BAND, _BEYOND, _BELOW = (0.25, 0.45), (0.55, 9.0), (0.1, 0.2)
# More than the octave above what the coarser one can hold need not be looked at.
_FINEST = 2.5
# What lies nearer to whole pixels than OpenCV can tell is not resampled.
_SAME_PIXELS = 1 / 256
# What rounding to 8 bits leaves in the band, and a little more.
_FLOOR = 0.06
# Scales at which there is a band beyond, and at which compression can be compared.
_HAS_BEYOND, _SAME_SCALE = 0.71, 0.97
# Enlarging leaves up to 0.13 of the band's energy beyond it (0.4 decibels), real pixels mostly 0.2
# and more (1.1 decibels).
_LEAK, _WORTH, _NOT_EMPTY = 0.1, 3.0, 0.3
# Differences of energy below this are less sure than what compression has set to zero.
_ENERGY_DECIDES, _LEAST_ENERGY, _AGREE = 2.2, 1.0, 0.8
# A trace above 1.5, which terms of whole numbers often are: rounding is not to decide.
_ZERO, _ZEROED = 1.50001, 0.3
# Coherence of crops with what they were cut from, saved again at 70 and above: 0.95 and more.
# Of those cut from a better source: below 0.92.
_ONE_SOURCE = 0.95
_REGION_SHARE, _REGION_BEYOND = 0.1, 2.0
# A blur takes far more from the band than from the one below, sharpening adds to both.
_SHARPENED, _LEAST_SHARPENED, _MOST_SHARPENED, _ALIKE = 2.6, 1.5, 10.0, 0.85
# Noise: energies within this factor of each other, far above rounding, that have next to nothing in
# common in the calmest quarter. Compression takes noise first: of the fine terms of a block so many
# are left where it is real. What it leaves of one picture's noise, saved twice at 90, has 0.27 to
# 0.5 in common (69 of 4,721 pairs of copies had less than 0.5); in exposures with noise of 4 grey
# levels and more it is 0 to 0.3.
_NOISE_FACTOR, _NOISE, _UNRELATED, _LEAST_CALM = 4.0, 4 * _FLOOR, 0.25, 6
_CALMEST, _NOISE_KEPT = 0.25, 5.0
# Grain adds as much where there is little texture as where there is much; detail hardly anything.
_EVEN = 0.35


@dataclass(frozen=True, slots=True)
class Detail:
    """What the finest scales of two pictures tell.

    ``decibels``: how much more of them a shows than b. ``coherence`` (0 to 1): how much of them
    agrees. ``sharpened``: decibels that sharpening or added grain gave a beyond b, or b beyond a
    if negative; that is no detail. ``own_noise``: each has noise of its own, as two exposures have.
    """

    decibels: float = 0.0
    coherence: float = 1.0
    sharpened: float = 0.0
    own_noise: bool = False


@dataclass(frozen=True, slots=True)
class _Windows:
    """Corresponding windows of both, each on its own pixels: (n, h, w), and where they lie.

    ``moved`` is the finer picture's brought to the coarser one's pixels. ``across`` and
    ``down`` are how many of the coarser one's pixels a pixel of the finer one takes. ``region``
    numbers the ninths of the scene; ``calm`` marks windows with little texture.
    """

    finer: Planes
    coarser: Planes
    moved: Planes
    places: NDArray[np.intp]
    region: NDArray[np.intp]
    calm: NDArray[np.bool_]
    across: float
    down: float


def compare_detail(a: Bytes, b: Bytes, matrix: Matrix) -> Detail:
    """Compare two grey pictures (h, w); ``matrix`` maps a to b, to a fraction of a pixel."""
    across, down = np.linalg.norm(matrix[:2, :2], axis=0)
    if across * down <= 1:
        return _compare(a, b, matrix)
    found = _compare(b, a, geometry.inverse(matrix))
    return Detail(-found.decibels, found.coherence, -found.sharpened, found.own_noise)


def _compare(finer: Bytes, coarser: Bytes, matrix: Matrix) -> Detail:
    windows = _windows(finer, coarser, matrix)
    if windows is None:
        return Detail()
    power = _Spectra.of(windows.finer, windows.across, windows.down)
    other = _Spectra.of(windows.coarser)
    one, two = power.energy(_BAND), other.energy(_BAND)
    moved = power if windows.moved is windows.finer else _Spectra.of(windows.moved)
    coherence = moved.in_common(other, _BAND)
    busy = ~windows.calm
    shared, product = coherence[0][busy].sum(), coherence[1][busy].sum()
    together = float(np.sqrt(max(0.0, shared) / product)) if product > _FLOOR**2 else 1.0
    scale = (windows.across * windows.down) ** 0.5
    if scale <= _HAS_BEYOND:
        beyond = power.energy(_BEYOND)
        decibels = _resolved(one[busy].mean(), two[busy].mean(), beyond[busy].mean())
        return Detail(decibels, together)
    decibels, whole = _energies(windows, one, two)
    own_noise = _own_noise(windows, one, two, coherence)
    if own_noise:
        kept, _ = _fewest_terms(finer, windows, windows.calm, matrix)
        own_noise = min(kept, _fewest_terms(coarser, windows, windows.calm)[0]) >= _NOISE_KEPT
    if scale < _SAME_SCALE:
        return Detail(decibels, together, 0.0, own_noise)
    below = _decibels(power.energy(_BELOW)[busy].mean(), other.energy(_BELOW)[busy].mean())
    if together >= _ALIKE and (
        _is_sharpening(decibels, below)
        or (_ENERGY_DECIDES < abs(decibels) < _MOST_SHARPENED and _is_grain(windows, one, two))
    ):
        return Detail(0.0, together, decibels, own_noise)
    unsure = _ENERGY_DECIDES if together >= _AGREE else _LEAST_ENERGY
    if abs(whole) < unsure:
        zeroed = _zeroed(finer, coarser, windows, busy, matrix, one_source=together >= _ONE_SOURCE)
        # One part of the scene decides only if nothing speaks against it.
        if abs(zeroed) >= _ZEROED and (abs(decibels) < unsure or zeroed * decibels < 0):
            decibels = zeroed
    return Detail(decibels, together, 0.0, own_noise)


def _is_sharpening(decibels: float, below: float) -> bool:
    """Whether the band below was raised too: a blur of the other would have left it."""
    return (
        _LEAST_SHARPENED < abs(decibels) < _MOST_SHARPENED
        and below * decibels > 0
        and abs(decibels) < _SHARPENED * abs(below)
    )


def _decibels(one: float, other: float) -> float:
    return float(10 * np.log10((one + _FLOOR) / (other + _FLOOR)))


def _resolved(one: float, other: float, beyond: float) -> float:
    """Detail of the finer over the coarser where it has a band that the coarser cannot hold."""
    share = beyond / (one + _FLOOR)
    if share >= _LEAK and one >= _NOT_EMPTY * other:
        return float(10 * np.log10(1 + _WORTH * (share - _LEAK)))
    # Enlarged: sharpening what was enlarged makes no detail.
    return min(0.0, _decibels(one, other))


def _energies(windows: _Windows, one: Values, two: Values) -> tuple[float, float]:
    """The ratio in the part of the scene where it is most one-sided, and over the whole of it."""
    busy = ~windows.calm
    whole = _decibels(one[busy].mean(), two[busy].mean())
    least = _REGION_SHARE * max(one[busy].mean(), two[busy].mean())
    regions = windows.region[busy]
    each = np.maximum(np.bincount(regions), 1)
    first, second = (np.bincount(regions, energies[busy]) / each for energies in (one, two))
    parts = [
        _decibels(first[region], second[region])
        for region in np.flatnonzero(each >= _BUSY // 2)
        if max(first[region], second[region]) >= least
    ]
    if not parts:
        return whole, whole
    most, fewest = max(parts), min(parts)
    if most > max(whole, 0) + _REGION_BEYOND and fewest > -_REGION_BEYOND:
        return most, whole
    if fewest < min(whole, 0) - _REGION_BEYOND and most < _REGION_BEYOND:
        return fewest, whole
    return whole, whole


def _own_noise(
    windows: _Windows, one: Values, two: Values, coherence: tuple[Values, Values]
) -> bool:
    """Whether fine noise as strong in one as in the other has little in common."""
    noisy = windows.calm & (one > _NOISE) & (two > _NOISE)
    noisy &= (one < _NOISE_FACTOR * two) & (two < _NOISE_FACTOR * one)
    if np.count_nonzero(noisy) < _LEAST_CALM:
        return False
    shared = np.sqrt(coherence[0][noisy].clip(0) / np.maximum(coherence[1][noisy], 1e-9))
    return float(np.quantile(shared, _CALMEST)) < _UNRELATED


def _is_grain(windows: _Windows, one: Values, two: Values) -> bool:
    """Whether what one has more than the other is the same everywhere, as added noise is."""
    if np.count_nonzero(windows.calm) < _LEAST_CALM:
        return False
    more = np.abs(one - two)
    return float(np.median(more[windows.calm])) >= _EVEN * float(np.median(more[~windows.calm]))


def _windows(finer: Bytes, coarser: Bytes, matrix: Matrix) -> _Windows | None:
    across, down = (float(v) for v in np.linalg.norm(matrix[:2, :2], axis=0))
    shrink = min(1.0, _FINEST * (across * down) ** 0.5)
    if shrink < 1:
        height, width = finer.shape
        new = max(1, round(width * shrink)), max(1, round(height * shrink))
        finer = np.asarray(cv2.resize(finer, new, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix @ geometry.inverse(geometry.frame_change(width, height, *new))
        across, down = (float(v) for v in np.linalg.norm(matrix[:2, :2], axis=0))
    side = min(coarser.shape)
    n = _WINDOW
    if side < _SMALL_PICTURE:
        n = _SMALL_WINDOW if side >= _TINY_PICTURE else _LEAST_WINDOW
    wide, high = max(4, round(n / across)), max(4, round(n / down))
    # Of a large picture every second or third in each direction are enough to choose from.
    step = n * max(1, math.ceil(math.sqrt(coarser.size / (_MOST_WINDOWS * n * n))))
    rows, columns = np.mgrid[
        0 : coarser.shape[0] - n + 1 : step, 0 : coarser.shape[1] - n + 1 : step
    ]
    places = np.stack([columns.ravel(), rows.ravel()], axis=1)
    if not len(places):
        return None
    centres = geometry.apply(geometry.inverse(matrix), places + (n - 1) / 2)
    lefts = np.rint(centres - [(wide - 1) / 2, (high - 1) / 2]).astype(np.intp)
    fits = (lefts >= 0).all(axis=1)
    fits &= (lefts[:, 0] + wide <= finer.shape[1]) & (lefts[:, 1] + high <= finer.shape[0])
    places, lefts = places[fits], lefts[fits]
    if not len(places):
        return None
    # Parts of the shared scene, not of the picture: a crop may lie in a corner of it.
    first, last = places.min(axis=0), places.max(axis=0) + 1
    ninths = (places - first) * _PARTS // (last - first)
    region = ninths[:, 1] * _PARTS + ninths[:, 0]
    texture = np.maximum(_texture(coarser, places, n, n), _texture(finer, lefts, high, wide))
    chosen, calm = [], []
    for part in np.unique(region):
        among = np.flatnonzero(region == part)
        order = among[np.argsort(-texture[among], kind="stable")]
        few = order[_BUSY:][-_CALM:]
        chosen += [order[:_BUSY], few]
        calm += [np.zeros(len(order[:_BUSY]), bool), np.ones(len(few), bool)]
    taken, is_calm = np.concatenate(chosen), np.concatenate(calm)
    places, lefts, region = places[taken], lefts[taken], region[taken]
    own = _cut(finer, lefts, high, wide)
    if geometry.is_close(matrix, _shift(*(places[0] - lefts[0])), finer.shape, _SAME_PIXELS):
        moved = own
    elif shrink == 1 and across * down > 0.9:
        moved = _moved(finer, matrix, places, n)
    else:
        new = max(1, round(finer.shape[1] * across)), max(1, round(finer.shape[0] * down))
        small = np.asarray(cv2.resize(finer, new, interpolation=cv2.INTER_AREA), np.uint8)
        to_small = geometry.frame_change(finer.shape[1], finer.shape[0], *new)
        moved = _moved(small, matrix @ geometry.inverse(to_small), places, n)
    return _Windows(
        own,
        _cut(coarser, places, n, n),
        moved,
        places,
        region,
        is_calm,
        across,
        down,
    )


def _shift(across: float, down: float) -> Matrix:
    return np.array([[1, 0, across], [0, 1, down], [0, 0, 1.0]])


def _texture(picture: Bytes, places: NDArray[np.intp], high: int, wide: int) -> Values:
    from image_duplicate_finder.verify import look_kernels

    found = np.empty(len(places))
    look_kernels.deviations(picture, places, high, wide, found)
    return found


def _cut(picture: Bytes, places: NDArray[np.intp], high: int, wide: int) -> Planes:
    from image_duplicate_finder.verify import look_kernels

    windows = np.empty((len(places), high, wide), np.float32)
    look_kernels.cut(picture, places, windows)
    return windows


def _moved(picture: Bytes, matrix: Matrix, places: NDArray[np.intp], n: int) -> Planes:
    """The windows of n x n pixels at ``places`` of what ``matrix`` makes of the picture."""
    from image_duplicate_finder.verify import look_kernels

    across, down = np.empty((2, len(places) * n, n), np.float32)
    look_kernels.find_sources(geometry.inverse(matrix), places, across, down)
    windows = cv2.remap(picture, across, down, cv2.INTER_CUBIC)
    return np.asarray(windows.reshape(-1, n, n), np.float32)


def _tapered(windows: Planes) -> Planes:
    from image_duplicate_finder.verify import look_kernels

    found = np.empty_like(windows)
    look_kernels.taper(windows, _fading(*windows.shape[1:]), found)
    return found


@cache
def _fading(high: int, wide: int) -> Planes:
    taper = np.outer(np.hanning(high + 2)[1:-1], np.hanning(wide + 2)[1:-1])
    taper /= np.sqrt((taper**2).sum() * high * wide)
    return taper.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Spectra:
    """The frequencies of windows: ``terms`` (n, h, w // 2 + 1), and of each term ``radius``, in
    cycles per pixel of the coarser picture, and ``times``, how often it counts: those that are
    not computed mirror others.
    """

    terms: NDArray[np.complex64]
    radius: Values
    times: Planes

    @classmethod
    def of(cls, windows: Planes, across: float = 1, down: float = 1) -> _Spectra:
        """Those of windows whose pixels take so many of the coarser picture's."""
        high, wide = windows.shape[1:]
        columns, rows = np.fft.rfftfreq(wide) / across, np.fft.fftfreq(high) / down
        radius = np.asarray(np.hypot(columns[None, :], rows[:, None]))
        times = np.ones(radius.shape, np.float32)
        times[:, 1 : (wide + 1) // 2] = 2
        # As products of matrices: of so small windows a third of the time of an FFT.
        along = np.ascontiguousarray(_fourier(wide)[:, : wide // 2 + 1]).view(np.float32)
        half = (_tapered(windows).reshape(-1, wide) @ along).view(np.complex64)
        return cls(_fourier(high) @ half.reshape(len(windows), high, -1), radius, times)

    def energy(self, band: tuple[float, float]) -> Values:
        """Of each window, the energy of a band in grey levels squared."""
        among = self._within(band)
        return _energy(self.terms[:, among], self.times[among])

    def in_common(self, other: _Spectra, band: tuple[float, float]) -> tuple[Values, Values]:
        """Per window the squared common energy of a band, and the product of both energies.

        Both are on the other's pixels, whose frequencies count: by its own scale, the finer one's
        are a trace higher or lower.
        """
        among = other._within(band)
        first, second, times = self.terms[:, among], other.terms[:, among], other.times[among]
        common = _summed(first.real * second.real + first.imag * second.imag, times)
        return np.sign(common) * common**2, _energy(first, times) * _energy(second, times)

    def _within(self, band: tuple[float, float]) -> NDArray[np.bool_]:
        return np.asarray((self.radius >= band[0]) & (self.radius <= band[1]))


def _energy(terms: NDArray[np.complex64], times: Planes) -> Values:
    return _summed(terms.real**2 + terms.imag**2, times)


@cache
def _fourier(n: int) -> NDArray[np.complex64]:
    """The matrix of the Fourier transform of ``n`` values."""
    turns = np.outer(np.arange(n), np.arange(n)) % n / n
    return np.asarray(np.exp(-2j * np.pi * turns), np.complex64)


def _summed(values: Planes, times: Planes) -> Values:
    return np.asarray(values @ times, np.float64)


def _zeroed(
    finer: Bytes,
    coarser: Bytes,
    windows: _Windows,
    among: NDArray[np.bool_],
    matrix: Matrix,
    *,
    one_source: bool,
) -> float:
    """In decibels, how many more fine terms the finer one kept.

    A crop that was saved again has its zeros in blocks of its own, and few in those of its source.
    So of two that agree as only a picture and its copy do (``one_source``), the one that kept more
    in the blocks of both was compressed less, else that is not known.
    """
    one, grid = _fewest_terms(finer, windows, among, matrix)
    two, other_grid = _fewest_terms(coarser, windows, among)
    there, here = _start_in(grid, matrix), _start_in(other_grid, geometry.inverse(matrix))
    if there == other_grid or not one_source:
        return _decibels(one, two)
    first = _decibels(one, _kept_terms(coarser, windows, among, there))
    second = _decibels(_kept_terms(finer, windows, among, here, matrix), two)
    return min(first, second, key=abs) if first * second > 0 else 0.0


def _start_in(grid: tuple[int, int], matrix: Matrix) -> tuple[int, int]:
    """Where blocks start in another picture."""
    x, y = np.rint(geometry.apply(matrix, np.array([grid]) - 0.5)[0] + 0.5).astype(int) % 8
    return int(x), int(y)


def _fewest_terms(
    picture: Bytes, windows: _Windows, among: NDArray[np.bool_], matrix: Matrix | None = None
) -> tuple[float, tuple[int, int]]:
    """The terms kept in the picture's own blocks, and where these start: at one of its corners."""
    height, width = picture.shape
    grids = [(x, y) for x in sorted({0, width % 8}) for y in sorted({0, height % 8})]
    return min((_kept_terms(picture, windows, among, grid, matrix), grid) for grid in grids)


def _kept_terms(
    picture: Bytes,
    windows: _Windows,
    among: NDArray[np.bool_],
    grid: tuple[int, int],
    matrix: Matrix | None = None,
) -> float:
    """How many fine terms of the 8 x 8 cosine transform are not zero, per block.

    Compression sets them to zero in blocks; one of them starts at ``grid``.
    """
    from image_duplicate_finder.verify import look_kernels

    height, width = picture.shape
    n = windows.coarser.shape[1]
    places = windows.places[among]
    if matrix is not None:
        middle = geometry.apply(geometry.inverse(matrix), places + (n - 1) / 2)
        places = np.rint(middle - (n - 1) / 2).astype(np.intp)
    lefts = (places - grid) // 8 * 8 + grid
    inside = (lefts >= 0).all(axis=1) & (lefts <= [width - n, height - n]).all(axis=1)
    if not inside.any():
        return np.inf
    lefts = lefts[inside]
    kept = int(look_kernels.count_fine_terms(picture, lefts, n, COSINES, _ZERO))
    return float(kept / (len(lefts) * (n // 8) ** 2))


@dataclass(frozen=True, slots=True)
class Coded:
    """How a JPEG was coded: the steps that the terms of its blocks (8, 8) were rounded to, and
    where the first whole block starts.
    """

    steps: Planes
    left: int
    top: int


# Steps that are clearly coarser than the other's and than the rounding of pixels, terms that were
# hardly rounded to zero, and how near to a multiple they lie, in steps. In copies at qualities 75
# to 97 of files at 20 to 92, 0.73 and more of these terms do (0.35 to 0.57 where the two steps are
# much alike), in pictures that were not made from the other 0.38 and less.
_COARSER, _COARSE, _NOT_ZERO, _NEAR_A_STEP, _ON_STEPS = 1.4, 6.0, 0.3, 0.25, 0.6
_LEAST_TERMS, _MOST_BLOCKS, _WHOLE = 400, 4_000, 0.1


@dataclass(frozen=True, slots=True)
class Rounded:
    """What the rounding of JPEGs tells of two pictures.

    ``resaved``: 1 if a is b decoded and saved again, -1 for the reverse, 0 where that cannot be
    told. ``explains``: 1 if all that parts them is what b was rounded by, -1 if it is what a was
    rounded by. Rounding can add energy to the finest scales, but no detail. ``filtered``: more
    parts them than what both were rounded by, so one was changed. ``unexplained``: of a JPEG and a
    file of another format, more parts them than what the JPEG was rounded by, so it was not made
    from the other.
    """

    resaved: int = 0
    explains: int = 0
    filtered: bool = False
    unexplained: bool = False


def compare_rounding(
    a: Bytes, b: Bytes, matrix: Matrix, coded_a: Coded | None, coded_b: Coded | None
) -> Rounded:
    """Look for the steps of one picture in the other; ``matrix`` maps a to b.

    Only copies pixel on pixel can be told, crops and mirrored ones among them. Of two JPEGs
    (``coded``) only one that was saved again in finer steps is told from its source: what was
    rounded to coarse steps stays near them when it is rounded to finer ones; forensics tells
    double compression by it (Popescu and Farid, 2004). Of a JPEG and a file of another format
    either is told, since all that parts a JPEG from its source is what it was rounded by.
    """
    if coded_b is None or (
        coded_a is not None and float(coded_a.steps.sum()) > float(coded_b.steps.sum())
    ):
        if coded_a is None:
            return Rounded()
        found = compare_rounding(b, a, geometry.inverse(matrix), coded_b, coded_a)
        return replace(found, resaved=-found.resaved, explains=-found.explains)
    blocks = _same_blocks(a, b, matrix, coded_b)
    if blocks is None:
        return Rounded()
    source, kept = (_to_terms(each.astype(np.float32) - np.float32(128)) for each in blocks)
    explains = int(_is_explained(source, kept, coded_b))
    if _lies_on_steps(source, coded_a, coded_b):
        return Rounded(1, explains)
    resaved = -explains if coded_a is None else 0
    filtered = False
    if not explains:
        # What compression adds beyond black and white is cut off.
        free = np.logical_and(*((e.min(1) > _BLACK) & (e.max(1) < _WHITE) for e in blocks))
        filtered = _is_filtered(source[free], kept[free], coded_a, coded_b)
    return Rounded(resaved, explains, filtered, unexplained=coded_a is None and not explains)


def _lies_on_steps(terms: Planes, coded: Coded | None, source: Coded) -> bool:
    coarse = source.steps >= _COARSE
    if coded is not None:
        coarse &= source.steps >= _COARSER * coded.steps
    coarse[0, 0] = False  # any mean may be right
    levels = np.abs(terms[:, coarse] / source.steps[coarse])
    levels = levels[levels >= _NOT_ZERO]
    if len(levels) < _LEAST_TERMS:
        return False
    near = np.abs(levels - np.maximum(1, np.rint(levels))) <= _NEAR_A_STEP
    return float(near.mean()) >= _ON_STEPS


def _is_explained(source: Planes, terms: Planes, coded: Coded) -> bool:
    near = _share_near(source, terms, coded, coded.steps / 2 + _ROUNDED_PIXELS)
    return near is not None and near >= _EXPLAINED


def _share_near(
    source: Planes, terms: Planes, coded: Coded, reach: Planes | Values
) -> float | None:
    """Of the terms that a JPEG kept, how many lie within ``reach`` of those of the other picture.

    None if it kept too few to tell.
    """
    kept = np.abs(terms) >= coded.steps / 2
    kept[:, 0, 0] = False
    count = np.count_nonzero(kept)
    if count < _LEAST_TERMS:
        return None
    kept &= np.abs(source - terms) <= reach
    return np.count_nonzero(kept) / count


# Of the terms that a JPEG kept, so many lie within half a step of those of the picture that it was
# made from: 0.966 and more at qualities 20 to 85. Of those of a softened or sharpened version of it
# 0.89 and fewer at 40 and above. Decoded pixels are whole numbers, which moves terms a little.
_EXPLAINED, _ROUNDED_PIXELS = 0.95, 1.5


def _is_filtered(source: Planes, terms: Planes, coded: Coded | None, other: Coded) -> bool:
    steps = other.steps if coded is None else coded.steps + other.steps
    near = _share_near(source, terms, other, _LOOSE * steps / 2 + _LOOSELY_ROUNDED)
    return near is not None and near < _UNFILTERED


# Of the terms that a JPEG kept, so many lie within the steps of both files of those of a copy, of
# its source and of another copy of that: 0.985 and more at qualities from 25 to 98, crops and
# mirrored ones among them. In smoothed portraits 0.94 and fewer do, in most fewer than 0.87.
_LOOSE, _LOOSELY_ROUNDED, _UNFILTERED = 1.3, 2.0, 0.945
_BLACK, _WHITE = 2, 253


def _same_blocks(a: Bytes, b: Bytes, matrix: Matrix, coded: Coded) -> tuple[Bytes, Bytes] | None:
    """The pixels of the same blocks of both, (n, 64), in the blocks that ``b`` was coded in.

    None unless ``matrix``, from a to b, puts whole pixels on whole pixels, mirrored or not.
    """
    if matrix[0, 0] < 0:
        a, matrix = a[:, ::-1], matrix @ np.array([[-1, 0, a.shape[1] - 1], [0, 1, 0], [0, 0, 1.0]])
    if matrix[1, 1] < 0:
        a, matrix = a[::-1], matrix @ np.array([[1, 0, 0], [0, -1, a.shape[0] - 1], [0, 0, 1.0]])
    shift = np.rint(matrix[:2, 2]).astype(int)
    pixel_on_pixel = np.eye(3)
    pixel_on_pixel[:2, 2] = shift
    if not geometry.is_close(pixel_on_pixel, matrix, a.shape, _WHOLE):
        return None
    across, down = (int(v) for v in shift)
    left, top = max(0, across), max(0, down)
    left, top = left + (coded.left - left) % 8, top + (coded.top - top) % 8
    wide = (min(b.shape[1], a.shape[1] + across) - left) // 8
    high = (min(b.shape[0], a.shape[0] + down) - top) // 8
    if wide < 1 or high < 1:
        return None
    each = max(1, math.ceil(math.sqrt(high * wide / _MOST_BLOCKS)))
    found = []
    for picture, x, y in ((a, left - across, top - down), (b, left, top)):
        blocks = picture[y : y + 8 * high, x : x + 8 * wide].reshape(high, 8, wide, 8)
        found.append(_as_rows(blocks[::each, :, ::each].transpose(0, 2, 1, 3)))
    return found[0], found[1]


def _as_rows(blocks: NDArray[_Value]) -> NDArray[_Value]:
    """Blocks (..., 8, 8) one by one, each in a row of 64."""
    return np.ascontiguousarray(blocks).reshape(-1, 64)


def _to_terms(blocks: Planes) -> Planes:
    """The 8 x 8 cosine transform of JPEG of blocks (..., 8, 8) or (n, 64): terms (n, 8, 8)."""
    return np.asarray((_as_rows(blocks) @ _TRANSFORM).reshape(-1, 8, 8), np.float32)


_FREQUENCY, _PLACE = np.mgrid[0:8, 0:8]
COSINES = (
    np.cos((2 * _PLACE + 1) * _FREQUENCY * np.pi / 16)
    * np.where(_FREQUENCY == 0, np.sqrt(1 / 8), 0.5)
).astype(np.float32)
# ``COSINES @ block @ COSINES.T`` in one product, which is faster for many blocks.
_TRANSFORM = np.ascontiguousarray(np.kron(COSINES, COSINES).T)
