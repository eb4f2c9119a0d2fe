"""Small facts that a file's header tells and Pillow does not: depth, frames, losslessness."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from image_duplicate_finder.decode.jxl_header import read_jxl_header
from image_duplicate_finder.decode.tiff_tags import (
    byte_order,
    first_number,
    read_directory,
    start_offset,
)

_MOST_FRAMES = 10_000
_LOSSLESS = frozenset(
    {"BMP", "GIF", "ICO", "CUR", "PCX", "PNG", "PPM", "PSD", "QOI", "SGI", "SUN", "TGA", "XBM"}
)
_TIFF_BITS, _TIFF_COMPRESSION = 0x0102, 0x0103
_LOSSY_TIFF = frozenset({6, 7, 34892, 50001, 50002})
_REVERSIBLE_WAVELET = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """Bits per channel, number of frames or pages (capped at 10,000), kind of compression.

    An animation whose frames are not counted in its header has 2. ``exif`` is an EXIF block
    that Pillow finds only after decoding (PNG), else empty.
    """

    bit_depth: int = 8
    frames: int = 1
    lossless: bool = False
    exif: bytes = b""


def read_facts(data: bytes, name: str) -> Facts:
    """The facts for a format by its name in :func:`sniff.sniff`; damaged bytes give defaults."""
    reader = _READERS.get(name)
    try:
        return reader(data) if reader is not None else Facts(lossless=name in _LOSSLESS)
    except (struct.error, IndexError):
        return Facts(lossless=name in _LOSSLESS)


def _png(data: bytes) -> Facts:
    frames, exif = 1, b""
    for kind, start, size in _png_chunks(data):
        if kind == b"acTL" and size >= 4:
            frames = max(1, struct.unpack_from(">I", data, start)[0])
        elif kind == b"eXIf":
            exif = data[start : start + size]
    return Facts(bit_depth=data[24], frames=min(frames, _MOST_FRAMES), lossless=True, exif=exif)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 8
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at + 8, size
        at += 12 + size


def _gif(data: bytes) -> Facts:
    """Count image descriptors by walking the blocks (GIF 89a, appendix A)."""
    at = 13 + _colour_table(data[10])
    frames = 0
    while at < len(data) and frames < _MOST_FRAMES:
        kind = data[at]
        if kind == 0x21:
            at += 2
        elif kind == 0x2C:
            frames += 1
            at += 11 + _colour_table(data[at + 9])
        else:
            break
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return Facts(frames=max(frames, 1), lossless=True)


def _colour_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _tiff(data: bytes) -> Facts:
    order = byte_order(data) or "<"
    if data[2:4] in (b"+\0", b"\0+"):
        return Facts(lossless=True)
    at = start_offset(data, order)
    first, _ = read_directory(data, order, at)
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _MOST_FRAMES:
        seen.add(at)
        _, at = read_directory(data, order, at)
    return Facts(
        bit_depth=first_number(first.get(_TIFF_BITS)) or 1,
        frames=max(len(seen), 1),
        lossless=first_number(first.get(_TIFF_COMPRESSION)) not in _LOSSY_TIFF,
    )


def _webp(data: bytes) -> Facts:
    at, frames, lossless = 12, 0, False
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        if kind == b"ANMF":
            frames += 1
            lossless = lossless or data[at + 24 : at + 28] == b"VP8L"
        lossless = lossless or kind == b"VP8L"
        at += 8 + size + (size & 1)
    return Facts(frames=min(max(frames, 1), _MOST_FRAMES), lossless=lossless)


def _av1(data: bytes) -> Facts:
    """Bit depth out of the codec's configuration box (AV1-ISOBMFF, section 2.3.3)."""
    at = data.find(b"av1C", 0, 1 << 16)
    flags = data[at + 6] if at >= 0 else 0
    return Facts(bit_depth=12 if flags & 0x20 else 10 if flags & 0x40 else 8)


def _hevc(data: bytes) -> Facts:
    """Bit depth out of the codec's configuration box (ISO 14496-15, section 8.3.3.1)."""
    at = data.find(b"hvcC", 0, 1 << 16)
    return Facts(bit_depth=(data[at + 4 + 17] & 7) + 8 if at >= 0 else 8)


def _jpeg2000(data: bytes) -> Facts:
    """Depth and wavelet out of the codestream's SIZ and COD markers (ITU-T T.800, annex A)."""
    size = data.find(b"\xff\x4f\xff\x51")
    if size < 0:
        return Facts()
    depth = (data[size + 42] & 0x7F) + 1
    coding = data.find(b"\xff\x52", size, size + 4096)
    wavelet = data[coding + 13] if coding >= 0 else 0
    return Facts(bit_depth=depth, lossless=wavelet == _REVERSIBLE_WAVELET)


def jpeg2000_levels(data: bytes) -> int:
    """How often the resolution can be halved while decoding (COD marker), 0 if not told."""
    size = data.find(b"\xff\x4f\xff\x51")
    coding = data.find(b"\xff\x52", size, size + 4096) if size >= 0 else -1
    return data[coding + 9] if 0 <= coding < len(data) - 9 else 0


def _psd(data: bytes) -> Facts:
    return Facts(bit_depth=struct.unpack_from(">H", data, 22)[0], lossless=True)


def _jxl(data: bytes) -> Facts:
    header = read_jxl_header(data)
    return Facts(bit_depth=header.bit_depth, frames=2 if header.animated else 1)


_READERS = {
    "PNG": _png,
    "GIF": _gif,
    "TIFF": _tiff,
    "WEBP": _webp,
    "AVIF": _av1,
    "HEIF": _hevc,
    "JPEG2000": _jpeg2000,
    "PSD": _psd,
    "JXL": _jxl,
}
