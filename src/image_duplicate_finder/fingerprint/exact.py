"""Hashes for exact identity: of a file's bytes, and of the picture that they hold."""

from __future__ import annotations

import struct

import numpy as np
from blake3 import blake3

from image_duplicate_finder.decode import decode_stored
from image_duplicate_finder.fingerprint import specs
from image_duplicate_finder.settings import DecodeLimits

PIXELS_NAME, PIXELS_VERSION = specs.PIXELS


def content_hash(data: bytes) -> bytes:
    """BLAKE3 of the bytes, 32 bytes."""
    return bytes(blake3(data).digest())


def pixel_hash(data: bytes, limits: DecodeLimits) -> bytes:
    """BLAKE3 (32 bytes) of the upright full-size picture, its size, depth, alpha and profile.

    Files that differ only in metadata, in lossless compression or in how the same pixels are
    turned have the same hash; a difference in one sample of any channel changes it. Where
    there is no exact form to compare (animations, camera RAW, CMYK, wide samples outside PNG)
    the hash stands for the bytes themselves, so it never claims too much. Raises DecodeError.
    """
    picture = decode_stored(data, limits=limits)
    if picture is None:
        return bytes(blake3(b"bytes" + content_hash(data)).digest())
    pixels = np.ascontiguousarray(picture.pixels)
    has_alpha = picture.alpha is not None
    hasher = blake3()
    hasher.update(struct.pack("<QQHH?", *pixels.shape, pixels.itemsize * 8, has_alpha))
    hasher.update(pixels.view(np.uint8).data)
    if picture.alpha is not None:
        hasher.update(np.ascontiguousarray(picture.alpha).data)
    hasher.update(content_hash(picture.colours))
    hasher.update(content_hash(picture.rest))
    return bytes(hasher.digest())
