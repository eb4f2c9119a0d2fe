"""Drawings that are all different pictures, however alike they look, and a set of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw

from benchmarks.drawing import font
from benchmarks.photos import Image, digest, generator, random_name, ranked, write
from benchmarks.photos import Photo as File
from benchmarks.truth import TruePair, Truth

EACH = 60
"""How many of each kind a set has."""


def code(rng: np.random.Generator) -> Image:
    """A QR code of a ticket."""
    text = f"https://tickets.example/v/2024?seat={rng.integers(1, 99)}&key={rng.integers(1e9)}"
    drawn = cv2.QRCodeEncoder.create().encode(text)
    return np.repeat(np.kron(drawn, np.ones((4, 4), np.uint8))[..., None], 3, axis=2)


def sprite(rng: np.random.Generator) -> Image:
    """One of a few figures of 16 x 16 pixels, in colours of its own, three times enlarged."""
    shape = np.random.default_rng(int(rng.integers(0, 12))).integers(0, 4, (16, 8))
    figure = np.concatenate([shape, shape[:, ::-1]], axis=1)
    colours = np.vstack([[255, 255, 255], rng.integers(0, 256, (3, 3))]).astype(np.uint8)
    return np.kron(colours[figure], np.ones((3, 3, 1), np.uint8))


def chart(rng: np.random.Generator) -> Image:
    """A curve within axes that all charts share."""
    canvas = np.full((240, 320, 3), 255, np.uint8)
    cv2.rectangle(canvas, (40, 20), (300, 210), (0, 0, 0), 1)
    cv2.putText(canvas, "validation loss", (100, 15), 0, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    heights = 110 + np.cumsum(rng.normal(0, 8, 27)).clip(-85, 90)
    points = np.stack([np.arange(40, 310, 10), heights], axis=1).astype(np.int32)
    cv2.polylines(canvas, [points], False, (31, 119, 180), 2, cv2.LINE_AA)
    return canvas


def receipt(rng: np.random.Generator) -> Image:
    """A slip of one shop: date, number and sums of its own."""
    canvas = Pil.new("RGB", (260, 200), "white")
    draw = ImageDraw.Draw(canvas)
    lines = ["CORNER SHOP", f"2024-0{rng.integers(1, 10)}-1{rng.integers(0, 10)}"]
    lines += [f"no. {rng.integers(1000, 9999)}", "bread  2.40", "milk  1.15"]
    lines += [f"total  {rng.integers(4, 90)}.{rng.integers(10, 99)}", "thank you"]
    for k, line in enumerate(lines):
        draw.text((30, 10 + 26 * k), line, "black", font(16))
    return np.array(canvas)


def board(rng: np.random.Generator) -> Image:
    """A chess board with a few pieces, drawn as discs and triangles."""
    squares = (np.add.outer(np.arange(8), np.arange(8)) % 2)[..., None]
    colours = np.where(squares, (181, 136, 99), (240, 217, 181)).astype(np.uint8)
    canvas = np.kron(colours, np.ones((30, 30, 1), np.uint8))
    kind = np.random.default_rng(int(rng.integers(0, 6)))
    places = kind.permutation(64)[:14]
    places[int(rng.integers(0, 14))] = int(rng.integers(0, 64))
    for k, place in enumerate(places):
        x, y = int(place % 8) * 30 + 15, int(place // 8) * 30 + 15
        shade = (250, 250, 250) if k % 2 else (30, 30, 30)
        cv2.circle(canvas, (x, y), 8 + k % 4, shade, -1, cv2.LINE_AA)
        cv2.circle(canvas, (x, y), 8 + k % 4, (90, 90, 90), 1, cv2.LINE_AA)
    return canvas


def icon(rng: np.random.Generator) -> Image:
    """An arrow, a cross, a tick or a bell of one style, in one of few colours and directions."""
    canvas = np.full((96, 96, 3), 255, np.uint8)
    colours = [(33, 150, 243), (76, 175, 80), (244, 67, 54), (66, 66, 66), (255, 152, 0)]
    colour = colours[int(rng.integers(0, 5))]
    cv2.circle(canvas, (48, 48), 40, colour, -1 if rng.random() < 0.5 else 5, cv2.LINE_AA)
    ink = (255, 255, 255) if int(canvas[48, 48].min()) < 255 else colour
    lines = {
        "arrow": [(24, 48, 72, 48), (54, 30, 72, 48), (54, 66, 72, 48)],
        "cross": [(32, 32, 64, 64), (32, 64, 64, 32)],
        "plus": [(28, 48, 68, 48), (48, 28, 48, 68)],
        "tick": [(28, 50, 42, 64), (42, 64, 68, 34)],
        "bars": [(30, 36, 66, 36), (30, 48, 66, 48), (30, 60, 66, 60)],
    }
    name = list(lines)[int(rng.integers(0, len(lines)))]
    for x, y, to_x, to_y in lines[name][: 3 - int(rng.random() < 0.2)]:
        cv2.line(canvas, (x, y), (to_x, to_y), ink, 6, cv2.LINE_AA)
    canvas = np.ascontiguousarray(np.rot90(canvas, int(rng.integers(0, 4))))
    if rng.random() < 0.4:
        cv2.circle(canvas, (76, 20), 10, (220, 30, 60), -1, cv2.LINE_AA)
        number = str(rng.integers(1, 10))
        cv2.putText(canvas, number, (71, 25), 0, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


def dial(rng: np.random.Generator) -> Image:
    """A clock that shows a time of its own."""
    canvas = np.full((160, 160, 3), 255, np.uint8)
    cv2.circle(canvas, (80, 80), 72, (40, 40, 40), 3, cv2.LINE_AA)
    for hour in range(12):
        at = hour * np.pi / 6
        ends = [(round(80 + r * np.sin(at)), round(80 - r * np.cos(at))) for r in (62, 68)]
        cv2.line(canvas, ends[0], ends[1], (40, 40, 40), 2, cv2.LINE_AA)
    minutes = int(rng.integers(0, 720))
    for at, length, width in ((minutes / 720, 36, 5), (minutes % 60 / 60, 56, 3)):
        angle = at * 2 * np.pi
        end = round(80 + length * np.sin(angle)), round(80 - length * np.cos(angle))
        cv2.line(canvas, (80, 80), end, (180, 30, 30), width, cv2.LINE_AA)
    return canvas


DRAWN: dict[str, Callable[[np.random.Generator], Image]] = {
    "code": code, "sprite": sprite, "chart": chart, "receipt": receipt, "board": board,
    "icon": icon, "dial": dial,
}  # fmt: skip
"""The kinds of drawings."""


def make_drawings(files: Sequence[File], out: Path, seed: int, limit: int) -> Truth:
    """``limit`` files: :data:`EACH` of each kind, and drawings of the folders as they are.

    Those that look the same, as some emoji do, are true pairs; all others are not.
    """
    truth = Truth("drawings", seed, None)
    out.mkdir(parents=True, exist_ok=True)
    first: dict[bytes, str] = {}
    for kind, draw in DRAWN.items():
        for k in range(EACH):
            name = random_name(seed, kind, k, suffix=".png")
            write(out / name, draw(generator("drawing", kind, k)))
            _add(truth, out, name, kind, first)
    for file in ranked(files, seed, "drawing")[: limit - len(truth.families)]:
        name = random_name(seed, file.name, suffix=file.path.suffix)
        (out / name).write_bytes(file.path.read_bytes())
        _add(truth, out, name, file.folder, first)
    truth.save(out)
    return truth


def _add(truth: Truth, out: Path, name: str, kind: str, first: dict[bytes, str]) -> None:
    with Pil.open(out / name) as opened:
        shown = np.array(opened.convert("RGBA"))
    shown[shown[..., 3] == 0] = 0
    family = first.setdefault(digest(shown.shape, shown.tobytes()), name)
    truth.add(name, family, kind)
    if family != name:
        truth.pairs.append(TruePair(family, name, kind))
