"""What all decoders share: the decoded picture, limits, failures, scaling, orientation, 8 bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from image_duplicate_finder.errors import DecodeError, FailureStage
from image_duplicate_finder.messages import DecoderReason, FailureReason, Message, plain
from image_duplicate_finder.model import ImageInfo
from image_duplicate_finder.settings import DecodeLimits

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    ``pixels``: uint8 (H, W, 3) in sRGB or (H, W) grey (BT.601 luma of sRGB), upright, alpha
    flattened on white. ``info`` describes the file: its size is that of the upright picture at
    full size, whatever the size of ``pixels``. ``alpha``: uint8 (H, W), 255 is opaque; given by
    ``decode_full`` where the file has one that is not opaque throughout, else None. ``steps``: of a
    JPEG, what the 64 luminance terms of a block were rounded to, row by row as stored.
    """

    pixels: Pixels
    info: ImageInfo
    alpha: Pixels | None = None
    steps: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture's pixels upright but otherwise just as stored, to compare them exactly.

    ``pixels``: uint8 (H, W, 3) or uint16 (H, W, C) in the file's own colours, not flattened.
    ``alpha``: uint8 (H, W), None if absent or opaque throughout. ``colours``: the ICC
    profile or another name of the colour space, empty for sRGB. ``rest``: bytes after the picture
    that are part of the content (a motion photo's video), else empty.
    """

    pixels: Pixels | NDArray[np.uint16]
    alpha: Pixels | None = None
    colours: bytes = b""
    rest: bytes = b""


def check_bytes(data: bytes, limits: DecodeLimits) -> None:
    """Refuse a file that is larger than the limit."""
    if len(data) > limits.bytes:
        message = FailureReason.TOO_MANY_BYTES(count=len(data), limit=limits.bytes)
        raise DecodeError(message, stage=FailureStage.LIMITS)


def check_size(width: int, height: int, limits: DecodeLimits) -> None:
    """Refuse a picture without pixels or with more than the limit, before decoding it."""
    if width < 1 or height < 1:
        message = FailureReason.NO_PIXELS(width=width, height=height)
        raise DecodeError(message, stage=FailureStage.HEADER)
    if width * height > limits.pixels:
        message = FailureReason.TOO_MANY_PIXELS(
            width=width, height=height, pixels=width * height, limit=limits.pixels
        )
        raise DecodeError(message, stage=FailureStage.LIMITS)


def check_memory(width: int, height: int, bytes_per_pixel: int, limits: DecodeLimits) -> None:
    """Refuse a picture whose decoder is known to need more memory than a worker may use."""
    needed = width * height * bytes_per_pixel
    if needed > limits.memory:
        message = FailureReason.NEEDS_MEMORY(
            width=width, height=height, needed=needed >> 20, limit=limits.memory >> 20
        )
        raise DecodeError(message, stage=FailureStage.LIMITS)


def reduction(width: int, height: int, long_side: int) -> int:
    """The largest power of two by which the long side can be divided and still reach ``long_side``.

    Powers of two are what JPEG decoders offer (ITU-T T.81 blocks of 8 x 8); other formats use
    the same ones, so that a picture's fingerprint hardly depends on its format.
    """
    longest, factor = max(width, height), 1
    while -(-longest // (factor * 2)) >= long_side and min(width, height) >= factor * 2:
        factor *= 2
    return factor


def shrink(pixels: Pixels, factor: int) -> Pixels:
    """Average blocks of ``factor`` x ``factor`` pixels; sizes are rounded up."""
    if factor == 1:
        return pixels
    height, width = pixels.shape[:2]
    size = (-(-width // factor), -(-height // factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), pixels.dtype)


Sample = TypeVar("Sample", np.uint8, np.uint16, np.float32)


def swaps_sides(orientation: int) -> bool:
    """Whether the upright picture has the stored picture's width as its height."""
    return orientation >= 5


def upright(stored: NDArray[Sample], orientation: int) -> NDArray[Sample]:
    """The picture (H, W) or (H, W, C) as it is meant to be seen; values other than 2 to 8 mean 1.

    Gives a contiguous array; for orientation 1 the very array that came in.
    """
    match orientation:
        case 2:
            turned = cv2.flip(stored, 1)
        case 3:
            turned = cv2.rotate(stored, cv2.ROTATE_180)
        case 4:
            turned = cv2.flip(stored, 0)
        case 5:
            turned = cv2.transpose(stored)
        case 6:
            turned = cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            turned = cv2.rotate(cv2.transpose(stored), cv2.ROTATE_180)
        case 8:
            turned = cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return stored
    return np.asarray(turned, dtype=stored.dtype)


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
    """The value that becomes 0, and the span from it to the value that becomes 255."""
    if low < 0:
        return low, (high - low) or 1.0
    if floating and high <= 1:
        return 0.0, 1.0
    for bits in (8, bit_depth, 16, 32):
        if 8 <= bits <= 32 and high <= 2**bits - 1:
            return 0.0, float(2**bits - 1)
    return 0.0, high


_REASONS = (
    ("image file is truncated", DecoderReason.CUT_OFF),
    ("Truncated File Read", DecoderReason.CUT_OFF),
    ("not enough image data", DecoderReason.CUT_OFF),
    ("unpack requires", DecoderReason.CUT_OFF),
    ("unpack_from requires", DecoderReason.CUT_OFF),
    ("Unexpected end of file", DecoderReason.CUT_OFF),
    ("Insufficient input data", DecoderReason.CUT_OFF),
    ("checksum", DecoderReason.CHECKSUM),
    ("broken data stream", DecoderReason.DAMAGED),
    ("unrecognized data stream", DecoderReason.DAMAGED),
    ("buffer overrun", DecoderReason.DAMAGED),
    ("decoder error", DecoderReason.DAMAGED),
    ("Decoder error", DecoderReason.DAMAGED),
    ("decoder object", DecoderReason.DAMAGED),
    ("cannot load this image", DecoderReason.DAMAGED),
    ("tile cannot extend", DecoderReason.DAMAGED),
    ("no marker found", DecoderReason.DAMAGED),
    ("parsing failed", DecoderReason.DAMAGED),
    ("Malformed", DecoderReason.DAMAGED),
    ("not identified by this driver", DecoderReason.DAMAGED),
    ("unknown data organization", DecoderReason.UNKNOWN_KIND),
    ("unknown pixel mode", DecoderReason.UNKNOWN_KIND),
    ("Invalid value for samples per pixel", DecoderReason.UNKNOWN_KIND),
    ("MAX_TEXT", DecoderReason.METADATA),
)
_MEMORY = (
    "out of memory",
    "outofmemory",
    "nsufficient memory",
    "memory alloc",
    "bad_alloc",
    "failed to allocate",
    "cannot allocate",
    "could not allocate",
    "unable to allocate",
)


def plain_reason(error: BaseException) -> Message:
    """The reason that an exception of some decoder gives, as the rest of a sentence.

    A bare number or key means nothing to people and becomes "its data are damaged".
    """
    said = " ".join(str(error).split())[:200].rstrip(".")
    for phrase, code in _REASONS:
        if phrase in said:
            return code()
    return plain(said) if " " in said else DecoderReason.DAMAGED()


def lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out; most decoders raise an exception of their own."""
    said = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(word in said for word in _MEMORY)


def is_of_the_system(error: BaseException) -> bool:
    """Whether the system refused something (a thread, a descriptor, a full disk, a library).

    Decoders raise OSError for damaged bytes too, but without an error number.
    """
    if isinstance(error, ImportError):
        return True
    return (isinstance(error, OSError) and error.errno is not None) or "new thread" in str(error)


def digest_of(*pieces: bytes) -> str:
    """A short digest for telling contents apart: the first 8 bytes of BLAKE3 as hex."""
    hasher = blake3()
    for piece in pieces:
        hasher.update(piece)
    return hasher.digest(8).hex()
