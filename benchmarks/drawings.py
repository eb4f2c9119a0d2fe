"""Drawings that are all different pictures, however alike they look, and a set of them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw

from benchmarks.drawing import font
from benchmarks.photos import Image

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


DRAWN: dict[str, Callable[[np.random.Generator], Image]] = {
    "code": code, "sprite": sprite, "chart": chart, "receipt": receipt, "board": board,
}  # fmt: skip
"""The kinds of drawings."""
