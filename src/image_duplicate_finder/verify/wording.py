"""Describes a match: cropped to 62%, mirrored, half the size, darker."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from image_duplicate_finder.dominance import COLOURS, REST
from image_duplicate_finder.messages import Description, Message
from image_duplicate_finder.model import ImageInfo, Look, Match, Relation, scale_of

_SIZES = {
    1 / 8: Description.EIGHTH,
    1 / 4: Description.QUARTER,
    1 / 3: Description.THIRD,
    1 / 2: Description.HALF,
    2: Description.TWICE,
    3: Description.THREE_TIMES,
    4: Description.FOUR_TIMES,
}
_NEAR = 0.03
# From this share on, a picture shows the whole of the other.
_WHOLE = 0.95
_BRIGHTNESS = 12.0
_QUARTER_TURNS = {
    90: Description.ROTATED_90,
    180: Description.ROTATED_180,
    270: Description.ROTATED_270,
}


# Of what a closer look measures, what a person can see.
_ANY_COLOUR, _IN_PLACES = 0.2, 0.2
_TONES, _SOFTER, _SHARPENED = 10.0, 3.0, 2.0


def describe(
    match: Match, keeper: ImageInfo, copy: ImageInfo, look: Look | None = None
) -> tuple[Message, ...]:
    """What the copy (b of the match) is to the keeper (a); ``look`` leads from a to b too."""
    if match.relation is Relation.BYTE_IDENTICAL:
        return (Description.IDENTICAL_FILE(),)
    if match.relation is Relation.PIXEL_IDENTICAL:
        return (Description.IDENTICAL_PIXELS(),)
    parts = [*_relation(match), *_rotation(match)]
    if match.negative:
        parts.append(Description.INVERTED())
    parts += _size(match, keeper, copy)
    if abs(match.brightness) >= _BRIGHTNESS and not match.negative:
        parts.append(Description.LIGHTER() if match.brightness > 0 else Description.DARKER())
    if look is not None and not match.negative:
        parts += _seen(look, parts)
    if keeper.format != copy.format:
        parts.append(Description.SAVED_AS(format=copy.format))
    return tuple(parts) or (Description.SAVED_AGAIN(),)


def _seen(look: Look, known: Sequence[Message]) -> Iterator[Message]:
    """What only the closer look can tell: how a copy was edited."""
    lighter = Description.LIGHTER() in known or Description.DARKER() in known
    if look.tone >= _TONES and not lighter:
        yield Description.TONED()
    if look.chroma < _ANY_COLOUR:
        yield Description.BLACK_AND_WHITE()
    elif look.chroma < 1 / COLOURS:
        yield Description.PALER()
    elif look.chroma > COLOURS:
        yield Description.STRONGER()
    elif look.recoloured > _IN_PLACES:
        yield Description.RECOLOURED()
    if look.enlarged:
        yield Description.ENLARGED()
    elif scale_of(look.transform) >= _WHOLE and look.detail >= _SOFTER:
        yield Description.SOFTER()
    elif look.sharpened <= -_SHARPENED:
        yield Description.SHARPENED()
    if look.border_b > REST and look.rest_b <= REST:
        yield Description.BORDERED()


def _relation(match: Match) -> Iterator[Message]:
    share_a, share_b = match.share_a, match.share_b
    match match.relation:
        case Relation.SIMILAR if max(share_a, share_b) < 0.8:
            yield Description.SHARED_SCENE(share=_percent(share_a))
        case Relation.SIMILAR:
            yield Description.ANOTHER_SHOT()
        case Relation.CONTAINS if min(share_a, share_b) >= _WHOLE:
            yield Description.EDITED()  # much of it was painted over
        case Relation.CONTAINS if share_b > share_a:
            yield Description.PART(share=_percent(share_a))
        case Relation.CONTAINS:
            yield Description.CONTAINS(share=_percent(share_b))
        case Relation.CROPPED if share_a < share_b:
            yield Description.CROPPED(share=_percent(share_a))
        case Relation.CROPPED:
            yield Description.SHOWS_MORE(share=_percent(share_b))
        case Relation.EDITED if match.agreement < 0.9:
            yield Description.EDITED_IN_PART(share=_percent(match.agreement))
        case Relation.EDITED:
            yield Description.EDITED()


def _percent(share: float) -> float:
    """In whole percents; neither nothing nor all."""
    return max(1, min(99, round(share * 100))) / 100


def _rotation(match: Match) -> Iterator[Message]:
    if match.transform is None:
        if match.mirrored:
            yield Description.MIRRORED()
        return
    matrix = np.array(match.transform)[:2, :2]
    if match.mirrored:
        matrix = matrix @ np.diag([-1.0, 1.0])
    degrees = math.degrees(math.atan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1]))
    if match.mirrored:
        if abs(abs(degrees) - 180) < 2:
            yield Description.FLIPPED()
            return
        yield Description.MIRRORED()
    quarter = round(degrees / 90) * 90
    if abs(degrees - quarter) < 2:
        if quarter % 360:
            yield _QUARTER_TURNS[quarter % 360]()
    elif degrees > 0:
        yield Description.ROTATED_CLOCKWISE(angle=round(degrees))
    else:
        yield Description.ROTATED_COUNTERCLOCKWISE(angle=-round(degrees))


def _size(match: Match, keeper: ImageInfo, copy: ImageInfo) -> Iterator[Message]:
    """How large the copy shows what the keeper shows: by the transform, else by the pixels."""
    if match.transform is None:
        factor = math.sqrt(copy.pixels / max(1, keeper.pixels))
    else:
        factor = scale_of(match.transform)
    if abs(factor - 1) < _NEAR:
        return
    for value, code in _SIZES.items():
        if abs(factor / value - 1) < _NEAR:
            yield code()
            return
    if factor < 1:
        yield Description.SMALLER(share=_percent(factor))
    elif factor < 1.1:
        yield Description.SMALLER(share=round(factor, 2))  # 105% says more than 1.1 times
    else:
        yield Description.LARGER(factor=round(factor, 1))
