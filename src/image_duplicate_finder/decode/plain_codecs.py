"""Two codecs that Pillow has in pure Python only: minutes for a large picture, here seconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode.picture import Pixels
from image_duplicate_finder.errors import DecodeError

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
        raise DecodeError("The QOI file ends before its picture does.")
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
        raise DecodeError(f"The DDS file has {bits} bits per pixel, which is not known.")
    if len(data) < _DDS_HEADER + count * bits // 8:
        raise DecodeError("The DDS file ends before its picture does.")
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
