"""Compares the pixels of two aligned pictures, block by block.

The normalised cross-correlation of blocks does not care for brightness and contrast, and a
share of agreeing blocks stands captions and stickers. Before the last look the alignment is
made finer: blocks are matched within a few pixels and the transform is fitted to their shifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode.common import swaps_sides, upright
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix

Grey = NDArray[np.uint8]
Smooth = NDArray[np.float32]


class Tuning(NamedTuple):
    """How blocks are compared: one value for all compiled loops."""

    smallest: int = 8
    largest: int = 14
    textured: float = 4.0
    """A block whose standard deviation is below this in both pictures is flat."""
    structured: float = 3.0
    agrees: float = 0.6
    strong: float = 0.85
    """A block that agrees this well is evidence; unlike pictures have few such blocks."""
    settled_well: float = 0.9
    share_well: float = 0.95
    """Nothing is left to align where so large a share of blocks agrees so well..."""
    share_agreeing: float = 0.985
    """... and this share of them agrees at all."""
    smallest_moved: int = 10
    largest_moved: int = 18
    near: tuple[int, int] = (3, 2)
    """How far blocks are looked for, the first time and the second."""
    far: tuple[int, int] = (6, 3)
    small_area: int = 8000
    """Fewer keypoints lie on a smaller part and align it less exactly: look farther there."""
    close_enough: float = 0.6
    """Pixels that blocks had to be shifted by on average: nothing is left to correct."""
    for_homography: int = 16


TUNING = Tuning()
_MIDDLE = 128
_SPOT = 8


@dataclass(frozen=True)
class Proof:
    """A small grey picture (h, w) and what comparisons make of it, once for all of them."""

    grey: Grey

    @cached_property
    def smooth(self) -> Smooth:
        """The picture without the noise of single pixels, relative to middle grey."""
        return _smooth(self.grey)


class Agreement(NamedTuple):
    """What the textured blocks of two pictures say.

    How many there are, how many of them agree strongly and at all; the median correlation of
    agreeing ones, and by how many grey levels the source is brighter there.
    """

    textured: int
    strong: int
    agreeing: int
    score: float
    brighter: float

    @property
    def share(self) -> float:
        """The share of blocks that agree."""
        return self.agreeing / max(1, self.textured)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What blocks of two aligned pictures say.

    ``matrix`` maps pixel coordinates of a to those of b. Blocks are those of the picture in which
    the motif is smaller, each ``size`` pixels wide: rows of ``blocks`` have the columns that
    ``pixel_kernels`` names. ``brightness`` is how much brighter b is. ``target`` is that picture,
    smoothed, ``warped`` the other one laid over it, ``mask`` where both are.
    """

    matrix: Matrix
    size: int
    blocks: NDArray[np.float64]
    agreement: Agreement
    brightness: float
    target: Smooth
    warped: Smooth
    mask: NDArray[np.uint8]

    def has_structured(self, enough: int) -> bool:
        """Whether ``enough`` of the strongly agreeing blocks change their grey in both pictures
        not only slowly across the block.
        """
        from image_duplicate_finder.verify import pixel_kernels

        return bool(
            pixel_kernels.has_structured(
                self.target, self.warped, self.blocks, self.size, TUNING, enough
            )
        )

    def worst_difference(self) -> tuple[float, float]:
        """How far the common area differs where it differs most, but for one change of brightness
        and contrast, in grey levels; and the standard deviation of that area.
        """
        from image_duplicate_finder.verify import pixel_kernels

        left = np.empty_like(self.target)
        deviation = pixel_kernels.residual(self.target, self.warped, self.mask, left)
        return float(cv2.blur(left, (_SPOT, _SPOT)).max()), float(deviation)

    def largest_difference(self) -> float:
        """The share of the compared area that the largest connected piece of difference takes."""
        from image_duplicate_finder.verify import pixel_kernels

        largest = pixel_kernels.largest_difference(
            self.blocks, self.size // 2, TUNING.textured, TUNING.agrees
        )
        return int(largest) / len(self.blocks)


