"""The few EXIF fields that this program uses, read straight from the bytes.

EXIF 3.0 (CIPA DC-008) stores a TIFF structure. Reading only the wanted tags costs some tens of
microseconds, which matters on the quick path, and damaged blocks are common: whatever does not
hold together is left out, nothing raises.
"""

from __future__ import annotations

import re
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
_DESCRIPTION, _SOFTWARE, _ARTIST, _COPYRIGHT = 0x010E, 0x0131, 0x013B, 0x8298
_RATING, _KEYWORDS, _XP_TITLE, _XP_COMMENT, _XP_AUTHOR = 0x4746, 0x9C9E, 0x9C9B, 0x9C9C, 0x9C9D
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TAKEN, _TAKEN_OFFSET, _SUBSECOND, _MAKER_NOTE, _LENS = 0x9003, 0x9011, 0x9291, 0x927C, 0xA434
_USER_COMMENT, _WIDTH, _HEIGHT = 0x9286, 0xA002, 0xA003
_LATITUDE_SIDE, _LATITUDE, _LONGITUDE_SIDE, _LONGITUDE = 1, 2, 3, 4
_APPLE_CONTENT_IDENTIFIER = 0x0011
_THUMBNAIL_START, _THUMBNAIL_SIZE = 0x0201, 0x0202
# Cameras write these into every picture.
_NO_DESCRIPTION = re.compile(
    r"(?:OLYMPUS|MINOLTA|KONICA MINOLTA|KODAK|SAMSUNG|SONY|PENTAX|CASIO|RICOH)[\w ]*"
    r"|DIGITAL CAMERA|DCF[\w. ]*|Exif_JPEG_PICTURE|default|My beautiful picture|DSC\w*"
    r"|(?:cof|sdr|hdr|rbt|oznor?|nor|dav|mde|ptr|bty|qrf|lpl|btf|fhdr|maker)[\w; ]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ExifFields:
    """What an EXIF block says; the fields are those of :class:`model.Metadata`.

    ``orientation`` is 1 where absent or outside 1 to 8. ``taken`` is the moment of exposure,
    or the date of the file's last change where only that is given. ``comments`` are texts of
    the user or of the program, with the names of their fields. ``stated_size`` is what the
    camera wrote as the picture's width and height, ``thumbnail`` the embedded preview.
    """

    orientation: int = 1
    taken: str | None = None
    camera: str | None = None
    lens: str | None = None
    has_gps: bool = False
    rating: int | None = None
    keywords: tuple[str, ...] = ()
    content_identifier: str | None = None
    subsecond: str | None = None
    place: tuple[float, float] | None = None
    title: str | None = None
    description: str | None = None
    creator: str | None = None
    copyright: str | None = None
    software: str | None = None
    maker_notes: bool = False
    comments: tuple[tuple[str, str], ...] = ()
    stated_size: tuple[int, int] | None = None
    thumbnail: bytes = b""


NO_EXIF = ExifFields()


def read_exif(block: bytes) -> ExifFields:
    """The fields of an EXIF block, with or without its ``Exif\\0\\0`` prefix."""
    if block.startswith(b"Exif\0"):
        block = block[6:]
    order = byte_order(block)
    if order is None or len(block) < 8:
        return NO_EXIF
    main, second = read_directory(block, order, start_offset(block, order))
    detail = _below(block, order, main.get(_EXIF_IFD))
    place = _below(block, order, main.get(_GPS_IFD))
    orientation = first_number(main.get(_ORIENTATION)) or 1
    return ExifFields(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        taken=_moment(detail.get(_TAKEN), detail.get(_TAKEN_OFFSET))
        or _moment(main.get(_DATE_TIME), None),
        camera=_camera(_text(main.get(_MAKE)), _text(main.get(_MODEL))),
        lens=_text(detail.get(_LENS)),
        has_gps=_LATITUDE in place,
        rating=_rating(first_number(main.get(_RATING))),
        keywords=_keywords(main.get(_KEYWORDS)),
        content_identifier=_content_identifier(detail.get(_MAKER_NOTE)),
        subsecond=_subsecond(detail.get(_SUBSECOND)),
        place=_place(place),
        title=_windows_text(main.get(_XP_TITLE)),
        description=_description(main.get(_DESCRIPTION)),
        creator=_long(main.get(_ARTIST)) or _windows_text(main.get(_XP_AUTHOR)),
        # The photographer's part and the editor's are divided by a zero byte.
        copyright=_long(main.get(_COPYRIGHT)),
        software=_text(main.get(_SOFTWARE)),
        maker_notes=_MAKER_NOTE in detail,
        comments=_comments(main, detail),
        stated_size=_size(detail.get(_WIDTH), detail.get(_HEIGHT)),
        thumbnail=_thumbnail(block, order, second),
    )


def _long(entry: Entry | None) -> str | None:
    return (entry.long_text() or None) if entry is not None else None


def _description(entry: Entry | None) -> str | None:
    text = _long(entry)
    return None if text is None or _NO_DESCRIPTION.fullmatch(text) else text


def _windows_text(entry: Entry | None) -> str | None:
    """Windows' own fields: UTF-16."""
    if entry is None:
        return None
    return entry.value.decode("utf-16-le", "ignore").split("\0", 1)[0].strip() or None


def _comments(main: Directory, detail: Directory) -> tuple[tuple[str, str], ...]:
    found = []
    entry = detail.get(_USER_COMMENT)
    if entry is not None and (text := _user_comment(entry)):
        found.append(("UserComment", text))
    if remark := _windows_text(main.get(_XP_COMMENT)):
        found.append(("Comment", remark))
    # ComfyUI writes prompt and workflow of a WebP into the camera's fields.
    for tag in (_MAKE, _MODEL, _DESCRIPTION):
        key, colon, value = (_long(main.get(tag)) or "").partition(":")
        if colon and key.lower() in ("prompt", "workflow"):
            found.append((key.lower(), value))
    return tuple(found)


def _user_comment(entry: Entry) -> str:
    """The text of a UserComment behind the eight bytes that name its encoding."""
    code, value = entry.value[:8], entry.value[8:]
    if code.startswith(b"UNICODE"):
        as_stated = "utf-16-le" if entry.order == "<" else "utf-16-be"
        # Many programs write big-endian text whatever the block's order: letters are told by
        # where the zero bytes are.
        if value[:64:2].count(0) > value[1:64:2].count(0):
            as_stated = "utf-16-be"
        elif value[1:64:2].count(0) > value[:64:2].count(0):
            as_stated = "utf-16-le"
        text = value.decode(as_stated, "ignore")
    elif code.startswith((b"ASCII", b"\0\0\0")):
        text = value.decode("utf-8", "replace")
    else:
        text = entry.value.decode("utf-8", "replace")
    text = text.split("\0", 1)[0].strip()
    return text if all(letter.isprintable() or letter in "\r\n\t" for letter in text) else ""


def _subsecond(entry: Entry | None) -> str | None:
    text = (_text(entry) or "").rstrip("0")
    return text if text.isascii() and text.isdigit() else None


def _place(directory: Directory) -> tuple[float, float] | None:
    """Latitude and longitude in degrees."""
    found = []
    for tag, side_tag, negative in (
        (_LATITUDE, _LATITUDE_SIDE, "S"),
        (_LONGITUDE, _LONGITUDE_SIDE, "W"),
    ):
        entry = directory.get(tag)
        parts = entry.ratios() if entry is not None else ()
        if not parts:
            return None
        degrees = sum(part / 60**power for power, part in enumerate(parts[:3]))
        side = _text(directory.get(side_tag)) or ""
        found.append(round(-degrees if side.upper().startswith(negative) else degrees, 5))
    # Zero and zero is what phones write that do not know where they are.
    return None if found == [0, 0] else (found[0], found[1])


def _size(width: Entry | None, height: Entry | None) -> tuple[int, int] | None:
    found = first_number(width), first_number(height)
    return (found[0], found[1]) if found[0] and found[1] else None


def _thumbnail(block: bytes, order: str, at: int) -> bytes:
    directory = read_directory(block, order, at)[0] if at else {}
    start = first_number(directory.get(_THUMBNAIL_START))
    size = first_number(directory.get(_THUMBNAIL_SIZE))
    return block[start : start + size] if start and size else b""


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
    text = _windows_text(entry) or ""
    return tuple(word.strip() for word in text.split(";") if word.strip())


def _content_identifier(entry: Entry | None) -> str | None:
    """The id that Apple writes into both halves of a Live Photo (MakerNote tag 0x0011)."""
    if entry is None or not entry.value.startswith(b"Apple iOS\0"):
        return None
    order = byte_order(entry.value[12:14])
    if order is None:
        return None
    return _text(read_directory(entry.value, order, 14)[0].get(_APPLE_CONTENT_IDENTIFIER))
