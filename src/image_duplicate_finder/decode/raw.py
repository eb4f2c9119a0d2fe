"""Camera RAW through rawpy (LibRaw): the embedded preview, or a half-size development."""

from __future__ import annotations

import struct
import warnings
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING, cast

import numpy as np

from image_duplicate_finder.decode.common import Picture, check_size, lacks_memory, swaps_sides
from image_duplicate_finder.decode.headers import read_jpeg_header
from image_duplicate_finder.decode.jpeg import decode_jpeg, read_jpeg
from image_duplicate_finder.decode.metadata import NO_EXIF, ExifFields, merge_metadata, read_exif
from image_duplicate_finder.decode.pillow_formats import needed
from image_duplicate_finder.errors import DecodeError, FailureStage
from image_duplicate_finder.messages import FailureReason
from image_duplicate_finder.model import ImageInfo
from image_duplicate_finder.settings import DecodeLimits

if TYPE_CHECKING:
    from rawpy import RawPy

# LibRaw's ``flip`` as EXIF orientation.
_ORIENTATION_OF_FLIP = {0: 1, 3: 3, 5: 8, 6: 6}


def read_raw(data: bytes, name: str, limits: DecodeLimits) -> ImageInfo:
    """Header and metadata without developing."""
    with _opened(data) as raw:
        return _info(raw, data, name, limits)


def decode_raw(data: bytes, name: str, limits: DecodeLimits, *, long_side: int | None) -> Picture:
    """The camera's preview if its long side reaches ``long_side``, else a half-size development.

    ``long_side`` None asks for a preview of at least half the sensor's long side. Pixels are RGB.
    """
    with _opened(data) as raw:
        info = _info(raw, data, name, limits)
        wanted = long_side if long_side is not None else max(info.width, info.height) // 2
        preview = _preview(raw, info, wanted, limits, scaled=long_side is not None)
        if preview is not None:
            return preview
        developed = raw.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
    return Picture(np.ascontiguousarray(developed, np.uint8), info)


def _opened(data: bytes) -> RawPy:
    rawpy = needed("rawpy", "camera RAW")
    try:
        with warnings.catch_warnings():
            # It warns of forked workers; this program has none.
            warnings.simplefilter("ignore")
            return cast("RawPy", rawpy.imread(BytesIO(data)))
    except rawpy.LibRawError as error:
        if lacks_memory(error):
            raise
        message = FailureReason.RAW(reason=_words(error))
        raise DecodeError(message, stage=FailureStage.HEADER) from error


def _info(raw: RawPy, data: bytes, name: str, limits: DecodeLimits) -> ImageInfo:
    sizes = raw.sizes
    orientation = _ORIENTATION_OF_FLIP.get(sizes.flip, 1)
    width, height = sizes.width, sizes.height
    check_size(width, height, limits)
    if swaps_sides(orientation):
        width, height = height, width
    exif = _exif(data, name)
    return ImageInfo(
        format=name,
        width=width,
        height=height,
        orientation=orientation,
        bit_depth=max(int(raw.white_level or 0).bit_length(), 8),
        lossless=True,
        metadata=merge_metadata(exif=exif, has_exif=exif != NO_EXIF),
    )


def _exif(data: bytes, name: str) -> ExifFields:
    """The EXIF fields, which each family of RAW files stores in its own place.

    Most are TIFF structures themselves. A RAF file holds a whole JPEG, whose offset is at
    byte 84 of its header; a CR3 file holds the main directory in its box ``CMT1``.
    """
    if name == "RAF" and len(data) >= 92:
        start, size = struct.unpack_from(">II", data, 84)
        try:
            return read_exif(read_jpeg_header(data[start : start + size]).exif)
        except DecodeError:
            return NO_EXIF
    if name == "CR3":
        at = data.find(b"CMT1", 0, 1 << 16)
        return read_exif(data[at + 4 : at + (1 << 14)]) if at >= 0 else NO_EXIF
    return read_exif(data)


def _preview(
    raw: RawPy, info: ImageInfo, wanted: int, limits: DecodeLimits, *, scaled: bool
) -> Picture | None:
    """The embedded JPEG, turned by its own orientation or else by the RAW file's."""
    import rawpy

    try:
        thumbnail = raw.extract_thumb()
    except rawpy.LibRawError:
        return None
    if thumbnail.format != rawpy.ThumbFormat.JPEG:
        return None
    data = bytes(thumbnail.data)
    try:
        header, inner = read_jpeg(data, limits)
        if max(header.width, header.height) < wanted:
            return None
        if inner.orientation == 1 and _same_shape(header.width, header.height, info):
            inner = replace(inner, orientation=info.orientation)
        picture = decode_jpeg(
            data, header, inner, long_side=wanted if scaled else None, colour=True
        )
    except DecodeError:
        return None
    return replace(picture, info=info) if picture is not None else None


def _same_shape(width: int, height: int, info: ImageInfo) -> bool:
    """Whether a preview lies as the sensor does, so that it still has to be turned."""
    stored_wide = (info.width >= info.height) != swaps_sides(info.orientation)
    return (width >= height) == stored_wide


def _words(error: Exception) -> str:
    detail = error.args[0] if error.args else ""
    return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
