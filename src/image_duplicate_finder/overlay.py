"""Two full-size pictures laid over each other, for people to look at. Pure.

Matrices are 3 x 3 and map positions as shares of a picture's width and height (0 to 1, so they
hold at any scale) from the keeper to the member.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from image_duplicate_finder.model import ImageInfo, Relation, Transform, homogeneous
from image_duplicate_finder.relations import SAME_FRAME

Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]

_PLAIN_GREY = 128
_VISIBLE_LEVELS = 12.0
_HOTTEST_LEVELS = 64.0
_REFINE_SIDE = 900
_REFINE_LEAST_PIXELS = 2_000
_REFINE_MOST_PIXELS = 12.0
_REFINE_LEAST_GAIN = 0.0005
_SAME_PLACE = 0.01
_MOST_REGIONS = 12
_QUARTER_TURN: Matrix = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
_MIRROR: Matrix = np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two pictures differ.

    ``picture`` is RGB uint8 in the keeper's frame: its grey, the hotter the larger the
    difference. ``share`` (0 to 1) of the common area differs by more than 12 of 255 levels,
    ``mean`` is the mean difference in levels. ``regions`` are boxes (left, top, right, bottom, as
    shares of the picture) around what differs, the largest first.
    """

    picture: Pixels
    share: float
    mean: float
    regions: tuple[tuple[float, float, float, float], ...] = ()


def normalised(
    transform: Transform | None, relation: Relation, keeper: ImageInfo, member: ImageInfo
) -> Matrix | None:
    """The mapping from keeper to member in shares of their sizes; None where it is not known."""
    if transform is None:
        return np.eye(3) if relation in SAME_FRAME else None
    matrix = np.array(homogeneous(transform), np.float64)
    # Pixel coordinates name centres of pixels: x = share * width - 1/2.
    return (
        np.linalg.inv(_pixels(member.width, member.height))
        @ matrix
        @ _pixels(keeper.width, keeper.height)
    )


def outline(matrix: Matrix) -> list[tuple[float, float]]:
    """The corners of the member in the keeper, as shares of the keeper's size."""
    corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], np.float64)
    mapped = corners @ np.linalg.inv(matrix).T
    return [(float(x / w), float(y / w)) for x, y, w in mapped]


