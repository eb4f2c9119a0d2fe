"""The few EXIF fields that this program uses, read straight from the bytes.

EXIF 3.0 (CIPA DC-008) stores a TIFF structure. Reading only the wanted tags costs some tens of
microseconds, which matters on the quick path, and damaged blocks are common: whatever does not
hold together is left out, nothing raises.
"""

from __future__ import annotations

from dataclasses import dataclass

from image_duplicate_finder.decode.tiff_tags import (
    Directory,
    Entry,
    byte_order,
    first_number,
    read_directory,
    start_offset,
)

_MAKE, _MODEL, _ORIENTATION, _DATE_TIME = 0x010F, 0x0110, 0x0112, 0x0132
_RATING, _KEYWORDS = 0x4746, 0x9C9E
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TAKEN, _TAKEN_OFFSET, _MAKER_NOTE, _LENS = 0x9003, 0x9011, 0x927C, 0xA434
_GPS_LATITUDE = 0x0002
_APPLE_CONTENT_IDENTIFIER = 0x0011


@dataclass(frozen=True, slots=True)
class ExifFields:
    """What an EXIF block says; the fields are those of :class:`model.Metadata`.

    ``orientation`` is 1 where absent or outside 1 to 8. ``taken`` is the moment of exposure,
    or the date of the file's last change where only that is given.
    """

    orientation: int = 1
    taken: str | None = None
    camera: str | None = None
    lens: str | None = None
    has_gps: bool = False
    rating: int | None = None
    keywords: tuple[str, ...] = ()
    content_identifier: str | None = None


NO_EXIF = ExifFields()


def read_exif(block: bytes) -> ExifFields:
    """The fields of an EXIF block, with or without its ``Exif\\0\\0`` prefix."""
    if block.startswith(b"Exif\0"):
        block = block[6:]
    order = byte_order(block)
    if order is None or len(block) < 8:
        return NO_EXIF
    main, _ = read_directory(block, order, start_offset(block, order))
    detail = _below(block, order, main.get(_EXIF_IFD))
    place = _below(block, order, main.get(_GPS_IFD))
    orientation = first_number(main.get(_ORIENTATION)) or 1
    return ExifFields(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        taken=_moment(detail.get(_TAKEN), detail.get(_TAKEN_OFFSET))
        or _moment(main.get(_DATE_TIME), None),
        camera=_camera(_text(main.get(_MAKE)), _text(main.get(_MODEL))),
        lens=_text(detail.get(_LENS)),
        has_gps=_GPS_LATITUDE in place,
        rating=_rating(first_number(main.get(_RATING))),
        keywords=_keywords(main.get(_KEYWORDS)),
        content_identifier=_content_identifier(detail.get(_MAKER_NOTE)),
    )


def _below(block: bytes, order: str, pointer: Entry | None) -> Directory:
    at = first_number(pointer)
    return read_directory(block, order, at)[0] if at else {}


def _text(entry: Entry | None) -> str | None:
    return entry.text() if entry is not None else None


def _moment(entry: Entry | None, offset: Entry | None) -> str | None:
    """``2024:05:01 12:30:00`` as ISO 8601, with the zone where the file states one."""
    text = _text(entry)
    if text is None or len(text) < 19:
        return None
    date, time = text[:10].replace(":", "-").replace("/", "-"), text[11:19]
    digits = date.replace("-", "") + time.replace(":", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) == 14):
        return None
    if digits.startswith("0000"):
        return None
    zone = _text(offset) or ""
    if not (len(zone) == 6 and zone[0] in "+-" and zone[1:3].isdigit() and zone[4:].isdigit()):
        zone = ""
    return f"{date}T{time}{zone}"


def _camera(make: str | None, model: str | None) -> str | None:
    """Maker and model without saying the maker twice ("Canon EOS R5")."""
    if make and model and not model.lower().startswith(make.split()[0].lower()):
        return f"{make} {model}"
    return model or make


def _rating(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= 5 else None


def _keywords(entry: Entry | None) -> tuple[str, ...]:
    """Windows' XPKeywords: UTF-16, divided by semicolons."""
    if entry is None:
        return ()
    text = entry.value[:4000].decode("utf-16-le", "ignore").split("\0", 1)[0]
    return tuple(word.strip() for word in text.split(";") if word.strip())


def _content_identifier(entry: Entry | None) -> str | None:
    """The id that Apple writes into both halves of a Live Photo (MakerNote tag 0x0011)."""
    if entry is None or not entry.value.startswith(b"Apple iOS\0"):
        return None
    order = byte_order(entry.value[12:14])
    if order is None:
        return None
    return _text(read_directory(entry.value, order, 14)[0].get(_APPLE_CONTENT_IDENTIFIER))
