"""What a file's structure says and Pillow does not: depth, frames by content, other parts."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from image_duplicate_finder.decode.colours import changes_look
from image_duplicate_finder.decode.common import digest_of
from image_duplicate_finder.decode.headers import (
    Directory,
    byte_order,
    first_number,
    read_directory,
    read_jpeg_header,
    read_jxl_header,
    start_offset,
)
from image_duplicate_finder.decode.jpeg import jpeg_coded, plain_jpeg_end, rest_parts
from image_duplicate_finder.decode.metadata import photoshop_resource
from image_duplicate_finder.formats import LOSSLESS_FORMATS
from image_duplicate_finder.model import ImageInfo, Part, PartKind

_MOST_FRAMES = 10_000
# The first frames have a digest each; one more digest covers all the rest.
_FRAMES_WITH_DIGEST = 255
_LONGEST_TEXT = 1 << 20
_TIFF_BITS, _TIFF_COMPRESSION, _TIFF_KIND, _TIFF_XMP, _TIFF_LAYERS = 258, 259, 254, 700, 37724
_TIFF_IPTC = 33723
_TIFF_PLACES = ((273, 279), (324, 325))
# Size, samples, compression, colours, strips, tiles, predictor, palette, tables of a page.
_TIFF_LOOK = (256, 257, 258, 259, 262, 266, 274, 277, 278, 284, 317, 320, 322, 323, 338, 339, 347)
_TIFF_GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113)
_REDUCED, _MASK = 1, 4
_OLD_JPEG_IN_TIFF = 6
_LOSSY_TIFF = frozenset({6, 7, 34892, 50001, 50002})
_REVERSIBLE_WAVELET = 1
_PNG_LOOK = frozenset({b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"cICP"})
_WEBP_ALPHA = 0x10
_MAPS = (
    ("hdrgainmap", PartKind.GAIN_MAP),
    ("21496", PartKind.GAIN_MAP),
    ("auxid:2", PartKind.DEPTH_MAP),
    ("depth", PartKind.DEPTH_MAP),
    ("disparity", PartKind.DEPTH_MAP),
    ("matte", PartKind.DEPTH_MAP),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Bits per channel, number of frames or pages (capped at 10,000), kind of compression.

    An animation whose frames are not counted in its header has 2. ``exif``, ``xmp`` and ``iptc``
    are blocks that Pillow gives only after decoding, else empty. ``texts`` are keys and
    values that a PNG or GIF file states. The rest is as in :class:`model.ImageInfo`.
    """

    bit_depth: int = 8
    frames: int = 1
    lossless: bool = False
    exif: bytes = b""
    xmp: bytes = b""
    iptc: bytes = b""
    texts: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()
    frame_digests: tuple[str, ...] = ()
    incomplete: bool = False


def read_facts(data: bytes, name: str) -> Facts:
    """The facts for a format by its name in :func:`sniff.sniff`; damaged bytes give defaults."""
    reader = _READERS.get(name)
    try:
        return reader(data) if reader is not None else Facts(lossless=name in LOSSLESS_FORMATS)
    except (struct.error, IndexError):
        return Facts(lossless=name in LOSSLESS_FORMATS)


def coded_data(data: bytes, info: ImageInfo) -> Iterator[bytes]:
    """The bytes that alone decide the pixels of a still picture, without all metadata.

    Of a colour profile too, where it changes the look. The format is one of CODED_FORMATS. Damaged
    files may raise struct.error, IndexError or DecodeError.
    """
    name = info.format
    if name == "JPEG":
        header = read_jpeg_header(data)
        if header.icc and changes_look(header.icc):
            yield header.icc
        yield from jpeg_coded(data, header, plain_jpeg_end(data, header, info.parts))
    elif name == "PNG":
        for kind, start, size in _png_chunks(data):
            if kind in _PNG_LOOK or kind == b"IDAT":
                if kind != b"IDAT":
                    yield kind
                yield data[start : start + size]
    elif name == "WEBP":
        flags: int | None = None
        for kind, start, size in _webp_chunks(data):
            if kind == b"VP8X":
                flags = data[start] & _WEBP_ALPHA
            elif kind == b"VP8L" and flags is None:
                flags = data[start + 4] & _WEBP_ALPHA
            if kind in (b"VP8 ", b"VP8L", b"ALPH", b"ICCP"):
                yield kind + bytes((flags or 0,)) + data[start : start + size]
    elif name == "TIFF":
        order = byte_order(data) or "<"
        page, _ = read_directory(data, order, start_offset(data, order))
        yield from _tiff_page(data, page)
    elif name in ("HEIF", "AVIF"):
        items = read_items(data)
        yield from items.coded(items.primary)


