"""Every format but JPEG's usual kinds and camera RAW, through Pillow and its plugins.

``PIL.Image.open`` is not used: it loads every plugin, applies a pixel limit that is a global of
the host program, and lets a PostScript file start Ghostscript. This module asks the same
registry, one plugin at a time.
"""

from __future__ import annotations

import importlib
import importlib.util
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from math import ceil
from types import ModuleType
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from image_duplicate_finder.decode.colours import (
    ColourCoding,
    changes_look,
    coded_to_srgb,
    read_colour_coding,
    to_srgb,
)
from image_duplicate_finder.decode.common import (
    Picture,
    Pixels,
    StoredPicture,
    check_memory,
    check_size,
    lacks_memory,
    plain_reason,
    reduction,
    shrink,
    swaps_sides,
    to_eight_bits,
    upright,
)
from image_duplicate_finder.decode.facts import jpeg2000_levels, read_facts
from image_duplicate_finder.decode.headers import read_jxl_header
from image_duplicate_finder.decode.metadata import NO_EXIF, merge_metadata, read_exif
from image_duplicate_finder.decode.pillow_gaps import decode_dds_masks, decode_qoi
from image_duplicate_finder.decode.sniff import what_else
from image_duplicate_finder.errors import DecodeError, FailureStage
from image_duplicate_finder.messages import DecoderReason, FailureReason
from image_duplicate_finder.model import ImageInfo
from image_duplicate_finder.settings import DecodeLimits

if TYPE_CHECKING:
    from PIL.Image import Image


_WHITE = (255, 255, 255)
_STRIP_PIXELS = 1 << 22
# Bytes per pixel of the canvas that a decoder fills before it gives any pixel.
_CANVAS_BYTES = {"WEBP": 24}
_FAMILY = {"MPO": "JPEG", "DIB": "BMP"}
# Formats whose decoder turns the picture itself: libheif and libjxl by the container's own
# transform, Pillow's TIFF reader by the orientation tag.
_TURNED_BY_DECODER = frozenset({"HEIF", "JXL", "TIFF"})
# Formats whose plugin widens integer samples of more than 8 bits to the full 16.
_WIDENED_BY_DECODER = frozenset({"HEIF", "JPEG2000", "JXL"})
_FRAMES_IN_HEADER = frozenset({"HEIF", "AVIF", "MPO"})
# From so many pixels on, Numba compiles and decodes faster than Pillow decodes.
_WORTH_COMPILING = 2_000_000
_CODED_FORMATS = frozenset({"HEIF", "AVIF", "JXL", "PNG"})
_ALPHA_MODES = frozenset({"RGBA", "RGBa", "LA", "La", "PA"})
_PALETTE_MODES = frozenset({"1", "P", "PA"})
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F"})
_EIGHT_BIT_MODES = _ALPHA_MODES | {"1", "L", "P", "RGB"}


def read_with_pillow(data: bytes, name: str | None, limits: DecodeLimits) -> ImageInfo:
    """Header and metadata without decoding."""
    with own_limits(limits):
        return _opened(data, name, limits)[1]


def decode_with_pillow(
    data: bytes,
    name: str | None,
    limits: DecodeLimits,
    *,
    long_side: int | None,
    colour: bool,
) -> Picture:
    """Decode upright sRGB pixels; ``long_side`` None means full size and keeps alpha apart."""
    with own_limits(limits):
        image, info = _opened(data, name, limits)
        factor = 1
        if long_side is not None:
            if info.format == "HEIF":
                _take_thumbnail(image, long_side)
            factor = reduction(*image.size, long_side)
            if info.format == "JPEG2000":
                factor = _take_resolution(image, data, factor)
        colours = _colours(image, data)
        pixels, alpha = _samples(_loaded(image, data), factor, info, colours)
    pixels = upright(pixels, info.orientation)
    if long_side is None:
        alpha = upright(alpha, info.orientation) if alpha is not None else None
        return Picture(pixels, info, alpha)
    if not colour:
        pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    return Picture(pixels, info)


def decode_stored_with_pillow(
    data: bytes, name: str | None, limits: DecodeLimits
) -> StoredPicture | None:
    """Upright pixels just as stored, None where 8 bits RGB and alpha cannot hold them."""
    with own_limits(limits):
        image, info = _opened(data, name, limits)
        if info.frames > 1 or info.bit_depth > 8 or image.mode not in _EIGHT_BIT_MODES:
            return None
        colours = _colours(image, data)
        image = _plain_mode(_loaded(image, data))
        alpha = _alpha(image)
        pixels = np.asarray(_without_alpha(image).convert("RGB"), np.uint8)
    return StoredPicture(
        pixels=upright(pixels, info.orientation),
        alpha=None if alpha is None else upright(alpha, info.orientation),
        colours=_colours_name(colours),
    )


