"""Old and rare formats: what Pillow decodes is decoded, the rest is named plainly."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from image_duplicate_finder.decode import decode_full, decode_small, decode_stored, read_info
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.settings import DecodeLimits
from tests.decode.rare_files import GREY, HEIGHT, PICTURE, RARE, RGB, WIDTH, pam, pfm

LIMITS = DecodeLimits()


@pytest.mark.filterwarnings("ignore:IM image format")
@pytest.mark.parametrize("name", RARE)
def test_rare_formats_look_as_pillow_shows_them(name: str) -> None:
    data = RARE[name]()
    with Image.open(BytesIO(data)) as image:
        assert image.format == name.split(" ")[0]
        expected = np.asarray(image.convert("RGB"))
    full = decode_full(data, limits=LIMITS)
    assert np.abs(full.pixels.astype(int) - expected).max() <= 1
    assert read_info(data, limits=LIMITS) == full.info
    assert decode_small(data, long_side=24, colour=False, limits=LIMITS).pixels.ndim == 2


def test_pam_in_all_its_kinds() -> None:
    painted = np.asarray(PICTURE)
    grey = np.frombuffer(GREY, np.uint8).reshape(HEIGHT, WIDTH)
    wide = (painted.astype(">u2") * 257).tobytes()
    for data, expected in (
        (pam(3, "RGB", RGB), painted),
        (pam(3, "RGB", wide, 65535), painted),
        (pam(1, "GRAYSCALE", GREY), grey[:, :, None].repeat(3, axis=2)),
        (pam(1, "BLACKANDWHITE", bytes(v > 99 for v in GREY), 1),
         (grey > 99)[:, :, None].repeat(3, axis=2) * 255),
        (pam(4, "RGB_ALPHA", PICTURE.convert("RGBA").tobytes()), painted),
    ):  # fmt: skip
        full = decode_full(data, limits=LIMITS)
        assert np.array_equal(full.pixels, expected) and full.alpha is None
        assert full.info == read_info(data, limits=LIMITS) and full.info.format == "PAM"
        assert decode_small(data, long_side=24, colour=True, limits=LIMITS).pixels.shape == (
            16,
            24,
            3,
        )
    transparent = np.dstack([painted, np.full((HEIGHT, WIDTH), 100, np.uint8)])
    full = decode_full(pam(4, "RGB_ALPHA", transparent.tobytes()), limits=LIMITS)
    as_png = BytesIO()
    Image.fromarray(transparent).save(as_png, "PNG")
    expected = decode_full(as_png.getvalue(), limits=LIMITS)
    assert full.alpha is not None and np.array_equal(full.alpha, expected.alpha)
    assert np.abs(full.pixels.astype(int) - expected.pixels).max() <= 1


def test_pam_and_ppm_have_identical_pixels() -> None:
    one = decode_stored(pam(3, "RGB", RGB), limits=LIMITS)
    other = decode_stored(f"P6 {WIDTH} {HEIGHT} 255\n".encode() + RGB, limits=LIMITS)
    assert one is not None and other is not None
    assert np.array_equal(one.pixels, other.pixels) and one.colours == other.colours
    assert decode_stored(pam(3, "RGB", bytes(2 * len(RGB)), 999), limits=LIMITS) is None


@pytest.mark.parametrize(("order", "scale"), [("<f4", "-1.0"), (">f4", "1")])
def test_colour_pfm_stands_on_its_head(order: str, scale: str) -> None:
    full = decode_full(pfm(order, scale), limits=LIMITS)
    assert np.array_equal(full.pixels, np.asarray(PICTURE)) and full.info.format == "PFM"


@pytest.mark.parametrize(
    ("data", "stage", "words"),
    [
        (pam(3, "RGB", RGB[:-1]), "decode", "ends before"),
        (pam(9, "RGB", RGB), "header", "header is damaged"),
        (b"P7\nWIDTH 4\nENDHDR\n" + bytes(99), "header", "header is damaged"),
        (b"P7\n" + b"x\n" * 9999, "header", "header is damaged"),
        (b"P7\nWIDTH 99999\nHEIGHT 99999\nDEPTH 1\nMAXVAL 1\nENDHDR\n", "limits", "the limit is"),
        (b"PF\n4 4\n", "header", "header is damaged"),
        (b"\x76\x2f\x31\x01" + bytes(99), "header", "an OpenEXR picture, a format that"),
        (b"II\xbc\x01" + bytes(99), "header", "a JPEG XR picture, a format that"),
        (bytes(128) + b"DICM" + bytes(99), "header", "a DICOM picture, a format that"),
        (b"\xd7\xcd\xc6\x9a" + bytes(99), "header", "a Windows metafile drawing"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "header", "which this program does not run"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_plainly(data: bytes, stage: str, words: str) -> None:
    for decode in (decode_full, read_info):
        if decode is read_info and stage == "decode":
            continue
        with pytest.raises(DecodeError, match=words) as told:
            decode(data, limits=LIMITS)
        assert told.value.stage == stage
