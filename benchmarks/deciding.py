"""How well a closer look decides: what differs, what is a plain copy, and which shows more detail.

    python -m benchmarks.deciding --photos DIR... [--limit 30] [--half second] [--only KIND...]
    python -m benchmarks.deciding --only drawings --drawings DIR [--limit 1500]

Each pair is made from a photo, and laid over each other as roughly as matching on the small
proofs does. ``one thing`` counts pairs that differ in one small thing and were taken for copies,
``copies`` plain copies that were not, ``detail`` edits that lost detail of which the wrong side
(or neither) was said to have more. ``drawings`` takes the drawings of a folder and others that it
makes, each with those that are most like it, and counts pairs that are taken for copies.
"""

# ruff: noqa: ARG001, ARG005 - all makers have the same call, though few need all of it
from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pil
from PIL import ImageDraw

from benchmarks.drawing import font
from benchmarks.drawn import DRAWN, EACH
from benchmarks.photos import Half, Image, digest, generator, list_photos
from image_duplicate_finder.decode import Picture, decode_full, luminance_steps
from image_duplicate_finder.model import ImageInfo, Look, Match, Metadata, Relation
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.verify.closer import CONTENT, closer_look
from image_duplicate_finder.verify.prepared import prepare

# The small proofs are 192 pixels wide; alignments on them are good to about this many of those.
_ROUGH = 0.7
_PROOF = 192


@dataclass(frozen=True, slots=True)
class Side:
    """One picture of a pair; ``quality`` where it is a JPEG."""

    image: Image
    quality: int | None = None
    few_colours: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, and the transform (3 x 3) that takes a's pixels to b's."""

    a: Side
    b: Side
    matrix: np.ndarray


def jpeg(image: Image, quality: int) -> Side:
    """Saved as JPEG and read again."""
    packed = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return Side(np.ascontiguousarray(cv2.imdecode(packed, 1)[..., ::-1]), quality)


def webp(image: Image, quality: int) -> Side:
    """Saved as WebP and read again."""
    packed = cv2.imencode(".webp", image[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
    return Side(np.ascontiguousarray(cv2.imdecode(packed, 1)[..., ::-1]))


def scaled(image: Image, factor: float, how: int = cv2.INTER_AREA) -> Image:
    """At ``factor`` of its size."""
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return cv2.resize(image, size, interpolation=how)


def lanczos(image: Image, factor: float) -> Image:
    """At ``factor`` of its size, as Pillow's best filter does it."""
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return np.asarray(Pil.fromarray(image).resize(size, Pil.Resampling.LANCZOS))


def frame(a: Image, b: Image) -> np.ndarray:
    """From a's pixels to b's where both show the whole."""
    sx, sy = b.shape[1] / a.shape[1], b.shape[0] / a.shape[0]
    return np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1.0]])


def whole(image: Image, other: Side) -> Pair:
    """A photo and a copy that shows all of it."""
    return Pair(Side(image), other, frame(image, other.image))


# One thing differs: each gives two pictures of one scene. ``strength`` 0 to 2, from clear to weak.


def _label(image: Image, text: str, x: int, y: int, size: int) -> Image:
    canvas = Pil.fromarray(image.copy())
    draw = ImageDraw.Draw(canvas)
    left, top, right, bottom = draw.textbbox((x, y), text, font=font(size))
    draw.rectangle((left - 4, top - 4, right + 4, bottom + 4), fill=(244, 240, 226))
    draw.text((x, y), text, (24, 24, 30), font(size))
    return np.array(canvas)


def digit(image: Image, rng: np.random.Generator, other: Image) -> tuple[Image, Image]:
    """One digit of a number on a label."""
    x, y = _place(image, rng, 120, 30)
    number = str(rng.integers(10_000, 99_999))
    at = int(rng.integers(0, 5))
    changed = number[:at] + str((int(number[at]) + int(rng.integers(1, 9))) % 10) + number[at + 1 :]
    return _label(image, number, x, y, 18), _label(image, changed, x, y, 18)


