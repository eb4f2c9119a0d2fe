"""One picture in every format and mode that can be written is the same picture for us."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401  (registers the writer)
import pytest
from PIL import Image, ImageCms

from image_duplicate_finder.decode import decode_full, decode_small, read_info
from image_duplicate_finder.decode.pillow_gaps import decode_qoi
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.fingerprint import perceptual
from image_duplicate_finder.settings import DecodeLimits
from tests.decode.picture_files import (
    dng_file,
    encode,
    longs,
    mosaic_of,
    png_chunk,
    shorts,
    tiff_file,
    with_segment,
)
from tests.painting import paint_photo

LIMITS = DecodeLimits()
pillow_heif.register_heif_opener()
Image.init()

# Bits of 256 by which a lossy writer may move the hash of this picture.
NEAR = 8

WRITABLE = {
    "1": ("BMP", "GIF", "JPEG", "PNG", "PPM", "TGA", "TIFF", "PCX", "XBM"),
    "L": ("AVIF", "BMP", "DDS", "GIF", "HEIF", "ICNS", "ICO", "JPEG", "JPEG2000", "JXL", "PCX",
          "PNG", "PPM", "SGI", "TGA", "TIFF", "WEBP"),
    "LA": ("AVIF", "DDS", "GIF", "HEIF", "JPEG2000", "JXL", "PNG", "TGA", "TIFF", "WEBP"),
    "P": ("AVIF", "BMP", "GIF", "PCX", "PNG", "TGA", "TIFF", "WEBP"),
    "RGB": ("AVIF", "BMP", "DDS", "DIB", "GIF", "HEIF", "ICNS", "ICO", "JPEG", "JPEG2000",
            "JXL", "MPO", "PCX", "PNG", "PPM", "QOI", "SGI", "SPIDER", "TGA", "TIFF", "WEBP"),
    "RGBA": ("AVIF", "BMP", "DDS", "GIF", "HEIF", "ICO", "JPEG2000", "JXL", "PNG", "QOI", "SGI",
             "TGA", "TIFF", "WEBP"),
    "CMYK": ("JPEG", "TIFF"),
    "YCbCr": ("JPEG", "JPEG2000", "TIFF"),
    "LAB": ("TIFF",),
    "I": ("PPM", "SPIDER", "TIFF"),
    "F": ("PPM", "TIFF"),  # JPEG XL takes 1.0 for white
    "I;16": ("HEIF", "JPEG2000", "JXL", "PNG", "PPM", "TIFF"),
}  # fmt: skip
# Formats whose writer stores grey pictures without colour channels.
_GREY_AS_GREY = frozenset({"JPEG", "JPEG2000", "JXL", "PNG", "PPM", "TGA", "TIFF"})
REPORTED = {"DIB": "BMP", "MPO": "JPEG"}


def photo(width: int = 480) -> Image.Image:
    return Image.fromarray(paint_photo(5, width, width * 3 // 4))


def in_mode(mode: str, width: int = 480) -> Image.Image:
    picture = photo(width)
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.applyTransform(
            picture, ImageCms.buildTransform(*profiles, "RGB", "LAB")
        )
        assert converted is not None
        return converted
    return picture.convert(mode)


def hash_bits(grey: np.ndarray) -> np.ndarray:
    return np.unpackbits(perceptual.decode(perceptual.encode(grey))[0][0])


def grey_of(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize(
    ("mode", "name"), [(mode, name) for mode, names in WRITABLE.items() for name in names]
)
def test_any_mode_in_any_format_is_the_same_picture(mode: str, name: str) -> None:
    data = encode(in_mode(mode), name)
    original = hash_bits(grey_of(np.asarray(photo())))

    small = decode_small(data, long_side=200, colour=False, limits=LIMITS)
    full = decode_full(data, limits=LIMITS)

    assert small.info == full.info == read_info(data, limits=LIMITS)
    assert small.info.format == REPORTED.get(name, name)
    if name in _GREY_AS_GREY:
        assert small.info.metadata.grey == (mode in ("1", "L", "LA", "I", "F", "I;16"))
    assert small.pixels.ndim == 2 and full.pixels.ndim == 3
    assert (full.info.height, full.info.width) == full.pixels.shape[:2]
    if name not in ("ICO", "ICNS"):
        assert full.pixels.shape == (360, 480, 3)
        assert 200 <= max(small.pixels.shape) < 400
    assert (hash_bits(small.pixels) != original).sum() <= NEAR
    assert (hash_bits(grey_of(full.pixels)) != original).sum() <= NEAR


@pytest.mark.parametrize(
    "compression", [None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"]
)
@pytest.mark.parametrize("big", [False, True])
def test_tiff_compressions_and_bigtiff(compression: str | None, big: bool) -> None:
    data = encode(photo(), "TIFF", compression=compression, big_tiff=big)
    full = decode_full(data, limits=LIMITS)
    assert np.abs(full.pixels.astype(int) - np.asarray(photo())).mean() < 6
    assert full.info.lossless == (compression != "jpeg") or big


@pytest.mark.parametrize("tool", ["png16", "tiff16", "tiff32", "pnm16"])
def test_wide_colour_samples_are_scaled(tool: str) -> None:
    wide = photo_bgr16()
    if tool == "tiff32":
        data = cv2.imencode(".tiff", wide.astype(np.float32) / 65535)[1].tobytes()
    else:
        suffix = {"png16": ".png", "tiff16": ".tiff", "pnm16": ".ppm"}[tool]
        data = cv2.imencode(suffix, wide)[1].tobytes()
    full = decode_full(data, limits=LIMITS)
    assert np.abs(full.pixels.astype(int) - np.asarray(photo())).max() <= 1


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_float_colours_are_turned_once(orientation: int) -> None:
    painted = np.asarray(photo())
    samples = (painted / np.float32(255)).astype("<f4").tobytes()
    directory = {
        0x0100: longs(480),
        0x0101: longs(360),
        0x0102: shorts(32, 32, 32),
        0x0103: shorts(1),
        0x0106: shorts(2),
        0x0112: shorts(orientation),
        0x0115: shorts(3),
        0x0116: longs(360),
        0x0117: longs(len(samples)),
        0x0153: shorts(3, 3, 3),
    }
    full = decode_full(tiff_file(directory, blobs={0x0111: samples}), limits=LIMITS)
    upright = np.rot90(painted, {1: 0, 6: 3, 8: 1}[orientation])
    assert full.pixels.shape == upright.shape == (full.info.height, full.info.width, 3)
    assert np.abs(full.pixels.astype(int) - upright).max() <= 1


def photo_bgr16() -> np.ndarray:
    return np.asarray(photo())[:, :, ::-1].astype(np.uint16) * 257


def test_sixteen_bits_of_grey_are_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None, :].repeat(8, axis=0)
    for name in ("PNG", "TIFF", "JPEG2000"):
        pixels = decode_full(encode(Image.fromarray(ramp), name), limits=LIMITS).pixels
        assert np.abs(pixels[0, :, 0].astype(int) - np.arange(256)).max() <= 1, name


def test_progressive_and_interlaced() -> None:
    expected = decode_full(encode(photo(), "JPEG"), limits=LIMITS).pixels
    progressive = decode_full(encode(photo(), "JPEG", progressive=True), limits=LIMITS).pixels
    assert np.array_equal(progressive, expected)
    wide = np.asarray(photo())
    interlaced = cv2.imencode(".png", wide[:, :, ::-1])[1].tobytes()
    assert np.array_equal(decode_full(interlaced, limits=LIMITS).pixels, wide)


def test_twelve_bit_jpeg_is_told_plainly() -> None:
    data = bytearray(encode(photo(), "JPEG"))
    frame = data.find(b"\xff\xc0")
    data[frame + 1] = 0xC1
    data[frame + 4] = 12
    with pytest.raises(DecodeError, match="12 bits per sample"):
        decode_small(bytes(data), long_side=200, colour=False, limits=LIMITS)
    with pytest.raises(DecodeError, match="12 bits per sample"):
        decode_full(bytes(data), limits=LIMITS)


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "TIFF", "AVIF", "MPO"])
def test_first_frame_of_many(name: str) -> None:
    frames = [Image.fromarray(paint_photo(seed)) for seed in (5, 6, 7)]
    data = encode(frames[0], name, save_all=True, append_images=frames[1:])
    picture = decode_full(data, limits=LIMITS)
    distance = hash_bits(grey_of(picture.pixels)) != hash_bits(grey_of(np.asarray(frames[0])))
    assert distance.sum() <= NEAR
    assert picture.info.frames == (1 if name == "MPO" else 3)


@pytest.mark.parametrize("layout", ["developed", "preview", "small preview"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_camera_raw(layout: str, orientation: int) -> None:
    painted = paint_photo(5, 640, 480)
    scale = {"developed": None, "preview": (480, 360), "small preview": (160, 120)}[layout]
    preview = encode(Image.fromarray(painted).resize(scale), "JPEG") if scale else None
    data = dng_file(mosaic_of(painted), orientation=orientation, preview=preview)

    small = decode_small(data, long_side=200, colour=False, limits=LIMITS)
    full = decode_full(data, limits=LIMITS)

    turned = np.rot90(painted, {1: 0, 3: 2, 6: 3, 8: 1}[orientation])
    assert (full.info.height, full.info.width) == turned.shape[:2]
    assert max(full.pixels.shape) >= 320
    assert small.info.format == "DNG" and small.info.metadata.camera == "Painter Brush 1"
    for grey in (small.pixels, grey_of(full.pixels)):
        assert (hash_bits(grey) != hash_bits(grey_of(np.ascontiguousarray(turned)))).sum() <= 40


def test_the_name_does_not_matter_only_the_bytes() -> None:
    data = encode(photo(), "PNG")
    assert read_info(data, limits=LIMITS).format == "PNG"
    assert read_info(encode(photo(), "JPEG") + data, limits=LIMITS).format == "JPEG"


def test_cmyk_jpeg_by_adobe_is_not_a_negative() -> None:
    picture = decode_full(encode(photo().convert("CMYK"), "JPEG", quality=95), limits=LIMITS)
    assert np.abs(picture.pixels.astype(int) - np.asarray(photo())).mean() < 6


def test_what_can_be_wrong_around_a_jpeg_does_not_matter() -> None:
    plain = encode(photo(), "JPEG")
    expected = decode_full(plain, limits=LIMITS).pixels
    for odd in (
        with_segment(plain, 0xE1, b"Exif\0\0" + b"\xff" * 40),
        with_segment(plain, 0xE2, b"ICC_PROFILE\0\x01\x01" + b"no profile"),
        plain[:2] + b"\xff\xff\xff" + plain[2:],
        plain + bytes(5000),
    ):
        assert np.array_equal(decode_full(odd, limits=LIMITS).pixels, expected)


def test_cut_off_jpeg_is_a_failure_with_a_reason() -> None:
    data = encode(photo(), "JPEG")
    for decode in (
        decode_full,
        lambda d, limits: decode_small(d, long_side=64, colour=True, limits=limits),
    ):
        with pytest.raises(DecodeError, match="cut off"):
            decode(data[: len(data) // 2], limits=LIMITS)


def test_png_exif_after_the_picture_counts() -> None:
    data = encode(photo(), "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    late = data[:-12] + png_chunk(b"eXIf", exif.tobytes()[6:]) + data[-12:]
    info = read_info(late, limits=LIMITS)
    assert info.orientation == 6 and (info.width, info.height) == (360, 480)
    assert decode_full(late, limits=LIMITS).pixels.shape == (480, 360, 3)


def test_host_program_keeps_its_pillow_settings() -> None:
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(DecodeError):
        decode_full(b"BM" + bytes(100), limits=LIMITS)
    decode_full(encode(photo(), "PNG"), limits=LIMITS)
    assert before == Image.MAX_IMAGE_PIXELS
    with Image.open(BytesIO(encode(photo(), "PNG"))) as image:
        assert image.size == (480, 360)


def test_large_qoi_and_plain_dds_are_exact() -> None:
    picture = Image.fromarray(paint_photo(8, 2048, 384)).convert("RGBA")
    picture.putalpha(Image.fromarray(np.tile(np.arange(2048) // 8, (384, 1)).astype(np.uint8)))
    picture.paste((10, 20, 30, 255), (0, 0, 900, 300))
    bands = np.asarray(picture)
    assert np.array_equal(decode_qoi(encode(picture, "QOI"), 2048, 384, 4), bands)
    for mode in ("RGB", "RGBA"):
        full = decode_full(encode(picture.convert(mode), "DDS"), limits=LIMITS)
        expected = decode_full(encode(picture.convert(mode), "PNG"), limits=LIMITS)
        assert np.array_equal(full.pixels, expected.pixels)
    with pytest.raises(DecodeError, match="ends before"):
        decode_qoi(encode(picture, "QOI")[:-5000], 2048, 384, 4)
