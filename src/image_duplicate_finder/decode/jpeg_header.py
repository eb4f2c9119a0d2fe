"""A walk over the markers of a JPEG file (ITU-T T.81) up to its first scan.

Some tens of microseconds for a photo: decoding on the quick path needs the size, the
orientation and the colours before it starts, and libraries that open pictures in general cost
ten times as much.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache

from image_duplicate_finder.errors import DecodeError

_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset(range(0xD0, 0xD9)) | {0x01}
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_QUANTISATION = 0xDB
_EXIF, _ICC, _ADOBE = 0xE1, 0xE2, 0xEE
_PHOTOSHOP, _COMMENT = 0xED, 0xFE
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENDED_XMP_PREFIX = b"http://ns.adobe.com/xmp/extension/\0"
# The prefix, a GUID of 32 letters, the packet's length and this part's offset.
_EXTENDED_XMP_HEADER = len(_EXTENDED_XMP_PREFIX) + 32 + 8
_PHOTOSHOP_PREFIX = b"Photoshop 3.0\0"
_GAIN_MAP_PREFIX = b"urn:iso:std:iso:ts:21496:-1\0"

# Table K.1 of T.81, whose scaled versions libjpeg numbers as qualities 1 to 100.
_STANDARD_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What stands before the first scan, and where.

    ``width`` and ``height`` as stored (not yet upright). ``process`` is the frame marker's low
    nibble: 0 baseline, 1 extended, 2 progressive, 3 lossless, 9 and 10 arithmetic.
    ``exif``, ``xmp``, ``icc`` and ``iptc`` (Photoshop's resources) are empty where absent.
    ``scan`` is the offset of the first scan's marker. ``coded`` are the segments that decide the
    pixels, ``extended_xmp`` the parts of a long packet, ``index`` the multi-picture index, all as
    (start, end). ``gain_map`` is what ISO 21496-1 writes into the second picture of such a file.
    """

    width: int
    height: int
    precision: int
    components: int
    process: int
    scan: int
    exif: bytes
    xmp: bytes
    icc: bytes
    quality: int | None
    component_ids: tuple[int, ...] = ()
    iptc: bytes = b""
    comments: tuple[bytes, ...] = ()
    coded: tuple[tuple[int, int], ...] = ()
    extended_xmp: tuple[tuple[int, int], ...] = ()
    index: tuple[int, int] | None = None
    gain_map: bytes = b""

    @property
    def progressive(self) -> bool:
        """Whether its coefficients come in several scans of rising precision."""
        return self.process in (2, 10)


def read_jpeg_header(data: bytes) -> JpegHeader:
    """Walk the markers; raises DecodeError (stage ``header``) where no frame is found."""
    exif = xmp = iptc = gain_map = b""
    coded: list[tuple[int, int]] = []
    extended: list[tuple[int, int]] = []
    comments: list[bytes] = []
    index: tuple[int, int] | None = None
    profile_parts: dict[int, bytes] = {}
    tables: dict[int, int] = {}
    frame: bytes | None = None
    process = 0
    at, end = 2, len(data)
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > end:
            raise DecodeError("The JPEG file ends before its picture starts.", stage="header")
        marker = data[at + 1]
        if marker in (0x00, 0xFF) or marker in _STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (_START_OF_SCAN, _END_OF_IMAGE):
            break
        length = (data[at + 2] << 8) | data[at + 3]
        body_at = at + 4
        at += 2 + max(length, 2)
        if marker == _EXIF:
            if not exif and data.startswith(b"Exif\0", body_at):
                exif = data[body_at:at]
            elif not xmp and data.startswith(_XMP_PREFIX, body_at):
                xmp = data[body_at + len(_XMP_PREFIX) : at]
            elif data.startswith(_EXTENDED_XMP_PREFIX, body_at):
                extended.append((body_at + _EXTENDED_XMP_HEADER, at))
        elif marker == _ICC:
            if data.startswith(b"ICC_PROFILE\0", body_at) and body_at + 14 <= at:
                profile_parts[data[body_at + 12]] = data[body_at + 14 : at]
            elif data.startswith(b"MPF\0", body_at):
                index = body_at + 4, at
            elif data.startswith(_GAIN_MAP_PREFIX, body_at):
                gain_map = data[body_at:at]
        elif marker == _PHOTOSHOP:
            if data.startswith(_PHOTOSHOP_PREFIX, body_at):
                iptc += data[body_at + len(_PHOTOSHOP_PREFIX) : at]
        elif marker == _COMMENT:
            comments.append(data[body_at:at])
        elif marker == _QUANTISATION:
            _add_tables(data[body_at:at], tables)
        elif marker in _FRAME_MARKERS and frame is None:
            frame, process = data[body_at:at], marker & 0x0F
        if marker < 0xE0 or marker == _ADOBE:
            coded.append((body_at - 4, at))
    if frame is None or len(frame) < 9:
        raise DecodeError("The JPEG file does not say how large its picture is.", stage="header")
    precision, height, width, components = struct.unpack_from(">BHHB", frame)
    return JpegHeader(
        width=width,
        height=height,
        precision=precision,
        components=components,
        process=process,
        scan=at,
        exif=exif,
        xmp=xmp,
        icc=b"".join(profile_parts[part] for part in sorted(profile_parts)),
        quality=_quality(tables.get(frame[8])),
        component_ids=tuple(frame[6 : 6 + 3 * components : 3]),
        iptc=iptc,
        comments=tuple(comments),
        coded=tuple(coded),
        extended_xmp=tuple(extended),
        index=index,
        gain_map=gain_map,
    )


def _add_tables(body: bytes, tables: dict[int, int]) -> None:
    """Note the sum of every quantisation table of a DQT segment under its number."""
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 0x0F
        if wide:
            values = body[at + 1 : at + 129]
            tables[number] = sum(values[::2]) * 256 + sum(values[1::2])
            at += 129
        else:
            tables[number] = sum(body[at + 1 : at + 65])
            at += 65


def _quality(luminance_sum: int | None) -> int | None:
    """The libjpeg quality whose luminance table sums up nearest to this one."""
    if luminance_sum is None:
        return None
    sums = _sums_by_quality()
    place = bisect_left(sums, -luminance_sum)
    best = min(
        (q for q in (place - 1, place) if 0 <= q < 100), key=lambda q: abs(sums[q] + luminance_sum)
    )
    return best + 1


@lru_cache(maxsize=1)
def _sums_by_quality() -> tuple[int, ...]:
    """Minus the sum of the luminance table at qualities 1 to 100, so that it rises."""
    sums = []
    for quality in range(1, 101):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        table = ((value * scale + 50) // 100 for value in _STANDARD_LUMINANCE)
        sums.append(-sum(min(max(value, 1), 255) for value in table))
    return tuple(sums)
