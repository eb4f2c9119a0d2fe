"""Files of formats that nothing writes any more, byte by byte, of one picture of 96 x 64."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image

from tests.painting import paint_photo

WIDTH, HEIGHT = 96, 64
PICTURE = Image.fromarray(paint_photo(5)).resize((WIDTH, HEIGHT))
RGB = PICTURE.tobytes()
GREY = PICTURE.convert("L").tobytes()
PALETTED = PICTURE.quantize(256)


def _saved(format_name: str, mode: str = "RGB", **options: str) -> bytes:
    stream = BytesIO()
    PICTURE.convert(mode).save(stream, format_name, **options)
    return stream.getvalue()


def _palette() -> bytes:
    palette = PALETTED.getpalette() or []
    return bytes(palette).ljust(768, b"\0")


def sun(depth: int, data: bytes, kind: int = 1, palette: bytes = b"") -> bytes:
    """A Sun raster file; a palette stands in planes."""
    head = (0x59A66A95, WIDTH, HEIGHT, depth, len(data), kind, bool(palette), len(palette))
    planes = palette[0::3] + palette[1::3] + palette[2::3]
    return struct.pack(">8I", *head) + planes + data


def pixar() -> bytes:
    head = bytearray(1024)
    head[:4] = b"\200\350\0\0"
    struct.pack_into("<HH", head, 416, HEIGHT, WIDTH)
    struct.pack_into("<HH", head, 424, 14, 2)
    return bytes(head) + RGB


def xpm() -> bytes:
    few = PICTURE.quantize(16)
    palette = bytes(few.getpalette() or []).ljust(48, b"\0")
    names = [chr(ord("A") + number) for number in range(16)]
    lines = [f"{WIDTH} {HEIGHT} 16 1"]
    lines += [f"{name} c #{palette[3 * n : 3 * n + 3].hex()}" for n, name in enumerate(names)]
    lines += ["".join(names[value] for value in row) for row in np.asarray(few)]
    body = ",\n".join(f'"{line}"' for line in lines)
    return f"/* XPM */\nstatic char *picture[] = {{\n{body}\n}};\n".encode()


def dcx() -> bytes:
    page = _saved("PCX")
    return struct.pack("<4I", 0x3ADE68B1, 16, 16 + len(page), 0) + page + page


def ftex(kind: int, data: bytes) -> bytes:
    head = struct.pack("<i2i2i2ii", 0, WIDTH, HEIGHT, 1, 1, kind, 32, len(data))
    return b"FTEX" + head + data


def gimp_brush() -> bytes:
    data = PICTURE.convert("RGBA").tobytes()
    return struct.pack(">5I4sI", 33, 2, WIDTH, HEIGHT, 4, b"GIMP", 10) + b"name\0" + data


def xv_thumbnail() -> bytes:
    bands = np.asarray(PICTURE)
    packed = (bands[:, :, 0] >> 5 << 5) | (bands[:, :, 1] >> 5 << 2) | (bands[:, :, 2] >> 6)
    head = f"P7 332\n#XVVERSION:2\n#END_OF_COMMENTS\n{WIDTH} {HEIGHT} 255\n"
    return head.encode() + packed.astype(np.uint8).tobytes()


def flic() -> bytes:
    def chunk(kind: int, data: bytes) -> bytes:
        return struct.pack("<IH", len(data) + 6, kind) + data

    body = chunk(4, struct.pack("<HBB", 1, 0, 0) + _palette()) + chunk(16, PALETTED.tobytes())
    frame = struct.pack("<IHH8x", len(body) + 16, 0xF1FA, 2) + body
    head = struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF12, 1, WIDTH, HEIGHT, 8, 3, 50)
    return head.ljust(128, b"\0") + frame


def photo_cd() -> bytes:
    """All grey: a Photo CD has one size and holds luma and chroma in turn."""
    return (bytes(2048) + b"PCD_").ljust(96 * 2048, b"\0") + b"\x80" * (256 * 3 * 768)


def mcidas() -> bytes:
    words = [0] * 64
    words[1], words[8], words[9], words[10], words[13], words[33] = 4, HEIGHT, WIDTH, 1, 1, 256
    return struct.pack(">64i", *words) + GREY


def psd() -> bytes:
    planes = np.asarray(PICTURE).transpose(2, 0, 1).tobytes()
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, HEIGHT, WIDTH, 8, 3)
    return head + struct.pack(">IIIH", 0, 0, 0, 0) + planes


def fits() -> bytes:
    cards = ("SIMPLE  =                    T", "BITPIX  =                    8",
             "NAXIS   =                    2", f"NAXIS1  = {WIDTH:20}", f"NAXIS2  = {HEIGHT:20}",
             "END")  # fmt: skip
    rows = np.asarray(PICTURE.convert("L"))[::-1].tobytes()
    return "".join(card.ljust(80) for card in cards).ljust(2880).encode() + rows


def cursor() -> bytes:
    data = bytearray(_saved("ICO", bitmap_format="bmp"))
    data[2] = 2
    return bytes(data)


def ascii_ppm() -> bytes:
    return f"P3 {WIDTH} {HEIGHT} 255\n".encode() + " ".join(map(str, RGB)).encode()


def pam(depth: int, kind: str, data: bytes, largest: int = 255) -> bytes:
    """A PAM file of any kind."""
    size = f"WIDTH {WIDTH}\nHEIGHT {HEIGHT}\nDEPTH {depth}\nMAXVAL {largest}\n"
    return f"P7\n# painted\n{size}TUPLTYPE {kind}\nENDHDR\n".encode() + data


def pfm(order: str = "<f4", scale: str = "-1.0") -> bytes:
    """A PFM file in colours: floats from the lowest row to the highest."""
    rows = (np.asarray(PICTURE)[::-1] / 255).astype(order)
    return f"PF\n{WIDTH} {HEIGHT}\n{scale}\n".encode() + rows.tobytes()


RARE: dict[str, Callable[[], bytes]] = {
    "SUN": lambda: sun(24, RGB, kind=3),
    "SUN in grey": lambda: sun(8, GREY),
    "SUN in palette": lambda: sun(8, PALETTED.tobytes(), palette=_palette()),
    "SUN in 1 bit": lambda: sun(1, PICTURE.convert("1").tobytes()),
    "PIXAR": pixar,
    "XPM": xpm,
    "DCX": dcx,
    "FTEX": lambda: ftex(1, RGB),
    "FTEX in DXT1": lambda: ftex(0, _saved("DDS", pixel_format="DXT1")[128:]),
    "GBR": gimp_brush,
    "XVThumb": xv_thumbnail,
    "FLI": flic,
    "PCD": photo_cd,
    "MCIDAS": mcidas,
    "PSD": psd,
    "FITS": fits,
    "CUR": cursor,
    "PPM": ascii_ppm,
    "IM": lambda: _saved("IM"),
    "MSP": lambda: _saved("MSP", "1"),
    "BLP": lambda: _saved("BLP", "P"),
    "SPIDER": lambda: _saved("SPIDER", "F"),
    "XBM": lambda: _saved("XBM", "1"),
}
"""By the name that Pillow gives the format, with more words for variants."""
