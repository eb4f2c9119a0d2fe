"""Which of several shots of one scene is the best: sharpness, exposure, size. Pure.

Heavy to import: the review page does so when it is asked.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in
brightfield microscopy", ICPR 2000), taken at one common size so that pixels do not count twice.
It compares shots of the same scene only; between scenes it says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import ImageInfo

_SIDE = 512
_CLIPPED_COSTS = 2.0
_MUCH_SHARPER = 1.15
_MORE_PIXELS = 1.2
_LESS_CLIPPED = 0.03


class Reason(StrEnum):
    """Why a shot is the best one."""

    SHARPEST = "sharpest"
    EXPOSURE = "exposure"
    PIXELS = "pixels"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Shot:
    """A judged picture: its place in the input, sharpness, and the share of clipped pixels."""

    index: int
    sharpness: float
    clipped: float
    score: float
    reasons: tuple[Reason, ...]


def best_shot(pictures: Sequence[tuple[ImageInfo, bytes]]) -> tuple[int, Shot] | None:
    """The best of some pictures, as encoded bytes: its place and why. None below two pictures."""
    decoded = [
        (place, info, np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8))
        for place, (info, data) in enumerate(pictures)
        if (pixels := cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) is not None
    ]
    shots = rank_shots([(info, pixels) for _place, info, pixels in decoded])
    return None if len(shots) < 2 else (decoded[shots[0].index][0], shots[0])


def rank_shots(pictures: Sequence[tuple[ImageInfo, NDArray[np.uint8]]]) -> list[Shot]:
    """The shots, best first; equal ones in the order given. Pictures are RGB uint8 (H, W, 3)."""
    measured = [_measure(picture) for _, picture in pictures]
    if not measured:
        return []
    sharpest = max(sharpness for sharpness, _ in measured) or 1.0
    largest = max(info.pixels for info, _ in pictures) or 1
    scores = [
        sharpness / sharpest - _CLIPPED_COSTS * clipped + 0.25 * (info.pixels / largest) ** 0.5
        for (sharpness, clipped), (info, _) in zip(measured, pictures, strict=True)
    ]
    order = sorted(range(len(measured)), key=lambda index: -scores[index])
    return [
        Shot(index, *measured[index], scores[index], _reasons(index, measured, pictures))
        for index in order
    ]


def sharpness_of(pictures: Sequence[bytes]) -> list[float | None]:
    """How sharp encoded pictures of one scene are, as shares of the sharpest; None: unreadable."""
    measured = [
        None
        if (pixels := cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) is None
        else _measure(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8))[0]
        for data in pictures
    ]
    most = max((each for each in measured if each is not None), default=0.0) or 1.0
    return [None if each is None else each / most for each in measured]


def _measure(picture: NDArray[np.uint8]) -> tuple[float, float]:
    height, width = picture.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    laplacian = cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 0.8), cv2.CV_32F)
    # The sharpest tenth of the picture: a soft background is no fault.
    energy = cv2.boxFilter(laplacian**2, -1, (32, 32))
    clipped = float(np.mean((grey <= 3) | (grey >= 252)))
    return float(np.percentile(energy, 90)) ** 0.5, clipped


def _reasons(
    index: int,
    measured: Sequence[tuple[float, float]],
    pictures: Sequence[tuple[ImageInfo, NDArray[np.uint8]]],
) -> tuple[Reason, ...]:
    others = [place for place in range(len(measured)) if place != index]
    if not others:
        return ()
    found = []
    if measured[index][0] > _MUCH_SHARPER * max(measured[place][0] for place in others):
        found.append(Reason.SHARPEST)
    if measured[index][1] < min(measured[place][1] for place in others) - _LESS_CLIPPED:
        found.append(Reason.EXPOSURE)
    if pictures[index][0].pixels > _MORE_PIXELS * max(pictures[p][0].pixels for p in others):
        found.append(Reason.PIXELS)
    return tuple(found) or (Reason.CLOSE,)
