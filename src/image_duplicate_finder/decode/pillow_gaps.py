"""What Pillow cannot read, or reads in pure Python only.

OpenCV reads PNG with 16 bits per sample and TIFF with colours in floats. PAM and colour PFM are
read here: OpenCV ignores a PAM's largest value, and its order of channels depends on OpenCV's
version. Pillow takes minutes for a large QOI or bit-mask DDS file; the loops here take seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode.common import (
    Picture,
    Pixels,
    StoredPicture,
    check_size,
    swaps_sides,
    to_eight_bits,
    upright,
)
from image_duplicate_finder.decode.facts import read_facts
from image_duplicate_finder.decode.headers import (
    byte_order,
    first_number,
    read_directory,
    start_offset,
)
from image_duplicate_finder.decode.metadata import NO_EXIF, merge_metadata, read_exif
from image_duplicate_finder.errors import DecodeError, FailureStage
from image_duplicate_finder.messages import DecoderReason, FailureReason
from image_duplicate_finder.model import ImageInfo, Metadata
from image_duplicate_finder.settings import DecodeLimits


def is_wide_png(data: bytes) -> bool:
    """Whether a PNG's header states 16 bits per sample (PNG third edition, section 11.2.1)."""
    return data[12:16] == b"IHDR" and data[24:25] == b"\x10"


def decode_stored_wide_png(data: bytes, info: ImageInfo) -> StoredPicture | None:
    """All samples upright as uint16 (H, W, C), alpha among them; None for an animation.

    Channels are in OpenCV's order (BGRA); the profile is left out.
    """
    if info.frames > 1:
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        return None
    return StoredPicture(np.atleast_3d(upright(np.asarray(pixels, np.uint16), info.orientation)))


_WIDTH, _HEIGHT = 0x0100, 0x0101


def read_float_tiff(data: bytes, limits: DecodeLimits) -> ImageInfo:
    """Size and metadata out of the first directory; raises DecodeError (limits, header)."""
    order = byte_order(data) or "<"
    first, _ = read_directory(data, order, start_offset(data, order))
    width, height = first_number(first.get(_WIDTH)) or 0, first_number(first.get(_HEIGHT)) or 0
    check_size(width, height, limits)
    facts, exif = read_facts(data, "TIFF"), read_exif(data)
    if swaps_sides(exif.orientation):
        width, height = height, width
    return ImageInfo(
        format="TIFF",
        width=width,
        height=height,
        bit_depth=facts.bit_depth,
        frames=facts.frames,
        lossless=facts.lossless,
        metadata=merge_metadata(
            exif=exif, has_exif=exif != NO_EXIF, xmp=facts.xmp, iptc=facts.iptc
        ),
        parts=facts.parts,
        frame_digests=facts.frame_digests,
        incomplete=facts.incomplete,
    )


def decode_float_tiff(data: bytes, limits: DecodeLimits) -> Picture | None:
    """Full-size RGB with the samples scaled to 8 bits, None if OpenCV cannot decode it either.

    OpenCV turns TIFF pictures upright itself, whatever its flags say.
    """
    info = read_float_tiff(data, limits)
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.shape not in {
        (info.height, info.width, channels) for channels in (3, 4)
    }:
        return None
    eight_bits = to_eight_bits(samples[:, :, :3], info.bit_depth)
    return Picture(np.asarray(cv2.cvtColor(eight_bits, cv2.COLOR_BGR2RGB), np.uint8), info)


NETPBM_FORMATS = frozenset({"PAM", "PFM"})

_PAM_HEADER = re.compile(rb"P7\n(?:.*\n){0,200}?ENDHDR\n")
_PAM_FIELD = re.compile(rb"^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+(\d{1,9})[ \t]*$", re.MULTILINE)
_PFM_HEADER = re.compile(rb"PF\s+(\d{1,9})\s+(\d{1,9})\s+(-?[0-9.eE+]{1,20})\s")


@dataclass(frozen=True, slots=True)
class _Header:
    """``samples`` names NumPy's type of a sample; pixels of ``channels`` start at ``start``."""

    info: ImageInfo
    channels: int
    largest: int
    samples: str
    start: int


def read_netpbm(data: bytes, name: str, limits: DecodeLimits) -> ImageInfo:
    """Size and depth. Raises DecodeError."""
    return _read_header(data, name, limits).info


