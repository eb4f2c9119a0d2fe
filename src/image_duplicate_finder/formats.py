"""Formats of picture files: one table from which all that is asked of formats derives.

A family of RAW files is known by content under one name (``decode/sniff.py``); its files have
several extensions, and families without a signature of their own are called ``RAW``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its name by content and the extensions of its files, without dots.

    ``camera``: cameras and phones write it. ``moving``: it can be the still half of a Live Photo.
    ``lossless``: it never loses anything of a picture's samples.
    """

    name: str
    extensions: frozenset[str]
    raw: bool = False
    camera: bool = False
    moving: bool = False
    lossless: bool = False


def _format(name: str, extensions: str, **traits: bool) -> Format:
    return Format(name, frozenset(extensions.split()), **traits)


FORMATS = (
    _format("JPEG", "jpg jpeg jpe jfif mpo", camera=True, moving=True),
    _format("HEIF", "heic heif hif", camera=True, moving=True),
    _format("JXL", "jxl", camera=True),
    _format("PNG", "png apng", lossless=True),
    _format("GIF", "gif", lossless=True),
    _format("WEBP", "webp"),
    _format("AVIF", "avif"),
    _format("TIFF", "tif tiff"),
    _format("BMP", "bmp dib", lossless=True),
    _format("JPEG2000", "jp2 j2k jpf jpx"),
    _format("PSD", "psd psb", lossless=True),
    _format("QOI", "qoi", lossless=True),
    _format("DDS", "dds"),
    _format("ICO", "ico", lossless=True),
    _format("CUR", "cur", lossless=True),
    _format("PCX", "pcx", lossless=True),
    _format("PPM", "ppm pgm pbm pnm", lossless=True),
    _format("PAM", "pam"),
    _format("PFM", "pfm"),
    _format("SGI", "sgi rgb", lossless=True),
    _format("SUN", "ras", lossless=True),
    _format("TGA", "tga", lossless=True),
    _format("XBM", "xbm", lossless=True),
    _format("CR2", "cr2", raw=True),
    _format("CR3", "cr3", raw=True),
    _format("CRW", "crw", raw=True),
    _format("NEF", "nef nrw", raw=True),
    _format("ARW", "arw srf sr2", raw=True),
    _format("DNG", "dng", raw=True),
    _format("ORF", "orf", raw=True),
    _format("RW2", "rw2 rwl", raw=True),
    _format("RAF", "raf", raw=True),
    _format("PEF", "pef ptx", raw=True),
    _format("SRW", "srw", raw=True),
    _format(
        "RAW",
        "raw 3fr cap dcr dcs eip erf fff gpr iiq k25 kdc mdc mef mos mrw pxn rwz x3f",
        raw=True,
    ),
)

RAW_FORMATS = frozenset(each.name for each in FORMATS if each.raw)
CAMERA_FORMATS = frozenset(each.name for each in FORMATS if each.camera)
LOSSLESS_FORMATS = frozenset(each.name for each in FORMATS if each.lossless)

RAW_EXTENSIONS = frozenset().union(*(each.extensions for each in FORMATS if each.raw))
CAMERA_EXTENSIONS = frozenset().union(*(each.extensions for each in FORMATS if each.camera))
LIVE_EXTENSIONS = frozenset().union(*(each.extensions for each in FORMATS if each.moving))
PICTURE_EXTENSIONS = frozenset().union(*(each.extensions for each in FORMATS))
