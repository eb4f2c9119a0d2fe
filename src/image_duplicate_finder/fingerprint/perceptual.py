"""A 256-bit perceptual hash of a picture in its 8 orientations, after PDQ.

Method: Facebook's PDQ (Davis and Rosen, "TMK+PDQF", 2019): the picture is averaged down to
64 x 64, the 16 x 16 lowest non-constant DCT coefficients are kept, and each becomes one bit:
above the median or not. Mirroring changes only the signs of odd coefficients and a turn by 90
degrees transposes them, so all 8 orientations cost one transform. The averaging is one
filter instead of PDQ's two box passes, so hashes are close to PDQ's but not equal to them.

A picture that lies within flat ground (turned, sheared, seen at an angle, or with a border) also
gets the hash of what lies there, straightened: it meets the plain picture whatever was done.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.fingerprint.appearance import fitted, squeezed

SIDE = 64
BITS = 256
_FREQUENCIES = 16

_rows = np.arange(1, _FREQUENCIES + 1)[:, None]
_columns = np.arange(SIDE)[None, :]
_DCT = (np.sqrt(2 / SIDE) * np.cos(np.pi / (2 * SIDE) * _rows * (2 * _columns + 1))).astype(
    np.float32
)
_ALTERNATING = np.where(np.arange(1, _FREQUENCIES + 1) % 2, -1.0, 1.0).astype(np.float32)
_FLIP_X = np.broadcast_to(_ALTERNATING[None, :], (_FREQUENCIES, _FREQUENCIES))
_FLIP_Y = np.broadcast_to(_ALTERNATING[:, None], (_FREQUENCIES, _FREQUENCIES))
_ONES = np.ones((_FREQUENCIES, _FREQUENCIES), np.float32)
# Index k is EXIF orientation k + 1: (transposed, signs after that).
_ORIENTATIONS = (
    (False, _ONES),
    (False, _FLIP_X),
    (False, _FLIP_X * _FLIP_Y),
    (False, _FLIP_Y),
    (True, _ONES),
    (True, _FLIP_X),
    (True, _FLIP_X * _FLIP_Y),
    (True, _FLIP_Y),
)
_SIGNS = np.stack([signs for _, signs in _ORIENTATIONS])
_TRANSPOSED = np.array([transposed for transposed, _ in _ORIENTATIONS])


def _shrink(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average a grey picture (H, W) down to 64 x 64, as float32 in 0 to 255."""
    height, width = grey.shape
    if height >= SIDE and width >= SIDE:
        return squeezed(grey, SIDE, SIDE).astype(np.float32)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, dtype=np.float32)


