"""Opening bytes with one of Pillow's plugins.

``PIL.Image.open`` is not used: it loads every plugin at start, applies a pixel limit of its own
that is a global of the host program, and lets a PostScript file start Ghostscript. This module
asks the same registry, one plugin at a time.
"""

from __future__ import annotations

import importlib
import importlib.util
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from types import ModuleType
from typing import TYPE_CHECKING, Any

from image_duplicate_finder.decode.jxl_header import read_jxl_header
from image_duplicate_finder.decode.reasons import DAMAGED, lacks_memory, plain_reason
from image_duplicate_finder.decode.sniff import what_else
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.settings import DecodeLimits

if TYPE_CHECKING:
    from PIL.Image import Image

_PLUGINS = {
    "AVIF": "PIL.AvifImagePlugin",
    "BMP": "PIL.BmpImagePlugin",
    "DDS": "PIL.DdsImagePlugin",
    "GIF": "PIL.GifImagePlugin",
    "JPEG": "PIL.JpegImagePlugin",
    "JPEG2000": "PIL.Jpeg2KImagePlugin",
    "PNG": "PIL.PngImagePlugin",
    "PSD": "PIL.PsdImagePlugin",
    "QOI": "PIL.QoiImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
}
# PostScript and Windows metafiles are programs for an interpreter outside; the others hold no
# picture that Pillow itself could decode.
_REFUSED = frozenset({"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"})
# What plugins raise for bytes that are not theirs; the same set that PIL.Image.open catches.
_NOT_MINE = (SyntaxError, IndexError, TypeError, struct.error)

_pillow_globals = threading.RLock()


@contextmanager
def own_limits(limits: DecodeLimits) -> Iterator[None]:
    """Let this program's pixel limit take the place of Pillow's, and keep its warnings quiet.

    Both are globals of the process, so one thread at a time; they are put back at the end.
    """
    from PIL import Image

    with _pillow_globals, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = Image.MAX_IMAGE_PIXELS
        # Pillow refuses a picture of more than twice the number and only warns below that.
        Image.MAX_IMAGE_PIXELS = limits.pixels // 2
        try:
            yield
        except Image.DecompressionBombError as error:
            message = f"The picture is larger than the limit of {limits.pixels:,} pixels."
            raise DecodeError(message, stage="limits") from error
        finally:
            Image.MAX_IMAGE_PIXELS = before


def open_image(data: bytes, name: str | None) -> Image:
    """Open a picture without decoding it, with the plugin of that format first.

    Raises DecodeError (stage ``header``) where no plugin takes the bytes, and whatever a plugin
    raises for damaged ones.
    """
    if name == "JXL" and _is_here("pylibjxl"):
        return _open_jxl(data)
    _load_plugins(name)
    tried: str | None = None
    reason = DAMAGED
    if name is not None:
        tried = name
        try:
            image = _open_with(name, data)
        except _NOT_MINE as error:
            image, reason = None, plain_reason(error)
        if image is not None:
            return image
    _load_plugins(None)
    from PIL import Image

    for other in Image.ID:
        if other != tried and other not in _REFUSED:
            try:
                image = _open_with(other, data)
            except _NOT_MINE:
                continue
            if image is not None:
                return image
    if name is None:
        raise DecodeError(f"The file is {what_else(data)}.", stage="header")
    detail = f" ({reason})" if reason != DAMAGED else ""
    raise DecodeError(f"The {name} file's header is damaged{detail}.", stage="header")


def _open_with(name: str, data: bytes) -> Image | None:
    from PIL import Image

    factory, accepts = Image.OPEN[name]
    if accepts is not None:
        verdict = accepts(data[:16])
        if not verdict or isinstance(verdict, str):
            return None
    return factory(BytesIO(data), "")


def _load_plugins(name: str | None) -> None:
    """Import the plugin of one format, or all of them that this installation has.

    Their own threads are turned off: this program decodes several files at a time instead.
    """
    if name == "HEIF" or (name is None and _is_here("pillow_heif")):
        needed("pillow_heif", "HEIC").register_heif_opener(decode_threads=1)
    # pylibjxl needs no plugin; where it has no wheel, that of the extra jxl-gpl can do it.
    if not _is_here("pylibjxl") and (name == "JXL" or (name is None and _is_here("pillow_jxl"))):
        plugin: Any = needed("pillow_jxl.JpegXLImagePlugin", "JPEG XL")
        plugin.DECODE_THREADS = 0
    if name == "AVIF" or name is None:
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    if name in _PLUGINS:
        importlib.import_module(_PLUGINS[name])
    elif name is None:
        from PIL import Image

        Image.init()


def needed(module: str, what: str) -> ModuleType:
    """The module of a package that not every system has.

    Raises DecodeError (stage ``installation``) where it is missing or cannot be loaded.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"This installation cannot read {what} files; `idf doctor` says why."
        raise DecodeError(message, stage="installation") from error


def _is_here(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


@lru_cache(maxsize=1)
def _jxl_decoder() -> Any:
    return needed("pylibjxl", "JPEG XL").JXL(threads=1, pool_size=1)


def _open_jxl(data: bytes) -> Image:
    """Decode a JPEG XL file, by way of the JPEG file where it only repacks one."""
    from PIL import Image

    if read_jxl_header(data).repacked_jpeg and (jpeg := _repacked(data)) is not None:
        return jpeg
    samples, boxes = _jxl_decoder().decode(data, metadata=True)
    image = Image.fromarray(samples)
    image.format = "JXL"
    for name, box in (("exif", "exif"), ("xmp", "xmp"), ("icc_profile", "icc")):
        if box in boxes:
            image.info[name] = boxes[box]
    exif = image.info.get("exif", b"")
    # The box starts with an offset, which the decoder cuts off. Some programs leave it out.
    for order, eight in ((b"MM\0*", b"\0\0\0\x08"), (b"II*\0", b"\x08\0\0\0")):
        if exif.startswith(eight):
            image.info["exif"] = order + exif
    return image


def _repacked(data: bytes) -> Image | None:
    try:
        jpeg = _jxl_decoder().jxl_to_jpeg(data)
        image = _open_with("JPEG", jpeg)
    except (RuntimeError, ValueError, *_NOT_MINE) as error:
        if lacks_memory(error):
            raise
        return None
    if image is not None:
        image.format = "JXL"
        image.jpeg = True  # type: ignore[attr-defined]  # as the plugin of jxl-gpl says it
    return image
