"""Draw the picture of docs/how-it-decides.md.

``python -m tools.decision_pictures --photo FILE --out docs/pictures/decisions.jpg``: one photo and
copies made of it, each scanned in a folder with the photo alone; below each copy what was done to
it and what the scan decided. The place that differs most is outlined.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as Pillow

from benchmarks.photos import Image, read, write
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import english
from image_duplicate_finder.settings import ScanSettings
from tools.threshold_pictures import cell

SIZE, COLUMNS = (252, 168), 4
KEPT, PROPOSED, STAYS = (20, 110, 60), (180, 30, 25), (60, 60, 60)
QUALITY = 92


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and write the sheet."""
    parser = argparse.ArgumentParser(prog="python -m tools.decision_pictures", description=__doc__)
    parser.add_argument("--photo", type=Path, required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    given = parser.parse_args(arguments)
    photo = read(given.photo)
    cells = [_cell(photo, "the photo", "kept", KEPT)]
    cells += [_decided(photo, words, copy) for words, copy in COPIES.items()]
    rows = [cells[at : at + COLUMNS] for at in range(0, len(cells), COLUMNS)]
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in rows])
    given.out.parent.mkdir(parents=True, exist_ok=True)
    write(given.out, sheet, quality=80)


def _decided(photo: Image, words: str, copy: Callable[[Image, Path], None]) -> Image:
    """The cell of one copy: it and the photo are scanned, and the copy's tile is drawn."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "in"
        folder.mkdir()
        original, other = folder / "photo.jpg", folder / "copy.jpg"
        write(original, photo, quality=QUALITY)
        copy(photo, other)
        with Library.open(Path(place) / "library") as library:
            (group,) = library.all_groups(library.scan([folder], ScanSettings(jobs=1)).id)
        (member,) = group.members
        assert group.keeper.path == str(original), words
        shown = read(other)
        for difference in member.differences[:1]:
            x, y, width, height = difference.in_a
            around = (x - 12, y - 12), (x + width + 12, y + height + 12)
            cv2.rectangle(shown, *around, (255, 190, 0), max(3, shown.shape[1] // 150))
        if member.selected:
            return _cell(shown, words, "proposed for removal", PROPOSED)
        return _cell(shown, words, f"stays: {english(member.lacks[-1]())}", STAYS)


def _saved(change: Callable[[Image], Image], quality: int = 88) -> Callable[[Image, Path], None]:
    return lambda photo, path: write(path, np.ascontiguousarray(change(photo)), quality=quality)


def _scaled(photo: Image, factor: float) -> Image:
    return np.asarray(
        cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )


def _thumbnail(photo: Image) -> Image:
    size = photo.shape[1], photo.shape[0]
    return np.asarray(
        cv2.resize(_scaled(photo, 0.25), size, interpolation=cv2.INTER_CUBIC), np.uint8
    )


def _retouched(photo: Image) -> Image:
    """One spot gets the surroundings that lie beside it."""
    changed = photo.copy()
    height, width = photo.shape[:2]
    size = width // 16
    y, x = int(height * 0.42), int(width * 0.52)
    changed[y : y + size, x : x + size] = photo[y : y + size, x - 2 * size : x - size]
    return changed


def _grey(photo: Image) -> Image:
    return np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)


def _dated(photo: Image, path: Path) -> None:
    """Half the size, and the only one that says when it was taken."""
    exif = Pillow.Exif()
    exif.get_ifd(0x8769)[36867] = "2021:06:12 11:22:05"
    Pillow.fromarray(_scaled(photo, 0.5)).save(path, quality=QUALITY, exif=exif)


COPIES: dict[str, Callable[[Image, Path], None]] = {
    "re-saved at quality 60": _saved(lambda photo: photo, 60),
    "half the size": _saved(lambda photo: _scaled(photo, 0.5)),
    "cropped": _saved(lambda photo: photo[photo.shape[0] // 8 :, : photo.shape[1] * 8 // 9]),
    "a thumbnail, enlarged": _saved(_thumbnail, 95),
    "one spot retouched": _saved(_retouched),
    "black and white": _saved(_grey),
    "half the size, with a date": _dated,
}


def _cell(image: Image, first: str, second: str, colour: tuple[int, int, int]) -> Image:
    return cell(image, first, second, colour, SIZE)


if __name__ == "__main__":
    main()
