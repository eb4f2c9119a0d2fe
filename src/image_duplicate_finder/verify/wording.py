"""Says a match in words: "cropped to 62%, mirrored, half the size, darker"."""

from __future__ import annotations

import math

import numpy as np

from image_duplicate_finder.model import ImageInfo, Match, Relation, homogeneous
from image_duplicate_finder.verify import geometry

_FRACTIONS = {1 / 8: "an eighth of", 1 / 4: "a quarter of", 1 / 3: "a third of", 1 / 2: "half"}
_MULTIPLES = {2: "twice", 3: "three times", 4: "four times"}
_NEAR = 0.03
_SAME_FRAME = 0.95
_BRIGHTNESS = 12.0
_QUARTER_TURNS = {90: "turned right", 180: "upside down", 270: "turned left"}


def describe(match: Match, keeper: ImageInfo, copy: ImageInfo) -> str:
    """What the copy (b of the match) is to the keeper (a), for people; no capital, no full stop."""
    if match.relation is Relation.BYTE_IDENTICAL:
        return "identical file"
    if match.relation is Relation.PIXEL_IDENTICAL:
        return "identical pixels"
    parts = [_what(match), *_turn(match)]
    if match.negative:
        parts.append("inverted")
    size = _size(match, keeper, copy)
    if size:
        parts.append(size)
    if abs(match.brightness) >= _BRIGHTNESS and not match.negative:
        parts.append("lighter" if match.brightness > 0 else "darker")
    if keeper.format != copy.format:
        parts.append(f"saved as {copy.format}")
    said = ", ".join(part for part in parts if part)
    return said or "saved again"


def _what(match: Match) -> str:
    if match.relation is Relation.SIMILAR:
        if max(match.share_a, match.share_b) < 0.8:
            return f"shows {_percent(match.share_a)} of the same scene"
        return "another shot of the same scene"
    if match.relation is Relation.CONTAINS:
        if min(match.share_a, match.share_b) >= _SAME_FRAME:  # much of it was painted over
            return "edited"
        if match.share_b > match.share_a:
            return f"a part of the other ({_percent(match.share_a)} of it)"
        return f"contains the other (in {_percent(match.share_b)} of its area)"
    if match.relation is Relation.CROPPED:
        if match.share_a < match.share_b:
            return f"cropped to {_percent(match.share_a)}"
        return f"shows more (the other is {_percent(match.share_b)} of it)"
    if match.relation is Relation.EDITED and match.agreement < 0.9:
        return f"edited ({_percent(match.agreement)} unchanged)"
    if match.relation is Relation.EDITED:
        return "edited"
    return ""


def _percent(share: float) -> str:
    return f"{max(1, min(99, round(share * 100)))}%"


def _turn(match: Match) -> list[str]:
    if match.transform is None:
        return ["mirrored"] if match.mirrored else []
    matrix = np.array(match.transform)[:2, :2]
    if match.mirrored:
        matrix = matrix @ np.diag([-1.0, 1.0])
    degrees = math.degrees(math.atan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))
    said = []
    if match.mirrored:
        if abs(abs(degrees) - 180) < 2:
            return ["mirrored top to bottom"]
        said.append("mirrored")
    quarter = round(degrees / 90) * 90
    if abs(degrees - quarter) < 2:
        if quarter % 360:
            said.append(_QUARTER_TURNS[quarter % 360])
    else:
        said.append(f"turned by {abs(round(degrees))}° to the {'right' if degrees > 0 else 'left'}")
    return said


def _size(match: Match, keeper: ImageInfo, copy: ImageInfo) -> str:
    """How large the copy shows what the keeper shows: by the transform, else by the pixels."""
    if match.transform is None:
        factor = math.sqrt(copy.pixels / max(1, keeper.pixels))
    else:
        factor = geometry.scale_of(np.array(homogeneous(match.transform)))
    if abs(factor - 1) < _NEAR:
        return ""
    for value, said in (_FRACTIONS | _MULTIPLES).items():
        if abs(factor / value - 1) < _NEAR:
            return f"{said} the size"
    if factor < 1:
        return f"{_percent(factor)} of the size"
    return f"{factor:.1f} times the size"
