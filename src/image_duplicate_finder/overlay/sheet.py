"""One picture that shows a match: both pictures, outlines of each on the other, differences."""

from __future__ import annotations

import cv2
import numpy as np

from image_duplicate_finder.overlay.alignment import (
    Matrix,
    Pixels,
    align,
    difference,
    fit,
    outline,
    refined,
)

_SIDE = 640
_GAP = 12
_PAPER = 24
_LINE = (255, 64, 64)
# Outlines far outside would overflow the drawing; nobody sees them.
_FARTHEST = 20.0


def draw_sheet(keeper: Pixels, member: Pixels, matrix: Matrix | None) -> Pixels:
    """Panels side by side, RGB uint8 (H, W, 3), each at most 640 pixels a side.

    ``keeper`` and ``member`` are upright RGB pictures (h, w, 3) of any size. ``matrix`` maps the
    keeper to the member in shares of their sizes (:func:`~.alignment.normalised`): with it each
    picture carries the other's outline, and a third panel shows in the keeper's frame where they
    differ, the hotter the more. Without it there are two plain panels.
    """
    small, other = fit(keeper, _SIDE), fit(member, _SIDE)
    if matrix is None:
        return _row([small, other])
    exact = refined(small, other, matrix)
    drawn, inside = align(other, exact, (small.shape[1], small.shape[0]))
    return _row(
        [
            _outlined(small, outline(exact)),
            _outlined(other, outline(np.linalg.inv(exact).astype(np.float64))),
            difference(small, drawn, inside).picture,
        ]
    )


def _outlined(picture: Pixels, corners: list[tuple[float, float]]) -> Pixels:
    height, width = picture.shape[:2]
    places = np.clip(np.array(corners), -_FARTHEST, _FARTHEST) * (width, height)
    # A frame that only touches the border would be cut off.
    limit = np.array((width, height)) - 2
    inner = np.clip(places, 1, limit)
    places = np.where(np.abs(places - inner) < 3, inner, places)
    drawn = picture.copy()
    cv2.polylines(drawn, [np.rint(places).astype(np.int32)], True, _LINE, 2, cv2.LINE_AA)
    return drawn


def _row(panels: list[Pixels]) -> Pixels:
    height = max(panel.shape[0] for panel in panels) + 2 * _GAP
    width = sum(panel.shape[1] + _GAP for panel in panels) + _GAP
    sheet = np.full((height, width, 3), _PAPER, np.uint8)
    x = _GAP
    for panel in panels:
        y = (height - panel.shape[0]) // 2
        sheet[y : y + panel.shape[0], x : x + panel.shape[1]] = panel
        x += panel.shape[1] + _GAP
    return sheet