def align(
    member: Pixels, matrix: Matrix, size: tuple[int, int]
) -> tuple[Pixels, NDArray[np.bool_]]:
    """The member drawn in the keeper's frame of ``size`` (width, height), and where it is."""
    width, height = size
    source = member
    # Halve first where many pixels fall into one, or fine patterns would alias.
    while _density(matrix, source, size) > 2.0 and min(source.shape[:2]) > 2:
        half = (max(1, source.shape[1] // 2), max(1, source.shape[0] // 2))
        source = np.asarray(cv2.resize(source, half, interpolation=cv2.INTER_AREA), np.uint8)
    inverse = (
        _pixels(source.shape[1], source.shape[0]) @ matrix @ np.linalg.inv(_pixels(width, height))
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpPerspective(source, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    ones = np.full(source.shape[:2], 255, np.uint8)
    inside = cv2.warpPerspective(ones, inverse, size, flags=flags) > 250
    drawn[~inside] = _PLAIN_GREY
    return np.asarray(drawn, np.uint8), inside


def refined(keeper: Pixels, member: Pixels, matrix: Matrix) -> Matrix:
    """The mapping made exact to a fraction of a pixel, or ``matrix`` where that gains nothing.

    A match is aligned on small pictures, which is not exact enough to compare pixels. This
    maximises the enhanced correlation coefficient (Evangelidis and Psarakis, "Parametric image
    alignment using enhanced correlation coefficient maximization", PAMI 2008).
    """
    frame = fit(keeper, _REFINE_SIDE)
    size = (frame.shape[1], frame.shape[0])
    drawn, inside = align(member, matrix, size)
    template = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    moved = cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY)
    mask = cv2.erode(inside.astype(np.uint8), np.ones((9, 9), np.uint8))
    if np.count_nonzero(mask) < _REFINE_LEAST_PIXELS:
        return matrix
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-5)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        before = cv2.computeECC(template, moved, mask)
        after, found = cv2.findTransformECC(
            template, moved, start, cv2.MOTION_AFFINE, criteria, mask, 3
        )
    except cv2.error:  # no convergence: pictures without structure
        return matrix
    if (
        after < before + _REFINE_LEAST_GAIN
        or float(np.abs(found - np.eye(2, 3))[:, 2].max()) > _REFINE_MOST_PIXELS
    ):
        return matrix
    step = np.vstack([found, [0.0, 0.0, 1.0]])
    to_pixels = _pixels(*size)
    return np.asarray(matrix @ np.linalg.inv(to_pixels) @ step @ to_pixels, np.float64)


def equal(keeper: Pixels, member: Pixels, matrix: Matrix) -> bool:
    """Whether the two show the same pixels, however one is turned or mirrored.

    Shrinking or refining the alignment of such a pair would make differences that are not there.
    """
    turns = [np.eye(3), _QUARTER_TURN, _QUARTER_TURN @ _QUARTER_TURN, np.linalg.inv(_QUARTER_TURN)]
    for count, turn in enumerate(turns):
        for mirrored, way in ((False, turn), (True, turn @ _MIRROR)):
            if np.abs(matrix - way).max() < _SAME_PLACE:
                upright = np.rot90(member, count)
                return np.array_equal(keeper, upright[:, ::-1] if mirrored else upright)
    return False


def difference(keeper: Pixels, member: Pixels, inside: NDArray[np.bool_]) -> Difference:
    """Where the aligned ``member`` differs from ``keeper``; both RGB uint8 of one size."""
    apart = cv2.absdiff(
        cv2.GaussianBlur(keeper, (0, 0), 1.0), cv2.GaussianBlur(member, (0, 0), 1.0)
    )
    levels = apart.max(axis=2).astype(np.float32)
    # The blur reaches over the border of the common area; what lies there is not the pictures'.
    common = cv2.erode(inside.astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=1) > 0
    levels[~common] = 0.0
    area = max(1, int(np.count_nonzero(common)))
    heat = np.clip(levels / _HOTTEST_LEVELS, 0.0, 1.0)
    colours = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    hot = cv2.cvtColor(colours, cv2.COLOR_BGR2RGB).astype(np.float32)
    grey = cv2.cvtColor(keeper, cv2.COLOR_RGB2GRAY).astype(np.float32)[..., None] * 0.45
    grey = np.where(inside[..., None], grey, grey * 0.4)
    weight = np.clip(heat * 3.0, 0.0, 1.0)[..., None]
    picture = grey * (1.0 - weight) + hot * weight
    return Difference(
        picture=np.clip(picture, 0, 255).astype(np.uint8),
        share=float(np.count_nonzero(levels > _VISIBLE_LEVELS)) / area,
        mean=float(levels.sum()) / area,
        regions=_regions(levels > _VISIBLE_LEVELS),
    )


def _regions(differs: NDArray[np.bool_]) -> tuple[tuple[float, float, float, float], ...]:
    """Boxes around what differs, neighbours joined, the largest first."""
    height, width = differs.shape
    reach = max(3, round(max(height, width) / 60) | 1)
    joined = cv2.dilate(differs.astype(np.uint8), np.ones((reach, reach), np.uint8))
    count, _labels, stats, _centres = cv2.connectedComponentsWithStats(joined, connectivity=8)
    boxes = [
        (int(stats[label, cv2.CC_STAT_AREA]), tuple(int(each) for each in stats[label, :4]))
        for label in range(1, count)
    ]
    return tuple(
        (x / width, y / height, (x + across) / width, (y + down) / height)
        for _area, (x, y, across, down) in sorted(boxes, reverse=True)[:_MOST_REGIONS]
    )


def fit(pixels: Pixels, long_side: int) -> Pixels:
    """The picture shrunk so that its long side is at most ``long_side``; never enlarged."""
    height, width = pixels.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1.0:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _pixels(width: int, height: int) -> Matrix:
    """From shares of a picture to its pixel coordinates."""
    return np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1]], np.float64)


def _density(matrix: Matrix, member: Pixels, size: tuple[int, int]) -> float:
    """How many of the member's pixels fall on one of the frame's, along a side, in the middle."""
    centre = matrix @ np.array([0.5, 0.5, 1.0])
    x, y, w = centre
    jacobian = np.array(
        [
            [matrix[0, 0] * w - x * matrix[2, 0], matrix[0, 1] * w - x * matrix[2, 1]],
            [matrix[1, 0] * w - y * matrix[2, 0], matrix[1, 1] * w - y * matrix[2, 1]],
        ]
    ) / (w * w)
    share = abs(float(np.linalg.det(jacobian)))
    pixels = member.shape[0] * member.shape[1] / max(1, size[0] * size[1])
    return float(np.sqrt(share * pixels))


_SIDE = 640
_GAP = 12
_PAPER = 24
_LINE = (255, 64, 64)
# Outlines far outside would overflow the drawing; nobody sees them.
_FARTHEST = 20.0


def draw_sheet(keeper: Pixels, member: Pixels, matrix: Matrix | None) -> Pixels:
    """Panels side by side, RGB uint8 (H, W, 3), each at most 640 pixels a side.

    ``keeper`` and ``member`` are upright RGB pictures (h, w, 3) of any size. ``matrix`` maps the
    keeper to the member in shares of their sizes (:func:`normalised`): with it each
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
