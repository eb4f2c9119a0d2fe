"""PAM, and PFM in colours: the part of the PPM family that Pillow does not read, by NumPy.

Sources: the manual pages pam(5) of Netpbm and Paul Debevec's description of PFM.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode.limits import check_size
from image_duplicate_finder.decode.picture import Picture, Pixels, StoredPicture
from image_duplicate_finder.decode.tones import to_eight_bits
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.model import ImageInfo, Metadata
from image_duplicate_finder.settings import DecodeLimits

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
    share = alpha[:, :, None].astype(np.float32) / 255
    flat = np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)
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
        raise DecodeError(f"The {name} file's header is damaged.", stage="header")
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
        raise DecodeError(
            "The picture cannot be decoded: the file ends before its picture does.", stage="decode"
        )
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
