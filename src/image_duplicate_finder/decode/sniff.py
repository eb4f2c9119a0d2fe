"""What a file is, told from its first bytes and never from its name."""

from __future__ import annotations

from image_duplicate_finder.decode.headers import (
    byte_order,
    first_number,
    read_directory,
    start_offset,
)

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\xff\x0a", "JXL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"8BPS", "PSD"),
    (b"DDS ", "DDS"),
    (b"qoif", "QOI"),
    (b"BM", "BMP"),
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"II\x1a\0\0\0HEAPCCDR", "CRW"),
    (b"IIRO", "ORF"),
    (b"IIRS", "ORF"),
    (b"MMOR", "ORF"),
    (b"IIU\0", "RW2"),
    (b"P7\n", "PAM"),
    (b"PF\n", "PFM"),
    (b"PF ", "PFM"),
)

_UNREAD: tuple[tuple[bytes, str], ...] = (
    (b"\x76\x2f\x31\x01", "an OpenEXR"),
    (b"#?RADIANCE", "a Radiance HDR"),
    (b"#?RGBE", "a Radiance HDR"),
    (b"II\xbc", "a JPEG XR"),
    (b"BPG\xfb", "a BPG"),
    (b"AT&TFORM", "a DjVu"),
    (b"gimp xcf", "a GIMP"),
    (b"\x8aMNG\r\n\x1a\n", "an MNG"),
    (b"\x8bJNG\r\n\x1a\n", "a JNG"),
    (b"\xabKTX ", "a KTX"),
    (b"\x80\x2a\x5f\xd7", "a Cineon"),
    (b"SDPX", "a DPX"),
    (b"XPDS", "a DPX"),
)
"""Picture formats that nothing here reads."""

_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_CFA, _LINEAR_RAW = 32803, 34892
_SUB_DIRECTORIES, _PHOTOMETRIC, _MAKE, _DNG_VERSION = 0x014A, 0x0106, 0x010F, 0xC612
_RAW_OF_MAKER = {"NIKON": "NEF", "SONY": "ARW", "PENTAX": "PEF", "RICOH": "PEF", "SAMSUNG": "SRW"}

_OTHER_THINGS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document, which this program does not run"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document, which this program does not run"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (b"OggS", "an Ogg sound or video"),
    (b"ID3", "an MP3 sound"),
    (b"fLaC", "a FLAC sound"),
    (b"SQLite format 3", "a database"),
    (b"\x89HDF", "an HDF5 data file"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile drawing"),
    (b"FORM", "an IFF file"),
)


def sniff(data: bytes) -> str | None:
    """The format's name as :class:`model.ImageInfo` gives it, None if no signature fits.

    Some formats have no signature (TGA) or many (PPM family); those are left to Pillow.
    """
    for signature, name in _SIGNATURES:
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


def what_else(data: bytes) -> str:
    """What a file that is no picture seems to be, as the rest of "The file is ..."."""
    if not data:
        return "empty (0 bytes)"
    for signature, words in _OTHER_THINGS:
        if data.startswith(signature):
            return f"not a picture but {words}"
    for signature, name in _UNREAD:
        if data.startswith(signature):
            return f"{name} picture, a format that this program does not read"
    if data[128:132] == b"DICM":
        return "a DICOM picture, a format that this program does not read"
    if data[:4] == b"\x01\0\0\0" and data[40:44] == b" EMF":
        return "not a picture but a Windows metafile drawing"
    head = data[:4096]
    if data[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "not a picture but a video"
    if data[:4] == b"RIFF":
        return "not a picture but a sound or video"
    if not head.strip(b"\0"):
        return "not a picture: it begins with nothing but zero bytes"
    if b"\0" not in head and sum(byte < 9 for byte in head) == 0:
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
        if start.startswith((b"<svg", b"<?xml")) and b"<svg" in head.lower():
            return "an SVG drawing, which this program does not compare"
        if start.startswith((b"<!doctype html", b"<html")):
            return "not a picture but a web page"
        try:
            data[:1024].decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < min(len(data), 1024) - 4:
                return "not a picture in a known format"
        return "not a picture but text"
    return "not a picture in a known format"


def _sniff_brands(data: bytes) -> str | None:
    """HEIF, AVIF or CR3 by the brands of an ISO base media file (ISO 14496-12)."""
    size = min(int.from_bytes(data[:4], "big"), 512)
    major = data[8:12]
    brands = {major} | {data[at : at + 4] for at in range(16, size, 4)}
    if major == b"crx ":
        return "CR3"
    if major in _AVIF_BRANDS or (major in (b"mif1", b"msf1") and brands & _AVIF_BRANDS):
        return "AVIF"
    if brands & _HEIF_BRANDS:
        return "HEIF"
    return None


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
        return _RAW_OF_MAKER.get(name.split(" ")[0].upper(), "RAW")
    return "TIFF"
