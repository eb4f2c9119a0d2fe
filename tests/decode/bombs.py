"""Files that promise far more than they hold: giants, bombs and knots, a few kilobytes each."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401  (registers the writer)
from PIL import Image

from tests.decode.picture_files import (
    encode,
    exif_block,
    longs,
    png_chunk,
    png_file,
    shorts,
    text,
    tiff_file,
    with_segment,
    with_xmp,
)
from tests.painting import paint_photo

pillow_heif.register_heif_opener()


def packed_zeros(count: int) -> bytes:
    """A zlib stream of ``count`` zero bytes, made without compressing that many.

    A fully flushed block stands on its own, so it can be repeated; the checksum of zeros is
    known (RFC 1950: a stays 1, b counts).
    """
    block = 1 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    tail = zlib.compressobj(9, zlib.DEFLATED, -15)
    last = tail.compress(bytes(count % block)) + tail.flush()
    checksum = ((count % 65521) << 16) | 1
    return b"\x78\xda" + head * (count // block) + last + struct.pack(">I", checksum)


def photo() -> Image.Image:
    return Image.fromarray(paint_photo(9, 160, 120))


def _giant_png() -> bytes:
    side = 60_000
    return png_file(side, side, 8, 0, packed_zeros(side * (side + 1)))


def _dense_png() -> bytes:
    """Within the pixel limit, and honest: 196 million pixels from 200 kilobytes."""
    side = 14_000
    palette = png_chunk(b"PLTE", bytes([90, 120, 40]))
    return png_file(side, side, 8, 3, packed_zeros(side * (side + 1)), [palette])


def _text_png() -> bytes:
    body = b"Comment\0\0" + packed_zeros(400 << 20)
    return png_file(8, 8, 8, 0, zlib.compress(bytes(72)), [png_chunk(b"zTXt", body)])


def _profile_png() -> bytes:
    body = b"profile\0\0" + packed_zeros(400 << 20)
    return png_file(8, 8, 8, 0, zlib.compress(bytes(72)), [png_chunk(b"iCCP", body)])


def _many_texts_png() -> bytes:
    chunk = png_chunk(b"zTXt", b"Comment\0\0" + packed_zeros(900_000))
    return png_file(8, 8, 8, 0, zlib.compress(bytes(72)), [chunk] * 200)


def _many_frames_png() -> bytes:
    extra = [png_chunk(b"acTL", struct.pack(">II", 4_000_000_000, 0))]
    return png_file(8, 8, 8, 0, zlib.compress(bytes(72)), extra)


def _long_gif() -> bytes:
    one = encode(photo().convert("P"), "GIF")
    small = encode(Image.new("P", (1, 1)), "GIF")
    frame = small[small.find(b",") : -1]
    return one[:-1] + frame * 100_000 + b";"


def _giant_gif() -> bytes:
    data = bytearray(encode(photo().convert("P"), "GIF"))
    struct.pack_into("<HH", data, 6, 65535, 65535)
    frame = data.find(b",")
    struct.pack_into("<HH", data, frame + 5, 65535, 65535)
    return bytes(data)


def _tiff(width: int, height: int, **changes: int) -> dict[int, tuple[int, bytes]]:
    return {
        0x0100: longs(width),
        0x0101: longs(height),
        0x0102: shorts(8),
        0x0103: shorts(changes.get("compression", 1)),
        0x0106: shorts(1),
        0x0115: shorts(1),
        0x0116: longs(height),
        0x0117: longs(changes.get("size", width * height)),
    }


def _cyclic_tiff() -> bytes:
    grey = np.asarray(photo().convert("L")).tobytes()
    return tiff_file(_tiff(160, 120), blobs={0x0111: grey}, following=8)


def _giant_tiff() -> bytes:
    return tiff_file(_tiff(100_000, 100_000, size=4), blobs={0x0111: b"\0\0\0\0"})


def _deflated_tiff() -> bytes:
    side = 10_000
    packed = packed_zeros(side * side)
    directory = _tiff(side, side, size=len(packed), compression=8)
    return tiff_file(directory, blobs={0x0111: packed})


def _overcounting_tiff() -> bytes:
    data = bytearray(tiff_file({**_tiff(160, 120), 0x010E: text("x" * 20)}))
    at = data.find(struct.pack("<HH", 0x010E, 2))
    struct.pack_into("<I", data, at + 4, 0xFFFFFFFF)
    struct.pack_into("<H", data, 8, 65535)
    return bytes(data)


def _false_jpeg(side: int) -> bytes:
    data = bytearray(encode(photo(), "JPEG"))
    frame = data.find(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, side, side)
    return bytes(data)


def _metadata_jpeg() -> bytes:
    data = encode(photo(), "JPEG")
    deep = "<rdf:li>" * 8000
    for _ in range(100):
        data = with_xmp(data, f"<dc:subject>{deep}")
    data = with_segment(data, 0xE2, b"ICC_PROFILE\0\x01\xff" + bytes(60_000))
    # A pointer to the directory that it stands in.
    knot = exif_block({0x8769: longs(8), 0x8825: longs(8), 0x0112: shorts(6)})
    return with_segment(data, 0xE1, knot)


def _giant_webp() -> bytes:
    canvas = struct.pack("<I", 16_382)[:3]
    inner = encode(photo(), "WEBP")[12:]
    body = b"VP8X" + struct.pack("<I", 10) + bytes(4) + canvas + canvas + inner
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _animated_giant_webp() -> bytes:
    data = bytearray(
        encode(photo(), "WEBP", save_all=True, append_images=[photo().rotate(9)], duration=50)
    )
    at = data.find(b"VP8X")
    data[at + 12 : at + 18] = struct.pack("<I", 16_382)[:3] * 2
    return bytes(data)


def _giant_heif(name: str) -> bytes:
    data = bytearray(encode(photo(), name))
    at = data.find(b"ispe")
    while at >= 0:
        struct.pack_into(">II", data, at + 8, 60_000, 60_000)
        at = data.find(b"ispe", at + 4)
    return bytes(data)


def _giant_jxl() -> bytes:
    # Size header: not small, 30-bit height of ones, ratio 1:1; then garbage.
    number = (0b11 << 1) | ((2**30 - 1) << 3) | (1 << 33)
    return b"\xff\x0a" + number.to_bytes(8, "little") + bytes(200)


def _giant_jpeg2000() -> bytes:
    data = bytearray(encode(photo(), "JPEG2000", no_jp2=True))
    struct.pack_into(">II", data, 8, 2**31 - 1, 2**31 - 1)
    return bytes(data)


def _many_tiles_jpeg2000() -> bytes:
    data = bytearray(encode(photo(), "JPEG2000", no_jp2=True))
    struct.pack_into(">II", data, 8, 20_000, 20_000)
    struct.pack_into(">II", data, 24, 1, 1)
    return bytes(data)


def _giant_psd() -> bytes:
    header = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 300_000, 300_000, 8, 3)
    return header + bytes(12) + struct.pack(">H", 1) + bytes(100)


def _giant_bmp() -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 60_000, 60_000, 1, 8, 1, 0, 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 2000, 0, 0, 54 + 1024) + header + bytes(1024) + b"\xff\x00"


def _giant_tga() -> bytes:
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 65535, 65535, 24, 0)
    return header + b"\xff\0\0\0" * 100


def _giant_qoi() -> bytes:
    return b"qoif" + struct.pack(">IIBB", 2**32 - 1, 2**32 - 1, 3, 0) + b"\xfd" * 1000


def _giant_ppm() -> bytes:
    return b"P6 99999999 99999999 255\n" + bytes(100)


def _giant_dds() -> bytes:
    data = bytearray(encode(photo(), "DDS"))
    struct.pack_into("<II", data, 12, 100_000, 100_000)
    return bytes(data)


def _giant_ico() -> bytes:
    inner = _giant_png()
    entry = struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, len(inner), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + inner


def _nested_zip() -> bytes:
    data = bytes(1 << 20)
    for _ in range(5):
        stream = BytesIO()
        import gzip

        with gzip.GzipFile(fileobj=stream, mode="wb", mtime=0) as packed:
            packed.write(data)
        data = stream.getvalue()
    return data


BOMBS: dict[str, Callable[[], bytes]] = {
    "PNG, 60,000 x 60,000 of one colour": _giant_png,
    "PNG, 14,000 x 14,000 palette of one colour": _dense_png,
    "PNG, 400 MB of text in 400 KB": _text_png,
    "PNG, 400 MB of colour profile in 400 KB": _profile_png,
    "PNG, 200 texts of 900 KB": _many_texts_png,
    "PNG, 4,000,000,000 frames promised": _many_frames_png,
    "GIF, 100,000 frames": _long_gif,
    "GIF, 65,535 x 65,535": _giant_gif,
    "TIFF, directory that follows itself": _cyclic_tiff,
    "TIFF, 100,000 x 100,000": _giant_tiff,
    "TIFF, 10,000 x 10,000 of zeros, deflated": _deflated_tiff,
    "TIFF, value of 4 GB and 65,535 tags": _overcounting_tiff,
    "JPEG, false size 65,500 x 65,500": lambda: _false_jpeg(65_500),
    "JPEG, false size 20,000 x 20,000": lambda: _false_jpeg(20_000),
    "JPEG, 100 deep XMP packets and an EXIF knot": _metadata_jpeg,
    "WebP, false canvas 16,383 x 16,383": _giant_webp,
    "WebP, animation on 16,383 x 16,383": _animated_giant_webp,
    "HEIC, false size 60,000 x 60,000": lambda: _giant_heif("HEIF"),
    "AVIF, false size 60,000 x 60,000": lambda: _giant_heif("AVIF"),
    "JPEG XL, 2^30 x 2^30": _giant_jxl,
    "JPEG 2000, 2^31 x 2^31": _giant_jpeg2000,
    "JPEG 2000, 400,000,000 tiles": _many_tiles_jpeg2000,
    "PSD, 300,000 x 300,000": _giant_psd,
    "BMP, 60,000 x 60,000 run-length": _giant_bmp,
    "TGA, 65,535 x 65,535 run-length": _giant_tga,
    "QOI, 2^32 x 2^32": _giant_qoi,
    "PPM, 99,999,999 x 99,999,999": _giant_ppm,
    "DDS, 100,000 x 100,000": _giant_dds,
    "ICO around a 60,000 x 60,000 PNG": _giant_ico,
    "gzip in gzip, five deep": _nested_zip,
}
