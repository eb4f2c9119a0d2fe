"""What a file holds besides its picture: every part, frame and text that a copy may lack."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image, PngImagePlugin

from image_duplicate_finder.decode import coded_digest, decode_full, read_info
from image_duplicate_finder.model import ImageInfo, Metadata, PartKind
from image_duplicate_finder.settings import DecodeLimits
from tests.decode.picture_files import (
    UNDEFINED,
    encode,
    exif_block,
    longs,
    rationals,
    text,
    tiff_file,
    with_segment,
    with_xmp,
)
from tests.painting import paint_photo

pillow_heif.register_heif_opener()
LIMITS = DecodeLimits()
PHOTOS = [Image.fromarray(paint_photo(seed, 160, 120)) for seed in range(5)]
JPEG = encode(PHOTOS[0], "JPEG", quality=85)
FILM = struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0) + bytes(range(256)) * 4


def info_of(data: bytes) -> ImageInfo:
    return read_info(data, limits=LIMITS)


def metadata_of(data: bytes) -> Metadata:
    return info_of(data).metadata


def kinds_of(data: bytes) -> list[PartKind]:
    return [part.kind for part in info_of(data).parts]


def animation(frames: list[Image.Image], name: str, duration: int = 80) -> bytes:
    options = {"lossless": True} if name == "WEBP" else {}
    timed = {"duration": duration} if name in ("GIF", "WEBP", "PNG") else {}
    # Pillow remembers on a picture how it was saved last.
    first, *others = (frame.copy() for frame in frames)
    return encode(first, name, save_all=True, append_images=others, **options, **timed)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_frames_are_told_by_what_they_show(name: str) -> None:
    frames = [photo.convert("P") if name == "GIF" else photo for photo in PHOTOS]
    first = info_of(animation(frames[:3], name))
    other = info_of(animation([frames[0], *frames[3:]], name))
    if name == "MPO":
        assert first.parts[0].kind is PartKind.VIEW
        assert not set(first.parts) & set(other.parts)
        return
    assert first.frames == other.frames == len(first.frame_digests) == 3
    assert first.frame_digests[0] == other.frame_digests[0]
    assert not set(first.frame_digests[1:]) & set(other.frame_digests)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_durations_do_not_count_and_a_shorter_animation_is_held(name: str) -> None:
    frames = [photo.convert("P") if name == "GIF" else photo for photo in PHOTOS[:4]]
    whole = info_of(animation(frames, name))
    slow = info_of(animation(frames, name, duration=500))
    short = info_of(animation(frames[:2], name))
    assert slow.frame_digests == whole.frame_digests
    assert set(short.frame_digests) < set(whole.frame_digests)


def test_very_many_frames_end_in_one_digest() -> None:
    frames = [Image.new("L", (8, 8), shade % 250) for shade in range(300)]
    frames[299].putpixel((3, 3), 255)
    first = info_of(animation(frames, "TIFF"))
    frames[298].putpixel((3, 3), 255)
    second = info_of(animation(frames, "TIFF"))
    assert len(first.frame_digests) == 256
    assert first.frame_digests[:255] == second.frame_digests[:255]
    assert first.frame_digests[255] != second.frame_digests[255]


@pytest.mark.parametrize("big", [False, True])
def test_pages_of_big_tiff_files(big: bool) -> None:
    def pages(*photos: Image.Image) -> ImageInfo:
        stream = BytesIO()
        first, *others = (photo.copy() for photo in photos)
        first.save(stream, "TIFF", save_all=True, append_images=others, big_tiff=big)
        return info_of(stream.getvalue())

    one, other = pages(*PHOTOS[:3]), pages(PHOTOS[0], *PHOTOS[3:])
    assert one.frames == other.frames == len(one.frame_digests) == 3
    assert one.frame_digests[0] == other.frame_digests[0]
    assert not set(one.frame_digests[1:]) & set(other.frame_digests)


def test_previews_in_a_tiff_are_no_pages() -> None:
    stream = BytesIO()
    small = PHOTOS[0].resize((40, 30))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    PHOTOS[0].save(stream, "TIFF", save_all=True, append_images=[small])
    assert info_of(stream.getvalue()).frames == 1


@pytest.mark.parametrize(
    ("behind", "kind"),
    [
        (FILM, PartKind.MOTION),
        (bytes(40) + FILM, PartKind.MOTION),
        (b"RIFF" + bytes(4) + b"WAVE" + bytes(range(200)), PartKind.SOUND),
        (b"PK\3\4" + bytes(range(200)), PartKind.DATA),
        (encode(PHOTOS[1], "JPEG"), PartKind.VIEW),
        (with_xmp(encode(PHOTOS[1], "JPEG"), "<x hdrgm:Version='1.0'/>"), PartKind.GAIN_MAP),
        (with_xmp(encode(PHOTOS[1], "JPEG"), "<x GDepth:Format='8'/>"), PartKind.DEPTH_MAP),
    ],
)
def test_what_follows_a_jpeg(behind: bytes, kind: PartKind) -> None:
    assert kinds_of(JPEG + behind) == [kind]
    assert info_of(JPEG + behind + bytes(30)).parts == info_of(JPEG + behind).parts
    changed = behind[:-3] + bytes((behind[-3] ^ 1,)) + behind[-2:]
    if kind not in (PartKind.VIEW, PartKind.GAIN_MAP, PartKind.DEPTH_MAP):
        assert info_of(JPEG + changed).parts != info_of(JPEG + behind).parts


@pytest.mark.parametrize("behind", [b"", b"\0", b" \n", bytes(5000), b"\xff" * 70, b"checksum 123"])
def test_padding_is_no_part(behind: bytes) -> None:
    for name in ("JPEG", "PNG", "WEBP", "GIF"):
        assert info_of(encode(PHOTOS[0], name) + behind).parts == ()


@pytest.mark.parametrize("name", ["PNG", "WEBP", "GIF"])
def test_what_follows_pictures_of_other_formats(name: str) -> None:
    assert kinds_of(encode(PHOTOS[0], name) + FILM) == [PartKind.MOTION]


def test_layers_and_georeference() -> None:
    strip = {0x0111: PHOTOS[0].tobytes()}
    tags = {
        256: longs(160),
        257: longs(120),
        258: (3, struct.pack("<3H", 8, 8, 8)),
        259: (3, struct.pack("<H", 1)),
        262: (3, struct.pack("<H", 2)),
        277: (3, struct.pack("<H", 3)),
        278: longs(120),
        279: longs(160 * 120 * 3),
    }
    plain = tiff_file(tags, blobs=strip)
    placed = tiff_file(tags | {33922: (12, struct.pack("<6d", 0, 0, 0, 10, 50, 0))}, blobs=strip)
    moved = tiff_file(tags | {33922: (12, struct.pack("<6d", 0, 0, 0, 11, 50, 0))}, blobs=strip)
    layered = tiff_file(tags | {37724: (UNDEFINED, b"Adobe Photoshop" * 9)}, blobs=strip)
    assert kinds_of(plain) == []
    assert kinds_of(placed) == [PartKind.GEOREFERENCE]
    assert info_of(placed).parts != info_of(moved).parts
    assert kinds_of(layered) == [PartKind.LAYERS]
    assert coded_digest(plain, info_of(plain)) == coded_digest(placed, info_of(placed)) != b""


@pytest.mark.parametrize("where", [0.3, 0.6])
def test_a_progressive_jpeg_that_ends_early_is_incomplete(where: float) -> None:
    whole = encode(PHOTOS[0], "JPEG", quality=90, progressive=True)
    cut = whole[: int(len(whole) * where)] + b"\xff\xd9"
    assert info_of(cut).incomplete
    assert not info_of(whole).incomplete
    assert not info_of(JPEG).incomplete
    assert not info_of(encode(PHOTOS[0].convert("L"), "JPEG", progressive=True)).incomplete


def test_equal_coded_data_mean_equal_pixels() -> None:
    described = with_xmp(JPEG, "<dc:title>harbour</dc:title>")
    tagged = with_segment(JPEG, 0xFE, b"a comment")
    for other in (described, tagged, JPEG + b"\0", JPEG + FILM):
        assert coded_digest(other, info_of(other)) == coded_digest(JPEG, info_of(JPEG)) != b""
    turned = with_segment(JPEG, 0xE1, exif_block({0x0112: (3, struct.pack("<H", 6))}))
    stronger = encode(PHOTOS[0], "JPEG", quality=84)
    for other in (turned, stronger):
        assert coded_digest(other, info_of(other)) != coded_digest(JPEG, info_of(JPEG))


@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_metadata_leave_the_coded_data_alone(name: str) -> None:
    exif = exif_block({0x010F: text("Canon"), 0x0110: text("EOS R5")})
    plain, described = encode(PHOTOS[0], name), encode(PHOTOS[0], name, exif=exif)
    other = encode(PHOTOS[1], name)
    assert plain != described
    digest = coded_digest(plain, info_of(plain))
    assert digest == coded_digest(described, info_of(described)) != b""
    assert digest != coded_digest(other, info_of(other))
    assert np.array_equal(
        decode_full(plain, limits=LIMITS).pixels, decode_full(described, limits=LIMITS).pixels
    )


def png(**texts: str) -> bytes:
    chunks = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        chunks.add_text(key.replace("_", " "), value, zip=len(value) > 40)
    return encode(PHOTOS[0], "PNG", pnginfo=chunks)


PROMPT = "a harbour at dawn\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, Seed: 968002204"


@pytest.mark.parametrize(
    "data",
    [
        png(parameters=PROMPT),
        png(prompt='{"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}'),
        png(workflow='{"nodes": []}'),
        png(Comment='{"prompt": "a harbour", "steps": 28, "seed": 5}'),
        encode(
            PHOTOS[0],
            "WEBP",
            exif=exif_block(
                {}, {0x8769: {0x9286: (UNDEFINED, b"UNICODE\0" + PROMPT.encode("utf-16-be"))}}
            ),
        ),
        encode(PHOTOS[0], "WEBP", exif=exif_block({0x010F: text('workflow:{"nodes": []}')})),
        with_segment(JPEG, 0xFE, PROMPT.encode()),
    ],
)
def test_generation_data(data: bytes) -> None:
    metadata = metadata_of(data)
    assert metadata.generation is not None
    assert metadata.camera is None


def test_other_seeds_are_other_generation_data() -> None:
    assert (
        metadata_of(png(parameters=PROMPT)).generation
        != metadata_of(png(parameters=PROMPT + "5")).generation
    )


def test_texts_of_a_png() -> None:
    found = metadata_of(
        png(
            Title="Harbour", Author="A. Person", Description="At dawn", Copyright="(c)", Note="mine"
        )
    )
    assert (found.title, found.creator, found.description, found.copyright) == (
        "Harbour",
        "A. Person",
        "At dawn",
        "(c)",
    )
    assert found.comment is not None
    assert metadata_of(png(Software="gd", Creation_Time="2020")).comment is None
    assert metadata_of(with_segment(JPEG, 0xFE, b"CREATOR: gd-jpeg v1.0")).comment is None


PACKET = """<rdf:Description xmp:Label="Red" xmp:CreatorTool="Adobe Photoshop 25">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Harbour &amp; sea</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">At dawn</rdf:li></rdf:Alt></dc:description>
<dc:creator><rdf:Seq><rdf:li>A</rdf:li><rdf:li>B</rdf:li></rdf:Seq></dc:creator>
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">(c) A</rdf:li></rdf:Alt></dc:rights>
<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Ann</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>
<mwg-rs:Regions><rdf:Description mwg-rs:Name="Bob" mwg-rs:Type="Face"/></mwg-rs:Regions>
<exif:GPSLatitude>48,51.5N</exif:GPSLatitude><exif:GPSLongitude>2,17.6666W</exif:GPSLongitude>
</rdf:Description>"""


def test_what_photo_managers_write() -> None:
    found = metadata_of(with_xmp(JPEG, PACKET))
    assert found.title == "Harbour & sea"
    assert found.description == "At dawn"
    assert found.creator == "A; B"
    assert found.copyright == "(c) A"
    assert found.people == ("Ann", "Bob")
    assert found.label == "Red"
    assert found.place == (48.85833, -2.29444)
    assert found.edited


def test_iptc_of_older_programs() -> None:
    fields = b"".join(
        struct.pack(">BBBH", 0x1C, 2, number, len(value)) + value
        for number, value in (
            (5, b"Harbour"),
            (25, b"sea"),
            (25, "H\u00e4fen".encode()),
            (120, "Fr\u00fch".encode("latin-1")),
        )
    )
    block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(fields)) + fields
    found = metadata_of(with_segment(JPEG, 0xED, block))
    assert found.title == "Harbour"
    assert found.keywords == ("sea", "H\u00e4fen")
    assert found.description == "Fr\u00fch"


def camera_exif(width: int, height: int, software: str = "Firmware 1.02") -> bytes:
    return exif_block(
        {
            0x010E: text("OLYMPUS DIGITAL CAMERA"),
            0x010F: text("Canon"),
            0x0110: text("EOS R5"),
            0x0131: text(software),
        },
        {
            0x8769: {0xA002: longs(width), 0xA003: longs(height), 0x9291: text("370")},
            0x8825: {
                1: text("S"),
                2: rationals((33, 1), (51, 1), (30, 1)),
                3: text("E"),
                4: rationals((151, 1), (12, 1), (36, 1)),
            },
        },
    )


def test_what_a_camera_wrote_and_what_was_done_to_it() -> None:
    original = metadata_of(with_segment(JPEG, 0xE1, camera_exif(160, 120)))
    assert not original.edited
    assert original.place == (-33.85833, 151.21)
    assert original.subsecond == "37"
    assert original.description is None
    assert metadata_of(with_segment(JPEG, 0xE1, camera_exif(4000, 3000))).edited
    assert metadata_of(with_segment(JPEG, 0xE1, camera_exif(160, 120, "GIMP 2.10"))).edited


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "HEIF", "AVIF", "PSD"])
def test_damaged_files_only_say_less(name: str) -> None:
    random = np.random.default_rng(3)
    whole = (
        animation([p.convert("P") for p in PHOTOS[:3]], "GIF")
        if name == "GIF"
        else (
            b"8BPS\0\1" + bytes(20) + struct.pack(">IIIIh", 0, 0, 40, 30, 1) + bytes(60)
            if name == "PSD"
            else encode(PHOTOS[0], name) + FILM
        )
    )
    from image_duplicate_finder.decode.facts import read_facts

    for _ in range(200):
        data = bytearray(whole[: random.integers(20, len(whole))])
        for at in random.integers(0, len(data), 8):
            data[at] = random.integers(256)
        read_facts(bytes(data), name)
