"""Keypoints of a picture: the value that extraction hands to search and verification.

Each keypoint has a place, a size, a direction, and a code of 128 bits that describes what the
picture looks like around it. Bit ``8 * (4 * row + column) + direction`` of a code belongs to one
of 4 x 4 cells of the keypoint's surroundings and one of 8 gradient directions there (the layout
of SIFT: Lowe, "Distinctive image features from scale-invariant keypoints", 2004), so one byte is
one cell, and the code of the mirrored or negative picture is a permutation of bytes and bits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct("<HHH")
_BYTES_EACH = 22
# Twelve bits for either coordinate hold frames of up to 341 pixels.
_PLACES_PER_PIXEL = 12
_PLACE_BITS = 12
_SCALE_STEPS = 32
_ANGLE_STEPS = 256
# The lowest size that a byte can hold: 2 ** (-1) pixels, then 32 steps per octave.
_LOWEST_OCTAVE = -1

# What each stored byte of a size and of a direction, and each stored coordinate stand for.
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

    Where the flags of two matching keypoints differ tells which of them is mirrored (rows), or a
    mirrored negative (columns), or a negative (both).
    """
    codes = np.where((flags & ROWS_FLIPPED)[:, None] > 0, flip_rows(codes), codes)
    return np.where((flags & COLUMNS_FLIPPED)[:, None] > 0, flip_columns(codes), codes)