def _opened(data: bytes, name: str | None, limits: DecodeLimits) -> tuple[Image, ImageInfo]:
    """The picture, not yet decoded, and what is known of it, with the pixel limit checked."""
    if name == "JXL":
        header = read_jxl_header(data)
        check_size(header.width, header.height, limits)
    image = open_image(data, name)
    check_size(*image.size, limits)
    check_memory(*image.size, _CANVAS_BYTES.get(image.format or "", 0), limits)
    return image, _info(image, data)


def _info(image: Image, data: bytes) -> ImageInfo:
    name = _FAMILY.get(image.format or "", image.format or "unknown")
    width, height = image.size
    facts = read_facts(data, name)
    if image.format in _FRAMES_IN_HEADER:
        facts = replace(facts, frames=int(getattr(image, "n_frames", 1)))
    block = data if name == "TIFF" else image.info.get("exif") or facts.exif
    exif = read_exif(block) if isinstance(block, bytes) and block else NO_EXIF
    orientation = 1 if _turned_by_decoder(image) else exif.orientation
    if swaps_sides(orientation):
        width, height = height, width
    xmp = image.info.get("xmp", image.info.get("XML:com.adobe.xmp", b"")) or facts.xmp
    return ImageInfo(
        format=name,
        width=width,
        height=height,
        orientation=orientation,
        bit_depth=facts.bit_depth,
        has_alpha=image.mode in _ALPHA_MODES or "transparency" in image.info,
        frames=facts.frames,
        lossless=facts.lossless,
        metadata=merge_metadata(
            exif=exif,
            has_exif=exif != NO_EXIF,
            xmp=xmp.encode("utf-8", "replace") if isinstance(xmp, str) else bytes(xmp),
            iptc=facts.iptc,
            texts=facts.texts,
            size=image.size,
            profile=_profile(image),
            inks=image.mode == "CMYK",
            grey=image.mode in _GREY_MODES or image.mode.startswith("I;16"),
            few_colours=image.mode in _PALETTE_MODES,
        ),
        parts=facts.parts,
        frame_digests=facts.frame_digests,
        incomplete=facts.incomplete,
    )


def _turned_by_decoder(image: Image) -> bool:
    """JPEG XL that only repacks a JPEG file comes as that file was: not turned."""
    repacked_jpeg = image.format == "JXL" and getattr(image, "jpeg", False)
    return image.format in _TURNED_BY_DECODER and not repacked_jpeg


def _take_thumbnail(image: Image, long_side: int) -> None:
    """Use an embedded thumbnail if it is a scaled copy and large enough.

    Which it is the HEIF plugin decides, by shape, turn, crop and colour profile.
    """
    width, height = image.size
    scale = long_side / max(width, height)
    if scale < 1:
        image.draft(None, (ceil(width * scale), ceil(height * scale)))


def _take_resolution(image: Image, data: bytes, factor: int) -> int:
    """Let a JPEG 2000 decoder leave out its finest wavelet levels; the reduction that remains."""
    levels = min(jpeg2000_levels(data), factor.bit_length() - 1)
    if levels > 0:
        image.reduce = levels  # type: ignore[assignment, method-assign]
    return factor >> levels


def _loaded(image: Image, data: bytes) -> Image:
    """The decoded picture, by a codec of this package where Pillow's is pure Python."""
    tiles = getattr(image, "tile", [])
    codec, arguments = (tiles[0][0], tiles[0][3]) if tiles else ("", ())
    if codec == "qoi" and image.width * image.height > _WORTH_COMPILING:
        pixels = decode_qoi(data, *image.size, len(image.getbands()))
    elif codec == "dds_rgb":
        pixels = decode_dds_masks(data, *image.size, *arguments)
    else:
        image.load()
        return image
    from PIL import Image as PillowImage

    return PillowImage.fromarray(pixels)


def _profile(image: Image) -> bytes:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) else b""


def _colours(image: Image, data: bytes) -> bytes | ColourCoding | None:
    """The ICC profile or else the coding, where pixels taken for sRGB would look different."""
    profile = _profile(image)
    if profile:
        return profile if changes_look(profile) else None
    coding = read_colour_coding(data) if image.format in _CODED_FORMATS else None
    return coding if coding is not None and coding.changes_look else None