def clock(image: Image, rng: np.random.Generator, other: Image) -> tuple[Image, Image]:
    """A clock in the corner, two seconds later."""
    second = int(rng.integers(10, 57))
    pair = []
    for value in (second, second + 2):
        canvas = Pil.fromarray(image.copy())
        ImageDraw.Draw(canvas).text(
            (12, 10),
            f"2024-03-1{rng.integers(0, 1)} 14:07:{value}",
            "white",
            font(15),
            stroke_width=1,
            stroke_fill="black",
        )
        pair.append(np.array(canvas))
    return pair[0], pair[1]


def lamp(image: Image, rng: np.random.Generator, other: Image) -> tuple[Image, Image]:
    """A lamp of 10 pixels, red or green."""
    x, y = _place(image, rng, 14, 14)
    pair = []
    for colour in ((210, 40, 36), (46, 170, 60)):
        drawn = image.copy()
        cv2.circle(drawn, (x + 7, y + 7), 5, colour, -1, cv2.LINE_AA)
        pair.append(drawn)
    return pair[0], pair[1]


def retouched(image: Image, rng: np.random.Generator, other: Image) -> tuple[Image, Image]:
    """An object of 32 pixels, taken from another photo, that was filled in from around it."""
    x, y = _place(image, rng, 48, 48)
    ox, oy = _place(other, rng, 32, 32)
    before = image.copy()
    disc = np.zeros(image.shape[:2], np.uint8)
    cv2.circle(disc, (x + 24, y + 24), 16, 255, -1)
    patch = image.copy()
    patch[y + 8 : y + 40, x + 8 : x + 40] = other[oy : oy + 32, ox : ox + 32]
    soft = cv2.GaussianBlur(disc, (0, 0), 1)[..., None] / 255
    before = (patch * soft + image * (1 - soft)).astype(np.uint8)
    after = cv2.inpaint(before, cv2.dilate(disc, np.ones((7, 7))), 5, cv2.INPAINT_TELEA)
    return before, after


def figure(image: Image, rng: np.random.Generator, other: Image) -> tuple[Image, Image]:
    """A dim figure of 10 x 22 pixels that is there or not."""
    x, y = _place(image, rng, 12, 24)
    drawn = image.copy()
    mean = image[y : y + 24, x : x + 12].mean(axis=(0, 1))
    away = rng.uniform(25, 60) * (1 if mean.mean() < 128 else -1)
    colour = tuple(float(v) for v in np.clip(mean + away + rng.uniform(-12, 12, 3), 0, 255))
    cv2.ellipse(drawn, (x + 6, y + 14), (4, 9), 0, 0, 360, colour, -1, cv2.LINE_AA)
    cv2.circle(drawn, (x + 6, y + 4), 3, colour, -1, cv2.LINE_AA)
    return image, drawn


def eyes(image: Image, rng: np.random.Generator, other: Image) -> tuple[Image, Image]:
    """A strip of 30 x 11 pixels that changes (lids over eyes)."""
    x, y = _place(image, rng, 30, 11)
    skin = image[y : y + 11, x : x + 30].mean(axis=(0, 1))
    closed = image.copy()
    shade = np.linspace(-8, 8, 11)[:, None, None] + rng.normal(0, 2, (11, 30, 1))
    closed[y : y + 11, x : x + 30] = np.clip(skin + shade, 0, 255)
    opened = closed.copy()
    for centre in (x + 7, x + 22):
        cv2.ellipse(opened, (centre, y + 5), (5, 3), 0, 0, 360, (225, 222, 218), -1, cv2.LINE_AA)
        cv2.circle(opened, (centre, y + 5), 2, (60, 44, 36), -1, cv2.LINE_AA)
    return opened, closed


ONE_THING: dict[str, Callable[[Image, np.random.Generator, Image], tuple[Image, Image]]] = {
    "digit": digit, "clock": clock, "lamp": lamp,
    "retouched": retouched, "figure": figure, "eyes": eyes,
}  # fmt: skip
STRENGTHS: dict[str, Callable[[Image], Side]] = {
    "saved at 90": lambda image: jpeg(image, 90),
    "saved at 60": lambda image: jpeg(image, 60),
    "half size, 60": lambda image: jpeg(scaled(image, 0.5), 60),
}


