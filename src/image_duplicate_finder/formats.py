"""Formats of picture files: one table from which all that is asked of formats derives.

Families of RAW files without a name of their own are called ``RAW``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its name by content and the extensions of its files, without dots.

    It is recognised by the ``signatures`` that its files begin with, by the ``brands`` of an ISO
    base media file, or, a RAW file built on TIFF, by the ``makers`` of its camera.
    ``camera``: cameras and phones write it. ``moving``: it can be the still half of a Live Photo.
    ``lossless``: it never loses anything of a picture's samples. ``few_colours``: it cannot hold
    a photo's colours. ``coded``: ``decode/facts.py`` finds the bytes that alone decide the pixels.
    """

    name: str
    extensions: frozenset[str]
    signatures: tuple[bytes, ...] = ()
    brands: frozenset[bytes] = frozenset()
    makers: tuple[str, ...] = ()
    raw: bool = False
    camera: bool = False
    moving: bool = False
    lossless: bool = False
    few_colours: bool = False
    coded: bool = False


def _format(
    name: str,
    extensions: str,
    *signatures: bytes,
    brands: bytes = b"",
    makers: str = "",
    **traits: bool,
) -> Format:
    return Format(
        name,
        frozenset(extensions.split()),
        signatures,
        frozenset(brands.split()),
        tuple(makers.split()),
        **traits,
    )


FORMATS = (
    _format("JPEG", "jpg jpeg jpe jfif mpo", b"\xff\xd8\xff",
            camera=True, moving=True, coded=True),
    _format("AVIF", "avif", brands=b"avif avis", coded=True),
    _format("HEIF", "heic heif hif", brands=b"heic heix heim heis hevc hevx hevm hevs mif1 msf1",
            camera=True, moving=True, coded=True),
    _format("JXL", "jxl", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n", camera=True),
    _format("PNG", "png apng", b"\x89PNG\r\n\x1a\n", lossless=True, coded=True),
    _format("GIF", "gif", b"GIF87a", b"GIF89a", lossless=True, few_colours=True),
    _format("WEBP", "webp", coded=True),
    _format("TIFF", "tif tiff", coded=True),
    _format("BMP", "bmp dib", b"BM", lossless=True),
    _format("JPEG2000", "jp2 j2k jpf jpx", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    _format("PSD", "psd psb", b"8BPS", lossless=True),
    _format("QOI", "qoi", b"qoif", lossless=True),
    _format("DDS", "dds", b"DDS "),
    _format("ICO", "ico", lossless=True, few_colours=True),
    _format("CUR", "cur", lossless=True),
    _format("PCX", "pcx", lossless=True),
    _format("PPM", "ppm pgm pbm pnm", lossless=True),
    _format("PAM", "pam", b"P7\n"),
    _format("PFM", "pfm", b"PF\n", b"PF "),
    _format("SGI", "sgi rgb", lossless=True),
    _format("SUN", "ras", lossless=True),
    _format("TGA", "tga", lossless=True),
    _format("XBM", "xbm", lossless=True),
    _format("CR2", "cr2", raw=True),
    _format("CR3", "cr3", brands=b"crx", raw=True),
    _format("CRW", "crw", b"II\x1a\0\0\0HEAPCCDR", raw=True),
    _format("NEF", "nef nrw", makers="NIKON", raw=True),
    _format("ARW", "arw srf sr2", makers="SONY", raw=True),
    _format("DNG", "dng", raw=True),
    _format("ORF", "orf", b"IIRO", b"IIRS", b"MMOR", raw=True),
    _format("RW2", "rw2 rwl", b"IIU\0", raw=True),
    _format("RAF", "raf", b"FUJIFILMCCD-RAW", raw=True),
    _format("PEF", "pef ptx", makers="PENTAX RICOH", raw=True),
    _format("SRW", "srw", makers="SAMSUNG", raw=True),
    _format(
        "RAW",
        "raw 3fr cap dcr dcs eip erf fff gpr iiq k25 kdc mdc mef mos mrw pxn rwz x3f",
        raw=True,
    ),
)  # fmt: skip

RAW_FORMATS = frozenset(each.name for each in FORMATS if each.raw)
CAMERA_FORMATS = frozenset(each.name for each in FORMATS if each.camera)
LOSSLESS_FORMATS = frozenset(each.name for each in FORMATS if each.lossless)
FEW_COLOUR_FORMATS = frozenset(each.name for each in FORMATS if each.few_colours)
CODED_FORMATS = frozenset(each.name for each in FORMATS if each.coded)

RAW_EXTENSIONS = frozenset().union(*(each.extensions for each in FORMATS if each.raw))
CAMERA_EXTENSIONS = frozenset().union(*(each.extensions for each in FORMATS if each.camera))
LIVE_EXTENSIONS = frozenset().union(*(each.extensions for each in FORMATS if each.moving))
PICTURE_EXTENSIONS = frozenset().union(*(each.extensions for each in FORMATS))

SIGNATURES = tuple((start, each.name) for each in FORMATS for start in each.signatures)
"""What files begin with, and their format."""
BRANDS = {each.name: each.brands for each in FORMATS if each.brands}
"""Brands of ISO base media files by format."""
RAW_OF_MAKER = {maker: each.name for each in FORMATS for maker in each.makers}
"""RAW formats built on TIFF by the first word of the camera's maker."""
