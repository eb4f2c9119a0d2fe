"""Headers that several modules read: JPEG's markers, TIFF's directories, JPEG XL's codestream.

Bytes that do not fit together never raise, unless a function says that it raises DecodeError.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from image_duplicate_finder.errors import DecodeError, FailureStage
from image_duplicate_finder.messages import FailureReason

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

# Where a file has the term of each row and column: tables are stored along the diagonals.
_DIAGONALS = sorted(
    range(64), key=lambda n: (sum(divmod(n, 8)), n // 8 if sum(divmod(n, 8)) % 2 else n % 8)
)
_ZIGZAG = tuple(_DIAGONALS.index(n) for n in range(64))
# Table K.1 of T.81, whose scaled versions libjpeg numbers as qualities 1 to 100.
_STANDARD_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """The segments before the first scan, and where they are.

    ``width`` and ``height`` as stored (not yet upright). ``process`` is the frame marker's low
    nibble: 0 baseline, 1 extended, 2 progressive, 3 lossless, 9 and 10 arithmetic.
    ``exif``, ``xmp``, ``icc`` and ``iptc`` (Photoshop's resources) are empty where absent.
    ``steps``: what the 64 luminance terms of a block were rounded to, row by row.
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
    steps: tuple[int, ...] | None
    component_ids: tuple[int, ...] = ()
    iptc: bytes = b""
    comments: tuple[bytes, ...] = ()
    coded: tuple[tuple[int, int], ...] = ()
    extended_xmp: tuple[tuple[int, int], ...] = ()
    index: tuple[int, int] | None = None
    gain_map: bytes = b""

    @property
    def quality(self) -> int | None:
        """The libjpeg quality whose luminance table sums up nearest to that of the file."""
        return None if self.steps is None else _quality(sum(self.steps))

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
    tables: dict[int, tuple[int, ...]] = {}
    frame: bytes | None = None
    process = 0
    at, end = 2, len(data)
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > end:
            raise DecodeError(FailureReason.JPEG_WITHOUT_PICTURE(), stage=FailureStage.HEADER)
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
        raise DecodeError(FailureReason.JPEG_WITHOUT_SIZE(), stage=FailureStage.HEADER)
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
        steps=tables.get(frame[8]),
        component_ids=tuple(frame[6 : 6 + 3 * components : 3]),
        iptc=iptc,
        comments=tuple(comments),
        coded=tuple(coded),
        extended_xmp=tuple(extended),
        index=index,
        gain_map=gain_map,
    )


def _add_tables(body: bytes, tables: dict[int, tuple[int, ...]]) -> None:
    """Note every whole quantisation table of a DQT segment under its number, row by row."""
    at = 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 0x0F
        size = 128 if wide else 64
        values = body[at + 1 : at + 1 + size]
        at += 1 + size
        if len(values) == size:
            stored = struct.unpack(">64H", values) if wide else tuple(values)
            tables[number] = tuple(stored[place] for place in _ZIGZAG)


def _quality(luminance_sum: int) -> int:
    sums = _sums_by_quality()
    place = bisect_left(sums, -luminance_sum)
    best = min(
        (q for q in (place - 1, place) if 0 <= q < 100), key=lambda q: abs(sums[q] + luminance_sum)
    )
    return best + 1


@lru_cache(maxsize=1)
def _sums_by_quality() -> tuple[int, ...]:
    """Minus the sum of the luminance table at qualities 1 to 100, so that it rises."""
    return tuple(-sum(luminance_steps(quality)) for quality in range(1, 101))