def compare(
    a: Proof,
    b: Proof,
    matrix: Matrix,
    *,
    negative: bool = False,
    orientation: int | None = None,
) -> Comparison | None:
    """Compare two pictures under ``matrix`` (a to b), made finer on the way.

    ``orientation`` is the EXIF orientation, 1 to 8, where ``matrix`` is just that: pictures of one
    size are then laid pixel on pixel, and most copies need nothing more. None where they hardly
    overlap, or the alignment falls apart when it is made finer.
    """
    height, width = a.grey.shape
    if orientation is not None:
        turned = (width, height) if swaps_sides(orientation) else (height, width)
        if turned == b.grey.shape:
            return _compare(a, b, matrix, negative, orientation=orientation)
    if not geometry.is_sound(matrix, width, height):
        return None
    if geometry.scale_of(matrix) > 1:
        return _compare(b, a, geometry.inverse(matrix), negative, swapped=True)
    return _compare(a, b, matrix, negative)


def _compare(
    source: Proof,
    target: Proof,
    matrix: Matrix,
    negative: bool,
    *,
    orientation: int | None = None,
    swapped: bool = False,
) -> Comparison | None:
    """Compare in the frame of ``target``, where the motif is not larger than in ``source``.

    ``orientation`` makes ``source`` cover ``target`` exactly, if it is given. ``swapped``: the
    target is a.
    """
    from image_duplicate_finder.verify import pixel_kernels

    smooth, back = _at_scale(source, geometry.scale_of(matrix))
    if negative:
        smooth = np.float32(255 - 2 * _MIDDLE) - smooth
    shape = target.grey.shape
    mask: NDArray[np.uint8]
    if orientation is None:
        warped, mask = np.empty(shape, np.float32), np.empty(shape, np.uint8)
    else:
        warped, mask = upright(smooth, orientation), np.ones(shape, np.uint8)
        warped = warped.copy() if warped is smooth else warped
    blocks = np.empty((target.grey.size // 16 + 64, 9))
    matrix = matrix.copy()
    count, size = pixel_kernels.compare(
        target.smooth,
        smooth,
        back,
        matrix,
        source.grey.shape,
        orientation is not None,
        TUNING,
        warped,
        mask,
        blocks,
    )
    if count <= 0:
        return None
    blocks = blocks[:count].copy()
    agreement = _agreement(blocks, negative)
    return Comparison(
        geometry.inverse(matrix) if swapped else matrix,
        size,
        blocks,
        agreement,
        agreement.brighter if swapped else -agreement.brighter,
        target.smooth,
        warped,
        mask,
    )


def _agreement(blocks: NDArray[np.float64], negative: bool) -> Agreement:
    from image_duplicate_finder.verify import pixel_kernels as columns

    one, other = blocks[:, columns.TARGET_DEVIATION], blocks[:, columns.SOURCE_DEVIATION]
    blocks = blocks[np.maximum(one, other) >= TUNING.textured]
    ncc = blocks[:, columns.NCC]
    agrees = ncc >= TUNING.agrees
    # As np.median, which takes five times as long on a few hundred values.
    values = np.sort(ncc[agrees])
    if not len(values):
        return Agreement(len(blocks), 0, 0, 0.0, 0.0)
    median = float(values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
    target, source = blocks[agrees, columns.TARGET_MEAN], blocks[agrees, columns.SOURCE_MEAN]
    sign, added = (-1, 255 - 2 * _MIDDLE) if negative else (1, 0)
    brighter = sign * float(source.mean()) + added - float(target.mean())
    strong = len(values) - int(values.searchsorted(TUNING.strong))
    return Agreement(len(blocks), strong, len(values), median, brighter)


def _smooth(grey: Grey) -> Smooth:
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.8)
    return np.asarray(smooth - np.float32(_MIDDLE), np.float32)


def _at_scale(proof: Proof, scale: float) -> tuple[Smooth, Matrix]:
    """The smoothed picture at about ``scale``, and the change of frame from there to the proof.

    Sampling a large picture at few places would show noise instead of what a smaller copy shows.
    """
    if scale > 0.8:
        return proof.smooth, np.eye(3)
    height, width = proof.grey.shape
    new = max(8, round(width * scale)), max(8, round(height * scale))
    small = cv2.resize(proof.grey, new, interpolation=cv2.INTER_AREA)
    return _smooth(np.asarray(small, np.uint8)), geometry.frame_change(*new, width, height)
