"""What a file is, by its first bytes and never by its name."""

from __future__ import annotations

from image_duplicate_finder.decode.headers import (
    byte_order,
    first_number,
    read_directory,
    start_offset,
)
from image_duplicate_finder.formats import BRANDS, RAW_OF_MAKER, SIGNATURES
from image_duplicate_finder.messages import FailureReason, FileKind, Message

_UNREAD: tuple[tuple[bytes, FileKind], ...] = (
    (b"\x76\x2f\x31\x01", FileKind.OPENEXR),
    (b"#?RADIANCE", FileKind.RADIANCE),
    (b"#?RGBE", FileKind.RADIANCE),
    (b"II\xbc", FileKind.JPEG_XR),
    (b"BPG\xfb", FileKind.BPG),
    (b"AT&TFORM", FileKind.DJVU),
    (b"gimp xcf", FileKind.GIMP),
    (b"\x8aMNG\r\n\x1a\n", FileKind.MNG),
    (b"\x8bJNG\r\n\x1a\n", FileKind.JNG),
    (b"\xabKTX ", FileKind.KTX),
    (b"\x80\x2a\x5f\xd7", FileKind.CINEON),
    (b"SDPX", FileKind.DPX),
    (b"XPDS", FileKind.DPX),
)
"""Picture formats that nothing here reads."""

# Major brands of files whose codec another brand names.
_OPEN_BRANDS = frozenset({b"mif1", b"msf1"})
_CFA, _LINEAR_RAW = 32803, 34892
_SUB_DIRECTORIES, _PHOTOMETRIC, _MAKE, _DNG_VERSION = 0x014A, 0x0106, 0x010F, 0xC612

_OTHER_THINGS: tuple[tuple[bytes, FileKind], ...] = (
    (b"%PDF", FileKind.PDF),
    (b"%!PS", FileKind.POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", FileKind.POSTSCRIPT),
    (b"PK\x03\x04", FileKind.ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind.OLE),
    (b"\x1f\x8b", FileKind.GZIP),
    (b"7z\xbc\xaf", FileKind.SEVEN_ZIP),
    (b"\x7fELF", FileKind.PROGRAM),
    (b"MZ", FileKind.PROGRAM),
    (b"\x1a\x45\xdf\xa3", FileKind.MATROSKA),
    (b"OggS", FileKind.OGG),
    (b"ID3", FileKind.MP3),
    (b"fLaC", FileKind.FLAC),
    (b"SQLite format 3", FileKind.DATABASE),
    (b"\x89HDF", FileKind.HDF5),
    (b"\xd7\xcd\xc6\x9a", FileKind.METAFILE),
    (b"FORM", FileKind.IFF),
)


def sniff(data: bytes) -> str | None:
    """The format's name as :class:`model.ImageInfo` gives it, None if no signature fits.

    Some formats have no signature (TGA) or many (PPM family); those are left to Pillow.
    """
    for signature, name in SIGNATURES:
        if data.startswith(signature):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _sniff_brands(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _sniff_tiff(data)
    if data[:4] in (b"II+\0", b"MM\0+"):
        return "TIFF"
    return None


def what_else(data: bytes) -> Message:
    """What a file that is no picture, or none that can be read, seems to be."""
    if not data:
        return FailureReason.EMPTY()
    for signature, kind in _OTHER_THINGS:
        if data.startswith(signature):
            return FailureReason.OTHER_KIND(what=kind())
    for signature, kind in _UNREAD:
        if data.startswith(signature):
            return FailureReason.UNREAD_FORMAT(what=kind())
    if data[128:132] == b"DICM":
        return FailureReason.UNREAD_FORMAT(what=FileKind.DICOM())
    if data[:4] == b"\x01\0\0\0" and data[40:44] == b" EMF":
        return FailureReason.OTHER_KIND(what=FileKind.METAFILE())
    head = data[:4096]
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return FailureReason.OTHER_KIND(what=FileKind.VIDEO())
    if data[:4] == b"RIFF":
        return FailureReason.OTHER_KIND(what=FileKind.SOUND_OR_VIDEO())
    if not head.strip(b"\0"):
        return FailureReason.ZEROS()
    if b"\0" not in head and sum(byte < 9 for byte in head) == 0:
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
        if start.startswith((b"<svg", b"<?xml")) and b"<svg" in head.lower():
            return FailureReason.SVG()
        if start.startswith((b"<!doctype html", b"<html")):
            return FailureReason.OTHER_KIND(what=FileKind.WEB_PAGE())
        try:
            data[:1024].decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < min(len(data), 1024) - 4:
                return FailureReason.UNKNOWN_FORMAT()
        return FailureReason.OTHER_KIND(what=FileKind.TEXT())
    return FailureReason.UNKNOWN_FORMAT()


def _sniff_brands(data: bytes) -> str | None:
    """HEIF, AVIF or CR3 by the brands of an ISO base media file (ISO 14496-12)."""
    size = min(int.from_bytes(data[:4], "big"), 512)
    major = data[8:12].rstrip()
    brands = {major} | {data[at : at + 4] for at in range(16, size, 4)}
    if major in BRANDS["CR3"]:
        return "CR3"
    if major in BRANDS["AVIF"] or (major in _OPEN_BRANDS and brands & BRANDS["AVIF"]):
        return "AVIF"
    return "HEIF" if brands & BRANDS["HEIF"] else None


def _sniff_tiff(data: bytes) -> str:
    """TIFF, or the RAW format that is built on it: it holds mosaic or linear sensor data."""
    order = byte_order(data)
    if order is None:
        return "TIFF"
    if data[8:11] == b"CR\x02":
        return "CR2"
    first, _ = read_directory(data, order, start_offset(data, order))
    if _DNG_VERSION in first:
        return "DNG"
    below = first.get(_SUB_DIRECTORIES)
    offsets = below.numbers()[:8] if below is not None else ()
    directories = [first, *(read_directory(data, order, at)[0] for at in offsets)]
    if any(first_number(d.get(_PHOTOMETRIC)) in (_CFA, _LINEAR_RAW) for d in directories):
        maker = first.get(_MAKE)
        name = (maker.text() or "") if maker is not None else ""
        return RAW_OF_MAKER.get(name.split(" ")[0].upper(), "RAW")
    return "TIFF"
