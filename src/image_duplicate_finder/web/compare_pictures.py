"""Pictures of a group compared: aligned and differing ones, and which is the best shot.

Heavy to import: pages do so when they are asked, so that the app starts without NumPy.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in
brightfield microscopy", ICPR 2000), taken at one common size so that pixels do not count twice.
It compares shots of the same scene only; between scenes it says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from image_duplicate_finder import overlay
from image_duplicate_finder.decode import decode_full
from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.model import ImageInfo
from image_duplicate_finder.overlay import Matrix, Pixels, fit
from image_duplicate_finder.rendering import encode_jpeg
from image_duplicate_finder.results import FileView, GroupView, MemberView
from image_duplicate_finder.web.pictures import (
    LIMITS,
    decoding_slot,
    read_scanned,
    thumbnail_or_none,
    view_cache,
)

_ALIGNED_SIDE = 6000
_DIFFERENCE_SIDE = 2000
_QUALITY = 92
_VERSION = 3


def geometry(view: GroupView, member: MemberView) -> dict[str, object]:
    """What the page's script needs: the mapping, and either picture's outline in the other.

    All None without a known alignment.
    """
    matrix = _matrix(view, member)
    if matrix is None:
        return {"matrix": None, "outline": None, "reverse": None}
    return {
        "matrix": matrix.tolist(),
        "outline": overlay.outline(matrix),
        "reverse": overlay.outline(np.asarray(np.linalg.inv(matrix), np.float64)),
    }


def aligned(view: GroupView, member: MemberView) -> bytes:
    """The member in the keeper's frame as JPEG; without a known alignment, stretched over it.

    Raises NotFound or DecodeError.
    """

    def make() -> bytes:
        keeper, other = _decoded(view.keeper), _decoded(member.file)
        size = _frame(keeper, _ALIGNED_SIDE)
        matrix = _matrix(view, member)
        if matrix is not None:
            matrix = overlay.refined(keeper, other, matrix)
        drawn, _inside = overlay.align(other, np.eye(3) if matrix is None else matrix, size)
        return encode_jpeg(drawn, _QUALITY)

    return view_cache().get(_key("aligned", view, member), make)


@dataclass(frozen=True, slots=True)
class Differing:
    """How two pictures differ: share and mean as :class:`overlay.Difference` has them, the boxes
    around what differs, and the heat map as JPEG."""

    share: float
    mean: float
    regions: list[list[float]]
    picture: bytes


def difference(view: GroupView, member: MemberView) -> Differing | None:
    """Where the two differ, in the keeper's frame; None where nothing is aligned.

    Raises NotFound or DecodeError.
    """
    matrix = _matrix(view, member)
    if matrix is None:
        return None

    def make() -> bytes:
        whole, other = _decoded(view.keeper), _decoded(member.file)
        keeper = fit(whole, _DIFFERENCE_SIDE)
        if overlay.equal(whole, other, matrix):
            drawn, inside = keeper, np.ones(keeper.shape[:2], np.bool_)
        else:
            exact = overlay.refined(keeper, other, matrix)
            drawn, inside = overlay.align(other, exact, (keeper.shape[1], keeper.shape[0]))
        found = overlay.difference(keeper, drawn, inside)
        figures = json.dumps([found.share, found.mean, found.regions]).encode()
        return figures + b"\n" + encode_jpeg(found.picture, _QUALITY)

    figures, data = view_cache().get(_key("difference", view, member), make).split(b"\n", 1)
    share, mean, regions = json.loads(figures)
    return Differing(share, mean, regions, data)


@dataclass(frozen=True, slots=True)
class Regions:
    """Boxes around what differs (left, top, right, bottom), as shares of the kept picture.

    ``spread``: they would cover most of the picture, so there are none and that is said instead.
    """

    boxes: list[list[float]]
    spread: bool = False


def regions(view: GroupView, member: MemberView) -> Regions:
    """What differs, each place in one box; none where nothing is aligned.

    Raises NotFound or DecodeError.
    """
    boxes = apart(_boxes(view, member))
    covered = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
    return Regions([], spread=True) if covered > _MOST_MARKED else Regions(boxes)


_MOST_MARKED = 0.5


def apart(boxes: Iterable[list[float]]) -> list[list[float]]:
    """One box in place of each two that overlap, in the order of the first of them."""
    found: list[list[float]] = []
    for each in boxes:
        box, place = each, len(found)
        while (
            hit := next((at for at, other in enumerate(found) if _overlap(box, other)), None)
        ) is not None:
            other = found.pop(hit)
            box = [*map(min, box[:2], other[:2]), *map(max, box[2:], other[2:])]
            place = min(place, hit)
        found.insert(place, box)
    return found


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(one[axis] < other[axis + 2] and other[axis] < one[axis + 2] for axis in (0, 1))


def _boxes(view: GroupView, member: MemberView) -> list[list[float]]:
    """Those that a closer look at this pair stored; where it stored none, measured now."""
    if member.differences and member.witness in (None, view.keeper.id):
        width, height = view.keeper.info.width, view.keeper.info.height
        return [
            [x / width, y / height, (x + across) / width, (y + down) / height]
            for x, y, across, down in (each.in_b for each in member.differences)
        ]
    found = difference(view, member)
    return [] if found is None else found.regions


_FACE_SIDE = 160
_FACE_FRAME = 1600
_FACES_VERSION = 1
_SAME_SHAPE = 1.03


@dataclass(frozen=True, slots=True)
class Faces:
    """Squares around the faces in a group, as shares of the kept picture, and the files, by
    their place in the group (the keeper is 0), that show that frame."""

    squares: list[tuple[float, float, float, float]]
    files: list[int]


def faces(view: GroupView, most: int) -> Faces:
    """Where the pictures of a group have faces; empty where none is found, or all are one content.

    Of the first ``most`` files.
    """
    files = view.files
    shown = {
        place: matrix
        for place in range(min(most, len(files)))
        if (matrix := _face_matrix(view, place)) is not None
    }
    contents = [files[place].content for place in shown]
    if len(set(contents)) < 2:
        return Faces([], [])

    def make() -> bytes:
        from image_duplicate_finder.web.faces import people

        frames, seen = [], set()
        width, height = view.keeper.info.width, view.keeper.info.height
        scale = min(1.0, _FACE_FRAME / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        for place, matrix in shown.items():
            file = files[place]
            if file.content in seen or (data := thumbnail_or_none(file, _FACE_FRAME)) is None:
                continue
            seen.add(file.content)
            with decoding_slot():
                pixels = decode_full(data, limits=LIMITS).pixels
                frames.append(overlay.align(pixels, matrix, size)[0])
        return json.dumps(people(frames)).encode()

    rounded = b"".join(np.round(matrix, 4).tobytes() for matrix in shown.values())
    digest = blake3(b"".join(contents) + rounded).hexdigest()[:40]
    squares = json.loads(view_cache().get(f"{digest}_faces_{_FACES_VERSION}", make))
    return Faces([tuple(square) for square in squares], list(shown) if squares else [])


def face_strip(
    view: GroupView, place: int, squares: list[tuple[float, float, float, float]]
) -> bytes:
    """The faces of one file of a group beside each other as JPEG.

    Raises NotFound or DecodeError.
    """
    from image_duplicate_finder.web.faces import strip

    found = _face_matrix(view, place)
    if found is None:
        raise NotFound(Problem.GROUP_CHANGED(group=view.id))
    matrix, file = found, view.files[place]

    def make() -> bytes:
        return encode_jpeg(strip(_decoded(file), matrix, squares, _FACE_SIDE), _QUALITY)

    where = blake3(json.dumps([squares, np.round(matrix, 4).tolist()]).encode()).hexdigest()[:24]
    return view_cache().get(f"{file.content.hex()[:24]}_{where}_strip_{_FACES_VERSION}", make)


def _face_matrix(view: GroupView, place: int) -> Matrix | None:
    """From the kept picture to a file; shots of one shape that nothing aligns are one frame."""
    file = view.files[place]
    if file.gone:
        return None
    if place == 0:
        return np.eye(3)
    matrix = _matrix(view, view.members[place - 1])
    if matrix is None:
        shapes = [each.info.width / max(1, each.info.height) for each in (view.keeper, file)]
        alike = max(shapes) < _SAME_SHAPE * min(shapes)
        return np.eye(3) if alike else None
    return matrix


def _matrix(view: GroupView, member: MemberView) -> Matrix | None:
    return overlay.normalised(member.transform, member.relation, view.keeper.info, member.file.info)


def _decoded(file: FileView) -> Pixels:
    data = read_scanned(file)
    with decoding_slot():
        return decode_full(data, limits=LIMITS).pixels


def _frame(keeper: Pixels, long_side: int) -> tuple[int, int]:
    height, width = keeper.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _key(what: str, view: GroupView, member: MemberView) -> str:
    """Both contents and their alignment: what the picture depends on."""
    matrix = _matrix(view, member)
    rounded = b"none" if matrix is None else np.round(matrix, 6).tobytes()
    pair = f"{view.keeper.content.hex()[:24]}_{member.file.content.hex()[:24]}"
    return f"{pair}_{blake3(rounded).hexdigest()[:12]}_{what}_{_VERSION}"


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
