"""Metadata: what cameras and programs write is read, what is damaged is left out."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image

from image_duplicate_finder.decode import read_info
from image_duplicate_finder.decode.metadata import NO_EXIF, read_exif
from image_duplicate_finder.model import Metadata
from image_duplicate_finder.settings import DecodeLimits
from tests.decode.picture_files import (
    UNDEFINED,
    encode,
    exif_block,
    longs,
    rationals,
    shorts,
    text,
    with_segment,
    with_xmp,
)
from tests.painting import paint_photo

LIMITS = DecodeLimits()
PHOTO = Image.fromarray(paint_photo(2, 160, 120))


def apple_note(identifier: str) -> tuple[int, bytes]:
    value = identifier.encode() + b"\0"
    directory = struct.pack(">H", 1) + struct.pack(">HHII", 0x0011, 2, len(value), 14 + 18)
    return UNDEFINED, b"Apple iOS\0\0\x01MM" + directory + bytes(4) + value


FULL_EXIF = exif_block(
    {
        0x010F: text("Apple"),
        0x0110: text("iPhone 15 Pro"),
        0x0112: shorts(1),
        0x0132: text("2024:06:02 09:00:00"),
        0x4746: shorts(3),
        0x9C9E: (1, "sea;old town".encode("utf-16-le") + b"\0\0"),
    },
    {
        0x8769: {
            0x9003: text("2024:05:01 12:30:45"),
            0x9011: text("+02:00"),
            0xA434: text("back camera 6.86mm f/1.78"),
            0x927C: apple_note("2D0A-41C8-EXAMPLE"),
        },
        0x8825: {0x0002: rationals((48, 1), (51, 1), (30, 1))},
    },
)


def metadata_of(data: bytes) -> Metadata:
    return read_info(data, limits=LIMITS).metadata


def test_everything_that_exif_says() -> None:
    found = metadata_of(with_segment(encode(PHOTO, "JPEG", quality=88), 0xE1, FULL_EXIF))
    assert found == Metadata(
        taken="2024-05-01T12:30:45+02:00",
        camera="Apple iPhone 15 Pro",
        lens="back camera 6.86mm f/1.78",
        has_exif=True,
        has_gps=True,
        jpeg_quality=88,
        rating=3,
        keywords=("sea", "old town"),
        content_identifier="2D0A-41C8-EXAMPLE",
        maker_notes=True,
    )


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF", "JXL"])
def test_exif_of_other_formats(name: str) -> None:
    exif = Image.Exif()
    exif.update({0x010F: "Canon", 0x0110: "Canon EOS R5", 0x0132: "2023:01:02 03:04:05"})
    options = {"use_container": True} if name == "JXL" else {}
    found = metadata_of(encode(PHOTO, name, exif=exif.tobytes(), **options))
    assert found.camera == "Canon EOS R5"
    assert found.taken == "2023-01-02T03:04:05"
    assert found.has_exif and not found.has_gps


@pytest.mark.parametrize(
    "packet",
    [
        '<rdf:Description xmp:Rating="5"><dc:subject><rdf:Bag><rdf:li>Tom &amp; Ann</rdf:li>'
        "<rdf:li>sea</rdf:li></rdf:Bag></dc:subject></rdf:Description>",
        "<rdf:Description><xmp:Rating>5</xmp:Rating><dc:subject><rdf:Seq>"
        '<rdf:li xml:lang="x-default">Tom &amp; Ann</rdf:li><rdf:li> sea </rdf:li>'
        "</rdf:Seq></dc:subject></rdf:Description>",
    ],
)
def test_rating_and_keywords_of_xmp_win_over_exif(packet: str) -> None:
    data = with_xmp(with_segment(encode(PHOTO, "JPEG"), 0xE1, FULL_EXIF), packet)
    found = metadata_of(data)
    assert found.rating == 5
    assert found.keywords == ("Tom & Ann", "sea")


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_xmp_of_other_formats(name: str) -> None:
    packet = b'<x:xmpmeta><rdf:Description xmp:Rating="4"/></x:xmpmeta>'
    if name == "PNG":
        from PIL.PngImagePlugin import PngInfo

        notes = PngInfo()
        notes.add_itxt("XML:com.adobe.xmp", packet.decode())
        data = encode(PHOTO, name, pnginfo=notes)
    elif name == "TIFF":
        data = encode(PHOTO, name, tiffinfo={700: packet})
    else:
        data = encode(PHOTO, name, xmp=packet)
    assert metadata_of(data).rating == 4


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 85, 92, 95, 100])
def test_quality_estimate_is_that_of_libjpeg(quality: int) -> None:
    assert metadata_of(encode(PHOTO, "JPEG", quality=quality)).jpeg_quality == quality


def test_bits_frames_and_compression() -> None:
    def facts(data: bytes) -> tuple[int, bool]:
        info = read_info(data, limits=LIMITS)
        return info.bit_depth, info.lossless

    wide = Image.fromarray(np.zeros((8, 8), np.uint16))
    assert facts(encode(PHOTO, "JPEG")) == (8, False)
    assert facts(encode(wide, "PNG")) == (16, True)
    assert facts(encode(wide, "TIFF")) == (16, True)
    assert facts(encode(PHOTO.convert("1"), "TIFF")) == (1, True)
    assert facts(encode(PHOTO, "WEBP")) == (8, False)
    assert facts(encode(PHOTO, "WEBP", lossless=True)) == (8, True)
    assert facts(encode(PHOTO, "JPEG2000")) == (8, True)
    assert facts(encode(PHOTO, "JPEG2000", irreversible=True)) == (8, False)
    assert facts(encode(wide, "JXL")) == (16, False)


@pytest.mark.parametrize("cut", range(0, len(FULL_EXIF), 7))
def test_exif_cut_off_anywhere_says_less_and_raises_nothing(cut: int) -> None:
    read_exif(FULL_EXIF[:cut])


@pytest.mark.parametrize("value", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday", ""])
def test_dates_that_are_none(value: str) -> None:
    assert read_exif(exif_block({0x0132: text(value)})).taken is None


def test_directory_that_points_to_itself() -> None:
    assert read_exif(exif_block({0x8769: longs(8), 0x8825: longs(8)})).camera is None
    assert read_exif(b"Exif\0\0II*\0\xff\xff\xff\xff") == NO_EXIF
