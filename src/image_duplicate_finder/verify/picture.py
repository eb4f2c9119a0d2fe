"""Draws what a match says: both pictures, the outline of each on the other, and what differs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import Match, Transform
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix

Rgb = NDArray[np.uint8]

_SIDE = 640
_GAP = 12
_PAPER = 24
_LINE = (255, 64, 64)


def draw_comparison(a: Rgb, b: Rgb, match: Match | None) -> Rgb:
    """a and b side by side, with outlines, and where they differ: RGB uint8 (H, W, 3).

    ``a`` and ``b`` are upright pictures (h, w, 3) of any size; ``match`` maps a to b and belongs
    to their full sizes as they are given. The third panel is a in grey with differences in red:
    what b shows elsewhere, after its brightness was fitted to a's. Without a match, or without a
    transform, there are two panels and no outlines.
    """
    small_a, to_a = _fitted(a)
    small_b, to_b = _fitted(b)
    if match is None or match.transform is None:
        return _row([small_a, small_b])
    matrix = to_b @ _matrix(match.transform) @ np.linalg.inv(to_a)
    shown_a = _outlined(small_a, geometry.inverse(matrix), small_b.shape)
    shown_b = _outlined(small_b, matrix, small_a.shape)
    return _row([shown_a, shown_b, _differences(small_a, small_b, matrix, match.negative)])


def _matrix(transform: Transform) -> Matrix:
    rows = np.array(transform, np.float64)
    return rows if len(rows) == 3 else np.vstack([rows, (0, 0, 1)])


def _fitted(picture: Rgb) -> tuple[Rgb, Matrix]:
    """The picture with at most 640 pixels on its longer side, and the change of frame."""
    height, width = picture.shape[:2]
    factor = min(1.0, _SIDE / max(height, width))
    new = max(1, round(width * factor)), max(1, round(height * factor))
    small = np.asarray(cv2.resize(picture, new, interpolation=cv2.INTER_AREA), np.uint8)
    return small, geometry.frame_change(width, height, *new)


def _outlined(picture: Rgb, matrix: Matrix, other: tuple[int, ...]) -> Rgb:
    """The picture with the frame of ``other`` (h, w), mapped by ``matrix``, drawn on it."""
    outline = geometry.apply(matrix, geometry.corners(other[1], other[0]))
    # A frame that only touches the border would be cut off.
    limit = np.array(picture.shape[1::-1]) - 2
    outline = np.clip(outline, -20 * _SIDE, 20 * _SIDE)
    near = np.abs(outline - np.clip(outline, 1, limit)) < 3
    outline = np.where(near, np.clip(outline, 1, limit), outline)
    drawn = picture.copy()
    cv2.polylines(drawn, [np.rint(outline).astype(np.int32)], True, _LINE, 2, cv2.LINE_AA)
    return drawn


def _differences(a: Rgb, b: Rgb, matrix: Matrix, negative: bool) -> Rgb:
    """a in grey, red where b shows something else, dark where b shows nothing."""
    size = a.shape[1], a.shape[0]
    back = geometry.inverse(matrix)
    grey_a = np.asarray(cv2.cvtColor(a, cv2.COLOR_RGB2GRAY), np.float32)
    grey_b = np.asarray(cv2.cvtColor(b, cv2.COLOR_RGB2GRAY), np.float32)
    warped = np.asarray(cv2.warpPerspective(255 - grey_b if negative else grey_b, back, size))
    seen = cv2.warpPerspective(np.ones(b.shape[:2], np.uint8), back, size) > 0
    if not seen.any():
        return np.asarray(np.repeat((grey_a / 3)[..., None], 3, axis=2), np.uint8)
    # Brightness and contrast are fitted by median and spread, which captions hardly move.
    middle_a, middle_b = np.median(grey_a[seen]), np.median(warped[seen])
    spread_a = np.abs(grey_a[seen] - middle_a).mean() + 1
    spread_b = np.abs(warped[seen] - middle_b).mean() + 1
    fitted = (warped - middle_b) * (spread_a / spread_b) + middle_a
    blurred = cv2.GaussianBlur(fitted - grey_a, (0, 0), 1.5)
    strength = np.where(seen, np.clip((np.abs(blurred) - 12) / 60, 0, 1), 0)[..., None]
    base = np.where(seen, 0.6 * grey_a + 60, grey_a / 3)[..., None]
    mixed = base * (1 - strength) + np.array([255, 40, 40]) * strength
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def _row(panels: list[Rgb]) -> Rgb:
    height = max(panel.shape[0] for panel in panels) + 2 * _GAP
    width = sum(panel.shape[1] + _GAP for panel in panels) + _GAP
    sheet = np.full((height, width, 3), _PAPER, np.uint8)
    x = _GAP
    for panel in panels:
        y = (height - panel.shape[0]) // 2
        sheet[y : y + panel.shape[0], x : x + panel.shape[1]] = panel
        x += panel.shape[1] + _GAP
    return sheet
