"""TIFF with colours in floats or 32-bit integers, which Pillow does not know, by OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

from image_duplicate_finder.decode.exif import NO_EXIF, read_exif
from image_duplicate_finder.decode.facts import read_facts
from image_duplicate_finder.decode.limits import check_size
from image_duplicate_finder.decode.metadata import merge_metadata
from image_duplicate_finder.decode.picture import Picture
from image_duplicate_finder.decode.tiff_tags import (
    byte_order,
    first_number,
    read_directory,
    start_offset,
)
from image_duplicate_finder.decode.tones import to_eight_bits
from image_duplicate_finder.decode.upright import swaps_sides
from image_duplicate_finder.model import ImageInfo
from image_duplicate_finder.settings import DecodeLimits

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
