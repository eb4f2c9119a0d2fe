"""What IPTC-IIM blocks say (IIM 4.2), which older photo managers write into JPEG, TIFF and PSD."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_IPTC_RESOURCE = 0x0404
_TITLE, _KEYWORD, _CREATOR, _HEADLINE, _COPYRIGHT, _CAPTION = 5, 25, 80, 105, 116, 120
_UTF8 = b"\x1b%G"
_MOST_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class IptcFields:
    """What an IPTC block says; the fields are those of :class:`model.Metadata`."""

    title: str | None = None
    description: str | None = None
    creator: str | None = None
    copyright: str | None = None
    keywords: tuple[str, ...] = ()


NO_IPTC = IptcFields()


def photoshop_resource(resources: bytes, wanted: int) -> bytes:
    """The data of one of Photoshop's image resources (8BIM), empty where it is not there."""
    at = 0
    while at + 12 <= len(resources) and resources[at : at + 4] == b"8BIM":
        number = struct.unpack_from(">H", resources, at + 4)[0]
        name = 1 + resources[at + 6]
        at += 6 + name + (name & 1)
        if at + 4 > len(resources):
            break
        size = struct.unpack_from(">I", resources, at)[0]
        if number == wanted:
            return resources[at + 4 : at + 4 + size]
        at += 4 + size + (size & 1)
    return b""


def read_iptc(block: bytes) -> IptcFields:
    """The fields of an IIM block, or of Photoshop's resources that hold one."""
    if block.startswith(b"8BIM"):
        block = photoshop_resource(block, _IPTC_RESOURCE)
    values: dict[int, list[bytes]] = {}
    encoding = "latin-1"
    at = 0
    for _ in range(_MOST_FIELDS):
        if at + 5 > len(block) or block[at] != 0x1C:
            break
        record, field = block[at + 1], block[at + 2]
        size = struct.unpack_from(">H", block, at + 3)[0]
        if size & 0x8000:
            break
        value = block[at + 5 : at + 5 + size]
        at += 5 + size
        if record == 1 and field == 90 and value == _UTF8:
            encoding = "utf-8"
        elif record == 2:
            values.setdefault(field, []).append(value)
    if not values:
        return NO_IPTC
    texts = {
        field: [text for value in found if (text := _decoded(value, encoding))]
        for field, found in values.items()
    }

    def first(*fields: int) -> str | None:
        return next((text for field in fields for text in texts.get(field, ())), None)

    return IptcFields(
        title=first(_TITLE, _HEADLINE),
        description=first(_CAPTION),
        creator=first(_CREATOR),
        copyright=first(_COPYRIGHT),
        keywords=tuple(texts.get(_KEYWORD, ())),
    )


def _decoded(value: bytes, encoding: str) -> str:
    """UTF-8 where the bytes are, whatever the block says: many programs do not say it."""
    try:
        return value.decode("utf-8").strip("\0 \r\n")
    except UnicodeDecodeError:
        return value.decode(encoding, "replace").strip("\0 \r\n")