def _colours_name(colours: bytes | ColourCoding | None) -> bytes:
    """The colours as bytes to compare: empty for sRGB, the ICC profile, or both code points."""
    if isinstance(colours, ColourCoding):
        numbers = bytes((colours.primaries & 0xFF, colours.transfer & 0xFF))
        return numbers + repr((colours.points, colours.gamma)).encode() * bool(colours.points)
    return colours or b""


def _samples(
    image: Image, factor: int, info: ImageInfo, colours: bytes | ColourCoding | None
) -> tuple[Pixels, Pixels | None]:
    """RGB flattened on white, and the alpha channel if there is one, both at 1/factor.

    Works on strips: a second copy of a large picture would need too much memory.
    """
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        bits = 16 if info.format in _WIDENED_BY_DECODER else info.bit_depth
        grey = shrink(to_eight_bits(np.asarray(image), bits), factor)
        return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8), None
    width, height = image.size
    size = ceil(height / factor), ceil(width / factor)
    pixels = np.empty((*size, 3), np.uint8)
    alpha = np.empty(size, np.uint8) if info.has_alpha else None
    rows = max(_STRIP_PIXELS // width // factor, 1)
    for top in range(0, size[0], rows):
        bottom = min(top + rows, size[0])
        strip = image.crop((0, top * factor, width, min(bottom * factor, height)))
        solid, strip_alpha = _strip_samples(strip, factor, colours)
        pixels[top:bottom] = solid
        if alpha is not None:
            alpha[top:bottom] = 255 if strip_alpha is None else strip_alpha
    return pixels, None if alpha is None or alpha.min() == 255 else alpha


def _strip_samples(
    image: Image, factor: int, colours: bytes | ColourCoding | None
) -> tuple[Pixels, Pixels | None]:
    image = _plain_mode(image)
    if factor > 1:
        image = image.reduce(factor)
    alpha = _alpha(image)
    solid = _without_alpha(image)
    if isinstance(colours, bytes):
        solid = to_srgb(solid, colours)
    pixels = np.asarray(solid.convert("RGB"), np.uint8)
    if isinstance(colours, ColourCoding):
        pixels = coded_to_srgb(pixels, colours)
    if alpha is None:
        return pixels, None
    from PIL import Image as PillowImage

    canvas = PillowImage.new("RGB", solid.size, _WHITE)
    canvas.paste(PillowImage.fromarray(pixels), mask=PillowImage.fromarray(alpha))
    return np.asarray(canvas, np.uint8), alpha


def _plain_mode(image: Image) -> Image:
    """Palettes, colour keys, premultiplied and rare modes as L, LA, RGB, RGBA, CMYK or LAB."""
    if image.mode in ("RGB", "L", "1", "P") and "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in ("PA", "RGBa"):
        return image.convert("RGBA")
    if image.mode == "La":
        return image.convert("LA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        return image
    return image.convert("RGB")


def _alpha(image: Image) -> Pixels | None:
    """The alpha channel (H, W); None for a picture that has none or is opaque throughout."""
    if image.mode not in ("RGBA", "LA"):
        return None
    alpha = image.getchannel("A")
    return None if alpha.getextrema() == (255, 255) else np.asarray(alpha, np.uint8)


def _without_alpha(image: Image) -> Image:
    return image.convert({"RGBA": "RGB", "LA": "L"}.get(image.mode, image.mode))


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
    """Use this program's pixel limit in place of Pillow's, and silence its warnings.

    Both are globals of the process, so one thread at a time; they are restored at the end.
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
            message = FailureReason.MORE_PIXELS(limit=limits.pixels)
            raise DecodeError(message, stage=FailureStage.LIMITS) from error
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
    reason = DecoderReason.DAMAGED()
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
        raise DecodeError(what_else(data), stage=FailureStage.HEADER)
    if reason.code is DecoderReason.DAMAGED:
        raise DecodeError(FailureReason.HEADER(format=name), stage=FailureStage.HEADER)
    raise DecodeError(
        FailureReason.HEADER_BECAUSE(format=name, reason=reason), stage=FailureStage.HEADER
    )


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
    # pylibjxl needs no plugin; where it has no wheel, the plugin of the extra jxl-gpl is used.
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
        message = FailureReason.NOT_INSTALLED(what=what)
        raise DecodeError(message, stage=FailureStage.INSTALLATION) from error


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
