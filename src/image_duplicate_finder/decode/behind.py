"""What follows a picture in its file: films, second pictures, gain maps, sounds, other data."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np
from blake3 import blake3

from image_duplicate_finder.decode.jpeg_header import JpegHeader, read_jpeg_header
from image_duplicate_finder.decode.tiff_tags import byte_order, read_directory, start_offset
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.model import Part, PartKind

_START, _END_OF_IMAGE, _START_OF_SCAN = b"\xff\xd8\xff", b"\xff\xd9", b"\xff\xda"
_PADDING = b"\0\xff \r\n"
# Shorter rests are padding, a stray byte or a checksum.
_SHORTEST = 64
_MOST_PICTURES = 32
_GAIN_MAP_MARKS = (b"hdrgm:", b"HDRGainMap", b"urn:iso:std:iso:ts:21496:-1")
_DEPTH_MARKS = (b"GDepth:", b"apdi:", b"Depth:Format")
_DEPTH_IN_XMP, _SOUND_IN_XMP, _PICTURE_IN_XMP = b"GDepth:Data", b"GAudio:Data", b"GImage:Data"
_PREVIEWS = frozenset({0x010001, 0x010002, 0x010003, 0x010004, 0x010005})
_MULTI_PICTURE_ENTRIES = 0xB002
_SAMSUNG_END, _LONGEST_STAMP = b"SEFT", 4096


def digest_of(*pieces: bytes) -> str:
    """A short digest for telling contents apart: the first 8 bytes of BLAKE3 as hex."""
    hasher = blake3()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest(8).hex()


def rest_parts(rest: bytes) -> tuple[Part, ...]:
    """What the bytes behind a picture are, of any format."""
    if len(rest.strip(_PADDING)) < _SHORTEST:
        return ()
    film = _film(rest)
    if film is not None:
        return (Part(PartKind.MOTION, film),)
    rest = rest.strip(_PADDING)
    if rest.endswith(_SAMSUNG_END) and len(rest) < _LONGEST_STAMP:
        return ()  # the time and the place of the shot, which stand in its EXIF too
    kind = PartKind.SOUND if rest[:4] == b"RIFF" and rest[8:12] == b"WAVE" else PartKind.DATA
    return (Part(kind, digest_of(rest)),)


def jpeg_end(data: bytes, header: JpegHeader) -> int:
    """The offset just behind the picture's end marker; the file's length without one.

    Coded data and tables hold no such pair of bytes, so that its first one ends the picture.
    """
    ends = _find_all(data, _END_OF_IMAGE, header.scan, first=True)
    return ends[0] + 2 if ends else len(data)


def plain_jpeg_end(data: bytes, header: JpegHeader, parts: Sequence[Part]) -> int:
    """:func:`jpeg_end` where it is known that a file has these parts; mostly it has none."""
    if parts or header.index is not None:
        return jpeg_end(data, header)
    return data.rfind(_END_OF_IMAGE, header.scan) + 2


def jpeg_parts(data: bytes, header: JpegHeader, end: int) -> tuple[Part, ...]:
    """What a JPEG file holds besides its picture, which ends at ``end``."""
    found = [*_parts_in_xmp(data, header)]
    previews = set(_preview_offsets(data, header))
    at = end
    for _ in range(_MOST_PICTURES):
        start = at
        while start < len(data) and data[start] in _PADDING and data[start : start + 3] != _START:
            start += 1
        if not data.startswith(_START, start):
            break
        picture = data[start:]
        try:
            inner = read_jpeg_header(picture)
        except DecodeError:
            break
        size = jpeg_end(picture, inner)
        if start not in previews:
            found.append(Part(_kind_of(inner), digest_of(*jpeg_coded(picture, inner, size))))
        at = start + size
    found += rest_parts(data[at:])
    return tuple(dict.fromkeys(found))


def jpeg_coded(data: bytes, header: JpegHeader, end: int) -> Iterator[bytes]:
    """The bytes that decide a JPEG's pixels: tables, frame, scans; no application segments.

    Of those only Adobe's counts, which says how the colours are coded.
    """
    for start, stop in header.coded:
        yield data[start:stop]
    yield data[header.scan : end]


def scans_missing(data: bytes, header: JpegHeader, end: int) -> bool:
    """Whether some of a JPEG's coefficients come in no scan: it was cut off between two scans.

    An end marker alone says nothing: repair tools add one.
    """
    left: dict[int, list[int | None]] = {id: [None] * 64 for id in header.component_ids}
    if not header.progressive and data[header.scan + 4] == len(left):
        return False  # one scan with all components: what it lacks only decoding tells
    for at in _find_all(data, _START_OF_SCAN, header.scan, stop=end):
        count = data[at + 4] if at + 4 < end else 0
        tail = at + 5 + 2 * count
        if count > 4 or tail + 3 > end:
            continue
        first, last, approximation = data[tail], data[tail + 1], data[tail + 2] & 15
        for place in range(count):
            levels = left.get(data[at + 5 + 2 * place])
            if levels is None:
                continue
            if not header.progressive:
                first, last, approximation = 0, 63, 0
            for coefficient in range(first, min(last, 63) + 1):
                levels[coefficient] = approximation
    return any(level != 0 for levels in left.values() for level in levels)


def _find_all(
    data: bytes, pair: bytes, start: int, *, stop: int | None = None, first: bool = False
) -> list[int]:
    """Where two bytes stand, in rising order; faster than ``bytes.find``, for 0xFF is common."""
    stop = len(data) if stop is None else stop
    code = int.from_bytes(pair, "little")
    found: list[int] = []
    for begin in (start, start + 1):
        count = (stop - begin) // 2
        if count > 0:
            places = np.flatnonzero(np.frombuffer(data, "<u2", count, begin) == code)
            found += (begin + 2 * places[: 1 if first else None]).tolist()
    return sorted(found)


def _film(rest: bytes) -> str | None:
    """The digest of a film in the bytes behind a picture: it starts with its ``ftyp`` box."""
    at = rest.find(b"ftyp", 4)
    while at >= 0:
        if 8 <= int.from_bytes(rest[at - 4 : at], "big") <= 256:
            return digest_of(rest[at - 4 :].rstrip(_PADDING))
        at = rest.find(b"ftyp", at + 1)
    return None


def _kind_of(inner: JpegHeader) -> PartKind:
    marks = inner.xmp + inner.gain_map
    if any(mark in marks for mark in _GAIN_MAP_MARKS):
        return PartKind.GAIN_MAP
    if any(mark in marks for mark in _DEPTH_MARKS):
        return PartKind.DEPTH_MAP
    return PartKind.VIEW


def _parts_in_xmp(data: bytes, header: JpegHeader) -> Iterator[Part]:
    """Depth maps, sounds and unblurred pictures that phones put into extended XMP."""
    if not header.extended_xmp:
        return
    packet = b"".join(data[start:stop] for start, stop in header.extended_xmp)
    for mark, kind in (
        (_DEPTH_IN_XMP, PartKind.DEPTH_MAP),
        (_SOUND_IN_XMP, PartKind.SOUND),
        (_PICTURE_IN_XMP, PartKind.VIEW),
    ):
        at = packet.find(mark)
        if at >= 0:
            value = packet[at:].split(b'"', 2)
            yield Part(kind, digest_of(value[1] if len(value) > 1 else packet))


def _preview_offsets(data: bytes, header: JpegHeader) -> Iterator[int]:
    """Where smaller copies of the picture lie, as the multi-picture index (CIPA DC-007) tells."""
    if header.index is None:
        return
    base, stop = header.index
    block = data[base:stop]
    order = byte_order(block)
    if order is None:
        return
    directory, _ = read_directory(block, order, start_offset(block, order))
    entries = directory.get(_MULTI_PICTURE_ENTRIES)
    if entries is None:
        return
    for kind, _, offset in struct.iter_unpack(
        order + "III4x", entries.value[: len(entries.value) // 16 * 16]
    ):
        if kind & 0xFFFFFF in _PREVIEWS and offset:
            yield base + offset
