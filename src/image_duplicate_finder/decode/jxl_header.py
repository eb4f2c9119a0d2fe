"""Size, depth and colours out of a JPEG XL header (ISO 18181-1, annexes A, B and E).

The decoder decodes a picture while opening it, so its size has to be known before; and of colours
it tells only ICC profiles, while most files state theirs by numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from image_duplicate_finder.errors import DecodeError

_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_SIZE_BITS = (9, 13, 18, 30)
_DEPTHS = (8, 10, 12)
_HEADER_BYTES = 256
_MOST_BOXES = 1000
_WHITES = {1: (0.3127, 0.329), 10: (1 / 3, 1 / 3), 11: (0.314, 0.351)}
_PRIMARIES: dict[int, tuple[float, ...]] = {
    1: (0.64, 0.33, 0.3, 0.6, 0.15, 0.06),
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_ALPHA, _SPOT_COLOUR, _COLOUR_FILTER = 0, 2, 5
_REPACKED_JPEG = b"jbrd"


@dataclass(frozen=True, slots=True)
class JxlColours:
    """CIE xy of red, green, blue and white; the curve as in H.273, or a gamma if that is not 0."""

    points: tuple[float, ...] = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)
    transfer: int = 13
    gamma: float = 0.0


@dataclass(frozen=True, slots=True)
class JxlHeader:
    """``width`` and ``height`` before any turn.

    ``colours`` is None where an ICC profile tells them, or fields that are not read.
    ``repacked_jpeg``: the file can give back the JPEG that it was.
    """

    width: int
    height: int
    bit_depth: int
    animated: bool
    colours: JxlColours | None = None
    repacked_jpeg: bool = False


def read_jxl_header(data: bytes) -> JxlHeader:
    """Read a bare codestream or one in a container; DecodeError (``header``) if neither."""
    start, repacked = _codestream(data)
    bits = _Bits(data[start : start + _HEADER_BYTES], 16)
    width, height = _size(bits)
    if bits.take(1):  # all that follows has its usual values: 8 bits, sRGB
        return JxlHeader(width, height, 8, False, JxlColours(), repacked)
    animated = _passes_over_extras(bits)
    if animated is None:
        return JxlHeader(width, height, 8, False, repacked_jpeg=repacked)
    depth = _depth(bits)
    try:
        colours = _colours(bits)
    except DecodeError:  # names of channels can be longer than what is looked at
        colours = None
    return JxlHeader(width, height, depth, animated, colours, repacked)


class _Bits:
    """Reads unsigned numbers, least significant bit first."""

    def __init__(self, data: bytes, at: int) -> None:
        self._number = int.from_bytes(data, "little")
        self._left = len(data) * 8 - at
        self._number >>= at

    def take(self, count: int) -> int:
        """The next ``count`` bits as a number."""
        self._left -= count
        if self._left < 0:
            raise DecodeError("The JPEG XL file ends within its header.", stage="header")
        value = self._number & ((1 << count) - 1)
        self._number >>= count
        return value

    def choose(self, *forms: tuple[int, int]) -> int:
        """A number in one of four forms: (what is added, bits)."""
        added, count = forms[self.take(2)]
        return added + self.take(count)

    def kind(self) -> int:
        """A value of an enumeration."""
        return self.choose((0, 0), (1, 0), (2, 4), (18, 6))


def _codestream(data: bytes) -> tuple[int, bool]:
    """Where the codestream starts, and whether the container can give back a JPEG file."""
    if data.startswith(b"\xff\x0a"):
        return 0, False
    at, found, repacked = 0, 0, False
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            break
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        repacked = repacked or kind == _REPACKED_JPEG
        if kind in (b"jxlc", b"jxlp"):
            found = found or start + (4 if kind == b"jxlp" else 0)
        if size < 8:
            break
        at += size
    if found:
        return found, repacked
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


def _passes_over_extras(bits: _Bits) -> bool | None:
    """Whether it is an animation; None for one with a preview, whose header is not read on."""
    if not bits.take(1):
        return False
    bits.take(3)  # the turn, which the decoder carries out
    if bits.take(1):
        _size(bits)
    if bits.take(1):
        return None
    if not bits.take(1):
        return False
    bits.choose((100, 0), (1000, 0), (1, 10), (1, 30))
    bits.choose((1, 0), (1001, 0), (1, 8), (1, 10))
    bits.choose((0, 0), (0, 3), (0, 16), (0, 32))
    bits.take(1)
    return True


def _depth(bits: _Bits) -> int:
    """Bits per sample of a channel."""
    if bits.take(1):
        depth = bits.choose((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)
        return depth
    choice = bits.take(2)
    return _DEPTHS[choice] if choice < 3 else bits.take(6) + 1


def _colours(bits: _Bits) -> JxlColours | None:
    bits.take(1)
    for _ in range(bits.choose((0, 0), (1, 0), (2, 4), (1, 12))):
        _pass_over_channel(bits)
    bits.take(1)
    if bits.take(1):
        return JxlColours()
    if bits.take(1):  # an ICC profile
        return None
    grey = bits.kind() == 1
    kind = bits.kind()
    white = _WHITES[kind] if kind in _WHITES else _point(bits)
    points = _PRIMARIES[1]
    if not grey and (kind := bits.kind()) != 1:
        points = _PRIMARIES[kind] if kind in _PRIMARIES else _points(bits)
    if bits.take(1):
        return JxlColours((*points, *white), gamma=bits.take(24) / 1e7)
    return JxlColours((*points, *white), bits.kind())


def _points(bits: _Bits) -> tuple[float, ...]:
    return (*_point(bits), *_point(bits), *_point(bits))


def _point(bits: _Bits) -> tuple[float, float]:
    """A colour as CIE xy."""
    x, y = (bits.choose((0, 19), (1 << 19, 19), (1 << 20, 20), (1 << 21, 21)) for _ in range(2))
    return _signed(x), _signed(y)


def _signed(number: int) -> float:
    return (-(number + 1) // 2 if number & 1 else number // 2) / 1e6


def _pass_over_channel(bits: _Bits) -> None:
    """Read over what is said of a channel beside the colours."""
    if bits.take(1):
        return
    kind = bits.kind()
    _depth(bits)
    bits.choose((0, 0), (3, 0), (4, 0), (1, 3))
    bits.take(8 * bits.choose((0, 0), (0, 4), (16, 5), (48, 10)))
    if kind == _ALPHA:
        bits.take(1)
    elif kind == _SPOT_COLOUR:
        bits.take(64)
    elif kind == _COLOUR_FILTER:
        bits.choose((1, 0), (0, 2), (3, 4), (19, 8))