def exposures(image: Image, rng: np.random.Generator) -> Pair:
    """Two exposures of one scene, each with noise of its own."""
    pair = [
        jpeg(np.clip(image + rng.normal(0, 2.5, image.shape), 0, 255).astype(np.uint8), 92)
        for _ in range(2)
    ]
    return Pair(pair[0], pair[1], np.eye(3))


def _place(image: Image, rng: np.random.Generator, width: int, height: int) -> tuple[int, int]:
    x = int(rng.integers(8, image.shape[1] - width - 8))
    return x, int(rng.integers(8, image.shape[0] - height - 8))


# Plain copies.


def _mirrored(image: Image, rng: np.random.Generator) -> Pair:
    matrix = np.array([[-1.0, 0, image.shape[1] - 1], [0, 1, 0], [0, 0, 1]])
    return Pair(Side(image), jpeg(np.ascontiguousarray(image[:, ::-1]), 80), matrix)


def _turned(image: Image, rng: np.random.Generator) -> Pair:
    matrix = np.array([[0, -1.0, image.shape[0] - 1], [1, 0, 0], [0, 0, 1]])
    return Pair(Side(image), jpeg(np.ascontiguousarray(np.rot90(image, -1)), 80), matrix)


def _cropped(image: Image, rng: np.random.Generator, factor: float = 1.0) -> Pair:
    side = float(np.sqrt(rng.uniform(0.6, 0.95)))
    height, width = image.shape[:2]
    w, h = round(width * side), round(height * side)
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    part = np.ascontiguousarray(image[y : y + h, x : x + w])
    small = part if factor == 1 else scaled(part, factor)
    move = np.array([[1.0, 0, -x], [0, 1, -y], [0, 0, 1]])
    return Pair(Side(image), jpeg(small, 75), frame(part, small) @ move)


def _sharpened(image: Image, amount: float) -> Image:
    smooth = cv2.GaussianBlur(image, (0, 0), 1.2)
    return cv2.addWeighted(image, 1 + amount, smooth, -amount, 0)


def _palette(image: Image) -> Side:
    packed = Pil.fromarray(image).quantize(256, dither=Pil.Dither.FLOYDSTEINBERG)
    return Side(np.asarray(packed.convert("RGB")), few_colours=True)


COPIES: dict[str, Callable[[Image, np.random.Generator], Pair]] = {
    "same pixels": lambda image, rng: whole(image, Side(image.copy())),
    **{
        f"saved at {quality}": lambda image, rng, q=quality: whole(image, jpeg(image, q))
        for quality in (95, 85, 75, 60, 50, 40)
    },
    "saved at 20": lambda image, rng: whole(image, jpeg(image, 20)),
    "WebP 50": lambda image, rng: whole(image, webp(image, 50)),
    "saved twice": lambda image, rng: whole(image, jpeg(jpeg(image, 70).image, 85)),
    "both 60 and 75": lambda image, rng: Pair(jpeg(image, 60), jpeg(image, 75), np.eye(3)),
    "half": lambda image, rng: whole(image, Side(scaled(image, 0.5))),
    "half, Lanczos, 75": lambda image, rng: whole(image, jpeg(lanczos(image, 0.5), 75)),
    "half, 60": lambda image, rng: whole(image, jpeg(scaled(image, 0.5), 60)),
    "third, 85": lambda image, rng: whole(image, jpeg(lanczos(image, 1 / 3), 85)),
    "0.7 nearest": lambda image, rng: whole(image, Side(scaled(image, 0.7, cv2.INTER_NEAREST))),
    "0.4 nearest, 75": lambda image, rng: whole(
        image, jpeg(scaled(image, 0.4, cv2.INTER_NEAREST), 75)
    ),
    "0.83 bilinear": lambda image, rng: whole(
        image, jpeg(scaled(image, 0.83, cv2.INTER_LINEAR), 85)
    ),
    "mirrored, 80": _mirrored,
    "turned, 80": _turned,
    "cropped, 75": _cropped,
    "cropped, 0.63, 75": lambda image, rng: _cropped(image, rng, 0.63),
    "sharpened": lambda image, rng: whole(image, jpeg(_sharpened(image, 0.6), 90)),
    "256 colours": lambda image, rng: whole(image, _palette(image)),
}


