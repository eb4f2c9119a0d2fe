"""One answer out of EXIF, XMP, IPTC, a file's texts and its colour profile."""

from __future__ import annotations

import re
from collections.abc import Iterable

from image_duplicate_finder.decode.behind import digest_of
from image_duplicate_finder.decode.exif import NO_EXIF, ExifFields
from image_duplicate_finder.decode.iptc import NO_IPTC, read_iptc
from image_duplicate_finder.decode.jpeg_header import read_jpeg_header
from image_duplicate_finder.decode.profiles import profile_name
from image_duplicate_finder.decode.xmp import NO_XMP, read_xmp
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.model import Metadata

# What is stored of a text; of a longer one a digest follows, so that two are still told apart.
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
# Keys and values that programs write by themselves and nobody misses.
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
    few_colours: bool = False,
) -> Metadata:
    """What all blocks say together; XMP has the last word on what people write.

    Programs that rate and tag write XMP and leave old EXIF fields behind; the camera's EXIF is
    the better witness for date and lens. ``texts`` are keys and values of the format's own;
    ``size`` is the picture's as stored.
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
        profile=(profile_name(profile) or "unnamed") if profile else None,
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