def _limited(digests: Iterable[str]) -> tuple[str, ...]:
    """The digests of frames, cut short; empty for a single one."""
    found = list(islice(digests, _MOST_FRAMES))
    if len(found) < 2:
        return ()
    rest = found[_FRAMES_WITH_DIGEST:]
    return tuple(found[:_FRAMES_WITH_DIGEST]) + (
        (digest_of("".join(rest).encode()),) if rest else ()
    )


def _png(data: bytes) -> Facts:
    frames, exif, xmp = 1, b"", b""
    texts: list[tuple[str, str]] = []
    digests: list[str] = []
    look: list[bytes] = []
    frame: list[bytes] = []
    control = b""
    end = len(data)
    for kind, start, size in _png_chunks(data):
        if kind in _PNG_LOOK:
            look.append(data[start : start + size])
        elif kind == b"acTL" and size >= 4:
            frames = max(1, struct.unpack_from(">I", data, start)[0])
        elif kind == b"eXIf":
            exif = data[start : start + size]
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            key, text = _png_text(kind, data[start : start + size])
            if key == "XML:com.adobe.xmp":
                xmp = text.encode("utf-8", "surrogateescape")
            elif text:
                texts.append((key, text))
        elif kind == b"fcTL" and size >= 26:
            if control:
                digests.append(_png_frame(digests, control, frame, look))
            # Without the sequence number and the delay.
            control, frame = data[start + 4 : start + 20] + data[start + 24 : start + 26], []
        elif kind == b"IDAT" and control:
            frame.append(data[start : start + size])
        elif kind == b"fdAT" and control:
            frame.append(data[start + 4 : start + size])
        elif kind == b"IEND":
            end = start + size + 4
            break
    if control:
        digests.append(_png_frame(digests, control, frame, look))
    return Facts(
        bit_depth=data[24],
        frames=min(frames, _MOST_FRAMES),
        lossless=True,
        exif=exif,
        xmp=xmp,
        texts=tuple(texts),
        parts=rest_parts(data[end:]),
        frame_digests=_limited(digests) if frames > 1 else (),
        incomplete=frames > 1 and len(digests) < min(frames, _MOST_FRAMES),
    )


def _png_frame(
    before: Sequence[str], control: bytes, frame: Sequence[bytes], look: Sequence[bytes]
) -> str:
    """A frame's digest; one that does not cover the canvas depends on those before it."""
    width, height = look[0][:4], look[0][4:8]
    whole = control[:16] == width + height + bytes(8) and control[17] == 0
    chained = b"" if whole or not before else before[-1].encode()
    return digest_of(chained, *look, control, *frame)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 8
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at + 8, size
        at += 12 + size


def _png_text(kind: bytes, body: bytes) -> tuple[str, str]:
    """Keyword and text of a textual chunk (PNG third edition, section 11.3.3)."""
    key, _, rest = body.partition(b"\0")
    keyword = key.decode("latin-1")
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif packed:
        rest = rest[1:]
    if packed:
        try:
            rest = zlib.decompressobj().decompress(rest, _LONGEST_TEXT)
        except zlib.error:
            return keyword, ""
    rest = rest[:_LONGEST_TEXT]
    try:
        return keyword, rest.decode("utf-8")
    except UnicodeDecodeError:
        return keyword, rest.decode("latin-1")


