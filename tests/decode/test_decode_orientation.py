"""EXIF orientation is applied exactly once, whatever the format keeps it in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from image_duplicate_finder.decode import decode_full, decode_small, read_info
from image_duplicate_finder.fingerprint import perceptual
from image_duplicate_finder.fingerprint.compute import pixel_hash
from image_duplicate_finder.settings import DecodeLimits
from tests.decode.picture_files import encode, exif_block, shorts, with_segment
from tests.painting import paint_photo

LIMITS = DecodeLimits()
UPRIGHT = paint_photo(11, 320, 200)
# How a camera would store the upright picture so that the orientation sets it right again.
STORED = {
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT, 1),
    7: UPRIGHT[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(UPRIGHT, 3),
}


def stored_with(name: str, orientation: int) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    if name == "JPEG":
        block = exif_block({0x0112: shorts(orientation)})
        return with_segment(encode(image, "JPEG", quality=95), 0xE1, block)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"WEBP": {"lossless": True}, "HEIF": {"quality": -1}, "AVIF": {"quality": 95}}
    return encode(image, name, exif=exif.tobytes(), **options.get(name, {}))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_in_every_format(name: str, orientation: int) -> None:
    data = stored_with(name, orientation)
    picture = decode_full(data, limits=LIMITS)
    info = read_info(data, limits=LIMITS)
    assert (info.width, info.height) == (320, 200)
    assert picture.pixels.shape == UPRIGHT.shape
    assert np.abs(picture.pixels.astype(int) - UPRIGHT).mean() < 6
    small = decode_small(data, long_side=100, colour=False, limits=LIMITS)
    assert small.pixels.shape == (100, 160)


@pytest.mark.parametrize("name", ["PNG", "TIFF", "WEBP"])
def test_turned_files_hold_identical_pixels(name: str) -> None:
    hashes = {pixel_hash(stored_with(name, orientation), LIMITS) for orientation in range(1, 9)}
    assert len(hashes) == 1


def test_tag_outside_its_range_means_upright() -> None:
    plain = encode(Image.fromarray(UPRIGHT), "JPEG")
    for value in (0, 9, 65535):
        odd = with_segment(plain, 0xE1, exif_block({0x0112: shorts(value)}))
        assert decode_full(odd, limits=LIMITS).pixels.shape == UPRIGHT.shape


@pytest.mark.parametrize("kind", ["landscape", "portrait"])
def test_photos_in_all_orientations(shared_data: Path, kind: str) -> None:
    hashes, sizes = [], set()
    for orientation in range(1, 9):
        data = (shared_data / "pairs/exif-orientation" / f"{kind}_{orientation}.jpg").read_bytes()
        picture = decode_small(data, long_side=200, colour=False, limits=LIMITS)
        assert picture.info.orientation == orientation
        sizes.add((picture.info.width, picture.info.height))
        upright, *_ = perceptual.decode(perceptual.encode(picture.pixels))[0]
        hashes.append(np.unpackbits(upright))
    assert len(sizes) == 1
    assert max(int((one != hashes[0]).sum()) for one in hashes) <= 24
