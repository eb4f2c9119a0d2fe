"""Keypoints of a picture: found, described, and stored.

Method: SIFT (Lowe, "Distinctive image features from scale-invariant keypoints", 2004) on a small
picture: the coarse keypoints that it has survive scaling, pasting and noise, and cost little.
Each descriptor of 128 values becomes a code of 128 bits, a value above the descriptor's median or
not, which fits in 16 bytes. Bit ``8 * (4 * row + column) + direction`` of a code belongs to one of
4 x 4 cells of the keypoint's surroundings and one of 8 gradient directions there, so one byte is
one cell, and the code of the mirrored or negative picture is a permutation of bytes and bits.

OpenCV's detector describes every keypoint that it finds, and building its pyramid a second time
would cost as much again; here only those that are kept are described, from a patch of 20 x 20
samples each. Nine of ten descriptors differ by at most 12 of 128 bits from OpenCV's, and a
picture costs a third of the time.
"""

from __future__ import annotations

import math
import struct
import threading
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint.appearance import fitted

_HEADER = struct.Struct("<HHH")
_BYTES_EACH = 22
# Twelve bits for either coordinate hold frames of up to 341 pixels.
_PLACES_PER_PIXEL = 12
_PLACE_BITS = 12
_SCALE_STEPS = 32
_ANGLE_STEPS = 256
# The lowest size that a byte can hold: 2 ** (-1) pixels, then 32 steps per octave.
_LOWEST_OCTAVE = -1

# Decoded values of a size byte, a direction byte, and a stored coordinate.
_SCALES = np.exp2(np.arange(256, dtype=np.float32) / _SCALE_STEPS + _LOWEST_OCTAVE)
_ANGLES = np.arange(_ANGLE_STEPS, dtype=np.float32) * np.float32(2 * np.pi / _ANGLE_STEPS)
_PLACES = (np.arange(1 << _PLACE_BITS) / _PLACES_PER_PIXEL).astype(np.float32)

# The direction d of a mirrored gradient is -d, so bit d of a cell's byte moves to bit -d mod 8.
_MIRRORED_BYTE = np.array(
    [sum(((byte >> d) & 1) << (-d % 8) for d in range(8)) for byte in range(256)], np.uint8
)

ROWS_FLIPPED, COLUMNS_FLIPPED, ROWS_UNSURE, COLUMNS_UNSURE = 1, 2, 4, 8