def decode_netpbm(data: bytes, name: str, limits: DecodeLimits) -> Picture:
    """Full-size RGB, flattened on white, with the alpha channel apart. Raises DecodeError."""
    header = _read_header(data, name, limits)
    pixels, alpha = _channels(header, _samples(data, header))
    if alpha is None:
        return Picture(pixels, header.info)
    opacity = alpha[:, :, None].astype(np.float32) / 255
    flat = np.rint(pixels * opacity + 255 * (1 - opacity)).astype(np.uint8)
    return Picture(flat, header.info, alpha)


def decode_stored_netpbm(data: bytes, name: str, limits: DecodeLimits) -> StoredPicture | None:
    """Pixels just as stored; None where 8 bits cannot hold them. Raises DecodeError."""
    header = _read_header(data, name, limits)
    if header.samples != "u1" or header.largest != 255:
        return None
    pixels, alpha = _channels(header, _samples(data, header))
    return StoredPicture(pixels=pixels, alpha=alpha, colours=b"")


def _read_header(data: bytes, name: str, limits: DecodeLimits) -> _Header:
    header = _read_pam(data) if name == "PAM" else _read_pfm(data)
    if header is None:
        raise DecodeError(FailureReason.HEADER(format=name), stage=FailureStage.HEADER)
    check_size(header.info.width, header.info.height, limits)
    return header


def _read_pam(data: bytes) -> _Header | None:
    found = _PAM_HEADER.match(data, 0, 1 << 16)
    if found is None:
        return None
    fields = {key: int(value) for key, value in _PAM_FIELD.findall(found[0])}
    try:
        width, height = fields[b"WIDTH"], fields[b"HEIGHT"]
        channels, largest = fields[b"DEPTH"], fields[b"MAXVAL"]
    except KeyError:
        return None
    if not (1 <= channels <= 4 and 1 <= largest <= 65535):
        return None
    info = ImageInfo(
        format="PAM",
        width=width,
        height=height,
        bit_depth=largest.bit_length(),
        has_alpha=channels in (2, 4),
        lossless=True,
        metadata=Metadata(grey=channels < 3),
    )
    return _Header(info, channels, largest, "u1" if largest < 256 else ">u2", found.end())


def _read_pfm(data: bytes) -> _Header | None:
    found = _PFM_HEADER.match(data)
    if found is None:
        return None
    info = ImageInfo(
        format="PFM", width=int(found[1]), height=int(found[2]), bit_depth=32, lossless=True
    )
    return _Header(info, 3, 0, "<f4" if found[3].startswith(b"-") else ">f4", found.end())


def _samples(data: bytes, header: _Header) -> NDArray[Any]:
    """The samples (H, W, C) from top to bottom. Raises DecodeError."""
    shape = header.info.height, header.info.width, header.channels
    kind = np.dtype(header.samples)
    if len(data) - header.start < int(np.prod(shape, dtype=np.int64)) * kind.itemsize:
        raise DecodeError(FailureReason.UNDECODABLE(reason=DecoderReason.ENDS_EARLY()))
    found = np.frombuffer(data, kind, int(np.prod(shape)), header.start).reshape(shape)
    return found[::-1] if kind.kind == "f" else found  # PFM starts at the bottom


def _channels(header: _Header, samples: NDArray[Any]) -> tuple[Pixels, Pixels | None]:
    """RGB and alpha in 8 bits; no alpha where it is opaque throughout."""
    if samples.dtype.kind == "f":
        return to_eight_bits(samples, 32), None
    eight = samples
    if header.largest != 255:
        within = np.minimum(samples, header.largest).astype(np.float32)
        eight = np.rint(within * (255 / header.largest)).astype(np.uint8)
    has_alpha = header.channels in (2, 4)
    colours = eight[:, :, : header.channels - has_alpha]
    pixels = np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:2], 3)), np.uint8)
    alpha = np.ascontiguousarray(eight[:, :, -1]) if has_alpha else None
    return pixels, None if alpha is None or alpha.min() == 255 else alpha


_QOI_HEADER = 14
_DDS_HEADER = 128
_SAMPLE_TYPES: dict[int, str] = {8: "u1", 16: "<u2", 32: "<u4"}


