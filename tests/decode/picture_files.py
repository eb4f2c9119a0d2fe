"""Files for decoder tests, built byte by byte where no library writes what a test needs."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401  (registers the writer)
from numpy.typing import NDArray
from PIL import Image

pillow_heif.register_heif_opener()

SHORT, LONG, ASCII, BYTE, UNDEFINED, RATIONAL, SRATIONAL = 3, 4, 2, 1, 7, 5, 10

Value = tuple[int, bytes]
"""A TIFF type and the value's bytes, little-endian."""


def encode(image: Image.Image, name: str, **options: object) -> bytes:
    """The picture as a file of that Pillow format."""
    stream = BytesIO()
    image.save(stream, name, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def text(value: str) -> Value:
    return ASCII, value.encode() + b"\0"


def shorts(*values: int) -> Value:
    return SHORT, struct.pack(f"<{len(values)}H", *values)


def longs(*values: int) -> Value:
    return LONG, struct.pack(f"<{len(values)}I", *values)


def rationals(*values: tuple[int, int], signed: bool = False) -> Value:
    flat = [part for value in values for part in value]
    return (SRATIONAL if signed else RATIONAL), struct.pack(
        f"<{len(flat)}{'i' if signed else 'I'}", *flat
    )


_SIZES = {SHORT: 2, LONG: 4, RATIONAL: 8, SRATIONAL: 8}


def tiff_file(
    directory: Mapping[int, Value],
    *,
    below: Mapping[int, Mapping[int, Value]] | None = None,
    blobs: Mapping[int, bytes] | None = None,
    blobs_below: Mapping[int, Mapping[int, bytes]] | None = None,
    following: int = 0,
) -> bytes:
    """A little-endian TIFF structure of one directory.

    ``below`` maps a pointer tag (0x8769, 0x014A, ...) to the directory it points to; ``blobs``
    maps an offset tag (strip offsets) to the data it points to. ``following`` is the offset
    written as that of the next directory.
    """
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    _write_directory(data, directory, below or {}, blobs or {}, blobs_below or {}, following)
    return bytes(data)


def _write_directory(
    data: bytearray,
    directory: Mapping[int, Value],
    below: Mapping[int, Mapping[int, Value]],
    blobs: Mapping[int, bytes],
    blobs_below: Mapping[int, Mapping[int, bytes]],
    following: int,
) -> None:
    tags = sorted({*directory, *below, *blobs})
    start = len(data)
    data += bytes(2 + 12 * len(tags) + 4)
    struct.pack_into("<H", data, start, len(tags))
    struct.pack_into("<I", data, len(data) - 4, following)
    for place, tag in enumerate(tags):
        at = start + 2 + 12 * place
        if tag in directory:
            kind, value = directory[tag]
            count = len(value) // _SIZES.get(kind, 1)
            if len(value) <= 4:
                struct.pack_into("<HHI4s", data, at, tag, kind, count, value)
                continue
            struct.pack_into("<HHII", data, at, tag, kind, count, len(data))
            data += value + bytes(len(value) % 2)
        else:
            struct.pack_into("<HHII", data, at, tag, LONG, 1, len(data))
            if tag in blobs:
                data += blobs[tag] + bytes(len(blobs[tag]) % 2)
            else:
                _write_directory(data, below[tag], {}, blobs_below.get(tag, {}), {}, 0)


def exif_block(
    directory: Mapping[int, Value], below: Mapping[int, Mapping[int, Value]] | None = None
) -> bytes:
    """An EXIF block with its prefix."""
    return b"Exif\0\0" + tiff_file(directory, below=below)


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG file with one more segment right at its start."""
    return jpeg[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + jpeg[2:]


def with_xmp(jpeg: bytes, packet: str) -> bytes:
    return with_segment(jpeg, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet.encode())


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_file(
    width: int, height: int, bit_depth: int, colour: int, packed: bytes, extra: Sequence[bytes] = ()
) -> bytes:
    """A PNG of any header over an already deflated picture."""
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + b"".join(extra)
        + png_chunk(b"IDAT", packed)
        + png_chunk(b"IEND", b"")
    )


def dng_file(
    mosaic: NDArray[np.uint16], *, orientation: int = 1, preview: bytes | None = None
) -> bytes:
    """A DNG 1.4 of an RGGB mosaic, with a JPEG preview in its first directory if given."""
    height, width = mosaic.shape
    sensor = {
        0x00FE: longs(0),
        0x0100: longs(width),
        0x0101: longs(height),
        0x0102: shorts(16),
        0x0103: shorts(1),
        0x0106: shorts(32803),
        0x0115: shorts(1),
        0x0116: longs(height),
        0x0117: longs(mosaic.nbytes),
        0x828D: shorts(2, 2),
        0x828E: (BYTE, bytes([0, 1, 1, 2])),
        0xC61A: shorts(0),
        0xC61D: longs(65535),
    }
    camera = {
        0x010F: text("Painter"),
        0x0110: text("Brush 1"),
        0x0112: shorts(orientation),
        0x0132: text("2024:05:01 10:20:30"),
        0xC612: (BYTE, bytes([1, 4, 0, 0])),
        0xC614: text("Painter Brush 1"),
        0xC621: rationals((1, 1), (0, 1), (0, 1), (0, 1), (1, 1), (0, 1), (0, 1), (0, 1), (1, 1),
                          signed=True),
        0xC628: rationals((1, 1), (1, 1), (1, 1)),
        0xC65A: shorts(21),
    }  # fmt: skip
    pixels = mosaic.astype("<u2").tobytes()
    if preview is None:
        return tiff_file({**sensor, **camera}, blobs={0x0111: pixels})
    with Image.open(BytesIO(preview)) as opened:
        across, down = opened.size
    first = {
        **camera,
        0x00FE: longs(1),
        0x0100: longs(across),
        0x0101: longs(down),
        0x0102: shorts(8, 8, 8),
        0x0103: shorts(7),
        0x0106: shorts(6),
        0x0115: shorts(3),
        0x0116: longs(down),
        0x0117: longs(len(preview)),
    }
    return tiff_file(
        first,
        below={0x014A: sensor},
        blobs={0x0111: preview},
        blobs_below={0x014A: {0x0111: pixels}},
    )


def mosaic_of(picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """What an RGGB sensor would have seen of an RGB picture, 16 bits linear."""
    linear = ((picture.astype(np.float64) / 255) ** 2.2 * 65535).astype(np.uint16)
    mosaic = linear[:, :, 1].copy()
    mosaic[0::2, 0::2] = linear[0::2, 0::2, 0]
    mosaic[1::2, 1::2] = linear[1::2, 1::2, 2]
    return mosaic
