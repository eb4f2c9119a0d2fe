"""On thousands of odd files: what Pillow with its plugins can decode, we decode alike."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401  (registers the reader)
import pytest
from PIL import Image, ImageOps

from image_duplicate_finder.decode import decode_full, decode_small, read_info
from image_duplicate_finder.decode.colours import read_colour_coding
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.fingerprint import perceptual
from image_duplicate_finder.settings import DecodeLimits

LIMITS = DecodeLimits()
pillow_heif.register_heif_opener()
# Colour sources that we read otherwise on purpose: profiles are converted, 16 bits are scaled
# where Pillow clips, and an orientation is taken from EXIF and not from XMP.
_WIDE_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_XMP_ORIENTATION = frozenset({"xmp_tags_orientation_exiftool.png"})

_QUICK_TO_DECODE = 500_000

# Bits of 256 by which the hash of a scaled decode may differ from that of a full one.
QUICK_LIMIT = 16


def with_pillow(data: bytes) -> np.ndarray | None:
    """What Pillow makes of the bytes: upright RGB on white, None if nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(BytesIO(data))
            image.load()
            comparable = image.mode not in _WIDE_MODES and not image.info.get("icc_profile")
            coding = read_colour_coding(data)
            comparable = comparable and not (coding is not None and coding.changes_look)
            image = ImageOps.exif_transpose(image)
            if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA"):
                canvas = Image.new("RGBA", image.size, "white")
                canvas.alpha_composite(image.convert("RGBA"))
                image = canvas
            pixels = np.asarray(image.convert("RGB"))
    except Exception:
        return None
    return pixels if comparable else pixels[:0]


@pytest.mark.parametrize("folder", ["formats", "bad"])
def test_what_pillow_decodes_we_decode(shared_data: Path, folder: str) -> None:
    lost, different, decoded = [], [], 0
    for path in sorted(p for p in (shared_data / folder).rglob("*") if p.is_file()):
        data = path.read_bytes()
        expected = with_pillow(data)
        try:
            full = decode_full(data, limits=LIMITS)
            info = read_info(data, limits=LIMITS)
            if len(data) < _QUICK_TO_DECODE:
                assert (
                    decode_small(data, long_side=64, colour=True, limits=LIMITS).info == full.info
                )
        except DecodeError as error:
            assert len(str(error)) > 10 and str(error).endswith("."), path
            if expected is not None:
                lost.append((path.name, str(error)))
            continue
        decoded += 1
        assert full.info == info, path
        assert full.pixels.shape == (full.info.height, full.info.width, 3), path
        if expected is None or expected.size == 0 or path.name in _XMP_ORIENTATION:
            continue
        apart = cv2.absdiff(full.pixels, expected).mean()
        if apart > 1.5:
            different.append((path.name, apart))
    assert not lost
    assert not different
    assert decoded >= {"formats": 70, "bad": 500}[folder]


@pytest.mark.slow
def test_quick_and_full_decode_have_nearly_equal_hashes(shared_data: Path) -> None:
    """A fifth of all photos here; ``table.py --photos`` measures every one."""
    photos = [p for p in sorted((shared_data / "photos").rglob("*")) if p.suffix in _PHOTOS]
    assert len(photos) > 900
    assert max(quick_distance(path) for path in photos[::5]) <= QUICK_LIMIT


_PHOTOS = frozenset({".jpg", ".png", ".webp"})


def quick_distance(path: Path, side: int = 200) -> int:
    """Hamming distance of 256 bits between the hashes of the quick and the full decode."""
    data = path.read_bytes()
    small = decode_small(data, long_side=side, colour=False, limits=LIMITS).pixels
    full = cv2.cvtColor(decode_full(data, limits=LIMITS).pixels, cv2.COLOR_RGB2GRAY)
    encoded = perceptual.encode(small), perceptual.encode(full)
    quick, slow = (np.unpackbits(perceptual.decode(data)[0][0]) for data in encoded)
    return int((quick != slow).sum())
