"""JPEG: decoded by OpenCV (libjpeg-turbo) at the wanted scale, and what else its file holds."""

from __future__ import annotations

import os
import re
import struct
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from image_duplicate_finder.decode.colours import changes_look, to_srgb
from image_duplicate_finder.decode.common import (
    Picture,
    Pixels,
    StoredPicture,
    check_size,
    digest_of,
    reduction,
    shrink,
    swaps_sides,
    upright,
)
from image_duplicate_finder.decode.headers import (
    JpegHeader,
    byte_order,
    read_directory,
    read_jpeg_header,
    start_offset,
)
from image_duplicate_finder.decode.metadata import NO_EXIF, ExifFields, merge_metadata, read_exif
from image_duplicate_finder.errors import DecodeError, FailureStage
from image_duplicate_finder.messages import FailureReason
from image_duplicate_finder.model import ImageInfo, Part, PartKind
from image_duplicate_finder.settings import DecodeLimits

_GREY = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_COLOUR = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_END_OF_IMAGE = b"\xff\xd9"
# What libjpeg prints, and only prints, when it fills the rest of a picture with grey.
_MISSING_DATA = re.compile(rb"premature end of (?:data segment|JPEG file)", re.IGNORECASE)
_captured: int | None = None
_LOSSLESS_PROCESSES = frozenset({3, 11})


def read_jpeg(data: bytes, limits: DecodeLimits) -> tuple[JpegHeader, ImageInfo]:
    """Header and metadata, with the pixel limit checked."""
    header = read_jpeg_header(data)
    check_size(header.width, header.height, limits)
    _check_plausible(header, len(data))
    exif = read_exif(header.exif) if header.exif else NO_EXIF
    return header, _info(data, header, exif)