def _gif(data: bytes) -> Facts:
    """Walk the blocks of a GIF file (GIF 89a, appendix A)."""
    at = 13 + _colour_table(data[10])
    canvas, palette = data[6:10], data[13:at]
    digests: list[str] = []
    comments: list[tuple[str, str]] = []
    control = b"\0\0\0"
    ended = False
    while at < len(data) and len(digests) < _MOST_FRAMES:
        kind, start = data[at], at
        if kind == 0x21:
            label = data[at + 1]
            at += 2
        elif kind == 0x2C:
            table = _colour_table(data[at + 9])
            at += 11 + table
        else:
            ended = kind == 0x3B
            at += 1
            break
        blocks_at = at
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
        if kind == 0x21 and label == 0xF9:
            # Disposal and transparency, without the delay.
            control = bytes((data[start + 3] & 0x1D, data[start + 6], 0))
        elif kind == 0x21 and label == 0xFE:
            comments.append(
                ("Comment", _sub_blocks(data, blocks_at, at).decode("utf-8", "replace"))
            )
        elif kind == 0x2C:
            whole = data[start + 1 : start + 9] == bytes(4) + canvas and not control[0] & 1
            chained = b"" if whole or not digests else digests[-1].encode()
            own = b"" if table else palette
            digests.append(digest_of(chained, canvas, control, own, data[start:at]))
            control = b"\0\0\0"
    cut = not ended and len(digests) < _MOST_FRAMES and at >= len(data)
    return Facts(
        frames=max(len(digests), 1),
        lossless=True,
        texts=tuple(comments),
        parts=rest_parts(data[at:]) if ended else (),
        frame_digests=_limited(digests),
        incomplete=cut and at > len(data),
    )


def _sub_blocks(data: bytes, at: int, end: int) -> bytes:
    found = []
    while at < min(end, len(data)) and data[at]:
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(found)


