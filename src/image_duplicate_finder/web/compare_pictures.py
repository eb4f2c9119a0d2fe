"""The pictures of the compare page: one drawn in the other's frame, and where the two differ.

Only this module needs numpy; the page imports it when a pair is looked at, so that the app starts
without it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from blake3 import blake3

from image_duplicate_finder import overlay
from image_duplicate_finder.decode import decode_full
from image_duplicate_finder.overlay import Matrix, Pixels, fit
from image_duplicate_finder.rendering import encode_jpeg
from image_duplicate_finder.results import FileView, GroupView, MemberView
from image_duplicate_finder.web.pictures import LIMITS, decoding_slot, read_scanned, view_cache

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


def _matrix(view: GroupView, member: MemberView) -> Matrix | None:
    return overlay.normalised(member.transform, member.relation, view.keeper.info, member.file.info)


def _decoded(file: FileView) -> Pixels:
    data = read_scanned(file)
    with decoding_slot():
        return decode_full(data, limits=LIMITS).pixels


def _frame(keeper: Pixels, side: int) -> tuple[int, int]:
    height, width = keeper.shape[:2]
    scale = min(1.0, side / max(height, width))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _key(what: str, view: GroupView, member: MemberView) -> str:
    """Both contents and their alignment: what the picture depends on."""
    matrix = _matrix(view, member)
    rounded = b"none" if matrix is None else np.round(matrix, 6).tobytes()
    pair = f"{view.keeper.content.hex()[:24]}_{member.file.content.hex()[:24]}"
    return f"{pair}_{blake3(rounded).hexdigest()[:12]}_{what}_{_VERSION}"
