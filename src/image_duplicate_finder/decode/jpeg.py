"""JPEG through OpenCV (libjpeg-turbo), scaled while decoding."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import replace

import cv2
import numpy as np

from image_duplicate_finder.decode.behind import jpeg_end, jpeg_parts, scans_missing
from image_duplicate_finder.decode.exif import NO_EXIF, ExifFields, read_exif
from image_duplicate_finder.decode.jpeg_header import JpegHeader, read_jpeg_header
from image_duplicate_finder.decode.limits import check_size
from image_duplicate_finder.decode.metadata import merge_metadata
from image_duplicate_finder.decode.picture import Picture, Pixels, StoredPicture
from image_duplicate_finder.decode.profiles import changes_look
from image_duplicate_finder.decode.scale import reduction, shrink
from image_duplicate_finder.decode.upright import swaps_sides, upright
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.model import ImageInfo
from image_duplicate_finder.settings import DecodeLimits

_GREY = {
    1: cv2.IMREAD_GRAYSCALE,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_COLOUR = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
_END_OF_IMAGE = b"\xff\xd9"
# What libjpeg prints, and only prints, when it fills the rest of a picture with grey.
_MISSING_DATA = re.compile(rb"premature end of (?:data segment|JPEG file)", re.IGNORECASE)
_heard: int | None = None
_LOSSLESS_PROCESSES = frozenset({3, 11})


def read_jpeg(data: bytes, limits: DecodeLimits) -> tuple[JpegHeader, ImageInfo]:
    """Header and metadata, with the pixel limit checked."""
    header = read_jpeg_header(data)
    check_size(header.width, header.height, limits)
    _check_plausible(header, len(data))
    exif = read_exif(header.exif) if header.exif else NO_EXIF
    return header, _info(data, header, exif)


def decode_jpeg(
    data: bytes, header: JpegHeader, info: ImageInfo, *, side: int | None, colour: bool
) -> Picture | None:
    """Decode upright sRGB pixels, or None where OpenCV cannot and a second opinion is due.

    ``side`` None decodes at full size, else at the smallest scale whose long side is at least
    ``side``.
    """
    if not _ordinary(data, header):
        return None
    factor = 1 if side is None else reduction(header.width, header.height, side)
    convert = bool(header.icc) and changes_look(header.icc)
    pixels = _decode(data, min(factor, 8), colour=colour or convert)
    if pixels is None:
        return None
    if _complained_of_missing_data():
        info = replace(info, incomplete=True)
    pixels = shrink(pixels, factor // min(factor, 8))
    if convert:
        pixels = _converted(pixels, header.icc, grey_source=header.components == 1)
        if not colour:
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    return Picture(upright(pixels, info.orientation), info)


def decode_stored_jpeg(data: bytes, header: JpegHeader, info: ImageInfo) -> StoredPicture | None:
    """Upright pixels in the file's own colours, None where OpenCV cannot decode them."""
    if not _ordinary(data, header):
        return None
    pixels = _decode(data, 1, colour=True)
    if pixels is None:
        return None
    return StoredPicture(
        pixels=upright(pixels, info.orientation),
        colours=header.icc if header.icc and changes_look(header.icc) else b"",
        rest=data[data.find(_END_OF_IMAGE, header.scan) + 2 :].strip(b"\0"),
    )


def _ordinary(data: bytes, header: JpegHeader) -> bool:
    """Whether OpenCV may decode it: grey or three colours of 8 bits, and not cut off.

    OpenCV would fill what is missing of a cut-off picture with grey. Raises DecodeError for
    other depths, which none of the decoders here can read.
    """
    if header.precision != 8:
        raise DecodeError(
            f"The JPEG file has {header.precision} bits per sample; only 8 can be decoded."
        )
    return header.components in (1, 3) and data.rfind(_END_OF_IMAGE, header.scan) >= 0


def _check_plausible(header: JpegHeader, size: int) -> None:
    """Refuse a size that the file cannot hold.

    Huffman coding spends at least two bits on each block of 64 pixels (one in the first scan
    of a progressive file); decoders fill what is missing with grey and call it a picture.
    """
    bits_per_block = {0: 2, 1: 2, 2: 1}.get(header.process, 0)
    if header.width * header.height // 64 * bits_per_block // 8 > size - header.scan:
        raise DecodeError(
            f"The JPEG file says {header.width:,} x {header.height:,} pixels, "
            "but holds too little data for that.",
            stage="header",
        )


def _info(data: bytes, header: JpegHeader, exif: ExifFields) -> ImageInfo:
    width, height = header.width, header.height
    end = jpeg_end(data, header)
    if swaps_sides(exif.orientation):
        width, height = height, width
    return ImageInfo(
        format="JPEG",
        width=width,
        height=height,
        orientation=exif.orientation,
        bit_depth=header.precision,
        lossless=header.process in _LOSSLESS_PROCESSES,
        metadata=merge_metadata(
            exif=exif,
            has_exif=bool(header.exif),
            xmp=header.xmp,
            iptc=header.iptc,
            texts=[("Comment", each.decode("utf-8", "replace")) for each in header.comments],
            size=(header.width, header.height),
            profile=header.icc,
            jpeg_quality=header.quality,
            grey=header.components == 1,
        ),
        parts=jpeg_parts(data, header, end),
        incomplete=scans_missing(data, header, end),
    )


def hear_complaints() -> None:
    """From now on, read what decoders print to standard error, and print nothing there.

    For processes of ours that have no other use of it: there a picture is told to be incomplete
    also where its last scan breaks off, which OpenCV does not tell.
    """
    global _heard
    if _heard is None:
        with tempfile.TemporaryFile() as file:
            _heard = os.dup(file.fileno())
        os.dup2(_heard, 2)


def _complained_of_missing_data() -> bool:
    if _heard is None or not os.fstat(_heard).st_size:
        return False
    os.lseek(_heard, 0, os.SEEK_SET)
    text = os.read(_heard, 1 << 16)
    os.ftruncate(_heard, 0)
    os.lseek(_heard, 0, os.SEEK_SET)
    return _MISSING_DATA.search(text) is not None


def _decode(data: bytes, factor: int, *, colour: bool) -> Pixels | None:
    """Stored pixels at 1/factor, RGB or grey."""
    flags = (_COLOUR if colour else _GREY)[factor] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise DecodeError(f"The JPEG data cannot be decoded: {error.err}.") from error
    if pixels is None:
        return None
    if colour and factor > 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    return np.asarray(pixels, np.uint8)


def _converted(pixels: Pixels, profile: bytes, *, grey_source: bool) -> Pixels:
    from PIL import Image

    from image_duplicate_finder.decode.profiles import to_srgb

    source = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0]) if grey_source else pixels)
    return np.asarray(to_srgb(source, profile).convert("RGB"), np.uint8)
