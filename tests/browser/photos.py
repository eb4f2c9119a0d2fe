"""A folder as a person has it: photos, and copies of some of them under all kinds of names."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageOps

from tests.painting import paint_photo

Change = Callable[[Image.Image], Image.Image]

NAMES = (
    "{stem} (1).jpg", "copy of {stem}.jpg", "it's {stem}.jpg", 'say "{stem}".jpg', "🎈 {stem}.jpg",
    "été {stem}.jpg", "写真 {stem}.jpg", "صورة {stem}.jpg", "-{stem}.jpg", "{stem} & <b>co.jpg",
    "{stem}%20x.jpg", "{stem}#1?.jpg", "a;b {stem}.jpg",
)  # fmt: skip


def _half(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.LANCZOS)


CHANGES: dict[str, Change | None] = {
    "bytes": None,
    "saved": lambda picture: picture,
    "resized": _half,
    "mirrored": ImageOps.mirror,
    "turned": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
}
"""What a copy is to its original; None for the same bytes."""


@dataclass(slots=True)
class Collection:
    """The folder, and for each original the copies that were made of it."""

    folder: Path
    copies: dict[Path, list[Path]] = field(default_factory=dict)

    @property
    def groups(self) -> set[frozenset[str]]:
        """Paths that belong together."""
        return {frozenset(map(str, (original, *found))) for original, found in self.copies.items()}


def make_collection(
    folder: Path, photos: Sequence[Path], copies: int, *, seed: int = 1
) -> Collection:
    """Copy ``photos`` into ``folder`` and add ``copies`` copies of randomly chosen ones."""
    rng = random.Random(seed)
    made = Collection(folder)
    for number, photo in enumerate(photos):
        below = folder / ("2019 summer" if number % 3 else "albums/Ärger & Co")
        below.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, below / photo.name)
        made.copies[below / photo.name] = []
    chosen = rng.choices(list(made.copies), k=copies)
    for number, original in enumerate(chosen):
        change = list(CHANGES.values())[number % len(CHANGES)]
        name = NAMES[number % len(NAMES)].format(stem=f"{original.stem}_{number}")
        target = folder / "downloads" / name
        target.parent.mkdir(exist_ok=True)
        if change is None:
            shutil.copy(original, target)
        else:
            with Image.open(original) as picture:
                change(picture.convert("RGB")).save(target, quality=rng.randint(70, 92))
        os.utime(target, ns=(1_600_000_000_123_456_789 + number, 1_600_000_000_123_456_789))
        made.copies[original].append(target)
    made.copies = {original: found for original, found in made.copies.items() if found}
    return made


def save_large_pairs(folder: Path, count: int) -> None:
    """Save ``count`` photos of 12 megapixels to a new folder, each with a smaller copy."""
    folder.mkdir()
    for seed in range(count):
        photo = Image.fromarray(paint_photo(seed)).resize((4000, 3000), Image.Resampling.BICUBIC)
        photo.save(folder / f"{seed}.jpg", quality=92)
        photo.resize((3600, 2700)).save(folder / f"{seed} b.jpg", quality=90)
