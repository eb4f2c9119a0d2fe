"""Colour profiles, alpha, and what makes pictures identical or not."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pylibjxl
import pytest
from PIL import Image, ImageCms
from pillow_jxl import JpegXLImagePlugin

from image_duplicate_finder.decode import decode_full, decode_small, read_info
from image_duplicate_finder.decode.colours import (
    changes_look,
    coded_to_srgb,
    profile_name,
    read_colour_coding,
    to_srgb,
)
from image_duplicate_finder.decode.headers import read_jxl_header
from image_duplicate_finder.fingerprint.compute import content_hash, pixel_hash
from image_duplicate_finder.settings import DecodeLimits
from tests.decode.picture_files import encode, png_chunk
from tests.painting import paint_photo

LIMITS = DecodeLimits()
PHOTO = Image.fromarray(paint_photo(4, 240, 180))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def profile_with(colourants: dict[bytes, tuple[float, float, float]], gamma: float) -> bytes:
    """An ICC version 2 display profile of three primaries (D50) and one gamma."""
    tags = {b"wtpt": (0.9642, 1.0, 0.8249), **colourants}
    bodies = {
        tag: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in xyz))
        for tag, xyz in tags.items()
    }
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    bodies |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    words = b"Wide painter"
    bodies[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(words) + 1) + words + bytes(80)
    bodies[b"cprt"] = b"text\0\0\0\0none\0"
    table, blob, at = b"", b"", 132 + 12 * len(bodies)
    for tag, body in bodies.items():
        body += bytes(-len(body) % 4)
        table += struct.pack(">4sII", tag, at + len(blob), len(body))
        blob += body
    header = struct.pack(
        ">I4sI4s4s4s", at + len(blob), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ "
    )
    header += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    assert len(header) == 128
    return header + struct.pack(">I", len(bodies)) + table + blob


DISPLAY_P3 = profile_with(
    {
        b"rXYZ": (0.5151, 0.2412, -0.0011),
        b"gXYZ": (0.2920, 0.6922, 0.0419),
        b"bXYZ": (0.1571, 0.0666, 0.7841),
    },
    2.2,
)


def in_display_p3(picture: Image.Image) -> Image.Image:
    """The same colours in the numbers of the wider space."""
    to_wide = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(__import__("io").BytesIO(DISPLAY_P3)),
        "RGB",
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    converted = ImageCms.applyTransform(picture, to_wide)
    assert converted is not None
    converted.info.clear()
    return converted


def test_names_and_looks() -> None:
    assert profile_name(DISPLAY_P3) == "Wide painter"
    assert changes_look(DISPLAY_P3)
    assert not changes_look(SRGB)
    assert not changes_look(b"no profile at all")
    assert profile_name(b"") is None


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_wide_colours_become_srgb(name: str) -> None:
    options = {"quality": 100, "subsampling": 0} if name == "JPEG" else {}
    options |= {"lossless": True} if name == "WEBP" else {}
    wide = in_display_p3(PHOTO)
    assert np.abs(np.asarray(wide).astype(int) - np.asarray(PHOTO)).mean() > 4
    data = encode(wide, name, icc_profile=DISPLAY_P3, **options)
    pixels = decode_full(data, limits=LIMITS).pixels
    assert np.abs(pixels.astype(int) - np.asarray(PHOTO)).mean() < 2
    assert read_info(data, limits=LIMITS).metadata.profile == "Wide painter"
    small = decode_small(data, long_side=240, colour=False, limits=LIMITS).pixels
    expected = cv2.cvtColor(np.asarray(PHOTO), cv2.COLOR_RGB2GRAY)
    assert np.abs(small.astype(int) - expected).mean() < 2


def test_wide_colours_by_code_points_become_srgb() -> None:
    data = encode(in_display_p3(PHOTO), "PNG")
    after_header = 8 + 25
    for transfer, near in ((13, 4), (16, 255)):
        chunk = png_chunk(b"cICP", bytes([12, transfer, 0, 1]))
        coded = data[:after_header] + chunk + data[after_header:]
        pixels = decode_full(coded, limits=LIMITS).pixels
        apart = np.abs(pixels.astype(int) - np.asarray(PHOTO)).mean()
        assert apart < near
        assert (apart > 20) == (transfer == 16)
        assert pixel_hash(coded, LIMITS) != pixel_hash(data, LIMITS)


def test_reference_white_of_hdr_is_white() -> None:
    """BT.2408: 203 cd/m2 is PQ code 0.58 and HLG code 0.75."""
    for transfer, code in ((16, 148), (18, 191)):
        grey = Image.new("RGB", (8, 8), (code,) * 3)
        data = encode(grey, "PNG")
        chunk = png_chunk(b"cICP", bytes([9, transfer, 0, 1]))
        pixels = decode_full(data[:33] + chunk + data[33:], limits=LIMITS).pixels
        assert abs(int(pixels[0, 0, 0]) - 255) <= 3


def test_srgb_profile_changes_no_pixel() -> None:
    plain, tagged = encode(PHOTO, "JPEG"), encode(PHOTO, "JPEG", icc_profile=SRGB)
    expected = decode_full(plain, limits=LIMITS).pixels
    assert np.array_equal(decode_full(tagged, limits=LIMITS).pixels, expected)
    assert pixel_hash(plain, LIMITS) == pixel_hash(tagged, LIMITS)


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF"])
def test_alpha_is_flattened_on_white_and_kept_apart(name: str) -> None:
    picture = PHOTO.convert("RGBA")
    ramp = np.tile(np.linspace(0, 255, 240).astype(np.uint8), (180, 1))
    picture.putalpha(Image.fromarray(ramp))
    options = {"lossless": True, "exact": True} if name == "WEBP" else {}
    full = decode_full(encode(picture, name, **options), limits=LIMITS)
    assert full.info.has_alpha
    assert full.alpha is not None and np.array_equal(full.alpha, ramp)
    assert (full.pixels[:, 0] == 255).all()
    assert np.array_equal(full.pixels[:, -1], np.asarray(PHOTO)[:, -1])


def test_opaque_alpha_is_no_alpha() -> None:
    with_alpha = encode(PHOTO.convert("RGBA"), "PNG")
    assert decode_full(with_alpha, limits=LIMITS).alpha is None
    assert pixel_hash(with_alpha, LIMITS) == pixel_hash(encode(PHOTO, "PNG"), LIMITS)


def with_alpha(value: int) -> Image.Image:
    picture = PHOTO.convert("RGBA")
    picture.putpixel((7, 7), (*PHOTO.getpixel((7, 7)), value))
    return picture


def test_pixel_hash_is_that_of_the_picture_and_not_of_the_file() -> None:
    one = pixel_hash(encode(PHOTO, "PNG"), LIMITS)
    for data in (
        encode(PHOTO, "PNG", compress_level=0),
        encode(PHOTO, "BMP"),
        encode(PHOTO, "TIFF", compression="tiff_lzw"),
        encode(PHOTO, "WEBP", lossless=True),
        encode(PHOTO, "QOI"),
        encode(PHOTO, "PPM"),
        encode(PHOTO, "JPEG2000"),
    ):
        assert pixel_hash(data, LIMITS) == one


def test_pixel_hash_sees_every_difference() -> None:
    nudged = PHOTO.copy()
    red, green, blue = PHOTO.getpixel((100, 100))
    nudged.putpixel((100, 100), (red ^ 1, green, blue))
    flipped = PHOTO.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    invisible = with_alpha(0)
    invisible.putpixel((7, 7), (1, 2, 3, 0))
    files = [
        encode(PHOTO, "PNG"),
        encode(nudged, "PNG"),
        encode(flipped, "PNG"),
        encode(PHOTO.crop((0, 0, 240, 179)), "PNG"),
        encode(with_alpha(254), "PNG"),
        encode(with_alpha(253), "PNG"),
        encode(with_alpha(0), "PNG"),
        encode(invisible, "PNG"),
        encode(PHOTO, "PNG", icc_profile=DISPLAY_P3),
        encode(PHOTO, "PNG", save_all=True, append_images=[nudged]),
        encode(PHOTO, "PNG", save_all=True, append_images=[flipped]),
        encode(PHOTO, "JPEG"),
        encode(PHOTO, "JPEG") + b"ftypmp42 a video",
    ]
    assert len({pixel_hash(data, LIMITS) for data in files}) == len(files)


def test_wide_samples_count_to_the_last_bit() -> None:
    wide = np.asarray(PHOTO).astype(np.uint16) * 256
    files = [cv2.imencode(".png", wide + step)[1].tobytes() for step in (0, 1)]
    eight = decode_full(files[0], limits=LIMITS).pixels
    assert np.array_equal(eight, decode_full(files[1], limits=LIMITS).pixels)
    assert pixel_hash(files[0], LIMITS) != pixel_hash(files[1], LIMITS)
    smaller = cv2.imencode(".png", wide, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    assert smaller != files[0]
    assert pixel_hash(smaller, LIMITS) == pixel_hash(files[0], LIMITS)


def test_content_hash_is_of_the_bytes() -> None:
    assert len(content_hash(b"")) == 32
    assert content_hash(b"a") != content_hash(b"b")


def test_real_photo_in_display_p3(shared_data: Path) -> None:
    data = (shared_data / "formats/immich/heic/IMG_2682.heic").read_bytes()
    info = read_info(data, limits=LIMITS)
    assert info.metadata.profile == "Display P3"
    assert info.metadata.has_gps and info.metadata.camera == "Apple iPhone 7"


def test_jpeg_xl_with_a_profile_is_converted() -> None:
    wide = pylibjxl.encode(np.asarray(PHOTO), lossless=True, icc=DISPLAY_P3)
    wanted = decode_full(encode(PHOTO, "PNG", icc_profile=DISPLAY_P3), limits=LIMITS).pixels
    assert np.array_equal(decode_full(wide, limits=LIMITS).pixels, wanted)


def test_jpeg_xl_that_states_wide_colours_by_numbers_is_converted(shared_data: Path) -> None:
    """The decoder tells profiles only; the other plugin turns the numbers into one."""
    data = (shared_data / "formats/immich/jxl/16bit-HDR-P3-nclx.jxl").read_bytes()
    plugin = JpegXLImagePlugin.JXLImageFile(io.BytesIO(data))
    wanted = np.asarray(to_srgb(plugin.reduce(8), plugin.info["icc_profile"]).convert("RGB"))
    found = decode_small(data, long_side=700, colour=True, limits=LIMITS).pixels
    assert np.abs(found.astype(int) - wanted).mean() < 1
    taken_for_srgb = np.asarray(plugin.reduce(8).convert("RGB"))
    assert np.abs(found.astype(int) - taken_for_srgb).mean() > 2


def test_jpeg_xl_header_with_primaries_and_a_gamma_of_its_own() -> None:
    """Adobe RGB, which JPEG XL has no number for, as libjxl writes it."""
    points = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    fields = [(1, 1), (21, 5), (1, 3)]  # small, 176 high, as wide as high
    fields += [(0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (0, 2), (0, 1)]  # 8 bits, nothing rare
    fields += [(0, 1), (0, 1), (0, 2), (1, 2), (2, 2), (0, 4)]  # RGB, D65, primaries follow
    for point in points:
        number = round(point * 1e6) * 2
        form = 0 if number < 1 << 19 else 1 if number < 1 << 20 else 2
        fields += [(form, 2), (number - (0, 1 << 19, 1 << 20)[form], (19, 19, 20)[form])]
    fields += [(1, 1), (round(1e7 / 2.2), 24)]
    number, at = 0, 0
    for value, bits in fields:
        number |= value << at
        at += bits
    header = read_jxl_header(b"\xff\x0a" + number.to_bytes(64, "little"))
    assert (header.width, header.height, header.bit_depth) == (176, 176, 8)
    assert header.colours is not None
    assert header.colours.points == pytest.approx((*points, 0.3127, 0.329))
    assert header.colours.gamma == pytest.approx(1 / 2.2)
    coding = read_colour_coding(b"\xff\x0a" + number.to_bytes(64, "little"))
    assert coding is not None
    assert coding.changes_look
    # A colour within sRGB: Adobe RGB's green 120 is sRGB's 118 (both of a grey-green).
    grey = np.full((1, 1, 3), 128, np.uint8)
    assert np.abs(coded_to_srgb(grey, coding).astype(int) - 128).max() <= 1
    red = coded_to_srgb(np.array([[[200, 60, 60]]], np.uint8), coding)[0, 0].astype(int)
    assert np.abs(red - (230, 58, 58)).max() <= 4


def test_jpeg_repacked_as_jpeg_xl_has_the_pixels_of_the_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    PHOTO.save(path, quality=80)
    packed = io.BytesIO()
    with Image.open(path) as image:
        image.save(packed, "JXL", lossless_jpeg=True)
    assert read_jxl_header(packed.getvalue()).repacked_jpeg
    found = decode_full(packed.getvalue(), limits=LIMITS).pixels.astype(int)
    wanted = decode_full(path.read_bytes(), limits=LIMITS).pixels
    assert np.abs(found - wanted).max() <= 1
