"""Bytes to upright sRGB pixels, within limits, one module per family of formats.

All functions are pure functions of the file's bytes; they raise
:class:`~image_duplicate_finder.errors.DecodeError` for bytes that they cannot use and nothing
else.
"""

from image_duplicate_finder.decode.common import Picture, StoredPicture
from image_duplicate_finder.decode.dispatch import (
    coded_digest,
    decode_full,
    decode_small,
    decode_stored,
    read_info,
)
from image_duplicate_finder.decode.headers import luminance_steps
from image_duplicate_finder.decode.jpeg import capture_decoder_warnings

__all__ = [
    "Picture",
    "StoredPicture",
    "capture_decoder_warnings",
    "coded_digest",
    "decode_full",
    "decode_small",
    "decode_stored",
    "luminance_steps",
    "read_info",
]
