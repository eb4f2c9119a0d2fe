"""Text, stickers, frames and chrome painted over or around a picture (Pillow's own font)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw, ImageFont

from benchmarks.photos import Image, scaled

WORDS = (
    "when you finally find the last one and it was under the table all along nobody expected "
    "this monday morning coffee before meeting again cat dog friend summer winter holiday wait "
    "what happened here never forget my best day ever they said it would be easy but look at "
    "that face so happy share this with your family garden window river mountain street music "
    "invoice number total amount date page contract village harbour station market bridge north"
).split()
"""Plain words for captions, pages and labels."""


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow carries, at ``size`` pixels."""
    return ImageFont.load_default(size)


def phrase(rng: np.random.Generator, least: int, most: int) -> str:
    """``least`` to ``most`` words."""
    return " ".join(rng.choice(WORDS, int(rng.integers(least, most + 1))))


def meme(image: Image, rng: np.random.Generator) -> Image:
    """Outlined capitals across the top and the bottom."""
    canvas = Pil.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    size = max(10, canvas.width // 14)
    for top in (True, False):
        text = _wrapped(draw, phrase(rng, 3, 8).upper(), size, canvas.width * 0.92)
        anchor, y = ("ma", size * 0.4) if top else ("md", canvas.height - size * 0.4)
        draw.multiline_text(
            (canvas.width / 2, y), text, "white", font(size), anchor=anchor, align="center",
            stroke_width=max(1, size // 12), stroke_fill="black",
        )  # fmt: skip
    return np.asarray(canvas)


def _wrapped(draw: ImageDraw.ImageDraw, text: str, size: int, width: float) -> str:
    lines = [""]
    for word in text.split():
        line = f"{lines[-1]} {word}".strip()
        if draw.textlength(line, font(size)) <= width:
            lines[-1] = line
        else:
            lines.append(word)
    return "\n".join(line for line in lines if line)


def watermark(image: Image, rng: np.random.Generator) -> Image:
    """A slanted half-transparent text, repeated over the whole picture."""
    height, width = image.shape[:2]
    size = max(10, width // 16)
    reach = int(1.5 * max(width, height))
    layer = Pil.new("L", (reach, reach), 0)
    draw = ImageDraw.Draw(layer)
    text = "© " + phrase(rng, 2, 2)
    step = int(draw.textlength(text, font(size))) + size
    for row, y in enumerate(range(0, reach, size * 3)):
        for x in range(-(row % 2) * step // 2, reach, step):
            draw.text((x, y), text, 255, font(size))
    layer = layer.rotate(float(rng.uniform(15, 40)), Pil.Resampling.BILINEAR)
    x, y = (reach - width) // 2, (reach - height) // 2
    mask = np.asarray(layer)[y : y + height, x : x + width, None] / 255 * rng.uniform(0.3, 0.5)
    return (image * (1 - mask) + 255 * mask).astype(np.uint8)


def stickers(image: Image, rng: np.random.Generator, least: int = 4, most: int = 8) -> Image:
    """Round faces, stars and hearts, each 12 to 25% of the width."""
    canvas = Pil.fromarray(image)
    for _ in range(int(rng.integers(least, most + 1))):
        side = int(canvas.width * rng.uniform(0.12, 0.25))
        sticker = _sticker(rng, side).rotate(float(rng.uniform(-40, 40)), Pil.Resampling.BICUBIC)
        x = int(rng.integers(0, max(1, canvas.width - side)))
        y = int(rng.integers(0, max(1, canvas.height - side)))
        canvas.paste(sticker, (x, y), sticker)
    return np.asarray(canvas)


def _sticker(rng: np.random.Generator, side: int) -> Pil.Image:
    picture = Pil.new("RGBA", (200, 200), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    colour = tuple(int(v) for v in rng.integers(120, 256, 3))
    kind = int(rng.integers(0, 3))
    if kind == 0:
        draw.ellipse((8, 8, 192, 192), (255, 205, 50), (150, 100, 0), 6)
        draw.ellipse((55, 60, 80, 95), "black")
        draw.ellipse((120, 60, 145, 95), "black")
        if rng.random() < 0.5:
            draw.chord((50, 80, 150, 165), 0, 180, "white", "black", 5)
        else:
            draw.arc((50, 90, 150, 160), 0, 180, "black", 8)
    elif kind == 1:
        points = [
            (100 + r * np.sin(i * np.pi / 5), 100 - r * np.cos(i * np.pi / 5))
            for i, r in enumerate([95, 42] * 5)
        ]
        draw.polygon(points, colour, "white", 6)
    else:
        t = np.linspace(0, 2 * np.pi, 60)
        x = 100 + 5.6 * 16 * np.sin(t) ** 3
        wave = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
        draw.polygon(list(zip(x, 95 - 5.6 * wave, strict=True)), (230, 30, 60), "white", 6)
    return picture.resize((side, side), Pil.Resampling.LANCZOS)


def border(image: Image, rng: np.random.Generator) -> Image:
    """An even frame of 8 to 20% of the width; at times wider below, as instant film has it."""
    height, width = image.shape[:2]
    edge = int(width * rng.uniform(0.08, 0.20))
    below = edge * int(rng.integers(1, 3))
    colour = np.array([255, 255, 255]) if rng.random() < 0.4 else rng.integers(0, 256, 3)
    framed = np.empty((height + edge + below, width + 2 * edge, 3), np.uint8)
    framed[:] = colour
    framed[edge : edge + height, edge : edge + width] = image
    return framed


def screenshot(image: Image, rng: np.random.Generator) -> Image:
    """A post in a social app on a phone: bars, an author line, the photo, text and icons."""
    width, height = 540, 1100
    dark = bool(rng.random() < 0.4)
    back, ink, faint = ((18, 18, 20), (235, 235, 235), (60, 60, 66))
    if not dark:
        back, ink, faint = (255, 255, 255), (25, 25, 25), (225, 225, 230)
    canvas = Pil.new("RGB", (width, height), back)
    draw = ImageDraw.Draw(canvas)
    draw.text((24, 12), f"{rng.integers(0, 24):02}:{rng.integers(0, 60):02}", ink, font(20))
    draw.text((width - 24, 12), f"{rng.integers(5, 100)}%", ink, font(20), anchor="ra")
    draw.rectangle((0, 48, width, 104), faint)
    draw.text((24, 60), phrase(rng, 1, 1).title(), ink, font(28))
    draw.ellipse((24, 120, 76, 172), tuple(int(v) for v in rng.integers(60, 220, 3)))
    draw.text((90, 124), phrase(rng, 2, 2).title(), ink, font(20))
    draw.text((90, 148), f"{rng.integers(1, 59)} min", (130, 130, 130), font(16))
    inside = width if rng.random() < 0.6 else width - 60
    photo_h = min(round(image.shape[0] * inside / image.shape[1]), 640)
    photo_w = round(image.shape[1] * photo_h / image.shape[0])
    x = (width - photo_w) // 2
    canvas.paste(Pil.fromarray(scaled(image, photo_w, photo_h)), (x, 190))
    y = 190 + photo_h + 16
    for i in range(3):
        draw.ellipse((24 + 56 * i, y, 58 + 56 * i, y + 34), outline=ink, width=3)
    draw.text((width - 24, y + 4), f"{rng.integers(3, 9999)} likes", ink, font(20), anchor="ra")
    y += 52
    while y < height - 90:
        line = _wrapped(draw, phrase(rng, 4, 9), 18, width - 48).split("\n")[0]
        draw.text((24, y), line, ink, font(18))
        y += 26 if rng.random() < 0.7 else 48
    draw.rectangle((0, height - 64, width, height), faint)
    for i in range(5):
        draw.rounded_rectangle(
            (38 + 104 * i, height - 50, 78 + 104 * i, height - 14), 8, outline=ink
        )
    return np.asarray(canvas)


def news_strip(rng: np.random.Generator, width: int, height: int) -> Image:
    """A dark strip with a headline and a line below it."""
    strip = Pil.new("RGB", (width, height), tuple(int(v) for v in rng.integers(0, 140, 3)))
    draw = ImageDraw.Draw(strip)
    draw.rectangle((0, 0, width // 5, height // 2), (200, 20, 20))
    size = max(9, height // 3)
    draw.text((width * 0.22, height * 0.05), phrase(rng, 4, 6).title(), "white", font(size))
    draw.text((width * 0.03, height * 0.55), phrase(rng, 6, 9), "white", font(size * 3 // 4))
    return np.asarray(strip)