def luminance_steps(quality: int) -> tuple[int, ...]:
    """What libjpeg rounds the 64 luminance terms of a block to at a quality, row by row."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table = ((value * scale + 50) // 100 for value in _STANDARD_LUMINANCE)
    return tuple(min(max(value, 1), 255) for value in table)


_MOST_ENTRIES = 1000
_MOST_VALUES = 64
_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
               16: 8, 17: 8, 18: 8, 129: 1}  # fmt: skip
_NUMBER_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag's value: its TIFF type, its bytes (cut short where the file is), the byte order."""

    kind: int
    value: bytes
    order: str

    def numbers(self) -> tuple[int, ...]:
        """Up to 64 unsigned integers; empty for other types."""
        code = _NUMBER_CODES.get(self.kind)
        if code is None:
            return ()
        count = min(len(self.value) // struct.calcsize("=" + code), _MOST_VALUES)
        return struct.unpack_from(f"{self.order}{count}{code}", self.value)

    def all_numbers(self) -> tuple[int, ...]:
        """Every unsigned integer of a long list, such as the places of strips."""
        code = _NUMBER_CODES.get(self.kind)
        if code is None:
            return ()
        count = len(self.value) // struct.calcsize("=" + code)
        return struct.unpack_from(f"{self.order}{count}{code}", self.value)

    def ratios(self) -> tuple[float, ...]:
        """Fractions (RATIONAL) as floats; those over zero are left out."""
        if self.kind != 5:
            return ()
        pairs = struct.iter_unpack(self.order + "II", self.value[: len(self.value) // 8 * 8])
        return tuple(above / below for above, below in pairs if below)

    def text(self) -> str | None:
        """A printable text, or None."""
        if self.kind not in (2, 129):
            return None
        text = self.value.split(b"\0", 1)[0][:200].decode("utf-8", "replace").strip()
        return text if text and text.isprintable() else None

    def long_text(self) -> str:
        """A text of any length and encoding that is likely, empty without one."""
        if self.kind not in (2, 7, 129):
            return ""
        value = self.value.split(b"\0", 1)[0]
        try:
            return value.decode("utf-8").strip()
        except UnicodeDecodeError:
            return value.decode("latin-1").strip()


Directory = dict[int, Entry]


class _Layout(NamedTuple):
    """How a directory is written, as codes of :mod:`struct` and sizes in bytes."""

    number: str
    number_size: int
    entry: str
    entry_size: int
    offset: str
    offset_size: int


_CLASSIC = _Layout("H", 2, "HHI4s", 12, "I", 4)
_BIG = _Layout("Q", 8, "HHQ8s", 20, "Q", 8)


def byte_order(data: bytes) -> str | None:
    """``<`` or ``>`` for data that starts like a TIFF structure, else None."""
    return {b"II": "<", b"MM": ">"}.get(data[:2])


def is_big(data: bytes) -> bool:
    """Whether it is a BigTIFF, whose offsets have 8 bytes."""
    return data[2:4] in (b"+\0", b"\0+")


def start_offset(data: bytes, order: str) -> int:
    """Where the first directory is; 0 where the data is too short to say."""
    if is_big(data):
        return int(struct.unpack_from(order + "Q", data, 8)[0]) if len(data) >= 16 else 0
    return int(struct.unpack_from(order + "I", data, 4)[0]) if len(data) >= 8 else 0


def read_directory(data: bytes, order: str, at: int) -> tuple[Directory, int]:
    """The entries of the directory at that offset and the offset of the next one (0: none)."""
    layout = _BIG if is_big(data) else _CLASSIC
    if not 0 < at <= len(data) - layout.number_size:
        return {}, 0
    count = min(struct.unpack_from(order + layout.number, data, at)[0], _MOST_ENTRIES)
    first = at + layout.number_size
    end = first + layout.entry_size * count
    table = data[first:end]
    entries: Directory = {}
    for tag, kind, number, inline in struct.iter_unpack(
        order + layout.entry, table[: len(table) // layout.entry_size * layout.entry_size]
    ):
        size = _TYPE_SIZES.get(kind, 0) * number
        if size <= layout.offset_size:
            value = inline[:size]
        else:
            start = struct.unpack(order + layout.offset, inline)[0]
            value = data[start : start + size]
        entries.setdefault(tag, Entry(kind, value, order))
    if end + layout.offset_size > len(data):
        return entries, 0
    return entries, struct.unpack_from(order + layout.offset, data, end)[0]


def first_number(entry: Entry | None) -> int | None:
    """The first unsigned integer of a value, None without one."""
    numbers = entry.numbers() if entry is not None else ()
    return numbers[0] if numbers else None


_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIZE_BITS = (9, 13, 18, 30)
_DEPTHS = (8, 10, 12)
_HEADER_BYTES = 256
_MOST_BOXES = 1000
_WHITES = {1: (0.3127, 0.329), 10: (1 / 3, 1 / 3), 11: (0.314, 0.351)}
_PRIMARIES: dict[int, tuple[float, ...]] = {
    1: (0.64, 0.33, 0.3, 0.6, 0.15, 0.06),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_ALPHA, _SPOT_COLOUR, _COLOUR_FILTER = 0, 2, 5
_REPACKED_JPEG = b"jbrd"


@dataclass(frozen=True, slots=True)
class JxlColours:
    """CIE xy of red, green, blue and white; the curve as in H.273, or a gamma if that is not 0."""

    points: tuple[float, ...] = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)
    transfer: int = 13
    gamma: float = 0.0


@dataclass(frozen=True, slots=True)
class JxlHeader:
    """``width`` and ``height`` before any turn.

    ``colours`` is None if an ICC profile describes them, or fields that are not read.
    ``repacked_jpeg``: the file can give back the JPEG that it was.
    """

    width: int
    height: int
    bit_depth: int
    animated: bool
    colours: JxlColours | None = None
    repacked_jpeg: bool = False


def read_jxl_header(data: bytes) -> JxlHeader:
    """Read a bare codestream or one in a container; DecodeError (``header``) if neither."""
    start, repacked = _codestream(data)
    bits = _Bits(data[start : start + _HEADER_BYTES], 16)
    width, height = _size(bits)
    if bits.take(1):  # all that follows has its usual values: 8 bits, sRGB
        return JxlHeader(width, height, 8, False, JxlColours(), repacked)
    animated = _passes_over_extras(bits)
    if animated is None:
        return JxlHeader(width, height, 8, False, repacked_jpeg=repacked)
    depth = _depth(bits)
    try:
        colours = _colours(bits)
    except DecodeError:  # names of channels can be longer than what is looked at
        colours = None
    return JxlHeader(width, height, depth, animated, colours, repacked)


class _Bits:
    """Reads unsigned numbers, least significant bit first."""

    def __init__(self, data: bytes, at: int) -> None:
        self._number = int.from_bytes(data, "little")
        self._left = len(data) * 8 - at
        self._number >>= at

    def take(self, count: int) -> int:
        """The next ``count`` bits as a number."""
        self._left -= count
        if self._left < 0:
            raise DecodeError(FailureReason.JXL_HEADER(), stage=FailureStage.HEADER)
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        return value

    def choose(self, *forms: tuple[int, int]) -> int:
        """A number in one of four forms: (what is added, bits)."""
        added, count = forms[self.take(2)]
        return added + self.take(count)

    def kind(self) -> int:
        """A value of an enumeration."""
        return self.choose((0, 0), (1, 0), (2, 4), (18, 6))


def _codestream(data: bytes) -> tuple[int, bool]:
    """Where the codestream starts, and whether the container can give back a JPEG file."""
    if data.startswith(b"\xff\x0a"):
        return 0, False
    at, found, repacked = 0, 0, False
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            break
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        repacked = repacked or kind == _REPACKED_JPEG
        if kind in (b"jxlc", b"jxlp"):
            found = found or start + (4 if kind == b"jxlp" else 0)
        if size < 8:
            break
        at += size
    if found:
        return found, repacked
    raise DecodeError(FailureReason.JXL_WITHOUT_PICTURE(), stage=FailureStage.HEADER)


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if ratio == 0:
        return _side(bits, small), height
    across, down = _RATIOS[ratio]
    return height * across // down, height


def _side(bits: _Bits, small: int) -> int:
    if small:
        return (bits.take(5) + 1) * 8
    return bits.take(_SIZE_BITS[bits.take(2)]) + 1


def _passes_over_extras(bits: _Bits) -> bool | None:
    """Whether it is an animation; None for one with a preview, whose header is not read on."""
    if not bits.take(1):
        return False
    bits.take(3)  # the turn, which the decoder carries out
    if bits.take(1):
        _size(bits)
    if bits.take(1):
        return None
    if not bits.take(1):
        return False
    bits.choose((100, 0), (1000, 0), (1, 10), (1, 30))
    bits.choose((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.choose((0, 0), (0, 3), (0, 16), (0, 32))
    bits.take(1)
    return True


def _depth(bits: _Bits) -> int:
    """Bits per sample of a channel."""
    if bits.take(1):
        depth = bits.choose((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)
        return depth
    choice = bits.take(2)
    return _DEPTHS[choice] if choice < 3 else bits.take(6) + 1


def _colours(bits: _Bits) -> JxlColours | None:
    bits.take(1)
    for _ in range(bits.choose((0, 0), (1, 0), (2, 4), (1, 12))):
        _pass_over_channel(bits)
    bits.take(1)
    if bits.take(1):
        return JxlColours()
    if bits.take(1):  # an ICC profile
        return None
    grey = bits.kind() == 1
    kind = bits.kind()
    white = _WHITES[kind] if kind in _WHITES else _point(bits)
    points = _PRIMARIES[1]
    if not grey and (kind := bits.kind()) != 1:
        points = _PRIMARIES[kind] if kind in _PRIMARIES else _points(bits)
    if bits.take(1):
        return JxlColours((*points, *white), gamma=bits.take(24) / 1e7)
    return JxlColours((*points, *white), bits.kind())


def _points(bits: _Bits) -> tuple[float, ...]:
    return (*_point(bits), *_point(bits), *_point(bits))


def _point(bits: _Bits) -> tuple[float, float]:
    """A colour as CIE xy."""
    x, y = (bits.choose((0, 19), (1 << 19, 19), (1 << 20, 20), (1 << 21, 21)) for _ in range(2))
    return _signed(x), _signed(y)


def _signed(number: int) -> float:
    return (-(number + 1) // 2 if number & 1 else number // 2) / 1e6


def _pass_over_channel(bits: _Bits) -> None:
    """Read over what is said of a channel beside the colours."""
    if bits.take(1):
        return
    kind = bits.kind()
    _depth(bits)
    bits.choose((0, 0), (3, 0), (4, 0), (1, 3))
    bits.take(8 * bits.choose((0, 0), (0, 4), (16, 5), (48, 10)))
    if kind == _ALPHA:
        bits.take(1)
    elif kind == _SPOT_COLOUR:
        bits.take(64)
    elif kind == _COLOUR_FILTER:
        bits.choose((1, 0), (0, 2), (3, 4), (19, 8))
