"""Sample values of any range as 8 bits: scaled, never clipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode.picture import Pixels

_ROWS_AT_A_TIME = 256


def to_eight_bits(values: NDArray[Any], bit_depth: int) -> Pixels:
    """Map integer or float samples to uint8 of the same shape.

    Integers are scaled by the largest value that ``bit_depth`` allows, or by that of the next
    usual range (8, 16, 32 bits) if some value is beyond it. A wide file that holds only 8-bit
    values was converted without scaling and is read as such: a viewer would show it black.
    Floats in 0 to 1 are scaled by 255, other floats like integers; what fits no range (negative
    values, larger floats) is stretched from its smallest (or 0) to its largest value. Values
    that are not finite become 0.
    """
    floating = values.dtype.kind == "f"
    known = values[np.isfinite(values)] if floating else values
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    offset, span = _range(low, high, floating=floating, bit_depth=bit_depth)
    scaled = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _ROWS_AT_A_TIME):
        part = values[start : start + _ROWS_AT_A_TIME].astype(np.float32)
        part = np.nan_to_num(part, copy=False, nan=offset, posinf=offset, neginf=offset)
        scaled[start : start + _ROWS_AT_A_TIME] = np.rint((part - offset) * (255 / span))
    return scaled


def _range(low: float, high: float, *, floating: bool, bit_depth: int) -> tuple[float, float]:
    """What becomes 0, and how far above it 255 stands."""
    if low < 0:
        return low, (high - low) or 1.0
    if floating and high <= 1:
        return 0.0, 1.0
    for bits in (8, bit_depth, 16, 32):
        if 8 <= bits <= 32 and high <= 2**bits - 1:
            return 0.0, float(2**bits - 1)
    return 0.0, high
