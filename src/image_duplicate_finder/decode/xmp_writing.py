"""Writes metadata into pictures and sidecars without touching pixels.

Written is XMP (ISO 16684-1): into JPEG, PNG and WebP files, else into a sidecar. A JPEG file
without EXIF gets a block with the date and the place besides, since many programs look for them
only there. EXIF that is there stays as it is: cameras' own notes in it do not outlive a rewrite.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from typing import Any

from image_duplicate_finder.additions import Additions
from image_duplicate_finder.decode.dispatch import coded_digest, read_info
from image_duplicate_finder.decode.headers import read_jpeg_header
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.model import ImageInfo, Metadata
from image_duplicate_finder.settings import DecodeLimits


def written_into(data: bytes, additions: Additions, limits: DecodeLimits) -> bytes | None:
    """The file's bytes with the additions, None where this format or file cannot take them.

    The result was read again: its picture is the same, and it says what was added. Raises
    DecodeError for bytes that are no picture.
    """
    info = read_info(data, limits=limits)
    try:
        if info.format == "JPEG":
            written = _into_jpeg(data, additions)
        elif info.format == "PNG":
            written = _into_png(data, additions)
        elif info.format == "WEBP":
            written = _into_webp(data, info, additions)
        else:
            return None
        if written is None:
            return None
        again = read_info(written, limits=limits)
    except (DecodeError, struct.error, IndexError):
        return None
    return written if _only_added(data, info, written, again, additions) else None


def sidecar_with(sidecar: bytes | None, additions: Additions) -> bytes | None:
    """An XMP sidecar with the additions, new or as it was; None for one that is no plain XMP."""
    return _packet(additions) if sidecar is None else _extended(sidecar, additions)


def _only_added(
    data: bytes, info: ImageInfo, written: bytes, again: ImageInfo, additions: Additions
) -> bool:
    for name, value in additions.to_values().items():
        found = getattr(again.metadata, name)
        if name == "place":
            same = found is not None and all(
                abs(a - b) < _PLACE_TOLERANCE for a, b in zip(found, value, strict=True)
            )
        else:
            same = _plain(found) == _plain(value)
        if not same:
            return False
    picture = replace(info, metadata=Metadata()), replace(again, metadata=Metadata())
    coded = coded_digest(data, info)
    if info.frames == 1 and not coded:
        return False
    return picture[0] == picture[1] and coded == coded_digest(written, again)


_PLACE_TOLERANCE = 0.00005


def _plain(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


_NAMESPACES = (
    ("xmp", "http://ns.adobe.com/xap/1.0/"),
    ("exif", "http://ns.adobe.com/exif/1.0/"),
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("Iptc4xmpExt", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"),
)
_HEAD = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
)
_END_OF_RDF = "</rdf:RDF>"
_FOOT = f'{_END_OF_RDF}</x:xmpmeta>\n<?xpacket end="w"?>'
_XMP_IN_JPEG = b"http://ns.adobe.com/xap/1.0/\0"
_LONGEST_SEGMENT = 65533
_PNG_KEY = b"XML:com.adobe.xmp"
_XMP_FLAG, _ALPHA_FLAG = 0x04, 0x10


def _packet(additions: Additions) -> bytes:
    return (_HEAD + _description(additions) + _FOOT).encode("utf-8")


def _extended(packet: bytes, additions: Additions) -> bytes | None:
    """A packet with the additions in place of what it says of the same properties."""
    try:
        text = packet.decode("utf-8")
    except UnicodeDecodeError:
        return None
    end = text.rfind(_END_OF_RDF)
    if end < 0 or "<!ENTITY" in text:
        return None
    before, after = text[:end], text[end:]
    for name, _ in _properties(additions):
        name = re.escape(name)
        element = rf"<{name}(?:\s[^>]*)?(?:/>|(?<!/)>.*?</{name}>)"
        before = re.sub(rf"{element}|\s{name}=(?:\"[^\"]*\"|'[^']*')", "", before, flags=re.DOTALL)
    return (before + _description(additions) + after).encode("utf-8")


def _description(additions: Additions) -> str:
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NAMESPACES)
    lines = "".join(f"<{name}>{value}</{name}>\n" for name, value in _properties(additions))
    return f'<rdf:Description rdf:about="" {names}>\n{lines}</rdf:Description>\n'


def _properties(additions: Additions) -> Iterator[tuple[str, str]]:
    """The XMP properties that are to be written, with their values as XML."""
    if additions.taken is not None:
        yield "exif:DateTimeOriginal", escape(additions.taken)
    if additions.place is not None:
        latitude, longitude = additions.place
        yield "exif:GPSLatitude", _coordinate(latitude, "NS")
        yield "exif:GPSLongitude", _coordinate(longitude, "EW")
    if additions.rating is not None:
        yield "xmp:Rating", str(additions.rating)
    if additions.label is not None:
        yield "xmp:Label", _text(additions.label)
    for name, value in (
        ("dc:title", additions.title),
        ("dc:description", additions.description),
        ("dc:rights", additions.copyright),
    ):
        if value is not None:
            item = f'<rdf:li xml:lang="x-default">{_text(value)}</rdf:li>'
            yield name, f"<rdf:Alt>{item}</rdf:Alt>"
    if additions.creator is not None:
        yield "dc:creator", _items("Seq", additions.creator.split("; "))
    if additions.keywords:
        yield "dc:subject", _items("Bag", additions.keywords)
    if additions.people:
        yield "Iptc4xmpExt:PersonInImage", _items("Bag", additions.people)


def _items(kind: str, values: Sequence[str]) -> str:
    inside = "".join(f"<rdf:li>{_text(value)}</rdf:li>" for value in values)
    return f"<rdf:{kind}>{inside}</rdf:{kind}>"


def _text(value: str) -> str:
    # XML allows no other control characters.
    return escape("".join(c for c in value if c >= " " or c in "\t\n\r"), quote=False)


def _coordinate(degrees: float, sides: str) -> str:
    whole, part = divmod(abs(degrees), 1)
    return f"{int(whole)},{part * 60:.6f}{sides[degrees < 0]}"


def _into_jpeg(data: bytes, additions: Additions) -> bytes | None:
    header = read_jpeg_header(data)
    place = data.find(_XMP_IN_JPEG, 0, header.scan)
    if header.xmp and place > 0:
        packet = _extended(header.xmp, additions)
        start, end = place - 4, place - 2 + struct.unpack_from(">H", data, place - 2)[0]
        # The index holds the offsets of further pictures from itself.
        if header.index is not None and header.index[0] < start:
            return None
    else:
        packet, start = _packet(additions), _behind_first_segments(data)
        end = start
    if packet is None or len(packet) + len(_XMP_IN_JPEG) + 2 > _LONGEST_SEGMENT:
        return None
    segments = _segment(0xE1, _XMP_IN_JPEG + packet)
    exif = b"" if header.exif else _exif(additions)
    if not exif:
        return data[:start] + segments + data[end:]
    first = _behind_first_segments(data)
    return data[:first] + _segment(0xE1, exif) + data[first:start] + segments + data[end:]


def _behind_first_segments(data: bytes) -> int:
    """Where new segments go: behind JFIF's and EXIF's, which must come first."""
    at = 2
    while data[at : at + 2] in (b"\xff\xe0", b"\xff\xe1") and (
        data[at + 4 : at + 8] in (b"JFIF", b"JFXX", b"Exif")
    ):
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return at


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _exif(additions: Additions) -> bytes:
    """An EXIF block with date and place, empty without both."""
    if additions.taken is None and additions.place is None:
        return b""
    from PIL.Image import Exif

    exif = Exif()
    if additions.taken is not None:
        details = exif.get_ifd(0x8769)
        moment = additions.taken[:19]
        details[0x9003] = moment[:10].replace("-", ":") + " " + moment[11:]
        if additions.taken[19:]:
            details[0x9011] = additions.taken[19:]
    if additions.place is not None:
        latitude, longitude = additions.place
        place = exif.get_ifd(0x8825)
        place[1], place[2] = "NS"[latitude < 0], _degrees(latitude)
        place[3], place[4] = "EW"[longitude < 0], _degrees(longitude)
    block = exif.tobytes()
    return block if block.startswith(b"Exif\0\0") else b"Exif\0\0" + block


def _degrees(value: float) -> tuple[float, float, float]:
    minutes = abs(value) % 1 * 60
    return float(int(abs(value))), float(int(minutes)), round(minutes % 1 * 60, 4)


def _into_png(data: bytes, additions: Additions) -> bytes | None:
    packet: bytes | None = None
    pieces = [data[:8]]
    at, behind_header = 8, 0
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at : at + 12 + size]
        at += 12 + size
        if kind == b"iTXt" and chunk[8:].startswith(_PNG_KEY + b"\0"):
            if packet is not None or chunk[8 + len(_PNG_KEY) + 1] != 0:
                return None  # two packets, or one that is compressed
            packet = chunk[8:-4].split(b"\0", 5)[-1]
            continue
        pieces.append(chunk)
        behind_header = behind_header or len(pieces)
        if kind == b"IEND":
            break
    written = _packet(additions) if packet is None else _extended(packet, additions)
    if written is None:
        return None
    body = b"iTXt" + _PNG_KEY + b"\0\0\0\0\0" + written
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    pieces.insert(behind_header, chunk)
    return b"".join(pieces) + data[at:]


def _into_webp(data: bytes, info: ImageInfo, additions: Additions) -> bytes | None:
    end = min(8 + struct.unpack_from("<I", data, 4)[0], len(data))
    chunks: list[tuple[bytes, bytes]] = []
    at = 12
    while at + 8 <= end:
        kind, size = struct.unpack_from("<4sI", data, at)
        chunks.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size + (size & 1)
    old = [body for kind, body in chunks if kind == b"XMP "]
    if len(old) > 1:
        return None
    packet = _extended(old[0], additions) if old else _packet(additions)
    if packet is None:
        return None
    chunks = [each for each in chunks if each[0] != b"XMP "]
    if chunks[0][0] != b"VP8X":
        # The size as stored: no simple file has an orientation.
        flags = _ALPHA_FLAG if info.has_alpha else 0
        size = struct.pack("<I", info.width - 1)[:3] + struct.pack("<I", info.height - 1)[:3]
        chunks.insert(0, (b"VP8X", bytes((flags, 0, 0, 0)) + size))
    kind, body = chunks[0]
    chunks[0] = kind, bytes((body[0] | _XMP_FLAG,)) + body[1:]
    chunks.append((b"XMP ", packet))
    inside = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
        for kind, body in chunks
    )
    return b"RIFF" + struct.pack("<I", len(inside)) + inside + data[end + (end & 1) :]
