"""Entry points: find the module that reads the bytes, and turn failures into one error."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import cv2
import numpy as np
from blake3 import blake3

from image_duplicate_finder.decode.common import (
    Picture,
    StoredPicture,
    check_bytes,
    is_of_the_system,
    lacks_memory,
    plain_reason,
    reduction,
    shrink,
)
from image_duplicate_finder.decode.facts import coded_data
from image_duplicate_finder.decode.jpeg import decode_jpeg, decode_stored_jpeg, read_jpeg
from image_duplicate_finder.decode.pillow_formats import (
    decode_stored_with_pillow,
    decode_with_pillow,
    read_with_pillow,
)
from image_duplicate_finder.decode.pillow_gaps import (
    NETPBM_FORMATS,
    decode_float_tiff,
    decode_netpbm,
    decode_stored_netpbm,
    decode_stored_wide_png,
    is_wide_png,
    read_float_tiff,
    read_netpbm,
)
from image_duplicate_finder.decode.raw import decode_raw, read_raw
from image_duplicate_finder.decode.sniff import sniff, what_else
from image_duplicate_finder.errors import DecodeError, FailureStage
from image_duplicate_finder.formats import CODED_FORMATS, RAW_FORMATS
from image_duplicate_finder.messages import FailureReason
from image_duplicate_finder.model import ImageInfo
from image_duplicate_finder.settings import DecodeLimits


def decode_small(data: bytes, *, long_side: int, colour: bool, limits: DecodeLimits) -> Picture:
    """Decode at the smallest scale whose long side is at least ``long_side`` pixels.

    The long side of ``pixels`` is then less than twice ``long_side``, or that of the whole picture
    where it is smaller. ``pixels`` is (H, W, 3) RGB if ``colour``, else (H, W) grey; alpha is
    flattened on white. Raises DecodeError.
    """
    with _one_kind_of_error(FailureStage.DECODE):
        return _decode(data, limits, long_side=long_side, colour=colour)


def decode_full(data: bytes, *, limits: DecodeLimits) -> Picture:
    """Decode at full size: RGB, with the alpha channel apart where the file has one.

    Camera RAW gives its large preview or a half-size development. Raises DecodeError.
    """
    with _one_kind_of_error(FailureStage.DECODE):
        return _decode(data, limits, long_side=None, colour=True)


def read_info(data: bytes, *, limits: DecodeLimits) -> ImageInfo:
    """Header and metadata only. Raises DecodeError."""
    with _one_kind_of_error(FailureStage.HEADER):
        name = _recognised(data, limits)
        if name == "JPEG":
            return read_jpeg(data, limits)[1]
        if name in RAW_FORMATS:
            return read_raw(data, name, limits)
        if name in NETPBM_FORMATS:
            return read_netpbm(data, name, limits)
        try:
            return read_with_pillow(data, name, limits)
        except DecodeError:
            if name != "TIFF":
                raise
            return read_float_tiff(data, limits)


def coded_digest(data: bytes, info: ImageInfo) -> bytes:
    """A digest (16 bytes) of all that decides a still picture's pixels; empty where unknown.

    Of the coded data, the orientation and, where it changes the look, the colour profile: pictures
    with equal digests have equal pixels, and metadata do not change it.
    """
    if info.frames > 1 or info.incomplete or info.format not in CODED_FORMATS:
        return b""
    hasher = blake3(f"{info.format} {info.orientation}".encode())
    try:
        for piece in coded_data(data, info):
            hasher.update(piece)
    except (DecodeError, struct.error, IndexError):
        return b""
    return bytes(hasher.digest(16))


def decode_stored(data: bytes, *, limits: DecodeLimits) -> StoredPicture | None:
    """Decode pixels just as stored, for exact comparison.

    None where pixels cannot be compared exactly: several frames, camera RAW, CMYK, more than 8
    bits in other formats than PNG. Raises DecodeError.
    """
    with _one_kind_of_error(FailureStage.DECODE):
        name = _recognised(data, limits)
        if name == "JPEG":
            header, info = read_jpeg(data, limits)
            return decode_stored_jpeg(data, header, info)
        if name in RAW_FORMATS:
            return None
        if name in NETPBM_FORMATS:
            return decode_stored_netpbm(data, name, limits)
        if name == "PNG" and is_wide_png(data):
            return decode_stored_wide_png(data, read_with_pillow(data, name, limits))
        try:
            return decode_stored_with_pillow(data, name, limits)
        except DecodeError:
            if name == "TIFF" and decode_float_tiff(data, limits) is not None:
                return None
            raise


def _decode(data: bytes, limits: DecodeLimits, *, long_side: int | None, colour: bool) -> Picture:
    name = _recognised(data, limits)
    if name == "JPEG":
        header, info = read_jpeg(data, limits)
        picture = decode_jpeg(data, header, info, long_side=long_side, colour=colour)
        if picture is not None:
            return picture
        second = decode_with_pillow(data, name, limits, long_side=long_side, colour=colour)
        return replace(second, info=info)
    if name in RAW_FORMATS:
        return _reduced(
            decode_raw(data, name, limits, long_side=long_side), long_side, colour=colour
        )
    if name in NETPBM_FORMATS:
        return _reduced(decode_netpbm(data, name, limits), long_side, colour=colour)
    try:
        return decode_with_pillow(data, name, limits, long_side=long_side, colour=colour)
    except DecodeError:
        wide = decode_float_tiff(data, limits) if name == "TIFF" else None
        if wide is None:
            raise
        return _reduced(wide, long_side, colour=colour)


def _recognised(data: bytes, limits: DecodeLimits) -> str | None:
    check_bytes(data, limits)
    if not data:
        raise DecodeError(what_else(data), stage=FailureStage.HEADER)
    return sniff(data)


def _reduced(picture: Picture, long_side: int | None, *, colour: bool) -> Picture:
    """Shrink a picture that is larger than needed, and drop colours that are not needed."""
    pixels = picture.pixels
    if long_side is not None:
        pixels = shrink(pixels, reduction(pixels.shape[1], pixels.shape[0], long_side))
    if not colour:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    return replace(picture, pixels=pixels)


@contextmanager
def _one_kind_of_error(stage: FailureStage) -> Iterator[None]:
    """Turn whatever a decoder raises into a DecodeError in plain words.

    Decoders raise nearly every built-in exception for damaged bytes, and Rust ones a
    BaseException of their own, so the net is wide; requests to stop pass through. What the
    system refuses is no fault of the file, and has a stage that says so.
    """
    try:
        yield
    except (DecodeError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        if lacks_memory(error):
            message = FailureReason.MEMORY()
            raise DecodeError(message, stage=FailureStage.MEMORY) from error
        if is_of_the_system(error):
            message = FailureReason.SYSTEM_DECODING(reason=plain_reason(error))
            raise DecodeError(message, stage=FailureStage.READ) from error
        message = FailureReason.UNDECODABLE(reason=plain_reason(error))
        raise DecodeError(message, stage=stage) from error
