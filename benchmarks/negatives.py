"""Set C: pictures that look alike and are not duplicates. No pair of it is a duplicate."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw

from benchmarks.drawing import WORDS, font
from benchmarks.photos import (
    Half,
    Image,
    Photo,
    generator,
    random_name,
    ranked,
    read,
    resized,
    write,
)
from benchmarks.truth import Truth

Family = list[Image]
Rng = np.random.Generator

_SHARES = {
    "photo": 0.30, "document": 0.16, "form": 0.06, "blank": 0.06, "gradient": 0.06,
    "icon": 0.10, "map": 0.08, "texture": 0.08, "pan": 0.10,
}  # fmt: skip


def make_c(photos: list[Photo], out: Path, seed: int, limit: int, half: Half | None) -> Truth:
    """About ``limit`` files; 1,500 make more than 1,000,000 pairs, none of them a duplicate."""
    truth = Truth("c", seed, half)
    out.mkdir(parents=True, exist_ok=True)
    chosen = [photo for photo in photos if half is None or photo.half == half]
    plain = ranked(chosen, seed, "plain")
    pan_count = max(1, round(limit * _SHARES["pan"] / 2))
    for_pans, for_plain = plain[:pan_count], plain[pan_count:]
    for photo in for_plain[: round(limit * _SHARES["photo"])]:
        _add(truth, out, seed, "photo", photo.name, [resized(read(photo.path), 500)])
    for photo in for_pans:
        frames = pan(read(photo.path), generator(seed, "pan", photo.name))
        names = _add(truth, out, seed, "pan", photo.name, frames)
        truth.overlapping += list(combinations(names, 2))
    for kind, family in _DRAWN.items():
        written, number = 0, 0
        while written < round(limit * _SHARES[kind]):
            pictures = family(generator(seed, kind, number))
            _add(truth, out, seed, kind, str(number), pictures)
            written, number = written + len(pictures), number + 1
    truth.distractors = truth.files
    truth.save(out)
    return truth


def _add(truth: Truth, out: Path, seed: int, kind: str, family: str, pictures: Family) -> list[str]:
    names = []
    for index, picture in enumerate(pictures):
        suffix = ".jpg" if kind in ("photo", "pan", "texture") or index % 2 else ".png"
        name = random_name(seed, "c", kind, family, index, suffix=suffix)
        write(out / name, picture)
        truth.add(name, f"{kind}/{family}/{index}", kind)
        names.append(name)
    return names


def pan(image: Image, rng: Rng) -> Family:
    """Two frames of a move over a large photo that share 30 to 50% of each."""
    height, width = image.shape[:2]
    across = width >= height
    length = width if across else height
    overlap = rng.uniform(0.30, 0.50)
    frame = int(length / (2 - overlap))
    frames = []
    for start in (0, length - frame):
        part = image[:, start : start + frame] if across else image[start : start + frame]
        light = rng.uniform(0.95, 1.05)
        frames.append((part * light).clip(0, 255).astype(np.uint8))
    return frames


def documents(rng: Rng) -> Family:
    """A page of text, and the page with one word changed, twice."""
    title, size = " ".join(rng.choice(WORDS, 3)).title(), int(rng.integers(15, 22))
    words = list(rng.choice(WORDS, int(rng.integers(90, 190))))
    pages = []
    for _ in range(3):
        pages.append(_page(title, words, size))
        words = list(words)
        words[int(rng.integers(0, len(words)))] = str(rng.choice(WORDS)) + str(rng.integers(10, 99))
    return pages


def _page(title: str, words: list[str], size: int) -> Image:
    sheet = Pil.new("RGB", (620, 877), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((60, 56), title, "black", font(size + 10))
    x, y = 60.0, 120.0
    for word in words:
        length = draw.textlength(word + " ", font(size))
        if x + length > 560:
            x, y = 60.0, y + size * 1.5
        draw.text((x, y), word, "black", font(size))
        x += length
    return np.asarray(sheet)


def forms(rng: Rng) -> Family:
    """One empty form filled in by three people."""
    labels = list(rng.choice(WORDS, 10))
    filled = []
    for _ in range(3):
        sheet = Pil.new("RGB", (620, 877), "white")
        draw = ImageDraw.Draw(sheet)
        draw.text((60, 40), " ".join(labels[:2]).upper(), "black", font(30))
        for row, label in enumerate(labels):
            y = 110 + row * 72
            draw.text((60, y), f"{label}:", (60, 60, 60), font(18))
            draw.rectangle((200, y - 8, 560, y + 34), outline="black", width=2)
            draw.text((210, y), f"{rng.choice(WORDS)} {rng.integers(100, 99999)}", (20, 20, 120),
                      font(22))  # fmt: skip
        filled.append(np.asarray(sheet))
    return filled


def blanks(rng: Rng) -> Family:
    """Scans of empty sheets: paper tone, grain, at most a speck or a page number."""
    sheets = []
    for _ in range(3):
        tone = rng.integers(225, 254, 3)
        grain = rng.normal(0, rng.uniform(0.5, 3), (550, 400, 1))
        sheet = (tone + grain).clip(0, 255).astype(np.uint8)
        kind = int(rng.integers(0, 3))
        if kind == 1:
            at = int(rng.integers(20, 380)), int(rng.integers(20, 530))
            cv2.circle(sheet, at, int(rng.integers(2, 6)), (90, 90, 90), -1)
        elif kind == 2:
            page = Pil.fromarray(sheet)
            ImageDraw.Draw(page).text((195, 515), str(rng.integers(1, 400)), "black", font(16))
            sheet = np.array(page)
        sheets.append(sheet)
    return sheets


def gradients(rng: Rng) -> Family:
    """Smooth skies between two colours at some slant."""
    pictures = []
    for _ in range(3):
        top, bottom = rng.integers(0, 256, 3), rng.integers(0, 256, 3)
        slant = rng.uniform(-1, 1)
        y, x = np.mgrid[0:1:300j, 0:1:400j]
        t = (y + slant * x - min(slant, 0)) / (1 + abs(slant))
        pictures.append((top + (bottom - top) * t[..., None]).astype(np.uint8))
    return pictures


def icons(rng: Rng) -> Family:
    """Line icons of one style: the same tile with another glyph or badge."""
    tile = tuple(int(v) for v in rng.integers(40, 230, 3))
    side = int(rng.choice([64, 128, 256]))
    pictures = []
    for _ in range(3):
        icon = Pil.new("RGB", (256, 256), "white")
        draw = ImageDraw.Draw(icon)
        draw.rounded_rectangle((12, 12, 244, 244), 48, tile)
        points = [tuple(int(v) for v in rng.integers(60, 196, 2)) for _ in range(6)]
        draw.line(points, "white", 14, joint="curve")
        if rng.random() < 0.5:
            draw.ellipse((150, 30, 226, 106), (220, 30, 30))
            draw.text((188, 68), str(rng.integers(1, 100)), "white", font(40), anchor="mm")
        pictures.append(np.asarray(icon.resize((side, side), Pil.Resampling.LANCZOS)))
    return pictures


def maps(rng: Rng) -> Family:
    """One map three times, each with other labels."""
    base = Pil.new("RGB", (600, 450), (240, 237, 228))
    draw = ImageDraw.Draw(base)
    for _ in range(4):
        points = [tuple(int(v) for v in rng.integers(0, 600, 2)) for _ in range(5)]
        draw.polygon(points, (200, 225, 190) if rng.random() < 0.6 else (170, 205, 235))
    for _ in range(14):
        points = [tuple(int(v) for v in rng.integers(-50, 650, 2)) for _ in range(3)]
        wide = int(rng.integers(3, 9))
        draw.line(points, (180, 175, 165), wide + 2)
        draw.line(points, "white", wide)
    pictures = []
    for _ in range(3):
        sheet = base.copy()
        draw = ImageDraw.Draw(sheet)
        for _ in range(22):
            at = int(rng.integers(0, 540)), int(rng.integers(0, 430))
            draw.text(at, str(rng.choice(WORDS)).title(), (50, 50, 50), font(17),
                      stroke_width=2, stroke_fill="white")  # fmt: skip
        pictures.append(np.asarray(sheet))
    return pictures


def textures(rng: Rng) -> Family:
    """Three windows, none touching another, of one even texture (grain, weave or tiles)."""
    kind = int(rng.integers(0, 3))
    y, x = np.mgrid[0:400, 0:1240]
    if kind == 0:
        field = cv2.GaussianBlur(rng.normal(0, 1, (400, 1240)), (0, 0), rng.uniform(1, 4))
        field = field / field.std() * 35 + 128
    elif kind == 1:
        period = rng.uniform(6, 16)
        field = 128 + 60 * np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period)
        field = field + rng.normal(0, 12, field.shape)
    else:
        period = int(rng.integers(24, 60))
        joints = (x % period < 3) | (y % period < 3)
        shade = rng.normal(0, 14, (400 // period + 1, 1240 // period + 1))
        field = np.where(joints, 60, 170 + shade[y // period, x // period])
        field = field + rng.normal(0, 4, field.shape)
    tint = rng.uniform(0.6, 1.0, 3)
    cloth = (field[..., None] * tint).clip(0, 255).astype(np.uint8)
    return [np.ascontiguousarray(cloth[:, start : start + 400]) for start in (0, 420, 840)]


_DRAWN: dict[str, Callable[[Rng], Family]] = {
    "document": documents, "form": forms, "blank": blanks, "gradient": gradients,
    "icon": icons, "map": maps, "texture": textures,
}  # fmt: skip
