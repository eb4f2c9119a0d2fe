"""Looks at a picture around the outline of another that it shows.

A crop goes on beyond the outline; a pasted picture ends there with a straight step; a border
is flat all around.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix

_MARGIN = 12
# Where the outline is nearer to the frame, less of its surroundings has to do.
_MARGINS = (12, 8)
_REACH = 2
# An outline nearer than this to the picture's frame says nothing.
_FROM_FRAME = 4
# How often grey steps more across the outline than beside it: 0.5 is chance. Measured per side,
# nine in ten crops stay below 0.68 and nine in ten cells of collages lie above 0.75; the mean of a
# picture's sides is below in 98.6% of crops and above in 99% of cells.
_SEAM, _LONE_SEAM = 0.68, 0.8
_LEAST_STEP = 3.0
_FILLS, _IN_WHOLE = 0.6, 0.9
_FLAT_BLOCK, _FLAT_DEVIATION = 6, 3.5
_FLAT_SHARE = 0.93


def flat_outside(container: NDArray[np.uint8], matrix: Matrix, inner: tuple[float, float]) -> bool:
    """Whether all of ``container`` (h, w) outside the inner picture is flat: a border, a fill.

    ``matrix`` maps the inner picture of size ``inner`` (width, height) into the container.
    """
    height, width = container.shape
    outline = geometry.apply(matrix, geometry.corners(*inner))
    covered = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(covered, np.rint(outline).astype(np.int32), 1)
    outside = cv2.erode(1 - covered, np.ones((7, 7), np.uint8), borderValue=1)
    if outside.sum() < 0.01 * outside.size:
        return True
    grey = container.astype(np.float32)
    size = (_FLAT_BLOCK, _FLAT_BLOCK)
    mean = cv2.blur(grey, size)
    deviation = np.sqrt(np.maximum(cv2.blur(grey * grey, size) - mean * mean, 0))
    flat = deviation[outside > 0] < _FLAT_DEVIATION
    return float(np.count_nonzero(flat)) >= _FLAT_SHARE * flat.size


def is_pasted(container: NDArray[np.uint8], matrix: Matrix, inner: tuple[float, float]) -> bool:
    """Whether the inner picture's outline shows in ``container`` as straight steps of grey.

    Arguments as for :func:`flat_outside`.
    """
    scale = geometry.scale_of(matrix)
    across, down = max(8, round(inner[0] * scale)), max(8, round(inner[1] * scale))
    to_canvas = np.array([[1, 0, _MARGIN], [0, 1, _MARGIN], [0, 0, 1.0]]) @ geometry.frame_change(
        *inner, across, down
    )
    size = (across + 2 * _MARGIN, down + 2 * _MARGIN)
    back = to_canvas @ geometry.inverse(matrix)
    canvas = cv2.warpPerspective(container.astype(np.float32), back, size, flags=cv2.INTER_LINEAR)
    inside = np.zeros(container.shape, np.uint8)
    inside[_FROM_FRAME:-_FROM_FRAME, _FROM_FRAME:-_FROM_FRAME] = 1
    known = cv2.warpPerspective(inside, back, size, flags=cv2.INTER_NEAREST) > 0
    # Turned so that the side in question is the upper one.
    measured = (_seam(np.rot90(canvas, turned), np.rot90(known, turned)) for turned in range(4))
    seams = [seam for seam in measured if seam is not None]
    share = across * down / container.size
    if share >= _FILLS:
        # So large a picture was more likely cut from the container, or turned within it, than
        # pasted into it: it must be there in whole, with a clear seam on all its sides.
        whole = float(known[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].mean()) >= _IN_WHOLE
        return whole and len(seams) > 1 and min(seams) >= _SEAM
    if len(seams) == 1:
        return seams[0] >= _LONE_SEAM
    return bool(seams) and sum(seams) / len(seams) >= _SEAM


def _seam(canvas: NDArray[np.float32], known: NDArray[np.bool_]) -> float | None:
    """How often grey steps more across the upper side of the outline than beside it, 0 to 1.

    Each column is compared with itself, so that a busy part beside a calm one hides no seam.
    0 for hardly any step at all; None if that side is not inside the picture.
    """
    columns = slice(_MARGIN + 3, canvas.shape[1] - _MARGIN - 3)
    least = max(6, 0.3 * (canvas.shape[1] - 2 * _MARGIN - 6))
    for margin in _MARGINS:
        band = slice(_MARGIN - margin, _MARGIN + margin)
        usable = np.nonzero(known[band, columns].all(axis=0))[0]
        if len(usable) >= least:
            break
    else:
        return None
    strip = canvas[band, columns][:, usable]
    jumps = np.abs(strip[2:] - strip[:-2])
    # jumps[k] is centred on row k + 1; the outline runs between rows margin - 1 and margin.
    distance = np.abs(np.arange(len(jumps)) - (margin - 1.5))
    near = jumps[distance <= _REACH]
    across = near[near.mean(axis=1).argmax()]
    if across.mean() < _LEAST_STEP:
        return 0.0
    return float((across > jumps[distance >= _REACH + 2]).mean())
