"""The closer look on painted pictures: copies show no difference, one small thing does."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder.decode import Picture
from image_duplicate_finder.model import ImageInfo, Look, Match, Relation, Transform
from image_duplicate_finder.verify.closer import CONTENT, Prepared, closer_look, prepare
from tests.conftest import Painter

Image = NDArray[np.uint8]
IDENTITY: Transform = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def prepared(image: Image, alpha: Image | None = None) -> Prepared:
    info = ImageInfo("PNG", image.shape[1], image.shape[0], has_alpha=alpha is not None)
    return prepare(Picture(np.ascontiguousarray(image), info, alpha))


def jpeg(image: Image, quality: int) -> Image:
    packed = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded[..., ::-1], np.uint8)


def resized(image: Image, factor: float, how: int = cv2.INTER_AREA) -> Image:
    size = round(image.shape[1] * factor), round(image.shape[0] * factor)
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def look(a: Image, b: Image, transform: Transform = IDENTITY) -> Look:
    match = Match(1, 2, Relation.EDITED, transform=transform)
    found = closer_look(prepared(a), prepared(b), match)
    assert found is not None
    return found


COPIES: dict[str, tuple[Callable[[Image], Image], Transform]] = {
    "the same": (lambda image: image.copy(), IDENTITY),
    "saved at 60": (lambda image: jpeg(image, 60), ((1, 0, 2), (0, 1.002, -1))),
    "half": (
        lambda image: resized(image, 0.5),
        ((0.5, 0, 1), (0, 0.5, 0)),
    ),
    "mirrored": (
        lambda image: np.ascontiguousarray(image[:, ::-1]),
        ((-1, 0, 638), (0, 1, 1)),
    ),
    "cropped": (lambda image: image[40:-20, 30:-50], ((1, 0, -29), (0, 1, -41.5))),
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_do_not_differ(name: str, painted: Painter) -> None:
    image = painted(5, 640, 480)
    edit, transform = COPIES[name]
    assert look(image, edit(image), transform).worst < CONTENT


def test_a_small_spot_differs_and_is_outlined(painted: Painter) -> None:
    image = painted(5, 640, 480)
    other = image.copy()
    cv2.circle(other, (200, 150), 5, (255, 40, 30), -1)
    found = look(image, jpeg(other, 80))
    assert found.worst >= CONTENT
    x, y, width, height = found.differences[0].in_a
    assert x <= 196 and x + width >= 205 and y <= 146 and y + height >= 155
    assert width < 40 and height < 40
