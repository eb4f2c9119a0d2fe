"""Damaged picture files from a seed: the same seed gives the same bytes everywhere."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401  (registers the writer)
from PIL import Image

from tests.decode.rare_files import PICTURE, RARE, pam, pfm
from tests.painting import paint_photo

pillow_heif.register_heif_opener()

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEADER = 512


def mutate(seed: int) -> tuple[str, bytes]:
    """One damaged file: the name of the sound file it came from, and its bytes."""
    chance = random.Random(seed)
    names = sorted(sound_files())
    name = chance.choice(names)
    data = bytearray(sound_files()[name])
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        data = chance.choice(_MUTATIONS)(data, chance)
    return name, bytes(data)


def _flip_bits(data: bytearray, chance: random.Random) -> bytearray:
    for _ in range(chance.choice((1, 1, 4, 32))):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def _edit_header(data: bytearray, chance: random.Random) -> bytearray:
    """Write a number at the edge of its range somewhere near the start."""
    size = chance.choice((1, 2, 4))
    room = min(len(data), _HEADER) - size
    if room > 0:
        at = chance.randrange(room)
        value = chance.choice(_EXTREMES) & ((1 << (8 * size)) - 1)
        data[at : at + size] = value.to_bytes(size, chance.choice(("big", "little")))
    return data


def _truncate(data: bytearray, chance: random.Random) -> bytearray:
    return data[: chance.randrange(len(data) + 1)]


def _cut_out(data: bytearray, chance: random.Random) -> bytearray:
    start, size = chance.randrange(len(data) + 1), chance.choice((1, 4, 100, 5000))
    del data[start : start + size]
    return data


def _repeat(data: bytearray, chance: random.Random) -> bytearray:
    start, size = chance.randrange(len(data) + 1), chance.choice((1, 4, 100, 5000))
    data[start:start] = data[start : start + size] * chance.choice((1, 2, 50))
    return data


def _overwrite(data: bytearray, chance: random.Random) -> bytearray:
    start, size = chance.randrange(len(data) + 1), chance.choice((2, 16, 300))
    filler = chance.choice((b"\0", b"\xff", None))
    data[start : start + size] = chance.randbytes(size) if filler is None else filler * size
    return data


def _splice(data: bytearray, chance: random.Random) -> bytearray:
    """Go on with a piece of another format, or of the same file from elsewhere."""
    other = sound_files()[chance.choice(sorted(sound_files()))]
    start, at = chance.randrange(len(other)), chance.randrange(len(data) + 1)
    size = chance.choice((8, 64, 1000, len(other)))
    data[at : at + size] = other[start : start + size]
    return data


_MUTATIONS: tuple[Callable[[bytearray, random.Random], bytearray], ...] = (
    _flip_bits,
    _flip_bits,
    _edit_header,
    _edit_header,
    _truncate,
    _cut_out,
    _repeat,
    _overwrite,
    _splice,
)


@lru_cache(maxsize=1)
def sound_files() -> dict[str, bytes]:
    """One small valid file of every format and of the kinds whose decoders differ."""
    Image.init()
    photo = Image.fromarray(paint_photo(3, 96, 72))
    alpha = photo.convert("RGBA")
    alpha.putalpha(Image.fromarray(np.tile(np.arange(96, dtype=np.uint8) * 2, (72, 1))))
    more = [photo.rotate(turn) for turn in (10, 20)]
    exif = Image.Exif()
    exif.update({0x0112: 6, 0x010F: "Painter", 0x0110: "Brush 1", 0x0132: "2024:05:01 10:20:30"})
    metadata = {"exif": exif.tobytes(), "icc_profile": _srgb(), "xmp": _XMP}
    return {
        "jpeg": _file(photo, "JPEG", **metadata),
        "jpeg progressive": _file(photo, "JPEG", progressive=True),
        "jpeg grey": _file(photo.convert("L"), "JPEG"),
        "jpeg cmyk": _file(photo.convert("CMYK"), "JPEG"),
        "mpo": _file(photo, "MPO", save_all=True, append_images=more),
        "png": _file(photo, "PNG", exif=exif.tobytes(), icc_profile=_srgb()),
        "png palette": _file(photo.convert("P"), "PNG", transparency=0),
        "png 16": _file(Image.fromarray(_wide(photo)), "PNG"),
        "apng": _file(photo, "PNG", save_all=True, append_images=more),
        "webp": _file(photo, "WEBP", **metadata),
        "webp lossless": _file(alpha, "WEBP", lossless=True),
        "webp animated": _file(photo, "WEBP", save_all=True, append_images=more),
        "gif": _file(photo, "GIF", save_all=True, append_images=more),
        "bmp": _file(photo, "BMP"),
        "bmp palette": _file(photo.convert("P"), "BMP"),
        "tiff": _file(photo, "TIFF", exif=exif.tobytes()),
        "tiff lzw": _file(photo, "TIFF", compression="tiff_lzw"),
        "tiff jpeg": _file(photo, "TIFF", compression="jpeg"),
        "tiff pages": _file(photo, "TIFF", save_all=True, append_images=more),
        "tiff fax": _file(photo.convert("1"), "TIFF", compression="group4"),
        "tiff float": _file(photo.convert("F"), "TIFF"),
        "bigtiff": _file(photo, "TIFF", big_tiff=True),
        "heic": _file(alpha, "HEIF", **metadata),
        "avif": _file(alpha, "AVIF", **metadata),
        "avif animated": _file(photo, "AVIF", save_all=True, append_images=more),
        "jxl": _file(photo, "JXL"),
        "jxl container": _file(alpha, "JXL", use_container=True, exif=exif.tobytes()),
        "jp2": _file(photo, "JPEG2000"),
        "j2k": _file(photo.convert("L"), "JPEG2000", no_jp2=True),
        "ico": _file(alpha, "ICO", sizes=[(16, 16), (32, 32)]),
        "ico bmp": _file(photo, "ICO", sizes=[(32, 32)], bitmap_format="bmp"),
        "icns": _file(alpha.resize((32, 32)), "ICNS"),
        "pam": pam(4, "RGB_ALPHA", PICTURE.convert("RGBA").tobytes()),
        "pfm": pfm(),
        **{name.lower(): make() for name, make in RARE.items() if name not in ("PCD", "PPM")},
        "ppm": _file(photo, "PPM"),
        "pgm 16": _file(Image.fromarray(_wide(photo)), "PPM"),
        "tga": _file(alpha, "TGA", compression="tga_rle"),
        "dds": _file(alpha, "DDS", pixel_format="DXT5"),
        "dds plain": _file(photo, "DDS"),
        "qoi": _file(photo, "QOI"),
        "pcx": _file(photo, "PCX"),
        "sgi": _file(photo, "SGI"),
        "psd": _psd(photo),
        "dng": _dng(photo),
    }


_XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description xmp:Rating="4">'
    b"<dc:subject><rdf:Bag><rdf:li>garden</rdf:li></rdf:Bag></dc:subject>"
    b"</rdf:Description></x:xmpmeta>"
)


def _file(image: Image.Image, name: str, **options: Any) -> bytes:
    """Written from a copy, since Pillow's writers leave their settings on the picture."""
    if "append_images" in options:
        options["append_images"] = [one.copy() for one in options["append_images"]]
    stream = BytesIO()
    image.copy().save(stream, name, **options)
    return stream.getvalue()


def _srgb() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _wide(photo: Image.Image) -> np.ndarray:
    return np.asarray(photo.convert("L")).astype(np.uint16) * 257


def _psd(photo: Image.Image) -> bytes:
    """A flattened PSD: header, three empty sections, raw planes."""
    width, height = photo.size
    header = b"8BPS\0\1" + bytes(6) + b"\0\3" + height.to_bytes(4, "big")
    header += width.to_bytes(4, "big") + b"\0\x08\0\3"
    planes = b"".join(channel.tobytes() for channel in photo.split())
    return header + bytes(12) + b"\0\0" + planes


def _dng(photo: Image.Image) -> bytes:
    from tests.decode.picture_files import dng_file, mosaic_of

    return dng_file(mosaic_of(np.asarray(photo)), preview=_file(photo.resize((48, 36)), "JPEG"))