def decode_qoi(data: bytes, width: int, height: int, channels: int) -> Pixels:
    """The pixels of a QOI file (qoiformat.org, version 1.0): uint8 (height, width, channels).

    Raises DecodeError where the data end before the picture does.
    """
    pixels = np.zeros((width * height, 4), np.uint8)
    done = _qoi_kernel()(np.frombuffer(data, np.uint8), _QOI_HEADER, pixels)
    if done < len(pixels):
        raise DecodeError(FailureReason.ENDS_EARLY(format="QOI"))
    return np.ascontiguousarray(pixels.reshape(height, width, 4)[:, :, :channels])


def decode_dds_masks(
    data: bytes, width: int, height: int, bits: int, masks: tuple[int, ...]
) -> Pixels:
    """The pixels of an uncompressed DDS file whose channels are given as bit masks.

    uint8 (height, width, channels), every channel scaled from its own width to 8 bits. Raises
    DecodeError for widths other than 8, 16, 24 and 32 bits and for data that end too soon.
    """
    count = width * height
    if bits not in (8, 16, 24, 32):
        raise DecodeError(FailureReason.DDS_DEPTH(bits=bits))
    if len(data) < _DDS_HEADER + count * bits // 8:
        raise DecodeError(FailureReason.ENDS_EARLY(format="DDS"))
    if bits == 24:
        parts = np.frombuffer(data, np.uint8, count * 3, _DDS_HEADER).reshape(-1, 3)
        values: NDArray[Any] = np.zeros(count, np.uint32)
        for place in range(3):
            values |= parts[:, place].astype(np.uint32) << (8 * place)
    else:
        values = np.frombuffer(data, _SAMPLE_TYPES[bits], count, _DDS_HEADER)
    pixels = np.zeros((count, len(masks)), np.uint8)
    for channel, mask in enumerate(masks):
        if mask:
            shift = (mask & -mask).bit_length() - 1
            field = (values & values.dtype.type(mask & ((1 << bits) - 1))) >> shift
            pixels[:, channel] = field * (255 / (mask >> shift))
    return pixels.reshape(height, width, len(masks))


@lru_cache(maxsize=1)
def _qoi_kernel() -> Callable[[Pixels, int, Pixels], int]:
    from numba import njit

    compiled: Callable[[Pixels, int, Pixels], int] = njit(cache=True)(_qoi_pixels)
    return compiled


def _qoi_pixels(data: Pixels, at: int, pixels: Pixels) -> int:
    """Fill ``pixels`` (N, 4); the number of pixels that the data gave. Compiled by Numba."""
    seen = np.zeros((64, 4), np.uint8)
    red, green, blue, alpha = 0, 0, 0, 255
    done, end = 0, len(data)
    while done < len(pixels) and at < end:
        code = int(data[at])
        at += 1
        run = 1
        if code == 0xFE:
            if at + 3 > end:
                break
            red, green, blue = int(data[at]), int(data[at + 1]), int(data[at + 2])
            at += 3
        elif code == 0xFF:
            if at + 4 > end:
                break
            red, green, blue = int(data[at]), int(data[at + 1]), int(data[at + 2])
            alpha = int(data[at + 3])
            at += 4
        elif code >> 6 == 0:
            red, green, blue = int(seen[code, 0]), int(seen[code, 1]), int(seen[code, 2])
            alpha = int(seen[code, 3])
        elif code >> 6 == 1:
            red = (red + ((code >> 4) & 3) - 2) & 255
            green = (green + ((code >> 2) & 3) - 2) & 255
            blue = (blue + (code & 3) - 2) & 255
        elif code >> 6 == 2:
            if at >= end:
                break
            rest = int(data[at])
            at += 1
            change = (code & 63) - 32
            red = (red + change + (rest >> 4) - 8) & 255
            green = (green + change) & 255
            blue = (blue + change + (rest & 15) - 8) & 255
        else:
            run = min((code & 63) + 1, len(pixels) - done)
        place = (red * 3 + green * 5 + blue * 7 + alpha * 11) % 64
        seen[place, 0], seen[place, 1], seen[place, 2], seen[place, 3] = red, green, blue, alpha
        for _ in range(run):
            pixels[done, 0], pixels[done, 1] = red, green
            pixels[done, 2], pixels[done, 3] = blue, alpha
            done += 1
    return done
