"""Colours that a file describes by code points (ITU-T H.273) instead of an ICC profile.

Wide primaries are mapped to sRGB. HDR transfer curves (BT.2100 PQ and HLG) are shown as on an
SDR screen: reference white (203 cd/m2, ITU-R BT.2408) becomes white, what is brighter is cut.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode.jxl_header import JxlColours, read_jxl_header
from image_duplicate_finder.decode.picture import Pixels
from image_duplicate_finder.decode.sniff import sniff

_BT2020, _DISPLAY_P3 = 9, 12
_PQ, _HLG = 16, 18
_WHITE_NITS = 203.0
_HLG_PEAK_NITS, _HLG_SYSTEM_GAMMA = 1000.0, 1.2
# Linear RGB of the wide primaries to linear sRGB, both with a D65 white.
_TO_SRGB = {
    _DISPLAY_P3: ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979)),
    _BT2020: ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)),
}


# Linear sRGB to XYZ, both with a D65 white, and XYZ to the eye's responses (Bradford).
_SRGB_TO_XYZ = np.array(
    ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
)
_BRADFORD = np.array(
    ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
)
_NEAR = 0.02
# Codes as powers of light: what is this near is looked at as if it were sRGB.
_USUAL_GAMMA = 1 / 2.2


@dataclass(frozen=True, slots=True)
class ColourCoding:
    """Colour primaries and transfer characteristics as numbered in H.273.

    ``points`` are, where there is no number (``primaries`` 2), CIE xy of red, green, blue and
    white; ``gamma``, if not 0, is the exponent of the curve that takes light to codes.
    """

    primaries: int
    transfer: int
    points: tuple[float, ...] = ()
    gamma: float = 0.0

    @property
    def changes_look(self) -> bool:
        """Whether pixels taken for sRGB would look different."""
        return (
            self.primaries in _TO_SRGB
            or self.transfer in (_PQ, _HLG)
            or bool(self.points)
            or (self.gamma != 0 and abs(self.gamma - _USUAL_GAMMA) > _NEAR)
        )


def read_colour_coding(data: bytes) -> ColourCoding | None:
    """The coding of a HEIF or AVIF file (box ``colr``), a PNG (chunk ``cICP``) or a JPEG XL."""
    if sniff(data) == "JXL":
        colours = read_jxl_header(data).colours
        return None if colours is None else _of_jxl(colours)
    box = data.find(b"colrnclx", 0, 1 << 16)
    if box >= 0 and len(data) >= box + 12:
        return ColourCoding(*struct.unpack_from(">HH", data, box + 8))
    chunk = data.find(b"cICP", 0, 1 << 12)
    if data.startswith(b"\x89PNG") and chunk >= 0 and len(data) >= chunk + 8:
        return ColourCoding(data[chunk + 4], data[chunk + 5])
    return None


def _of_jxl(colours: JxlColours) -> ColourCoding:
    usual = JxlColours().points
    near_srgb = max(abs(a - b) for a, b in zip(colours.points, usual, strict=True)) < _NEAR / 2
    transfer = 13 if colours.gamma else colours.transfer
    if near_srgb:
        return ColourCoding(1, transfer, gamma=colours.gamma)
    return ColourCoding(2, transfer, colours.points, colours.gamma)


def coded_to_srgb(pixels: Pixels, coding: ColourCoding) -> Pixels:
    """Map RGB samples uint8 (H, W, 3) of that coding to sRGB, the same shape."""
    linear = _linear(coding.transfer, coding.gamma)[pixels]
    matrix = _from_points(coding.points) if coding.points else _TO_SRGB.get(coding.primaries)
    if matrix is not None:
        linear = linear @ np.array(matrix, np.float32).T
    # 4096 steps are finer than 8-bit sRGB everywhere but in its darkest two codes.
    steps = np.clip(linear * 4095 + 0.5, 0, 4095).astype(np.uint16)
    return np.asarray(_encoding()[steps], np.uint8)


@lru_cache(maxsize=4)
def _from_points(points: tuple[float, ...]) -> NDArray[np.float64]:
    """Linear RGB of those primaries and white to linear sRGB, white kept white."""
    x, y = np.array(points[0::2]), np.array(points[1::2])
    xyz = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    primaries, white = xyz[:, :3], xyz[:, 3]
    to_xyz = primaries * np.linalg.solve(primaries, white)
    response = (_BRADFORD @ _SRGB_TO_XYZ.sum(axis=1)) / (_BRADFORD @ white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag(response) @ _BRADFORD
    return np.asarray(np.linalg.inv(_SRGB_TO_XYZ) @ adapted @ to_xyz, np.float64)


@lru_cache(maxsize=4)
def _linear(transfer: int, gamma: float = 0.0) -> NDArray[np.float32]:
    """Light relative to white, 1.0, for each of the 256 codes."""
    code = np.arange(256) / 255
    if gamma:
        light = code ** (1 / gamma)
    elif transfer == _PQ:
        root = code ** (1 / 78.84375)
        nits = 10000 * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (
            1 / 0.1593017578125
        )
        light = nits / _WHITE_NITS
    elif transfer == _HLG:
        low = code**2 / 3
        high = (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
        scene = np.where(code <= 0.5, low, high)
        light = _HLG_PEAK_NITS * scene**_HLG_SYSTEM_GAMMA / _WHITE_NITS
    else:
        light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@lru_cache(maxsize=1)
def _encoding() -> Pixels:
    """The sRGB code (IEC 61966-2-1) for linear light in 4096 steps."""
    light = np.arange(4096) / 4095
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(code * 255), np.uint8)
