"""Compares the pixels of two aligned pictures, block by block.

The normalised cross-correlation of blocks does not care for brightness and contrast, and a
share of agreeing blocks stands captions and stickers. Before the last look the alignment is
made finer: blocks are matched within a few pixels and the transform is fitted to their shifts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.decode.common import swaps_sides, upright
from image_duplicate_finder.verify import geometry
from image_duplicate_finder.verify.geometry import Matrix

Grey = NDArray[np.uint8]

_SMALLEST_BLOCK, _LARGEST_BLOCK = 8, 14
_TEXTURED = 4.0
_STRUCTURED = 3.0
AGREES = 0.6
_RADII = ((3, 6), (2, 3))
# Fewer keypoints lie on a small part, and they align it less exactly: look farther there.
_SMALL_AREA = 8000
# Pixels that blocks had to be shifted by on average: nothing is left to correct.
_CLOSE_ENOUGH = 0.6
_FOR_HOMOGRAPHY = 16
# Blocks that agree so well, and the least share of them, where nothing is left to align.
_SETTLED = ((0.9, 0.95), (AGREES, 0.985))


@dataclass(frozen=True, slots=True)
class Comparison:
    """What blocks of two aligned pictures say.

    ``matrix`` maps pixel coordinates of a to those of b. Blocks are those of the picture in which
    the motif is smaller, each ``size`` pixels wide: ``places`` (n, 2) are upper left corners,
    ``ncc`` (n,) correlations, ``textured`` (n,) says which change their grey in at least one of the
    pictures, ``means`` (n, 2) the mean grey of a and b. ``target`` is that picture, smoothed,
    ``warped`` the other one laid over it, ``mask`` where both are.
    """

    matrix: Matrix
    size: int
    places: NDArray[np.float64]
    ncc: NDArray[np.float64]
    textured: NDArray[np.bool_]
    means: NDArray[np.float64]
    target: NDArray[np.float32]
    warped: NDArray[np.float32]
    mask: NDArray[np.uint8]

    @property
    def agreeing(self) -> NDArray[np.bool_]:
        """Which textured blocks show the same in both pictures."""
        return self.textured & (self.ncc >= AGREES)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to align: nearly all blocks agree where they are."""
        ncc = self.ncc[self.textured]
        return len(ncc) >= _FOR_HOMOGRAPHY and all(
            np.count_nonzero(ncc >= least) >= share * len(ncc) for least, share in _SETTLED
        )

    def has_structured(self, chosen: NDArray[np.bool_], enough: int) -> bool:
        """Whether ``enough`` of the chosen blocks change their grey in both pictures not only
        slowly across the block.
        """
        from image_duplicate_finder.verify import kernels

        return bool(
            kernels.has_structured(
                self.target, self.warped, self.places, chosen, self.size, _STRUCTURED, enough
            )
        )


def compare(
    a: Grey,
    b: Grey,
    matrix: Matrix,
    *,
    negative: bool = False,
    orientation: int | None = None,
) -> Comparison | None:
    """Compare grey pictures (h, w) uint8 under ``matrix`` (a to b), made finer on the way.

    ``orientation`` is the EXIF orientation, 1 to 8, where ``matrix`` is just that: pictures of one
    size are then laid pixel on pixel, and most copies need nothing more. None where they hardly
    overlap, or the alignment falls apart when it is made finer.
    """
    height, width = a.shape
    if orientation is not None:
        turned = (width, height) if swaps_sides(orientation) else (height, width)
        if turned == b.shape:
            return _compare(a, b, matrix, negative, orientation)
    if not geometry.is_sound(matrix, width, height):
        return None
    if geometry.scale_of(matrix) > 1:
        found = _compare(b, a, geometry.inverse(matrix), negative)
        if found is None:
            return None
        return replace(
            found,
            matrix=geometry.inverse(found.matrix),
            means=found.means[:, ::-1],
        )
    return _compare(a, b, matrix, negative)


