"""Colour profiles (ICC.1:2022): their names, and whether they make a picture look different.

Most profiles in the wild are sRGB under many names; converting those would cost time and
change rounding for nothing. A profile counts as sRGB when its primaries and its tone curve
are, whatever it is called.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

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

    Profiles that are too damaged to tell count as sRGB, as browsers treat them.
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
