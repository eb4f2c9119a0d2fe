"""Colours to sRGB: ICC profiles (ICC.1:2022) and code points (ITU-T H.273).

Most profiles in the wild are sRGB under many names; converting those would cost time and change
rounding for nothing. A profile counts as sRGB when its primaries and its tone curve are sRGB's.
Wide primaries are mapped to sRGB. HDR transfer curves (BT.2100 PQ and HLG) look as on an SDR
screen: reference white (203 cd/m2, ITU-R BT.2408) becomes white, what is brighter is clipped.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode.common import Pixels
from image_duplicate_finder.decode.headers import JxlColours, read_jxl_header
from image_duplicate_finder.decode.sniff import sniff

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform


_SRGB_COLOURANTS = {
    b"rXYZ": (0.4361, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
_COLOURANT_TOLERANCE = 0.01
_SRGB_AT_HALF = 0.2140
_CURVE_TOLERANCE = 0.02
_MODES_OF_SPACE = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}


@lru_cache(maxsize=128)
def profile_name(profile: bytes) -> str | None:
    """The profile's own short name ("Display P3"), or None if it has none that can be read."""
    tag = _tags(profile).get(b"desc", b"")
    if tag[:4] == b"desc" and len(tag) >= 12:
        length = struct.unpack_from(">I", tag, 8)[0]
        text = tag[12 : 12 + length].split(b"\0", 1)[0].decode("latin-1")
    elif tag[:4] == b"mluc" and len(tag) >= 28:
        length, start = struct.unpack_from(">II", tag, 20)
        text = tag[start : start + length].decode("utf-16-be", "ignore")
    else:
        return None
    text = text.split("\0", 1)[0].strip()[:80]
    return text if text and text.isprintable() else None


@lru_cache(maxsize=128)
def changes_look(profile: bytes) -> bool:
    """Whether a picture with this profile looks different when taken for sRGB.

    Unreadable profiles count as sRGB, as in browsers.
    """
    tags = _tags(profile)
    space = profile[16:20]
    if space == b"GRAY":
        return not _like_srgb_curve(tags.get(b"kTRC", b""))
    if space != b"RGB ":
        return space in _MODES_OF_SPACE
    if not tags.keys() >= _SRGB_COLOURANTS.keys():
        return b"A2B0" in tags
    for tag, expected in _SRGB_COLOURANTS.items():
        found = _xyz(tags[tag])
        if max(abs(a - b) for a, b in zip(found, expected, strict=True)) > _COLOURANT_TOLERANCE:
            return True
    return not _like_srgb_curve(tags.get(b"gTRC", b""))


def to_srgb(image: Image, profile: bytes) -> Image:
    """The picture in sRGB, mode RGB, from mode RGB, L, CMYK or LAB.

    A profile that does not fit the picture's mode or cannot be used leaves it as it is.
    """
    from PIL.ImageCms import PyCMSError

    if _MODES_OF_SPACE.get(profile[16:20]) != image.mode:
        return image
    try:
        converted = _transform(profile, image.mode).apply(image)
    except (PyCMSError, OSError, ValueError):
        return image
    return converted


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCmsTransform:
    from PIL import ImageCms

    return ImageCms.ImageCmsTransform(
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _tags(profile: bytes) -> dict[bytes, bytes]:
    if len(profile) < 132:
        return {}
    count = min(struct.unpack_from(">I", profile, 128)[0], 100)
    table = profile[132 : 132 + 12 * count]
    return {
        signature: profile[start : start + size]
        for signature, start, size in struct.iter_unpack(">4sII", table[: len(table) // 12 * 12])
    }


def _xyz(tag: bytes) -> tuple[float, float, float]:
    if len(tag) < 20:
        return 0.0, 0.0, 0.0
    x, y, z = struct.unpack_from(">iii", tag, 8)
    return x / 65536, y / 65536, z / 65536


def _like_srgb_curve(tag: bytes) -> bool:
    """Whether a tone curve is sRGB's or near it (gamma 2.2), judged at half the range."""
    at_half = _curve_at_half(tag)
    return at_half is None or abs(at_half - _SRGB_AT_HALF) <= _CURVE_TOLERANCE


def _curve_at_half(tag: bytes) -> float | None:
    if tag[:4] == b"curv" and len(tag) >= 12:
        count = struct.unpack_from(">I", tag, 8)[0]
        if count == 0:
            return 0.5
        if len(tag) < 12 + 2 * count:
            return None
        if count == 1:
            return float(0.5 ** (struct.unpack_from(">H", tag, 12)[0] / 256))
        return float(struct.unpack_from(">H", tag, 12 + 2 * (count // 2))[0] / 65535)
    if tag[:4] == b"para" and len(tag) >= 16:
        kind = struct.unpack_from(">H", tag, 8)[0]
        values = [v / 65536 for v in struct.unpack_from(f">{(len(tag) - 12) // 4}i", tag, 12)]
        if kind == 0:
            return float(0.5 ** values[0])
        if len(values) >= 3:
            base = values[1] * 0.5 + values[2]
            return float(base ** values[0]) if base > 0 else None
    return None


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
# Exponent from light to codes; values this near to it are treated as sRGB.
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
