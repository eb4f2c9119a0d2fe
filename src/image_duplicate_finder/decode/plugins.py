"""Opening bytes with one of Pillow's plugins.

``PIL.Image.open`` is not used: it loads every plugin at start, applies a pixel limit of its own
that is a global of the host program, and lets a PostScript file start Ghostscript. This module
asks the same registry, one plugin at a time.
"""

from __future__ import annotations

import importlib
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from image_duplicate_finder.decode.reasons import DAMAGED, plain_reason
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
    """Import the plugin of one format, or all of them.

    Their own threads are turned off: this program decodes several files at a time instead.
    """
    if name == "HEIF" or name is None:
        import pillow_heif

        pillow_heif.register_heif_opener(decode_threads=1)
    if name == "JXL" or name is None:
        from pillow_jxl import JpegXLImagePlugin

        JpegXLImagePlugin.DECODE_THREADS = 0
    if name == "AVIF" or name is None:
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    if name in _PLUGINS:
        importlib.import_module(_PLUGINS[name])
    elif name is None:
        from PIL import Image

        Image.init()
