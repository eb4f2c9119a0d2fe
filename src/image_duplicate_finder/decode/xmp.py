"""Rating, keywords and the like from an XMP packet (ISO 16684-1).

Packets are searched with patterns and not parsed as XML: a damaged or hostile packet (nested
entities, a wrong encoding) then costs nothing and at worst says nothing.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_LARGEST_PACKET = 1 << 20
_MOST_KEYWORDS = 200

_RATING = re.compile(rb"(?:xmp|xap):Rating(?:=[\"']|>)\s*(-?\d)")
_SUBJECT = re.compile(rb"<dc:subject\b.*?</dc:subject>", re.DOTALL)
_ITEM = re.compile(rb"<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL)
_TAKEN = re.compile(
    rb"(?:exif:DateTimeOriginal|photoshop:DateCreated|xmp:CreateDate)"
    rb"(?:=[\"']|>)\s*(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)"
)
_LENS = re.compile(rb"(?:aux:Lens|exifEX:LensModel)(?:=[\"']|>)([^\"'<]{1,200})")
_GPS = re.compile(rb"exif:GPSLatitude(?:=|>)")


@dataclass(frozen=True, slots=True)
class XmpFields:
    """What an XMP packet says; the fields are those of :class:`model.Metadata`."""

    rating: int | None = None
    keywords: tuple[str, ...] = ()
    taken: str | None = None
    lens: str | None = None
    has_gps: bool = False


NO_XMP = XmpFields()


def read_xmp(packet: bytes) -> XmpFields:
    """The fields of a packet in UTF-8 or UTF-16; of the first megabyte of a larger one."""
    packet = packet[:_LARGEST_PACKET]
    if packet[:2] in (b"\xff\xfe", b"\xfe\xff"):
        packet = packet.decode("utf-16", "ignore").encode()
    rating = _RATING.search(packet)
    taken = _TAKEN.search(packet)
    lens = _LENS.search(packet)
    return XmpFields(
        rating=min(max(int(rating[1]), 0), 5) if rating else None,
        keywords=_keywords(packet),
        taken=taken[1].decode() if taken else None,
        lens=_plain(lens[1]) if lens else None,
        has_gps=_GPS.search(packet) is not None,
    )


def _keywords(packet: bytes) -> tuple[str, ...]:
    subject = _SUBJECT.search(packet)
    if subject is None:
        return ()
    words = (_plain(item) for item in _ITEM.findall(subject[0])[:_MOST_KEYWORDS])
    return tuple(word for word in words if word)


def _plain(value: bytes) -> str:
    return html.unescape(value.decode("utf-8", "replace")).strip()