def _colour_table(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _tiff(data: bytes) -> Facts:
    order = byte_order(data) or "<"
    at = start_offset(data, order)
    first, _ = read_directory(data, order, at)
    seen: set[int] = set()
    pages: list[Directory] = []
    cut = False
    while at and at not in seen and len(seen) < _MOST_FRAMES:
        seen.add(at)
        cut = at > len(data) - 2
        page, at = read_directory(data, order, at)
        # Previews, pyramids and masks are no pages of their own.
        if page and not (first_number(page.get(_TIFF_KIND)) or 0) & (_REDUCED | _MASK):
            pages.append(page)
    georeference = [bytes(2) + first[tag].value for tag in _TIFF_GEOREFERENCE if tag in first]
    parts = []
    if georeference:
        parts.append(Part(PartKind.GEOREFERENCE, digest_of(*georeference)))
    if _TIFF_LAYERS in first:
        parts.append(Part(PartKind.LAYERS, digest_of(first[_TIFF_LAYERS].value)))
    xmp, iptc = first.get(_TIFF_XMP), first.get(_TIFF_IPTC)
    return Facts(
        bit_depth=first_number(first.get(_TIFF_BITS)) or 1,
        frames=max(len(pages), 1),
        lossless=first_number(first.get(_TIFF_COMPRESSION)) not in _LOSSY_TIFF,
        xmp=xmp.value if xmp is not None else b"",
        iptc=iptc.value if iptc is not None else b"",
        parts=tuple(parts),
        frame_digests=_limited(
            digest_of(*_tiff_page(data, page)) for page in (pages if len(pages) > 1 else ())
        ),
        incomplete=cut,
    )


def _tiff_page(data: bytes, page: Directory) -> Iterator[bytes]:
    """What decides a page's look: the tags that say how it is coded, and its strips or tiles.

    Raises IndexError where they are not found.
    """
    for tag in _TIFF_LOOK:
        if tag in page:
            yield struct.pack("<HH", tag, len(page[tag].value) & 0xFFFF) + page[tag].value
    places = [
        each
        for offsets, sizes in _TIFF_PLACES
        if offsets in page and sizes in page
        for each in zip(page[offsets].all_numbers(), page[sizes].all_numbers(), strict=False)
    ]
    if not places or first_number(page.get(_TIFF_COMPRESSION)) == _OLD_JPEG_IN_TIFF:
        raise IndexError
    for start, size in places:
        yield data[start : start + size]


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        yield kind, at + 8, size
        at += 8 + size + (size & 1)


def _webp(data: bytes) -> Facts:
    frames, lossless = 0, False
    digests: list[str] = []
    canvas = profile = b""
    for kind, start, size in _webp_chunks(data):
        if kind == b"VP8X":
            canvas = data[start + 4 : start + 10]
        elif kind == b"ICCP":
            profile = data[start : start + size]
        elif kind == b"ANMF":
            frames += 1
            lossless = lossless or data[start + 16 : start + 20] == b"VP8L"
            # Place, size and how it is laid over the last one, without the duration.
            placed = data[start : start + 12] + data[start + 15 : start + 16]
            whole = placed[:6] == bytes(6) and placed[6:12] == canvas and placed[12:] >= b"\2"
            chained = b"" if whole or not digests else digests[-1].encode()
            digests.append(
                digest_of(chained, canvas, profile, placed, data[start + 16 : start + size])
            )
        lossless = lossless or kind == b"VP8L"
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    return Facts(
        frames=min(max(frames, 1), _MOST_FRAMES),
        lossless=lossless,
        parts=rest_parts(data[end + (end & 1) :]),
        frame_digests=_limited(digests),
        incomplete=end > len(data) + 1,
    )


def _items(data: bytes) -> Facts:
    """Further pictures, maps and films of a HEIF or AVIF file."""
    items = read_items(data)
    parts: list[Part] = []
    for number, item in items.items.items():
        kind = next((kind for mark, kind in _MAPS if mark in item.auxiliary.lower()), None)
        if item.type == b"tmap":
            kind = PartKind.GAIN_MAP
        if kind is not None:
            parts.append(Part(kind, digest_of(*items.coded(number))))
    digests = [digest_of(*items.coded(number)) for number in items.pictures()]
    for box, start, end in items.boxes:
        if box == b"mpvd":
            parts.append(Part(PartKind.MOTION, digest_of(data[start:end])))
        elif box == b"moov":
            digests.append(digest_of(*(data[a:b] for kind, a, b in items.boxes if kind == b"mdat")))
    return Facts(parts=tuple(dict.fromkeys(parts)), frame_digests=_limited(digests))


def _av1(data: bytes) -> Facts:
    """Bit depth out of the codec's configuration box (AV1-ISOBMFF, section 2.3.3)."""
    at = data.find(b"av1C", 0, 1 << 16)
    flags = data[at + 6] if at >= 0 else 0
    return replace(_items(data), bit_depth=12 if flags & 0x20 else 10 if flags & 0x40 else 8)


def _hevc(data: bytes) -> Facts:
    """Bit depth out of the codec's configuration box (ISO 14496-15, section 8.3.3.1)."""
    at = data.find(b"hvcC", 0, 1 << 16)
    return replace(_items(data), bit_depth=(data[at + 4 + 17] & 7) + 8 if at >= 0 else 8)


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
    """How often decoding can halve the resolution (COD marker), 0 if unknown."""
    size = data.find(b"\xff\x4f\xff\x51")
    coding = data.find(b"\xff\x52", size, size + 4096) if size >= 0 else -1
    return data[coding + 9] if 0 <= coding < len(data) - 9 else 0


def _psd(data: bytes) -> Facts:
    """Depth, layers and the resources that hold metadata (Adobe's file format specification)."""
    facts = Facts(bit_depth=struct.unpack_from(">H", data, 22)[0], lossless=True)
    at = 26
    at += 4 + struct.unpack_from(">I", data, at)[0]
    size = struct.unpack_from(">I", data, at)[0]
    resources = data[at + 4 : at + 4 + size]
    at += 4 + size
    wide = data[4:6] == b"\0\2"
    layers = struct.unpack_from(">Q" if wide else ">I", data, at + (8 if wide else 4))[0]
    start = at + (16 if wide else 8)
    count = struct.unpack_from(">h", data, start)[0] if layers else 0
    return replace(
        facts,
        exif=photoshop_resource(resources, 0x0422),
        xmp=photoshop_resource(resources, 0x0424),
        iptc=photoshop_resource(resources, 0x0404),
        parts=(Part(PartKind.LAYERS, digest_of(data[start : start + layers])),) if count else (),
    )


def _jxl(data: bytes) -> Facts:
    header = read_jxl_header(data)
    if not header.animated:
        return Facts(bit_depth=header.bit_depth)
    # One digest for all frames together.
    return Facts(bit_depth=header.bit_depth, frames=2, frame_digests=(digest_of(data),))


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


_MOST_ITEMS = 4096
_MOST_EXTENTS = 4096
_DEEPEST = 3
_AUXILIARY, _DERIVED, _THUMBNAIL = b"auxl", b"dimg", b"thmb"
_PICTURES = frozenset({b"hvc1", b"av01", b"avc1", b"jpeg", b"unci", b"grid", b"iden", b"iovl"})
# Properties that decide how a picture looks; others describe it.
_LOOK = (b"hvcC", b"av1C", b"avcC", b"jpgC", b"irot", b"imir", b"clap", b"colr", b"ispe")


@dataclass(slots=True)
class Item:
    """One item: its type, what its properties say, its bytes, and which items it refers to.

    ``auxiliary`` is the URN of an auxiliary picture ("urn:...:hdrgainmap"), else empty.
    ``properties`` are the boxes that the decoder is set up with. Its bytes are in the file, in the
    metadata's own box (``in_box``) or in another item (``elsewhere``), which is not followed.
    """

    type: bytes = b""
    hidden: bool = False
    auxiliary: str = ""
    properties: list[bytes] = field(default_factory=list)
    extents: list[tuple[int, int]] = field(default_factory=list)
    in_box: bool = False
    elsewhere: bool = False
    references: dict[bytes, tuple[int, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Items:
    """The items of a file by id, the primary one, and what lies in boxes beside them.

    ``boxes`` are the top level's as (type, start of the body, end).
    """

    data: bytes
    primary: int = 0
    items: dict[int, Item] = field(default_factory=dict)
    stored: bytes = b""
    boxes: list[tuple[bytes, int, int]] = field(default_factory=list)

    def coded(self, number: int, depth: int = 0) -> Iterator[bytes]:
        """The bytes that decide an item's look, and those of items that it is made of.

        Raises IndexError where they are not found.
        """
        item = self.items.get(number)
        if item is None or item.elsewhere or depth > _DEEPEST:
            raise IndexError
        yield item.type
        yield from (each for each in item.properties if each.startswith(_LOOK))
        source = self.stored if item.in_box else self.data
        if not item.extents and _DERIVED not in item.references:
            raise IndexError
        for start, size in item.extents:
            yield source[start : start + size]
        for other in item.references.get(_DERIVED, ()):
            yield from self.coded(other, depth + 1)

    def pictures(self) -> list[int]:
        """The pictures that a viewer shows one by one, the primary one first."""
        aside: set[int] = set()
        for item in self.items.values():
            aside.update(item.references.get(_DERIVED, ()))
        shown = [
            number
            for number, item in self.items.items()
            if item.type in _PICTURES
            and not item.hidden
            and number not in aside
            and _AUXILIARY not in item.references
            and _THUMBNAIL not in item.references
        ]
        return sorted(shown, key=lambda number: (number != self.primary, number))


def read_items(data: bytes) -> Items:
    """The items of an ISO base media file; without any where there is no ``meta`` box."""
    found = Items(data)
    for kind, start, end in _boxes(data, 0, len(data)):
        found.boxes.append((kind, start, end))
        if kind == b"meta" and not found.items:
            try:
                _read_meta(found, start + 4, end)
            except (struct.error, IndexError):
                continue
    return found


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if size == 1 and at + 16 <= end:
            size = struct.unpack_from(">Q", data, at + 8)[0]
            body = at + 16
        last = end if size == 0 else at + size
        if last < body or last > end:
            last = end
        yield kind, body, last
        at = last


def _read_meta(found: Items, start: int, end: int) -> None:
    data = found.data
    for kind, body, last in _boxes(data, start, end):
        if kind == b"pitm":
            found.primary = int.from_bytes(data[body + 4 : last][: 4 if data[body] else 2], "big")
        elif kind == b"iinf":
            _read_types(found, body, last)
        elif kind == b"iloc":
            _read_places(found, body, last)
        elif kind == b"iref":
            _read_references(found, body, last)
        elif kind == b"idat":
            found.stored = data[body:last]
    for kind, body, last in _boxes(data, start, end):
        if kind == b"iprp":
            _read_properties(found, body, last)


def _read_types(found: Items, body: int, end: int) -> None:
    data = found.data
    first = body + (6 if data[body] == 0 else 8)
    for kind, at, _ in _boxes(data, first, end):
        if kind != b"infe" or len(found.items) >= _MOST_ITEMS:
            continue
        wide = data[at] >= 3
        number = int.from_bytes(data[at + 4 : at + (8 if wide else 6)], "big")
        item = found.items.setdefault(number, Item())
        kind_at = at + (10 if wide else 8)
        item.type = data[kind_at : kind_at + 4]
        item.hidden = bool(data[at + 3] & 1)


def _read_places(found: Items, at: int, end: int) -> None:
    data = found.data
    version = data[at]
    offset_size, length_size = data[at + 4] >> 4, data[at + 4] & 15
    base_size, index_size = data[at + 5] >> 4, data[at + 5] & 15 if version in (1, 2) else 0
    number_size = 4 if version == 2 else 2
    at += 6

    def number(size: int) -> int:
        nonlocal at
        value = int.from_bytes(data[at : at + size], "big")
        at += size
        return value

    for _ in range(min(number(number_size), _MOST_ITEMS)):
        item = found.items.setdefault(number(number_size), Item())
        if version in (1, 2):
            method = number(2) & 15
            item.in_box, item.elsewhere = method == 1, method > 1
        number(2)
        base = number(base_size)
        for _ in range(min(number(2), _MOST_EXTENTS)):
            number(index_size)
            start = base + number(offset_size)
            size = number(length_size)
            item.extents.append((start, size or len(data)))
        if at > end:
            return


def _read_references(found: Items, body: int, end: int) -> None:
    data = found.data
    size = 4 if data[body] else 2
    for kind, at, last in _boxes(data, body + 4, end):
        item = found.items.setdefault(int.from_bytes(data[at : at + size], "big"), Item())
        count = int.from_bytes(data[at + size : at + size + 2], "big")
        numbers = data[at + size + 2 : min(at + size + 2 + count * size, last)]
        item.references[kind] = item.references.get(kind, ()) + tuple(
            int.from_bytes(numbers[i : i + size], "big")
            for i in range(0, len(numbers) // size * size, size)
        )


def _read_properties(found: Items, body: int, end: int) -> None:
    data = found.data
    properties: list[tuple[bytes, bytes]] = []
    for kind, at, last in _boxes(data, body, end):
        if kind == b"ipco":
            properties = [(each, data[a:b]) for each, a, b in _boxes(data, at, last)]
    for kind, at, last in _boxes(data, body, end):
        if kind != b"ipma":
            continue
        size, wide = (4 if data[at] else 2), data[at + 3] & 1
        count = int.from_bytes(data[at + 4 : at + 8], "big")
        at += 8
        for _ in range(min(count, _MOST_ITEMS)):
            if at >= last:
                break
            item = found.items.setdefault(int.from_bytes(data[at : at + size], "big"), Item())
            links = data[at + size]
            at += size + 1
            for _ in range(links):
                index = int.from_bytes(data[at : at + (2 if wide else 1)], "big")
                at += 2 if wide else 1
                index &= 0x7FFF if wide else 0x7F
                if 0 < index <= len(properties):
                    name, value = properties[index - 1]
                    item.properties.append(name + value)
                    if name == b"auxC":
                        item.auxiliary = value[4:].split(b"\0", 1)[0].decode("latin-1")