def _compare(
    source: Grey, target: Grey, matrix: Matrix, negative: bool, orientation: int | None = None
) -> Comparison | None:
    """Compare in the frame of ``target``, where the motif is not larger than in ``source``.

    ``orientation`` makes ``source`` cover ``target`` exactly, if it is given.
    """
    smooth_target = _smooth(target)
    small, to_small = _shrunk(source, matrix)
    smooth_source = _smooth(255 - small if negative else small)
    back = geometry.inverse(to_small)
    out: NDArray[np.float64] = np.empty((target.size // 16 + 64, 9))

    def laid_over(matrix: Matrix, radius: int) -> Comparison:
        warped, mask = _warped(smooth_source, matrix @ back, target.shape)
        return _compared(smooth_target, warped, mask, matrix, negative, radius, out)

    if orientation is None:
        found = laid_over(matrix, 0)
    else:
        turned, whole = upright(smooth_source, orientation), np.ones(target.shape, np.uint8)
        found = _compared(smooth_target, turned, whole, matrix, negative, 0, out)
    if found.settled:
        return found
    finer = _finer(smooth_target, smooth_source, found, back, source.shape, out)
    if finer is None:
        return None
    found = laid_over(finer, 1)
    return found if len(found.ncc) else None


def _compared(
    target: NDArray[np.float32],
    warped: NDArray[np.float32],
    mask: NDArray[np.uint8],
    matrix: Matrix,
    negative: bool,
    radius: int,
    out: NDArray[np.float64],
) -> Comparison:
    """What overlapping blocks say of two pictures in one frame."""
    from image_duplicate_finder.verify import kernels

    size = _block_size(int(np.count_nonzero(mask)), _SMALLEST_BLOCK, _LARGEST_BLOCK)
    count = kernels.correlate(target, warped, mask, size, size // 2, radius, _TEXTURED, out)
    rows = out[:count]
    means = rows[:, [8, 7]]
    if negative:
        means[:, 0] = 255 - means[:, 0]
    return Comparison(
        matrix,
        size,
        rows[:, :2].copy(),
        rows[:, 2].copy(),
        np.maximum(rows[:, 5], rows[:, 6]) >= _TEXTURED,
        means,
        target,
        warped,
        mask,
    )


def _finer(
    smooth_target: NDArray[np.float32],
    smooth_source: NDArray[np.float32],
    found: Comparison,
    back: Matrix,
    shape: tuple[int, ...],
    out: NDArray[np.float64],
) -> Matrix | None:
    """The alignment of ``found``, made finer by the shifts of blocks; None if it falls apart."""
    from image_duplicate_finder.verify import kernels

    matrix, warped, mask = found.matrix, found.warped, found.mask
    for near, far in _RADII:
        area = int(np.count_nonzero(mask))
        radius = far if area < _SMALL_AREA else near
        size = _block_size(area, 10, 18)
        count = kernels.correlate(smooth_target, warped, mask, size, size, radius, _TEXTURED, out)
        good = _for_correction(out[:count], radius)
        correction = _correction(good, size)
        if correction is None:
            return None
        better = correction @ matrix
        if geometry.is_sound(better, shape[1], shape[0]):
            matrix = better / better[2, 2]
        if np.hypot(good[:, 3], good[:, 4]).mean() < _CLOSE_ENOUGH:
            break
        warped, mask = _warped(smooth_source, matrix @ back, smooth_target.shape)
    return matrix


def _smooth(grey: Grey) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 0.8), np.float32)


def _shrunk(source: Grey, matrix: Matrix) -> tuple[Grey, Matrix]:
    """The source at about the size that ``matrix`` gives it, and the change of frame to that.

    Sampling a large picture at few places would show noise instead of what a smaller copy shows.
    """
    scale = geometry.scale_of(matrix)
    height, width = source.shape
    new = max(8, round(width * scale)), max(8, round(height * scale))
    if scale > 0.8:
        return source, np.eye(3)
    small = cv2.resize(source, new, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), geometry.frame_change(width, height, *new)


def _warped(
    source: NDArray[np.float32], matrix: Matrix, shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The source in the target's frame, and where it is (uint8, 0 or 1)."""
    size = shape[1], shape[0]
    warped = cv2.warpPerspective(
        source, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    inside = np.ones(source.shape, np.uint8)
    mask = cv2.warpPerspective(inside, matrix, size, flags=cv2.INTER_NEAREST)
    return np.asarray(warped, np.float32), np.asarray(mask, np.uint8)


def _block_size(area: int, smallest: int, largest: int) -> int:
    return int(np.clip(round(np.sqrt(area) / 10), smallest, largest))


def _for_correction(rows: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """The blocks that were found again within less than ``radius`` pixels."""
    good = (rows[:, 2] > AGREES) & (np.minimum(rows[:, 5], rows[:, 6]) >= _TEXTURED)
    good &= np.maximum(np.abs(rows[:, 3]), np.abs(rows[:, 4])) < radius
    return rows[good]


def _correction(rows: NDArray[np.float64], size: int) -> Matrix | None:
    """The transform of the target's frame that the blocks' shifts ask for."""
    if len(rows) < 4:
        return None
    centres = rows[:, :2] + (size - 1) / 2
    shifted = centres + rows[:, 3:5]
    weights = rows[:, 2] ** 2
    matrix: Matrix | None = None
    for _ in range(2):
        if len(rows) >= _FOR_HOMOGRAPHY:
            matrix = geometry.fit_homography(shifted, centres, weights)
        else:
            matrix = geometry.fit_affine(shifted, centres, weights)
        if matrix is None:
            return None
        error = np.linalg.norm(geometry.apply(matrix, shifted) - centres, axis=1)
        weights = rows[:, 2] ** 2 / (1 + error**2)
    return matrix
