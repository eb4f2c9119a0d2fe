"""Copies in other colours are distinguished from new encodings of the same picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from image_duplicate_finder import Relation, find_duplicates
from image_duplicate_finder.fingerprint.appearance import encode_colour, recoloured

Picture = NDArray[np.uint8]


def saturated(picture: Picture, factor: float) -> Picture:
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 1] *= factor
    return cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)


def jpeg(picture: Picture, quality: int) -> Picture:
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


@pytest.fixture(scope="module")
def kodak(shared_data: Path) -> list[Picture]:
    paths = sorted((shared_data / "photos" / "kodak").iterdir())
    return [np.asarray(Image.open(path).convert("RGB")) for path in paths]


def test_new_encodings_sizes_and_turns_keep_their_colours(kodak: list[Picture]) -> None:
    for picture in kodak:
        small = cv2.resize(picture, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
        for copy in (jpeg(picture, 60), small, np.ascontiguousarray(np.rot90(picture))):
            assert not recoloured(encode_colour(picture), encode_colour(copy), same_frame=True)


def test_large_crops_keep_their_colours(kodak: list[Picture]) -> None:
    told = sum(
        recoloured(
            encode_colour(picture), encode_colour(picture[30:-30, 40:-40].copy()), same_frame=False
        )
        for picture in kodak
    )
    assert told == 0


def test_grey_faded_and_tinted_copies_are_recoloured(kodak: list[Picture]) -> None:
    for picture in kodak:
        chroma = np.frombuffer(encode_colour(picture)[:4], "<f4")[0]
        if chroma < 12:
            continue  # hardly any colour to lose
        tinted = np.clip(picture * np.array([1.15, 1.0, 0.8]), 0, 255).astype(np.uint8)
        for copy in (saturated(picture, 0.0), saturated(picture, 0.2), tinted):
            assert recoloured(encode_colour(picture), encode_colour(copy), same_frame=True)


def test_a_scan_calls_a_faded_copy_edited_and_leaves_it(
    tmp_path: Path, library_dir: Path, kodak: list[Picture]
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(kodak[2]).save(folder / "photo.png")
    Image.fromarray(saturated(kodak[2], 0.2)).save(folder / "faded.jpg", quality=90)
    Image.fromarray(kodak[2]).save(folder / "sent.jpg", quality=70)
    (group,) = find_duplicates([folder], library=library_dir).duplicates
    found = {Path(m.file.path).name: (m.relation, m.selected) for m in group.members}
    assert found == {
        "faded.jpg": (Relation.EDITED, False),
        "sent.jpg": (Relation.REENCODED, True),
    }
