"""Metadata out of EXIF, XMP, IPTC, a file's own texts and its colour profile.

EXIF 3.0 (CIPA DC-008) is a TIFF structure; only the tags that are used are read, which takes some
tens of microseconds. XMP packets (ISO 16684-1) are searched with patterns and not parsed as XML:
a hostile packet (nested entities, a wrong encoding) costs nothing and at worst gives nothing.
IPTC-IIM 4.2 is what older photo managers write into JPEG, TIFF and PSD. Damaged blocks are common:
what does not fit together is left out, nothing raises.
"""

from __future__ import annotations

import html
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from image_duplicate_finder.decode.colours import profile_name
from image_duplicate_finder.decode.common import digest_of
from image_duplicate_finder.decode.headers import (
    Directory,
    Entry,
    byte_order,
    first_number,
    read_directory,
    read_jpeg_header,
    start_offset,
)
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.model import Metadata

# Characters of a text that are stored; a digest of the whole is added to longer ones.
_LONGEST = 1000
# Keys under which image generators store their settings (A1111, ComfyUI, InvokeAI, Fooocus...).
_GENERATION_KEYS = re.compile(
    r"parameters|prompt|negative_prompt|workflow|dream|sd-metadata|generation[\w-]*|invokeai[\w-]*"
    r"|fooocus[\w-]*|sui_image_params|smproj|aesthetic_score|seed|chara|ccv3",
    re.IGNORECASE,
)
_GENERATION_TEXT = re.compile(
    r"\bSteps: \d+.*\b(?:Sampler|Seed|CFG scale|Model)\b"
    r"|\"(?:prompt|sd_?model|sampler\w*|cfg_scale|class_type|negative_?prompt|uc|workflow)\"\s*:"
    r"|\bJob ID: [0-9a-f-]{36}",
    re.DOTALL,
)
# Keys and values that programs write by themselves, of no value to people.
_PROGRAM_KEYS = re.compile(
    r"Software|Creation Time|date:\w+|Disclaimer|Warning|Source|Thumb::.*|Raw profile.*|exif:.*"
    r"|xmp:.*|icc:.*|png:.*|dc:.*|photoshop:.*|signature|create-date|modify-date|CREATOR",
    re.IGNORECASE,
)
_PROGRAM_TEXT = re.compile(
    r"CREATOR: gd-jpeg.*|Created with .*|Made with .*|Lavc[\d.]+|File source: .*"
    r"|LEAD Technologies.*|Optimized (?:by|using|with) .*|Compressed (?:by|with) .*"
    r"|Intel\(R\) .*|Processed By .*"
    r"|File written by .*|Handmade Software.*|AppleMark.*|Screenshot|GIF(?:SICLE| SmartSaver).*",
    re.IGNORECASE | re.DOTALL,
)
_EDITORS = re.compile(
    r"photoshop|lightroom|gimp|picasa|paint\.net|snapseed|picsart|affinity|pixelmator|darktable"
    r"|rawtherapee|capture one|acdsee|xnview|irfanview|faststone|paint ?shop|vsco|canva|luminar"
    r"|dxo|photolab|photoscape|microsoft (?:windows )?photo|windows photo editor|photo ?gallery"
    r"|instagram|imagemagick|graphicsmagick|digikam|shotwell|gthumb|krita|polarr|fotor|pixlr"
    r"|meitu|facetune|lensa|nik collection|topaz|\bon1\b|aftershot|bibble|silkypix|capture nx"
    r"|digital photo professional|imaging edge|iphoto|aperture|^photos \d|^preview|acorn|skitch"
    r"|lavc|ffmpeg|qimage|zoner|corel|photofiltre|photodirector|movavi|befunky|photopea"
    r"|nx studio|noise ninja|neat image",
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


def merge_metadata(
    *,
    exif: ExifFields = NO_EXIF,
    has_exif: bool = False,
    xmp: bytes = b"",
    iptc: bytes = b"",
    texts: Iterable[tuple[str, str]] = (),
    size: tuple[int, int] | None = None,
    profile: bytes = b"",
    jpeg_quality: int | None = None,
    grey: bool = False,
    inks: bool = False,
    few_colours: bool = False,
) -> Metadata:
    """The metadata of all blocks together; for what people write, XMP comes first.

    Programs that rate and tag write XMP and leave old EXIF fields as they were; for date and
    lens the camera's EXIF is more reliable. ``texts`` are keys and values of the format's own;
    ``size`` is the picture's as stored. ``inks``: the file has those of a print (CMYK), which no
    copy in red, green and blue has.
    """
    fields = read_xmp(xmp) if xmp else NO_XMP
    older = read_iptc(iptc) if iptc else NO_IPTC
    named, generation, comment = _sorted_texts((*texts, *exif.comments), fields.comment)
    tools = (exif.software or named.get("software", ""), *fields.tools)
    return Metadata(
        taken=exif.taken or fields.taken,
        camera=None if _is_generated(exif.camera) else exif.camera,
        lens=exif.lens or fields.lens,
        has_exif=has_exif,
        has_gps=exif.has_gps or fields.has_gps,
        profile=(profile_name(profile) or "unnamed") if profile else "CMYK" if inks else None,
        jpeg_quality=jpeg_quality,
        rating=exif.rating if fields.rating is None else fields.rating,
        keywords=fields.keywords or older.keywords or exif.keywords,
        content_identifier=exif.content_identifier,
        grey=grey,
        few_colours=few_colours,
        subsecond=exif.subsecond,
        place=exif.place or fields.place,
        title=_kept(fields.title or older.title or exif.title or named.get("title")),
        description=_kept(
            fields.description
            or older.description
            or (None if _is_generated(exif.description) else exif.description)
            or named.get("description")
        ),
        creator=_kept(fields.creator or older.creator or exif.creator or named.get("author")),
        copyright=_kept(
            fields.copyright or older.copyright or exif.copyright or named.get("copyright")
        ),
        people=fields.people,
        label=fields.label,
        generation=generation,
        comment=comment,
        software=next((tool for tool in tools if tool), None),
        maker_notes=exif.maker_notes,
        edited=any(_EDITORS.search(tool) for tool in tools) or _reshaped(exif, size),
    )


def _sorted_texts(
    texts: Iterable[tuple[str, str]], more: str | None
) -> tuple[dict[str, str], str | None, str | None]:
    """Standard fields by lower-case key, and the digests of generation data and other texts."""
    named: dict[str, str] = {}
    generated: set[str] = set()
    others: set[str] = set()
    for key, text in (*texts, *([("Comment", more)] if more else [])):
        text = text.strip()
        if not text:
            continue
        if _GENERATION_KEYS.fullmatch(key) or _GENERATION_TEXT.search(text[:100_000]):
            generated.add(text)
        elif key.lower() in ("title", "author", "description", "copyright", "software"):
            named[key.lower()] = text
        elif not _PROGRAM_KEYS.fullmatch(key) and not _PROGRAM_TEXT.fullmatch(text):
            others.add(text)
    return named, _digest_of_texts(generated), _digest_of_texts(others)


def _digest_of_texts(texts: Iterable[str]) -> str | None:
    joined = "\0".join(sorted(texts))
    return digest_of(joined.encode("utf-8", "replace")) if joined else None


def _is_generated(text: str | None) -> bool:
    """Whether a camera's field holds a generator's data instead."""
    return text is not None and text.lower().startswith(("prompt:", "workflow:"))


def _kept(text: str | None) -> str | None:
    text = " ".join(text.split()) if text else ""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... {digest_of(text.encode('utf-8', 'replace'))}"
    return text or None


def _reshaped(exif: ExifFields, size: tuple[int, int] | None) -> bool:
    """Whether the picture has another size or shape than the camera's EXIF says."""
    if size is None or exif.camera is None:
        return False
    if exif.stated_size is not None and sorted(exif.stated_size) != sorted(size):
        return True
    if not exif.thumbnail.startswith(b"\xff\xd8"):
        return False
    try:
        small = read_jpeg_header(exif.thumbnail)
    except DecodeError:
        return False
    if not small.width or not small.height:
        return False
    # Previews of 4 to 3 often have bars; others have the picture's own shape.
    if small.width * 3 == small.height * 4 or small.width * 4 == small.height * 3:
        return False
    shape, preview = (
        max(size) / min(size),
        max(small.width, small.height) / min(small.width, small.height),
    )
    return abs(shape / preview - 1) > 0.04


_EXIF_MAKE, _EXIF_MODEL, _EXIF_ORIENTATION, _EXIF_DATE_TIME = 0x010F, 0x0110, 0x0112, 0x0132
_EXIF_DESCRIPTION, _EXIF_SOFTWARE = 0x010E, 0x0131
_EXIF_ARTIST, _EXIF_COPYRIGHT = 0x013B, 0x8298
_EXIF_RATING, _XP_KEYWORDS, _XP_TITLE, _XP_COMMENT, _XP_AUTHOR = (
    0x4746,
    0x9C9E,
    0x9C9B,
    0x9C9C,
    0x9C9D,
)
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_EXIF_TAKEN, _EXIF_TAKEN_OFFSET, _EXIF_SUBSECOND, _EXIF_MAKER_NOTE, _EXIF_LENS = (
    0x9003,
    0x9011,
    0x9291,
    0x927C,
    0xA434,
)
_EXIF_USER_COMMENT, _EXIF_WIDTH, _EXIF_HEIGHT = 0x9286, 0xA002, 0xA003
_EXIF_LATITUDE_SIDE, _EXIF_LATITUDE, _EXIF_LONGITUDE_SIDE, _EXIF_LONGITUDE = 1, 2, 3, 4
_APPLE_CONTENT_IDENTIFIER = 0x0011
_THUMBNAIL_START, _THUMBNAIL_SIZE = 0x0201, 0x0202
# Cameras write these into every picture.
_NO_DESCRIPTION = re.compile(
    r"(?:OLYMPUS|MINOLTA|KONICA MINOLTA|KODAK|SAMSUNG|SONY|PENTAX|CASIO|RICOH)[\w ]*"
    r"|DIGITAL CAMERA|DCF[\w. ]*|Exif_JPEG_PICTURE|default|My beautiful picture|DSC\w*"
    r"|(?:cof|sdr|hdr|rbt|oznor?|nor|dav|mde|ptr|bty|qrf|lpl|btf|fhdr|maker)[\w; ]*",
    re.IGNORECASE,
)


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
    orientation = first_number(main.get(_EXIF_ORIENTATION)) or 1
    return ExifFields(
        orientation=orientation if 1 <= orientation <= 8 else 1,
        taken=_moment(detail.get(_EXIF_TAKEN), detail.get(_EXIF_TAKEN_OFFSET))
        or _moment(main.get(_EXIF_DATE_TIME), None),
        camera=_camera(_exif_text(main.get(_EXIF_MAKE)), _exif_text(main.get(_EXIF_MODEL))),
        lens=_exif_text(detail.get(_EXIF_LENS)),
        has_gps=_EXIF_LATITUDE in place,
        rating=_rating(first_number(main.get(_EXIF_RATING))),
        keywords=_keywords(main.get(_XP_KEYWORDS)),
        content_identifier=_content_identifier(detail.get(_EXIF_MAKER_NOTE)),
        subsecond=_subsecond(detail.get(_EXIF_SUBSECOND)),
        place=_exif_place(place),
        title=_windows_text(main.get(_XP_TITLE)),
        description=_description(main.get(_EXIF_DESCRIPTION)),
        creator=_exif_long_text(main.get(_EXIF_ARTIST)) or _windows_text(main.get(_XP_AUTHOR)),
        # The photographer's part and the editor's are separated by a zero byte.
        copyright=_exif_long_text(main.get(_EXIF_COPYRIGHT)),
        software=_exif_text(main.get(_EXIF_SOFTWARE)),
        maker_notes=_EXIF_MAKER_NOTE in detail,
        comments=_comments(main, detail),
        stated_size=_size(detail.get(_EXIF_WIDTH), detail.get(_EXIF_HEIGHT)),
        thumbnail=_thumbnail(block, order, second),
    )


def _exif_long_text(entry: Entry | None) -> str | None:
    return (entry.long_text() or None) if entry is not None else None


def _description(entry: Entry | None) -> str | None:
    text = _exif_long_text(entry)
    return None if text is None or _NO_DESCRIPTION.fullmatch(text) else text


def _windows_text(entry: Entry | None) -> str | None:
    """Windows' own fields: UTF-16."""
    if entry is None:
        return None
    return entry.value.decode("utf-16-le", "ignore").split("\0", 1)[0].strip() or None


def _comments(main: Directory, detail: Directory) -> tuple[tuple[str, str], ...]:
    found = []
    entry = detail.get(_EXIF_USER_COMMENT)
    if entry is not None and (text := _user_comment(entry)):
        found.append(("UserComment", text))
    if remark := _windows_text(main.get(_XP_COMMENT)):
        found.append(("Comment", remark))
    # ComfyUI writes prompt and workflow of a WebP into the camera's fields.
    for tag in (_EXIF_MAKE, _EXIF_MODEL, _EXIF_DESCRIPTION):
        key, colon, value = (_exif_long_text(main.get(tag)) or "").partition(":")
        if colon and key.lower() in ("prompt", "workflow"):
            found.append((key.lower(), value))
    return tuple(found)


def _user_comment(entry: Entry) -> str:
    """The text of a UserComment behind the eight bytes that name its encoding."""
    code, value = entry.value[:8], entry.value[8:]
    if code.startswith(b"UNICODE"):
        as_stated = "utf-16-le" if entry.order == "<" else "utf-16-be"
        # Many programs write big-endian text whatever the block's order. The zero bytes of Latin
        # letters show which it is.
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
    text = (_exif_text(entry) or "").rstrip("0")
    return text if text.isascii() and text.isdigit() else None


def _exif_place(directory: Directory) -> tuple[float, float] | None:
    """Latitude and longitude in degrees."""
    found = []
    for tag, side_tag, negative in (
        (_EXIF_LATITUDE, _EXIF_LATITUDE_SIDE, "S"),
        (_EXIF_LONGITUDE, _EXIF_LONGITUDE_SIDE, "W"),
    ):
        entry = directory.get(tag)
        parts = entry.ratios() if entry is not None else ()
        if not parts:
            return None
        degrees = sum(part / 60**power for power, part in enumerate(parts[:3]))
        side = _exif_text(directory.get(side_tag)) or ""
        found.append(round(-degrees if side.upper().startswith(negative) else degrees, 5))
    # Phones that do not know where they are write zero and zero.
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


def _exif_text(entry: Entry | None) -> str | None:
    return entry.text() if entry is not None else None


def _moment(entry: Entry | None, offset: Entry | None) -> str | None:
    """``2024:05:01 12:30:00`` as ISO 8601, with the zone where the file states one."""
    text = _exif_text(entry)
    if text is None or len(text) < 19:
        return None
    date, time = text[:10].replace(":", "-").replace("/", "-"), text[11:19]
    digits = date.replace("-", "") + time.replace(":", "")
    if not (digits.isascii() and digits.isdigit() and len(digits) == 14):
        return None
    if digits.startswith("0000"):
        return None
    zone = _exif_text(offset) or ""
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
    return _exif_text(read_directory(entry.value, order, 14)[0].get(_APPLE_CONTENT_IDENTIFIER))


_LARGEST_PACKET = 1 << 20
_MOST_KEYWORDS = 200

_XMP_RATING = re.compile(rb"(?:xmp|xap):Rating(?:=[\"']|>)\s*(-?\d)")
_XMP_LABEL = re.compile(rb"(?:xmp|xap):Label(?:=[\"']|>)([^\"'<]{1,200})")
_XMP_SUBJECT = re.compile(rb"<dc:subject\b.*?</dc:subject>", re.DOTALL)
_XMP_HIERARCHY = re.compile(rb"<lr:hierarchicalSubject\b.*?</lr:hierarchicalSubject>", re.DOTALL)
_XMP_ITEM = re.compile(rb"<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL)
_XMP_TAKEN = re.compile(
    rb"(?:exif:DateTimeOriginal|photoshop:DateCreated|xmp:CreateDate)"
    rb"(?:=[\"']|>)\s*(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)"
    rb"(?:\.\d+)?([+-]\d\d:\d\d)?"
)
_XMP_LENS = re.compile(rb"(?:aux:Lens|exifEX:LensModel)(?:=[\"']|>)([^\"'<]{1,200})")
_XMP_LATITUDE = re.compile(rb"exif:GPSLatitude(?:=[\"']|>)([^\"'<]{1,40})")
_XMP_LONGITUDE = re.compile(rb"exif:GPSLongitude(?:=[\"']|>)([^\"'<]{1,40})")
_COORDINATE = re.compile(r"(\d+),(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?([NSEW])")
_XMP_PEOPLE = re.compile(rb"<Iptc4xmpExt:PersonInImage\b.*?</Iptc4xmpExt:PersonInImage>", re.DOTALL)
_XMP_REGIONS = re.compile(rb"<mwg-rs:Regions\b.*?</mwg-rs:Regions>", re.DOTALL)
_XMP_REGION_NAME = re.compile(
    rb"(?:mwg-rs:Name|MPReg:PersonDisplayName)(?:=[\"']([^\"']{1,200})|>([^<]{1,200}))"
)
_XMP_TOOL = re.compile(rb"(?:xmp|xap):CreatorTool(?:=[\"']|>)([^\"'<]{1,200})")
_XMP_AGENT = re.compile(rb"stEvt:softwareAgent(?:=[\"']|>)([^\"'<]{1,200})")
_XMP_COMMENT = re.compile(rb"exif:UserComment\b.*?</exif:UserComment>", re.DOTALL)
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
    rating = _XMP_RATING.search(packet)
    taken = _XMP_TAKEN.search(packet)
    place = _coordinate(_XMP_LATITUDE.search(packet)), _coordinate(_XMP_LONGITUDE.search(packet))
    comment = _XMP_COMMENT.search(packet)
    tools = _XMP_TOOL.findall(packet) + _XMP_AGENT.findall(packet)
    return XmpFields(
        rating=min(max(int(rating[1]), 0), 5) if rating else None,
        keywords=_xmp_list(_XMP_SUBJECT.search(packet)) or _xmp_list(_XMP_HIERARCHY.search(packet)),
        taken=(taken[1] + (taken[2] or b"")).decode() if taken else None,
        lens=_xmp_first(_XMP_LENS.search(packet)),
        has_gps=_XMP_LATITUDE.search(packet) is not None,
        label=_xmp_first(_XMP_LABEL.search(packet)),
        place=None if place[0] is None or place[1] is None else (place[0], place[1]),
        title=_xmp_text(packet, "dc:title"),
        description=_xmp_text(packet, "dc:description"),
        creator=_xmp_text(packet, "dc:creator"),
        copyright=_xmp_text(packet, "dc:rights"),
        people=_xmp_people(packet),
        tools=tuple(dict.fromkeys(map(_xmp_plain, tools))),
        comment=next(iter(_xmp_list(comment)), None),
    )


def _xmp_people(packet: bytes) -> tuple[str, ...]:
    """Names in face regions (MWG's and Microsoft's) and in IPTC's list of persons."""
    names = list(_xmp_list(_XMP_PEOPLE.search(packet)))
    regions = _XMP_REGIONS.search(packet)
    scope = regions[0] if regions else packet if b"MPReg:PersonDisplayName" in packet else b""
    names += [_xmp_plain(a or b) for a, b in _XMP_REGION_NAME.findall(scope)[:_MOST_PEOPLE]]
    return tuple(dict.fromkeys(name for name in names if name))


def _coordinate(found: re.Match[bytes] | None) -> float | None:
    """``48,8.5N`` or ``48,8,30N`` in degrees."""
    parts = _COORDINATE.match(found[1].decode("ascii", "ignore").strip()) if found else None
    if parts is None:
        return None
    degrees = int(parts[1]) + float(parts[2]) / 60 + float(parts[3] or 0) / 3600
    return round(-degrees if parts[4] in "SW" else degrees, 5)


def _xmp_text(packet: bytes, name: str) -> str | None:
    """A text in one or several languages, or a list of names: all of them, in their order."""
    tag = name.encode()
    found = re.search(b"<%b\\b[^>]*>(.*?)</%b>" % (tag, tag), packet, re.DOTALL)
    if found is None:
        attribute = re.search(b"\\b%b=[\"']([^\"']{1,4000})" % tag, packet)
        return _xmp_plain(attribute[1]) or None if attribute else None
    items = _xmp_list(found)
    if items or b"<rdf:" in found[1]:
        return "; ".join(items) or None
    return _xmp_plain(found[1]) or None


def _xmp_list(found: re.Match[bytes] | None) -> tuple[str, ...]:
    if found is None:
        return ()
    words = (_xmp_plain(item) for item in _XMP_ITEM.findall(found[0])[:_MOST_KEYWORDS])
    return tuple(dict.fromkeys(word for word in words if word))


def _xmp_first(found: re.Match[bytes] | None) -> str | None:
    return _xmp_plain(found[1]) or None if found else None


def _xmp_plain(value: bytes) -> str:
    return html.unescape(value.decode("utf-8", "replace")).strip()


_IPTC_RESOURCE = 0x0404
_IPTC_TITLE, _IPTC_KEYWORD, _IPTC_CREATOR, _IPTC_HEADLINE, _IPTC_COPYRIGHT, _IPTC_CAPTION = (
    5,
    25,
    80,
    105,
    116,
    120,
)
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
        title=first(_IPTC_TITLE, _IPTC_HEADLINE),
        description=first(_IPTC_CAPTION),
        creator=first(_IPTC_CREATOR),
        copyright=first(_IPTC_COPYRIGHT),
        keywords=tuple(texts.get(_IPTC_KEYWORD, ())),
    )


def _decoded(value: bytes, encoding: str) -> str:
    """UTF-8 where the bytes are, whatever the block says: many programs do not say it."""
    try:
        return value.decode("utf-8").strip("\0 \r\n")
    except UnicodeDecodeError:
        return value.decode(encoding, "replace").strip("\0 \r\n")
