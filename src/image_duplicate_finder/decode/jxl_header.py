"""Size and depth out of a JPEG XL header (ISO 18181-1, annex A and B).

The JPEG XL plugin decodes a picture while opening it, so its size has to be known before.
"""

from __future__ import annotations

from dataclasses import dataclass

from image_duplicate_finder.errors import DecodeError

_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIZE_BITS = (9, 13, 18, 30)
_DEPTHS = (8, 10, 12)


@dataclass(frozen=True, slots=True)
class JxlHeader:
    """``width`` and ``height`` before any turn; ``bit_depth`` 8 where it is not stated early."""

    width: int
    height: int
    bit_depth: int
    animated: bool


def read_jxl_header(data: bytes) -> JxlHeader:
    """Read a bare codestream or one in a container; DecodeError (``header``) if neither."""
    bits = _Bits(_codestream(data), 16)
    width, height = _size(bits)
    depth, animated = _depth(bits)
    return JxlHeader(width, height, depth, animated)


class _Bits:
    """Reads unsigned numbers, least significant bit first."""

    def __init__(self, data: bytes, at: int) -> None:
        self._number = int.from_bytes(data[:64], "little")
        self._left = min(len(data), 64) * 8 - at
        self._number >>= at

    def take(self, count: int) -> int:
        """The next ``count`` bits as a number."""
        self._left -= count
        if self._left < 0:
            raise DecodeError("The JPEG XL file ends within its header.", stage="header")
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        return value


def _codestream(data: bytes) -> bytes:
    """The first bytes of the codestream."""
    if data.startswith(b"\xff\x0a"):
        return data[:64]
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        if kind in (b"jxlc", b"jxlp"):
            start += 4 if kind == b"jxlp" else 0
            return data[start : start + 64]
        if size < 8:
            break
        at += size
    raise DecodeError("The JPEG XL file holds no picture.", stage="header")


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if ratio == 0:
        return _side(bits, small), height
    across, down = _RATIOS[ratio]
    return height * across // down, height


def _side(bits: _Bits, small: int) -> int:
    if small:
        return (bits.take(5) + 1) * 8
    return bits.take(_SIZE_BITS[bits.take(2)]) + 1


def _depth(bits: _Bits) -> tuple[int, bool]:
    """Bits per sample and whether it is an animation, as far as told before rarer fields."""
    if bits.take(1):
        return 8, False
    if bits.take(1):
        bits.take(3)
        if bits.take(1):
            _size(bits)
        if bits.take(1):
            return 8, False
        if bits.take(1):
            return 8, True
    if bits.take(1):
        return 32, False
    choice = bits.take(2)
    return (_DEPTHS[choice] if choice < 3 else bits.take(6) + 1), False