@dataclass(frozen=True, slots=True)
class Keypoints:
    """``n`` keypoints of a picture that was scaled to ``width`` x ``height`` pixels.

    ``x``, ``y``: places in that frame, pixel centres at whole numbers, float32 (n,).
    ``scale``: the size in pixels, float32 (n,). ``angle``: direction in radians, from +x towards
    +y, float32 (n,). ``codes``: uint8 (n, 16). ``flags``: uint8 (n,): which flips bring the code
    into its canonical form (:func:`canonical`), and which of them a small change could undo.
    """

    width: int
    height: int
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    scale: NDArray[np.float32]
    angle: NDArray[np.float32]
    codes: NDArray[np.uint8]
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.x)

    def to_bytes(self) -> bytes:
        """A compact encoding of 6 bytes and 22 for each keypoint.

        Places are kept to 1/12 pixel, sizes to 2%, directions to 1.4 degrees.
        """
        scale = (np.log2(np.maximum(self.scale, 1e-3)) - _LOWEST_OCTAVE) * _SCALE_STEPS
        angle = self.angle * (_ANGLE_STEPS / (2 * np.pi))
        return b"".join(
            (
                _HEADER.pack(self.width, self.height, len(self)),
                _packed_places(self.x, self.y),
                np.clip(np.rint(scale), 0, 255).astype(np.uint8).tobytes(),
                (np.rint(angle).astype(np.int64) % _ANGLE_STEPS).astype(np.uint8).tobytes(),
                self.flags.tobytes(),
                self.codes.tobytes(),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Keypoints:
        """What :meth:`to_bytes` wrote. Raises ``ValueError`` if ``data`` has the wrong length."""
        if len(data) < _HEADER.size:
            raise ValueError("Stored keypoints are cut short.")
        width, height, n = _HEADER.unpack_from(data)
        if len(data) != _HEADER.size + _BYTES_EACH * n:
            raise ValueError("Stored keypoints have the wrong length.")
        # Copied, since Numba compiles loops once more for arrays that are read-only.
        raw = np.frombuffer(data, np.uint8, offset=_HEADER.size).copy()
        places, scale, angle = raw[: 3 * n], raw[3 * n : 4 * n], raw[4 * n : 5 * n]
        flags, codes = raw[5 * n : 6 * n], raw[6 * n :]
        x, y = _unpacked_places(places)
        return cls(
            width,
            height,
            x,
            y,
            _SCALES[scale],
            _ANGLES[angle],
            codes.reshape(n, 16),
            flags,
        )


def _packed_places(x: NDArray[np.float32], y: NDArray[np.float32]) -> bytes:
    """Both coordinates of each place in three bytes."""
    most = (1 << _PLACE_BITS) - 1
    across, down = (
        np.clip(np.rint(values * _PLACES_PER_PIXEL), 0, most).astype("<u4") for values in (x, y)
    )
    both = np.ascontiguousarray(across | down << _PLACE_BITS)
    return both.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def _unpacked_places(data: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    first, second, third = data.reshape(-1, 3).T.astype(np.intp)
    return _PLACES[first | (second & 15) << 8], _PLACES[second >> 4 | third << 4]


def flip_rows(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The codes (n, 16) of the mirrored picture."""
    flipped = _MIRRORED_BYTE[codes.reshape(-1, 4, 4)[:, ::-1]]
    return np.ascontiguousarray(flipped).reshape(-1, 16)


def flip_columns(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The codes (n, 16) of the mirrored negative picture."""
    flipped = _MIRRORED_BYTE[codes.reshape(-1, 4, 4)[:, :, ::-1]]
    return np.ascontiguousarray(flipped).reshape(-1, 16)


def canonical(codes: NDArray[np.uint8], flags: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The form of the codes (n, 16) that a mirrored and a negative picture share.

    Where the flags of two matching keypoints differ, one picture is mirrored (rows), a mirrored
    negative (columns), or a negative (both).
    """
    codes = np.where((flags & ROWS_FLIPPED)[:, None] > 0, flip_rows(codes), codes)
    return np.where((flags & COLUMNS_FLIPPED)[:, None] > 0, flip_columns(codes), codes)


def in_words(codes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Codes (n, 16) as machine words (n, 2), whose differing bits are counted faster."""
    return np.ascontiguousarray(codes).view(np.uint64)


_SIDE, _LIMIT = 200, 200
_SIDE_THOROUGH, _LIMIT_THOROUGH = 320, 600
_COLUMNS, _ROWS = 5, 4
# Half-balances of the descriptor below these are flipped by small changes. Measured: with them,
# 97% of matching keypoints meet in canonical form.
_ROWS_BALANCE, _COLUMNS_BALANCE = 0.13, 0.12


def extract(grey: NDArray[np.uint8], *, thorough: bool = False) -> Keypoints:
    """Keypoints of a grey picture (H, W) uint8, spread over it, the clearest first.

    The picture is scaled to 200 pixels (320 if ``thorough``) on its long side; it should not
    be smaller than that, but may. At most 200 (600) keypoints are kept.
    """
    long_side, limit = (_SIDE_THOROUGH, _LIMIT_THOROUGH) if thorough else (_SIDE, _LIMIT)
    small = fitted(grey, long_side)
    height, width = small.shape
    table, descriptors = _detect(small, limit)
    codes, flags = _encode(descriptors)
    x, y, scale, angle = np.ascontiguousarray(table.T)
    return Keypoints(width, height, x, y, scale, angle, codes, flags)


def warm_up() -> None:
    """Load what :func:`extract` compiles or loads at its first call."""
    extract(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))


_LAYERS = 3
_SIGMA = 1.6
# The blur that a camera and scaling leave, in pixels of the picture before it is doubled.
_SIGMA_BEFORE = 0.5
_CONTRAST, _EDGE = 0.02 * 255 / _LAYERS, 10.0
_LEVELS = _LAYERS + 3
_SMALLEST_OCTAVE = 12
_MOST_OCTAVES = 7
_MOST_EXTREMA = 4096
# Where a Gaussian is cut off, in sigmas.
_KERNEL_SIGMAS = 3.5

_local = threading.local()


def _detect(small: NDArray[np.uint8], limit: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Keypoints of a grey picture (H, W) uint8 and their descriptors: (n, 4), (n, 128) uint8.

    At most ``limit``, in the order of :func:`_spread`. A keypoint is x, y and scale in pixels of
    ``small`` (pixel centres at whole numbers), and the angle in radians from +x towards +y. The
    descriptor's layout is OpenCV's: row, column, direction.
    """
    from image_duplicate_finder.fingerprint import kernels

    height, width = 2 * small.shape[0], 2 * small.shape[1]
    pyramid, found = _scale_space(small)
    octaves = np.exp2(found[:, 4])
    places = np.stack([found[:, 0] * octaves, found[:, 1] * octaves, found[:, 3]], axis=1)
    chosen = found[_spread(places.astype(np.float32), width, height)]
    table, descriptors = np.empty((limit, 4)), np.empty((limit, 128), np.uint8)
    count = kernels.describe(pyramid, chosen, _sampling(), table, descriptors)
    keypoints = table[:count]
    # From the doubled frame back.
    keypoints[:, :2] = (keypoints[:, :2] + 0.5) / 2 - 0.5
    keypoints[:, 2] /= 2
    return keypoints.astype(np.float32), descriptors[:count]


def _spread(table: NDArray[np.float32], width: int, height: int) -> NDArray[np.intp]:
    """The order in which to keep extrema: the best of each cell of a grid, then the second best,
    and so on.

    Without it text and borders take all places from a photo pasted beside them.
    """
    column = np.minimum((table[:, 0] * _COLUMNS / width).astype(np.intp), _COLUMNS - 1)
    row = np.minimum((table[:, 1] * _ROWS / height).astype(np.intp), _ROWS - 1)
    cell = row * _COLUMNS + column
    # The place breaks ties, so that the order in which they were found does not matter.
    order = np.lexsort((table[:, 1], table[:, 0], -table[:, 2], cell))
    sorted_cells = cell[order]
    starts = np.searchsorted(sorted_cells, sorted_cells)
    rank = np.arange(len(order)) - starts
    return order[np.lexsort((-table[order, 2], rank))]


class _Pyramid(NamedTuple):
    """The Gaussian levels of all octaves, one behind the other.

    Those of octave o begin at ``starts[o]`` and are pictures of ``shapes[o]`` (h, w). The finest
    level of an octave has a blur of ``sigma``, and after ``layers`` more it is doubled.
    """

    levels: NDArray[np.float32]
    starts: NDArray[np.int64]
    shapes: NDArray[np.int64]
    sigma: float
    layers: int


def _scale_space(small: NDArray[np.uint8]) -> tuple[_Pyramid, NDArray[np.float64]]:
    """The pyramid of a picture and the extrema of the steps between its levels."""
    from image_duplicate_finder.fingerprint import kernels

    shapes = _octave_shapes(2 * small.shape[0], 2 * small.shape[1])
    sizes = np.array([_LEVELS * height * width for height, width in shapes], np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    greys, steps = _scratch(int(sizes.sum()), int(sizes[0]))
    found = np.empty((_MOST_EXTREMA, 5))
    count = 0
    doubled = cv2.resize(small.astype(np.float32), shapes[0][::-1], interpolation=cv2.INTER_LINEAR)
    base = _blurred(
        np.asarray(doubled, np.float32), math.sqrt(_SIGMA**2 - (2 * _SIGMA_BEFORE) ** 2)
    )
    for octave, (start, shape) in enumerate(zip(starts, shapes, strict=True)):
        levels = greys[start : start + sizes[octave]].reshape(_LEVELS, *shape)
        levels[0] = base
        for level in range(1, _LEVELS):
            _blurred(levels[level - 1], _SIGMAS[level], levels[level])
        differences = steps[: (_LEVELS - 1) * shape[0] * shape[1]].reshape(_LEVELS - 1, *shape)
        np.subtract(levels[1:], levels[:-1], out=differences)
        count = kernels.extrema(differences, _CONTRAST, _EDGE, octave, found, count)
        base = levels[_LAYERS, ::2, ::2]
    pyramid = _Pyramid(greys, starts, np.array(shapes, np.int64), _SIGMA, _LAYERS)
    return pyramid, found[:count]


# What takes one level to the next: together they double the blur in _LAYERS steps.
_STEP = 2 ** (1 / _LAYERS)
_SIGMAS = [0.0] + [
    _SIGMA * _STEP ** (level - 1) * math.sqrt(_STEP**2 - 1) for level in range(1, _LEVELS)
]


def _blurred(
    grey: NDArray[np.float32], sigma: float, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    size = 2 * math.ceil(_KERNEL_SIGMAS * sigma) + 1
    blurred = cv2.GaussianBlur(grey, (size, size), sigma, out, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(blurred, np.float32)


def _octave_shapes(height: int, width: int) -> list[tuple[int, int]]:
    shapes = [(height, width)]
    while len(shapes) < _MOST_OCTAVES:
        height, width = (height + 1) // 2, (width + 1) // 2
        if min(height, width) < _SMALLEST_OCTAVE:
            break
        shapes.append((height, width))
    return shapes


def _scratch(levels: int, steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """This thread's memory for a pyramid: to get it anew for each picture takes its time too."""
    held = getattr(_local, "scratch", None)
    if held is None or len(held[0]) < levels or len(held[1]) < steps:
        held = np.empty(levels, np.float32), np.empty(steps, np.float32)
        _local.scratch = held
    return held


class _Sampling(NamedTuple):
    """For each row (or column) of a descriptor's samples the cell before it in the ringed grid and
    the weight of the next one, and the window that fades samples out.
    """

    cells: NDArray[np.uintp]
    weights: NDArray[np.float32]
    window: NDArray[np.float32]


def _sampling() -> _Sampling:
    from image_duplicate_finder.fingerprint.kernels import CELLS, SAMPLES

    if not hasattr(_local, "sampling"):
        places = (np.arange(SAMPLES) - (SAMPLES - 1) / 2) * (CELLS + 1) / SAMPLES
        cells = places + (CELLS - 1) / 2 + 1
        before = np.floor(cells)
        window = np.exp(-(places[:, None] ** 2 + places[None] ** 2) / (2 * (CELLS / 2) ** 2))
        _local.sampling = _Sampling(
            before.astype(np.uintp),
            (cells - before).astype(np.float32),
            window.astype(np.float32),
        )
    sampling: _Sampling = _local.sampling
    return sampling


def _encode(descriptors: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Codes (n, 16) and flags (n,) of SIFT descriptors (n, 128)."""
    if len(descriptors) == 0:
        return np.zeros((0, 16), np.uint8), np.zeros(0, np.uint8)
    medians = np.median(descriptors, axis=1, keepdims=True)
    codes = np.packbits(descriptors > medians, axis=1, bitorder="little")
    # RootSIFT (Arandjelovic and Zisserman 2012): small values count as well as large ones.
    root = np.sqrt(descriptors.astype(np.float32))
    root /= np.maximum(np.linalg.norm(root, axis=1, keepdims=True), 1e-6)
    cells = root.reshape(-1, 4, 4, 8).sum(axis=3)
    halves = np.array([0.5, 1, -1, -0.5], np.float32)
    rows, columns = cells.sum(axis=2) @ halves, cells.sum(axis=1) @ halves
    flags = (
        np.where(rows < 0, ROWS_FLIPPED, 0)
        | np.where(columns < 0, COLUMNS_FLIPPED, 0)
        | np.where(np.abs(rows) < _ROWS_BALANCE, ROWS_UNSURE, 0)
        | np.where(np.abs(columns) < _COLUMNS_BALANCE, COLUMNS_UNSURE, 0)
    )
    return codes, flags.astype(np.uint8)