# Detail: the original and what has lost some.


def _cut_progressive(image: Image, share: float) -> Side:
    packed = cv2.imencode(
        ".jpg", image[..., ::-1],
        [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    )[1].tobytes()  # fmt: skip
    found = None
    while found is None:  # a small first scan may lie behind a long header
        cut = packed[: int(len(packed) * share)] + b"\xff\xd9"
        found = cv2.imdecode(np.frombuffer(cut, np.uint8), 1)
        share += 0.05
    return Side(np.ascontiguousarray(found[..., ::-1]))


DETAIL: dict[str, Callable[[Image], Side]] = {
    "saved at 30": lambda image: jpeg(image, 30),
    "saved at 8, then 97": lambda image: jpeg(jpeg(image, 8).image, 97),
    "saved at 12, then PNG": lambda image: Side(jpeg(image, 12).image),
    "half": lambda image: Side(scaled(image, 0.5)),
    "half, enlarged": lambda image: jpeg(
        cv2.resize(scaled(image, 0.5), image.shape[1::-1], interpolation=cv2.INTER_CUBIC), 92
    ),
    "half, enlarged by 4": lambda image: jpeg(
        scaled(scaled(image, 0.5), 4, cv2.INTER_LANCZOS4), 90
    ),
    "quarter, enlarged by 8": lambda image: jpeg(
        scaled(scaled(image, 0.25), 8, cv2.INTER_CUBIC), 92
    ),
    "half, enlarged, sharpened": lambda image: jpeg(
        _sharpened(cv2.resize(scaled(image, 0.5), image.shape[1::-1], interpolation=2), 1.0), 92
    ),
    "blurred by 0.8": lambda image: jpeg(cv2.GaussianBlur(image, (0, 0), 0.8), 95),
    "blurred by 2": lambda image: jpeg(cv2.GaussianBlur(image, (0, 0), 2), 95),
    "progressive, cut at 0.3": lambda image: _cut_progressive(image, 0.3),
    "progressive, cut at 0.55": lambda image: _cut_progressive(image, 0.55),
}


def look_at(pair: Pair, rng: np.random.Generator) -> Look | None:
    """A closer look at a pair, from an alignment that is as rough as that of the proofs."""
    height, width = pair.b.image.shape[:2]
    error = _ROUGH * max(height, width) / _PROOF
    corners = np.array([[0, 0], [width, 0], [0, height]], np.float32)
    moved = corners + rng.normal(0, error, (3, 2)).clip(-2 * error, 2 * error).astype(np.float32)
    rough = np.vstack([cv2.getAffineTransform(corners, moved), [0, 0, 1]]) @ pair.matrix
    rows = tuple(tuple(float(v) for v in row) for row in rough[:2])
    match = Match(1, 2, Relation.EDITED, transform=rows)
    return closer_look(prepare(_picture(pair.a)), prepare(_picture(pair.b)), match)


def _picture(side: Side) -> Picture:
    metadata = Metadata(few_colours=side.few_colours)
    kind = "PNG" if side.quality is None else "JPEG"
    height, width = side.image.shape[:2]
    info = ImageInfo(kind, width, height, lossless=side.quality is None, metadata=metadata)
    steps = None if side.quality is None else luminance_steps(side.quality)
    return Picture(side.image, info, steps=steps)


def photos_of(folders: list[Path], half: Half, limit: int) -> Iterator[tuple[str, Image]]:
    """Photos of one half, in an order of their own."""
    chosen = [photo for photo in list_photos(folders) if photo.half == half]
    chosen.sort(key=lambda photo: digest("deciding", photo.name))
    for photo in chosen[:limit]:
        read = cv2.imread(str(photo.path), cv2.IMREAD_COLOR)
        yield photo.name, np.ascontiguousarray(read[..., ::-1])


def _row(name: str, values: list[float], wrong: int) -> str:
    figures = *np.percentile(values, (5, 50, 95)), max(values)
    cells = " | ".join(f"{value:.1f}" for value in figures)
    return f"| {name} | {cells} | {wrong} of {len(values)} |"


_NEAREST = 4


def drawings(folder: Path | None, limit: int) -> None:
    """Compare every drawing with those most like it; print how many pairs pass for copies."""
    groups: dict[str, list[Picture]] = {}
    for kind, draw in DRAWN.items():
        made = (draw(generator("drawing", kind, k)) for k in range(EACH))
        groups[kind] = [_picture(Side(image)) for image in made]
    if folder is not None:
        paths = sorted(folder.iterdir(), key=lambda path: digest("drawing", path.name))
        limits = DecodeLimits()
        groups["from the folder"] = [
            decode_full(path.read_bytes(), limits=limits) for path in paths[:limit]
        ]
    print("| drawings | files | pairs most alike | taken for copies |")
    for kind, pictures in groups.items():
        ready = [prepare(picture) for picture in pictures]
        small = np.stack([scaled_to(p.small, 16).ravel().astype(np.float32) for p in ready])
        same = [(p.small.tobytes(), b"" if p.alpha is None else p.alpha.tobytes()) for p in ready]
        pairs = set()
        for k in range(len(ready)):
            far = np.abs(small - small[k]).mean(axis=1)
            pairs |= {(min(k, int(j)), max(k, int(j))) for j in np.argsort(far)[: _NEAREST + 1]}
        taken, tried = 0, 0
        for i, j in sorted(pairs):
            if same[i] == same[j] or ready[i].luma.shape != ready[j].luma.shape:
                continue
            found = closer_look(ready[i], ready[j], Match(1, 2, Relation.EDITED))
            tried += 1
            taken += found is not None and found.worst < CONTENT
        print(f"| {kind} | {len(ready)} | {tried} | {taken} |", flush=True)


def scaled_to(image: Image, side: int) -> Image:
    """At ``side`` x ``side`` pixels."""
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Measure all kinds and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", nargs="+", type=Path, default=[])
    parser.add_argument("--drawings", type=Path)
    parser.add_argument("--limit", type=int, default=30)
    parser.add_argument("--half", choices=("first", "second"), default="second")
    parser.add_argument("--only", nargs="*", default=["one", "copies", "detail"])
    parser.add_argument("--strengths", nargs="+", choices=STRENGTHS, default=list(STRENGTHS))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    photos = list(photos_of(options.photos, options.half, options.limit))
    if "drawings" in options.only:
        drawings(options.drawings, options.limit)
    if not photos:
        return
    started, looks = time.process_time(), 0
    if "one" in options.only:
        print("| one thing differs | 5% | median | 95% | max | taken for a copy |")
        for kind, make in ONE_THING.items():
            for strength in options.strengths:
                values = []
                for k, (name, image) in enumerate(photos):
                    rng = generator("deciding", kind, name)
                    one, two = make(image, rng, photos[k - 1][1])
                    found = look_at(whole(one, STRENGTHS[strength](two)), rng)
                    values.append(99.0 if found is None else found.worst)
                    looks += 1
                print(
                    _row(f"{kind}, {strength}", values, sum(v < CONTENT for v in values)),
                    flush=True,
                )
    if "copies" in options.only:
        print("| plain copies | 5% | median | 95% | max | taken to differ | for another shot |")
        for kind, copy in {**COPIES, "two exposures": exposures}.items():
            values, shots = [], 0
            for name, image in photos:
                rng = generator("deciding", kind, name)
                found = look_at(copy(image, rng), rng)
                values.append(99.0 if found is None else found.worst)
                shots += found is not None and found.another_shot
                looks += 1
            row = _row(kind, values, sum(v >= CONTENT for v in values))
            print(row, f"{shots} of {len(values)} |", flush=True)
    if "detail" in options.only:
        print("| detail | 5% | median | 95% | max | not told |")
        for kind, spoil in DETAIL.items():
            values = []
            for name, image in photos:
                rng = generator("deciding", kind, name)
                found = look_at(whole(image, spoil(image)), rng)
                values.append(0.0 if found is None else found.detail)
                looks += 1
            print(_row(kind, values, sum(v < 1 for v in values)), flush=True)
    print(f"{(time.process_time() - started) / max(1, looks):.3f} s a pair, making it included")


if __name__ == "__main__":
    main()
