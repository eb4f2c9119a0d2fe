"""The checks that stand before any decoding."""

from __future__ import annotations

from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.settings import DecodeLimits


def check_bytes(data: bytes, limits: DecodeLimits) -> None:
    """Refuse a file that is larger than the limit."""
    if len(data) > limits.bytes:
        raise DecodeError(
            f"The file has {len(data):,} bytes; the limit is {limits.bytes:,}.", stage="limits"
        )


def check_size(width: int, height: int, limits: DecodeLimits) -> None:
    """Refuse a picture without pixels or with more than the limit, before decoding it."""
    if width < 1 or height < 1:
        raise DecodeError(f"The picture is {width} x {height} pixels: empty.", stage="header")
    if width * height > limits.pixels:
        raise DecodeError(
            f"The picture is {width:,} x {height:,} = {width * height:,} pixels; "
            f"the limit is {limits.pixels:,}.",
            stage="limits",
        )


def check_memory(width: int, height: int, bytes_per_pixel: int, limits: DecodeLimits) -> None:
    """Refuse a picture whose decoder is known to need more memory than a worker may use."""
    needed = width * height * bytes_per_pixel
    if needed > limits.memory:
        raise DecodeError(
            f"Decoding {width:,} x {height:,} pixels of this format needs {needed >> 20:,} MiB "
            f"of memory; the limit is {limits.memory >> 20:,} MiB.",
            stage="limits",
        )