def decode_jpeg(
    data: bytes, header: JpegHeader, info: ImageInfo, *, long_side: int | None, colour: bool
) -> Picture | None:
    """Decode upright sRGB pixels, or None where OpenCV cannot and Pillow should try.

    ``long_side`` None decodes at full size, else at the smallest scale whose long side is at least
    ``long_side``.
    """
    if not _ordinary(data, header):
        return None
    factor = 1 if long_side is None else reduction(header.width, header.height, long_side)
    convert = bool(header.icc) and changes_look(header.icc)
    pixels = _decode(data, min(factor, 8), colour=colour or convert)
    if pixels is None:
        return None
    if _warned_of_missing_data():
        info = replace(info, incomplete=True)
    pixels = shrink(pixels, factor // min(factor, 8))
    if convert:
        pixels = _converted(pixels, header.icc, grey_source=header.components == 1)
        if not colour:
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    return Picture(upright(pixels, info.orientation), info, steps=header.steps)


def decode_stored_jpeg(data: bytes, header: JpegHeader, info: ImageInfo) -> StoredPicture | None:
    """Upright pixels in the file's own colours, None where OpenCV cannot decode them."""
    if not _ordinary(data, header):
        return None
    pixels = _decode(data, 1, colour=True)
    if pixels is None:
        return None
    return StoredPicture(
        pixels=upright(pixels, info.orientation),
        colours=header.icc if header.icc and changes_look(header.icc) else b"",
        rest=data[data.find(_END_OF_IMAGE, header.scan) + 2 :].strip(b"\0"),
    )


def _ordinary(data: bytes, header: JpegHeader) -> bool:
    """Whether OpenCV may decode it: grey or three colours of 8 bits, and not cut off.

    OpenCV would fill what is missing of a cut-off picture with grey. Raises DecodeError for
    other depths, which none of the decoders here can read.
    """
    if header.precision != 8:
        raise DecodeError(FailureReason.JPEG_DEPTH(bits=header.precision))
    return header.components in (1, 3) and data.rfind(_END_OF_IMAGE, header.scan) >= 0


def _check_plausible(header: JpegHeader, size: int) -> None:
    """Refuse a size that the file cannot hold.

    Huffman coding spends at least two bits on each block of 64 pixels (one in the first scan
    of a progressive file); decoders fill what is missing with grey and call it a picture.
    """
    bits_per_block = {0: 2, 1: 2, 2: 1}.get(header.process, 0)
    if header.width * header.height // 64 * bits_per_block // 8 > size - header.scan:
        raise DecodeError(
            FailureReason.JPEG_TOO_SHORT(width=header.width, height=header.height),
            stage=FailureStage.HEADER,
        )


def _info(data: bytes, header: JpegHeader, exif: ExifFields) -> ImageInfo:
    width, height = header.width, header.height
    end = jpeg_end(data, header)
    if swaps_sides(exif.orientation):
        width, height = height, width
    return ImageInfo(
        format="JPEG",
        width=width,
        height=height,
        orientation=exif.orientation,
        bit_depth=header.precision,
        lossless=header.process in _LOSSLESS_PROCESSES,
        metadata=merge_metadata(
            exif=exif,
            has_exif=bool(header.exif),
            xmp=header.xmp,
            iptc=header.iptc,
            texts=[("Comment", each.decode("utf-8", "replace")) for each in header.comments],
            size=(header.width, header.height),
            profile=header.icc,
            jpeg_quality=header.quality,
            grey=header.components == 1,
            inks=header.components == 4,
        ),
        parts=jpeg_parts(data, header, end),
        incomplete=scans_missing(data, header, end),
    )


def capture_decoder_warnings() -> None:
    """From now on, capture what decoders print to standard error.

    For child processes that do not use it otherwise. A picture whose last scan is cut off is then
    known to be incomplete, which OpenCV does not report.
    """
    global _captured
    if _captured is None:
        with tempfile.TemporaryFile() as file:
            _captured = os.dup(file.fileno())
        os.dup2(_captured, 2)


def _warned_of_missing_data() -> bool:
    if _captured is None or not os.fstat(_captured).st_size:
        return False
    os.lseek(_captured, 0, os.SEEK_SET)
    text = os.read(_captured, 1 << 16)
    os.ftruncate(_captured, 0)
    os.lseek(_captured, 0, os.SEEK_SET)
    return _MISSING_DATA.search(text) is not None


def _decode(data: bytes, factor: int, *, colour: bool) -> Pixels | None:
    """Stored pixels at 1/factor, RGB or grey."""
    flags = (_COLOUR if colour else _GREY)[factor] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DecodeError(FailureReason.JPEG_DATA(reason=error.err)) from error
    if pixels is None:
        return None
    if colour and factor > 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return np.asarray(pixels, np.uint8)


def _converted(pixels: Pixels, profile: bytes, *, grey_source: bool) -> Pixels:
    from PIL import Image

    source = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0]) if grey_source else pixels)
    return np.asarray(to_srgb(source, profile).convert("RGB"), np.uint8)


_NEXT_IMAGE, _START_OF_SCAN = b"\xff\xd8\xff", b"\xff\xda"
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


def rest_parts(rest: bytes) -> tuple[Part, ...]:
    """What the bytes behind a picture are, of any format."""
    if len(rest.strip(_PADDING)) < _SHORTEST:
        return ()
    film = _film(rest)
    if film is not None:
        return (Part(PartKind.MOTION, film),)
    rest = rest.strip(_PADDING)
    if rest.endswith(_SAMSUNG_END) and len(rest) < _LONGEST_STAMP:
        return ()  # time and place of the shot, which EXIF has too
    kind = PartKind.SOUND if rest[:4] == b"RIFF" and rest[8:12] == b"WAVE" else PartKind.DATA
    return (Part(kind, digest_of(rest)),)


def jpeg_end(data: bytes, header: JpegHeader) -> int:
    """The offset just behind the picture's end marker; the file's length without one.

    Coded data and tables hold no such pair of bytes, so that its first one ends the picture.
    """
    ends = _find_all(data, _END_OF_IMAGE, header.scan, first=True)
    return ends[0] + 2 if ends else len(data)


def plain_jpeg_end(data: bytes, header: JpegHeader, parts: Sequence[Part]) -> int:
    """:func:`jpeg_end` for a file whose parts are known; most have none."""
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
        while (
            start < len(data) and data[start] in _PADDING and data[start : start + 3] != _NEXT_IMAGE
        ):
            start += 1
        if not data.startswith(_NEXT_IMAGE, start):
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
    """Where two bytes occur, in rising order; faster than ``bytes.find``, for 0xFF is common."""
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
