"""What this installation can do, found out by doing it: formats are decoded, parts are loaded."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

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
"""Formats that Pillow and the other libraries can write, so that reading them can be tried."""

_SIDE = 64
_LARGEST_DIFFERENCE = 16.0
"""Mean difference of grey levels that the lossiest of the formats (GIF) stays below."""

_PARTS = {
    "rawpy": ("camera RAW files", "rawpy"),
    "onnxruntime": ("look-alikes (CNN features)", "onnxruntime"),
    "numba": ("fast candidate search", "numba"),
    "opencv-python-headless": ("keypoints and alignment", "cv2"),
    "send2trash": ("the system's trash", "send2trash"),
    "waitress": ("the web app", "waitress"),
}
"""Distributions that some function stands on: what for, and the module to load."""


_OPTIONAL = {
    "JXL": ("pylibjxl", "JPEG XL files are listed as not readable"),
    "HEIF": ("pillow-heif", "HEIC files are listed as not readable"),
    "rawpy": ("rawpy", "camera RAW files are listed as not readable"),
    "onnxruntime": ("onnxruntime", "no look-alikes are found"),
}
"""What the program does without: the package, and what becomes of it."""

_INSTEAD = {"JXL": "pillow-jxl-plugin (GPL-3.0-or-later)"}
"""Packages that can do the same and are not installed by default."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried; ``detail`` is a version, or why it does not work.

    ``left_out`` is for what does not work since this system has no package of it; ``detail``
    then says what that means.
    """

    name: str
    works: bool
    detail: str = ""
    left_out: bool = False


def check_formats() -> list[Check]:
    """Write a small picture in each format and decode it again as a scan would."""
    return [_checked(name, name, partial(_round_trip, name)) for name in _FORMATS]


def check_parts() -> list[Check]:
    """Load each library that does a part of the work."""
    return [
        _checked(distribution, words, partial(_loaded, distribution, module))
        for distribution, (words, module) in _PARTS.items()
    ]


def package_versions() -> list[tuple[str, str]]:
    """Name and version of each package that the program asks for and finds."""
    from packaging.requirements import Requirement

    lines = importlib.metadata.requires("image-duplicate-finder") or []
    names = sorted({Requirement(line).name for line in lines})
    return [(name, importlib.metadata.version(name)) for name in names if _is_installed(name)]


def _checked(key: str, name: str, try_it: Callable[[], str]) -> Check:
    try:
        return Check(name, True, try_it())
    except (ImportError, OSError, ValueError, KeyError, DecodeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
    if key not in _OPTIONAL:
        return Check(name, False, reason)
    package, consequence = _OPTIONAL[key]
    if _is_installed(package):
        return Check(name, False, reason)
    instead = f"; {_INSTEAD[key]} can do it" if key in _INSTEAD else ""
    if _is_required(package):
        return Check(name, False, f"{package} is not installed: {consequence}{instead}")
    detail = f"{package} has no package for this system: {consequence}{instead}"
    return Check(name, False, detail, left_out=True)


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _is_required(distribution: str) -> bool:
    """Whether this program asks for the package on this system."""
    from packaging.requirements import Requirement

    try:
        lines = importlib.metadata.requires("image-duplicate-finder") or []
    except importlib.metadata.PackageNotFoundError:
        return True
    wanted = [one for one in map(Requirement, lines) if one.name == distribution]
    return any(one.marker is None or one.marker.evaluate({"extra": ""}) for one in wanted)


def _loaded(distribution: str, module: str) -> str:
    importlib.import_module(module)
    return f"{distribution} {importlib.metadata.version(distribution)}"


def _round_trip(name: str) -> str:
    rows, columns = np.mgrid[0:_SIDE, 0:_SIDE] * (255 // (_SIDE - 1))
    pixels = np.stack([rows, columns, np.full_like(rows, 128)], axis=2).astype(np.uint8)
    decoded = decode_full(_written(pixels, name), limits=DecodeLimits()).pixels
    if decoded.shape != pixels.shape:
        raise ValueError(f"decoded to {decoded.shape}, not {pixels.shape}")
    if np.abs(decoded.astype(int) - pixels).mean() > _LARGEST_DIFFERENCE:
        raise ValueError("decoded to another picture")
    return ""


def _written(pixels: NDArray[np.uint8], name: str) -> bytes:
    from PIL import Image

    if name == "JXL" and importlib.util.find_spec("pylibjxl") is not None:
        import pylibjxl

        return bytes(pylibjxl.encode(pixels, lossless=True))
    if name == "JXL":
        importlib.import_module("pillow_jxl")
    if name == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, format=name)
    return written.getvalue()
