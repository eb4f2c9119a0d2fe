"""What is no picture is told as what it is, in words for people."""

from __future__ import annotations

import pytest

from image_duplicate_finder.decode import decode_full, decode_small, read_info
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.fingerprint.compute import pixel_hash
from image_duplicate_finder.settings import DecodeLimits

LIMITS = DecodeLimits()
FILES = {
    "empty": b"",
    "text": "A shopping list:\nmilk, bread, café\n".encode(),
    "web page": b"<!DOCTYPE html><html><body>404</body></html>",
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "video": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(50),
    "ZIP": b"PK\x03\x04" + bytes(60),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "zero bytes": bytes(4096),
    "known format": bytes(range(128, 256)) * 20,
}


@pytest.mark.parametrize("word", FILES)
def test_reason_names_what_it_is(word: str) -> None:
    for use in (
        lambda data: read_info(data, limits=LIMITS),
        lambda data: decode_small(data, long_side=64, colour=False, limits=LIMITS),
        lambda data: decode_full(data, limits=LIMITS),
        lambda data: pixel_hash(data, LIMITS),
    ):
        with pytest.raises(DecodeError, match=word) as caught:
            use(FILES[word])
        assert caught.value.stage == "header"


def test_limits_are_told_with_their_numbers() -> None:
    with pytest.raises(DecodeError, match="limit is 10") as caught:
        read_info(FILES["text"], limits=DecodeLimits(bytes=10))
    assert caught.value.stage == "limits"
