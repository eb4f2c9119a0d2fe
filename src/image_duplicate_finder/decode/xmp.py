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
_LABEL = re.compile(rb"(?:xmp|xap):Label(?:=[\"']|>)([^\"'<]{1,200})")
_SUBJECT = re.compile(rb"<dc:subject\b.*?</dc:subject>", re.DOTALL)
_HIERARCHY = re.compile(rb"<lr:hierarchicalSubject\b.*?</lr:hierarchicalSubject>", re.DOTALL)
_ITEM = re.compile(rb"<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL)
_TAKEN = re.compile(
    rb"(?:exif:DateTimeOriginal|photoshop:DateCreated|xmp:CreateDate)"
    rb"(?:=[\"']|>)\s*(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)"
    rb"(?:\.\d+)?([+-]\d\d:\d\d)?"
)
_LENS = re.compile(rb"(?:aux:Lens|exifEX:LensModel)(?:=[\"']|>)([^\"'<]{1,200})")
_LATITUDE = re.compile(rb"exif:GPSLatitude(?:=[\"']|>)([^\"'<]{1,40})")
_LONGITUDE = re.compile(rb"exif:GPSLongitude(?:=[\"']|>)([^\"'<]{1,40})")
_COORDINATE = re.compile(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])")
_PEOPLE = re.compile(rb"<Iptc4xmpExt:PersonInImage\b.*?</Iptc4xmpExt:PersonInImage>", re.DOTALL)
_REGIONS = re.compile(rb"<mwg-rs:Regions\b.*?</mwg-rs:Regions>", re.DOTALL)
_REGION_NAME = re.compile(
    rb"(?:mwg-rs:Name|MPReg:PersonDisplayName)(?:=[\"']([^\"']{1,200})|>([^<]{1,200}))"
)
_TOOL = re.compile(rb"(?:xmp|xap):CreatorTool(?:=[\"']|>)([^\"'<]{1,200})")
_AGENT = re.compile(rb"stEvt:softwareAgent(?:=[\"']|>)([^\"'<]{1,200})")
_COMMENT = re.compile(rb"exif:UserComment\b.*?</exif:UserComment>", re.DOTALL)
_MOST_PEOPLE = 100


@dataclass(frozen=True, slots=True)
class XmpFields:
    """What an XMP packet says; the fields are those of :class:`model.Metadata`.

    ``tools`` are the programs that made or changed the file, as far as the packet names them.
    """

    rating: int | None = None
    keywords: tuple[str, ...] = ()
    taken: str | None = None
    lens: str | None = None
    has_gps: bool = False
    label: str | None = None
    place: tuple[float, float] | None = None
    title: str | None = None
    description: str | None = None
    creator: str | None = None
    copyright: str | None = None
    people: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    comment: str | None = None


NO_XMP = XmpFields()


def read_xmp(packet: bytes) -> XmpFields:
    """The fields of a packet in UTF-8 or UTF-16; of the first megabyte of a larger one."""
    packet = packet[:_LARGEST_PACKET]
    if packet[:2] in (b"\xff\xfe", b"\xfe\xff"):
        packet = packet.decode("utf-16", "ignore").encode()
    rating = _RATING.search(packet)
    taken = _TAKEN.search(packet)
    place = _coordinate(_LATITUDE.search(packet)), _coordinate(_LONGITUDE.search(packet))
    comment = _COMMENT.search(packet)
    return XmpFields(
        rating=min(max(int(rating[1]), 0), 5) if rating else None,
        keywords=_list(_SUBJECT.search(packet)) or _list(_HIERARCHY.search(packet)),
        taken=(taken[1] + (taken[2] or b"")).decode() if taken else None,
        lens=_first(_LENS.search(packet)),
        has_gps=_LATITUDE.search(packet) is not None,
        label=_first(_LABEL.search(packet)),
        place=None if place[0] is None or place[1] is None else (place[0], place[1]),
        title=_text(packet, "dc:title"),
        description=_text(packet, "dc:description"),
        creator=_text(packet, "dc:creator"),
        copyright=_text(packet, "dc:rights"),
        people=_people(packet),
        tools=tuple(dict.fromkeys(map(_plain, _TOOL.findall(packet) + _AGENT.findall(packet)))),
        comment=next(iter(_list(comment)), None),
    )


def _people(packet: bytes) -> tuple[str, ...]:
    """Names in face regions (MWG's and Microsoft's) and in IPTC's list of persons."""
    names = list(_list(_PEOPLE.search(packet)))
    regions = _REGIONS.search(packet)
    scope = regions[0] if regions else packet if b"MPReg:PersonDisplayName" in packet else b""
    names += [_plain(a or b) for a, b in _REGION_NAME.findall(scope)[:_MOST_PEOPLE]]
    return tuple(dict.fromkeys(name for name in names if name))


def _coordinate(found: re.Match[bytes] | None) -> float | None:
    """``48,8.5N`` or ``48,8,30N`` in degrees."""
    parts = _COORDINATE.match(found[1].decode("ascii", "ignore").strip()) if found else None
    if parts is None:
        return None
    degrees = int(parts[1]) + float(parts[2]) / 60 + float(parts[3] or 0) / 3600
    return round(-degrees if parts[4] in "SW" else degrees, 5)


def _text(packet: bytes, name: str) -> str | None:
    """A text in one or several languages, or a list of names: all of them, in their order."""
    tag = name.encode()
    found = re.search(b"<%b\\b[^>]*>(.*?)</%b>" % (tag, tag), packet, re.DOTALL)
    if found is None:
        attribute = re.search(b"\\b%b=[\"']([^\"']{1,4000})" % tag, packet)
        return _plain(attribute[1]) or None if attribute else None
    items = _list(found)
    if items or b"<rdf:" in found[1]:
        return "; ".join(items) or None
    return _plain(found[1]) or None


def _list(found: re.Match[bytes] | None) -> tuple[str, ...]:
    if found is None:
        return ()
    words = (_plain(item) for item in _ITEM.findall(found[0])[:_MOST_KEYWORDS])
    return tuple(dict.fromkeys(word for word in words if word))


def _first(found: re.Match[bytes] | None) -> str | None:
    return _plain(found[1]) or None if found else None


def _plain(value: bytes) -> str:
    return html.unescape(value.decode("utf-8", "replace")).strip()
