"""What this installation can do, found out by doing it: formats are decoded, parts are loaded."""

from __future__ import annotations

import importlib
import importlib.metadata
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from image_duplicate_finder.decode import decode_full
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.settings import DecodeLimits

_FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "TIFF",
    "BMP",
    "HEIF",
    "AVIF",
    "JXL",
    "JPEG2000",
    "DDS",
    "PPM",
    "TGA",
    "ICO",
)
"""Formats that Pillow and its plugins can write, so that reading them can be tried."""

_SIDE = 64
_LARGEST_DIFFERENCE = 16.0
"""Mean difference of grey levels that the lossiest of the formats (GIF) stays below."""

_PARTS = {
    "rawpy": ("camera RAW files", "rawpy"),
    "onnxruntime": ("look-alikes (CNN features)", "onnxruntime"),
    "faiss-cpu": ("search among feature vectors", "faiss"),
    "numba": ("fast candidate search", "numba"),
    "opencv-python-headless": ("keypoints and alignment", "cv2"),
    "send2trash": ("the system's trash", "send2trash"),
    "waitress": ("the web app", "waitress"),
}
"""Distributions that some function stands on: what for, and the module to load."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried; ``detail`` is a version, or why it does not work."""

    name: str
    works: bool
    detail: str = ""


def check_formats() -> list[Check]:
    """Write a small picture in each format and decode it again as a scan would."""
    return [_checked(name, partial(_round_trip, name)) for name in _FORMATS]


def check_parts() -> list[Check]:
    """Load each library that does a part of the work."""
    return [
        _checked(words, partial(_loaded, distribution, module))
        for distribution, (words, module) in _PARTS.items()
    ]


def _checked(name: str, try_it: Callable[[], str]) -> Check:
    try:
        return Check(name, True, try_it())
    except (ImportError, OSError, ValueError, KeyError, DecodeError) as error:
        return Check(name, False, " ".join(str(error).split()) or type(error).__name__)


def _loaded(distribution: str, module: str) -> str:
    importlib.import_module(module)
    return f"{distribution} {importlib.metadata.version(distribution)}"


def _round_trip(name: str) -> str:
    from PIL import Image

    if name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    elif name == "JXL":
        importlib.import_module("pillow_jxl")
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE] * (255 // (_SIDE - 1))
    pixels = np.stack([rows, columns, np.full_like(rows, 128)], axis=2).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, format=name)
    decoded = decode_full(written.getvalue(), limits=DecodeLimits()).pixels
    if decoded.shape != pixels.shape:
        raise ValueError(f"decoded to {decoded.shape}, not {pixels.shape}")
    if np.abs(decoded.astype(int) - pixels).mean() > _LARGEST_DIFFERENCE:
        raise ValueError("decoded to another picture")
    return ""