def _hashes(small: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The hashes (8, 32) uint8 of a picture of 64 x 64 in its 8 orientations."""
    coefficients = _DCT @ small @ _DCT.T
    oriented = np.where(_TRANSPOSED[:, None, None], coefficients.T[None], coefficients[None])
    flat = (oriented * _SIGNS).reshape(8, BITS)
    # The median of each orientation is its own: signs that flip change it.
    medians = np.partition(flat, BITS // 2, axis=1)[:, BITS // 2]
    return np.packbits(flat >= medians[:, None], axis=1)


def _structure(small: NDArray[np.float32]) -> int:
    """How much a hash can be trusted: 0 (flat) to 100 (rich).

    PDQ's quality measure: the sum of absolute steps between neighbours of the 64 x 64 picture.
    Below :data:`MIN_STRUCTURE` two unlike pictures can have one hash by accident.
    """
    steps_x = np.abs(np.diff(small, axis=1)) * (100 / 255)
    steps_y = np.abs(np.diff(small, axis=0)) * (100 / 255)
    total = float(np.floor(steps_x).sum() + np.floor(steps_y).sum())
    return min(100, int(total / 90))


MIN_STRUCTURE = 8


def encode(grey: NDArray[np.uint8]) -> bytes:
    """The fingerprint to store.

    256 bytes of hashes and one byte of structure; the same again for what lies within flat
    ground if anything does, and its corners (4 times x, y as uint16 shares of the picture).
    """
    small = _shrink(grey)
    data = _hashes(small).tobytes() + bytes([_structure(small)])
    corners = _within_ground(grey)
    if corners is None:
        return data
    inner = _shrink(_straightened(grey, corners))
    data += _hashes(inner).tobytes() + bytes([_structure(inner)])
    shares: NDArray[np.uint16] = np.rint(corners.clip(0, 1) * _STEPS).astype("<u2")
    return data + shares.tobytes()


def decode(data: bytes) -> tuple[NDArray[np.uint8], int]:
    """Hashes (8, 32) uint8 and structure of the whole picture, from what :func:`encode` wrote.

    Row ``k`` is the hash of the picture after the transform that EXIF orientation ``k + 1``
    prescribes: 0 as it is, 1 mirrored left to right, 2 rotated by 180 degrees, 3 mirrored top to
    bottom, 4 transposed, 5 rotated by 90 degrees clockwise, 6 transposed along the other
    diagonal, 7 rotated by 90 degrees counter-clockwise.
    """
    return np.frombuffer(data, np.uint8, BITS).reshape(8, 32), data[BITS]


@dataclass(frozen=True, slots=True)
class Inner:
    """What lies within flat ground.

    ``hashes`` (8, 32) and ``structure`` as for a whole picture; ``corners`` (4, 2) clockwise, as
    shares of the picture's width and height.
    """

    hashes: NDArray[np.uint8]
    structure: int
    corners: NDArray[np.float64]


def decode_inner(data: bytes) -> Inner | None:
    """The picture within flat ground, from what :func:`encode` wrote; None if there is none."""
    if len(data) <= BITS + 1:
        return None
    hashes, structure = decode(data[BITS + 1 :])
    corners = np.frombuffer(data, "<u2", 8, 2 * (BITS + 1)).reshape(4, 2) / _STEPS
    return Inner(hashes, structure, corners)


_STEPS = 65535
# The size at which ground is looked for, and that of what is cut out.
_GROUND_SIDE, _CUT_SIDE = 256, 128
# Grey levels: what compression leaves of flat ground.
_FLAT, _SAME_GROUND = 10, 8
_CORNER = 4
_LEAST_SIDE, _LEAST_SHARE = 32, 0.12
# Corners may be bitten off, as where a dark picture lies on black.
_BEND, _NEAR_SIDE, _LEAST_FILLED, _OFF_FRAME = 0.01, 2.5, 0.9, 2.0
# Beside a side of the picture lies ground, and within it hardly any: other things on flat ground
# touch the lines around them in some places only.
_BESIDE, _GROUND_OUTSIDE, _PICTURE_INSIDE = 3, 0.95, 0.6


def _within_ground(grey: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """The corners (4, 2), as shares, of a picture that lies within flat ground; None if none does.

    The ground reaches at least two corners of the frame, and what it leaves has straight sides.
    """
    if min(grey.shape) < _LEAST_SIDE or not _corners_in_ground(grey):
        return None
    small = fitted(grey, min(_GROUND_SIDE, max(grey.shape)))
    ground = _ground(small)
    if ground is None:
        return None
    left = cv2.morphologyEx(1 - ground, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(left, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    corners = _four_corners(np.asarray(outline, np.int32))
    height, width = small.shape
    if corners is None or not _has_straight_sides(ground, corners):
        return None
    return np.asarray((corners + 0.5) / (width, height))


def _corners_in_ground(grey: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Corners (x, y) of the frame that lie in flat ground of one grey; none unless two do."""
    height, width = grey.shape
    flat = []
    for y, rows in ((0, slice(_CORNER)), (height - 1, slice(-_CORNER, None))):
        for x, columns in ((0, slice(_CORNER)), (width - 1, slice(-_CORNER, None))):
            part = grey[rows, columns]
            low, high = int(part.min()), int(part.max())
            if high - low <= _FLAT:
                flat.append(((x, y), (low + high) / 2))
    for _, level in flat:
        alike = [place for place, other in flat if abs(other - level) <= _SAME_GROUND]
        if len(alike) > 1:
            return alike
    return []


def _four_corners(outline: NDArray[np.int32]) -> NDArray[np.float64] | None:
    """The corners (4, 2) where the four long sides of an outline (n, 1, 2) meet."""
    hull = cv2.convexHull(outline)
    filled = cv2.contourArea(hull)
    rough = cv2.approxPolyDP(hull, _BEND * cv2.arcLength(hull, True), True).reshape(-1, 2)
    if len(rough) < 4:
        return None
    ends = np.roll(rough, -1, axis=0)
    longest = np.sort(np.argsort(-np.linalg.norm(ends - rough, axis=1), kind="stable")[:4])
    points = outline.reshape(-1, 2).astype(np.float32)
    lines = []
    for one, other in zip(rough[longest], ends[longest], strict=True):
        step = (other - one).astype(np.float64)
        length = float(np.hypot(*step))
        if length < _LEAST_SIDE / 2:
            return None
        along = (points - one) @ step / length
        across = (points - one) @ np.array([-step[1], step[0]]) / length
        beside = (np.abs(across) <= _NEAR_SIDE) & (along >= 0) & (along <= length)
        if np.count_nonzero(beside) < _LEAST_SIDE / 4:
            return None
        vx, vy, x, y = cv2.fitLine(points[beside], cv2.DIST_L2, 0, 0.01, 0.01).ravel().tolist()
        lines.append((vy, -vx, vx * y - vy * x))
    corners = []
    for one, other in zip(np.roll(lines, 1, axis=0), np.array(lines), strict=True):
        x, y, w = np.cross(one, other)
        if abs(w) < 1e-3:
            return None
        corners.append((x / w, y / w))
    found = np.array(corners)
    area = cv2.contourArea(found.astype(np.float32))
    if not cv2.isContourConvex(found.astype(np.float32)) or filled < _LEAST_FILLED * area:
        return None
    return found


def _ground(small: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """1 where flat ground reaches in from corners of the frame, 0 elsewhere; None without any."""
    corners = _corners_in_ground(small)
    if not corners:
        return None
    height, width = small.shape
    mask = np.zeros((height + 2, width + 2), np.uint8)
    flags = 4 | (1 << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
    for x, y in corners:
        if not mask[y + 1, x + 1]:
            cv2.floodFill(small, mask, (x, y), 0, _FLAT, _FLAT, flags)
    return mask[1:-1, 1:-1]


def _has_straight_sides(ground: NDArray[np.uint8], corners: NDArray[np.float64]) -> bool:
    """Whether ground ends all along each side, or the frame does."""
    height, width = ground.shape
    limit = np.array([width - 1, height - 1])
    if (corners < -_OFF_FRAME).any() or (corners > limit + _OFF_FRAME).any():
        return False
    if cv2.contourArea(corners.astype(np.float32)) < _LEAST_SHARE * ground.size:
        return False
    along = np.linspace(0.08, 0.92, 24)[:, None]
    middle = corners.mean(axis=0)
    ends_in_ground = False
    for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        step = other - one
        outward = np.array([step[1], -step[0]]) / float(np.hypot(*step))
        if outward @ (one - middle) < 0:
            outward = -outward
        places = one + along * step
        outside = np.rint(places + _BESIDE * outward).astype(np.intp)
        inside = np.rint(places - _BESIDE * outward).astype(np.intp).clip(0, limit)
        seen = ((outside >= 0) & (outside <= limit)).all(axis=1)
        if seen.any():
            there = ground[outside[seen, 1], outside[seen, 0]]
            if float(there.mean()) < _GROUND_OUTSIDE:
                return False
            ends_in_ground = ends_in_ground or float(seen.mean()) >= 0.5
        if float(ground[inside[:, 1], inside[:, 0]].mean()) > 1 - _PICTURE_INSIDE:
            return False
    return ends_in_ground


def _straightened(grey: NDArray[np.uint8], corners: NDArray[np.float64]) -> NDArray[np.uint8]:
    """What lies between ``corners``, as a square picture: a hash knows no shape."""
    height, width = grey.shape
    last = _CUT_SIDE - 1
    square = np.array([[0, 0], [last, 0], [last, last], [0, last]], np.float32)
    places = (corners * (width, height) - 0.5).astype(np.float32)
    # Shrunk first, so that no pixel is passed over.
    longest = max(np.linalg.norm(places - np.roll(places, -1, axis=0), axis=1))
    factor = min(1.0, 2 * _CUT_SIDE / float(longest))
    if factor < 1:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        places = (corners * size - 0.5).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(places, square)
    size = _CUT_SIDE, _CUT_SIDE
    cut = cv2.warpPerspective(grey, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.uint8)
