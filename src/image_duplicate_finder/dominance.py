"""Whether one picture holds all of another: the evidence behind what is kept and preselected. Pure.

A file may be proposed for removal only beside a *witness*, a file that stays and was shown to hold
everything it holds. :func:`lacking` decides this for a pair from measurements (the closer look at
both) and from the facts of both files. docs/how-it-decides.md explains the rules and gives the
measurements behind the limits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from image_duplicate_finder.companions import CompanionKind
from image_duplicate_finder.keeping import KeepFacts, Standing, format_class, is_camera_original
from image_duplicate_finder.model import (
    ImageInfo,
    Lack,
    Look,
    Match,
    Metadata,
    PartKind,
    Relation,
    homogeneous,
    least_scale_of,
    scale_of,
)
from image_duplicate_finder.relations import SAME_FRAME, SAME_PIXELS, may_differ, shows_one_frame

# Limits beyond which pictures differ: the strength of a place's difference, the departure of the
# tone curve (grey levels), the ratio of colourfulness, and detail (decibels).
DIFFERS = 4.0
_TONES = 5.0
COLOURS = 1.35
_DETAIL = 1.0
# A share outside the shared picture that rounding of the alignment cannot explain.
REST = 0.015
# A crop that shows less than this of the whole is somebody's choice, not a worse copy.
_CROP = 0.5
# How much more one direction must be enlarged than the other, and the most shear that is ignored.
_STRETCHED, _SKEW = 1.05, 0.03
# At this share of the witness's resolution or more, a lossless copy is not just a smaller one.
_AS_LARGE = 0.95
# From this factor on, rounding does not explain why a picture has more pixels than another.
_LARGER = 1.1
# If the fine detail of two files of one resolution agrees no better, at least one was changed.
_COHERENT = 0.9
_QUALITY = 4
# A file softer than its witness by this many decibels at the same size was smoothed. Compression
# explains some of that, strong compression any amount.
_SOFTENED, _SOFTENED_TOO = 3.0, 8.0
_STRONG_COMPRESSION, _RUINED, _FEWER_BYTES = 75, 45, 0.75
_A_QUARTER = math.radians(45)


@dataclass(frozen=True, slots=True)
class Compared:
    """What is known about a member and its witness, seen from the member.

    ``match`` leads from the member (a) to the witness (b); None for files of one content.
    ``look`` does likewise; None where no closer look was possible or needed.
    """

    match: Match | None = None
    look: Look | None = None

    @property
    def same_pixels(self) -> bool:
        """Whether both show the same pixels exactly."""
        return self.match is None or self.match.relation in SAME_PIXELS


class Evidence:
    """The verified matches of a scan and the closer looks at them, by pairs of contents."""

    def __init__(
        self,
        matches: Mapping[tuple[int, int], Match],
        looks: Mapping[tuple[int, int], Look | None],
    ) -> None:
        """Both are keyed by ``(low id, high id)``; looks lead from low to high."""
        self._matches = matches
        self.looks = looks

    def compared(self, member: int, witness: int) -> Compared | None:
        """What is known about two contents; None if no match between them was verified."""
        if member == witness:
            return Compared()
        pair = min(member, witness), max(member, witness)
        match = self._matches.get(pair)
        if match is None:
            return None
        look = self.looks.get(pair)
        if look is not None and pair[0] != member:
            look = look.reversed()
        return Compared(match if match.a == member else match.reversed(), look)


NO_EVIDENCE = Evidence({}, {})


def lacking(member: KeepFacts, witness: KeepFacts, compared: Compared) -> tuple[Lack, ...]:
    """What ``member`` holds and ``witness`` lacks; empty if the witness holds everything."""
    if compared.match is None:
        return tuple(dict.fromkeys(_companions_lacking(member, witness)))
    shown = () if compared.same_pixels else _picture(member, witness, compared)
    return tuple(dict.fromkeys((*shown, *facts_lacking(member, witness))))


# Where pictures look unlike. Not ``crop``: a part of the keeper may lie in a larger part of it.
_SHOWN = frozenset({
    Lack.DIFFERS, Lack.TONES, Lack.COLOURS, Lack.AREA, Lack.ORIENTATION, Lack.TRANSPARENCY,
    Lack.DEPTH, Lack.SHARPNESS, Lack.SIZE, Lack.PROPORTIONS, Lack.DETAIL, Lack.RAW, Lack.LOSSLESS,
})  # fmt: skip
# Of these, what holds both ways: where a keeper looks like one file and not like another, the two
# look unlike. Not proportions: a stretched keeper lacks them of a file, but not of a softer copy.
_BOTH_WAYS = frozenset({Lack.DIFFERS, Lack.TONES, Lack.COLOURS, Lack.ORIENTATION})
_CLEARLY_DIFFERS = 2 * DIFFERS


@dataclass(frozen=True, slots=True)
class Lacked:
    """What a keeper lacks of a file, and which of that is clearly seen in the picture."""

    all: frozenset[Lack]
    clear: frozenset[Lack]

    @classmethod
    def of(cls, file: KeepFacts, keeper: KeepFacts, compared: Compared) -> Lacked:
        """What ``keeper`` lacks of ``file``."""
        lacks = frozenset(lacking(file, keeper, compared))
        clear = lacks & _SHOWN
        if compared.look is not None and compared.look.worst < _CLEARLY_DIFFERS:
            clear -= {Lack.DIFFERS}
        return cls(lacks, clear)

    def may_hold(self, member: Lacked) -> bool:
        """Whether this file may hold another member of the keeper's group.

        If it does, it has what the keeper lacks of the member, so the keeper lacks that of this
        file too. And where the keeper clearly looks unlike this file, so does the member. It saves
        looks at pairs of unlike edits; who passes is still looked at.
        """
        return member.clear <= self.all and self.clear & _BOTH_WAYS <= member.all


def facts_lacking(member: KeepFacts, witness: KeepFacts) -> Iterator[Lack]:
    """What the file of ``member`` holds beside its pixels and that of ``witness`` does not."""
    mine, theirs = member.info, witness.info
    if theirs.incomplete and not mine.incomplete:
        yield Lack.COMPLETE
    if _frames_lacking(mine, theirs):
        yield Lack.FRAMES
    for kind in dict.fromkeys(part.kind for part in mine.parts if part not in theirs.parts):
        yield _OF_PART[kind]
    yield from _metadata_lacking(mine.metadata, theirs.metadata)
    yield from _companions_lacking(member, witness)


def _companions_lacking(member: KeepFacts, witness: KeepFacts) -> Iterator[Lack]:
    return (_OF_COMPANION[each[0]] for each in member.beside if each not in witness.beside)


_OF_PART = {
    PartKind.LAYERS: Lack.LAYERS,
    PartKind.MOTION: Lack.MOTION,
    PartKind.VIEW: Lack.SECOND_VIEW,
    PartKind.GAIN_MAP: Lack.GAIN_MAP,
    PartKind.DEPTH_MAP: Lack.DEPTH_MAP,
    PartKind.GEOREFERENCE: Lack.GEOREFERENCE,
    PartKind.SOUND: Lack.AUDIO,
    PartKind.DATA: Lack.ATTACHED_DATA,
}


_OF_COMPANION = {
    CompanionKind.FILM: Lack.VIDEO,
    CompanionKind.SOUND: Lack.VOICE_NOTE,
    CompanionKind.CAPTION: Lack.CAPTION,
    CompanionKind.MASK: Lack.CAPTION,
    CompanionKind.WORLD: Lack.GEOREFERENCE,
    CompanionKind.SIDECAR: Lack.SIDECAR,
}


def _frames_lacking(mine: ImageInfo, theirs: ImageInfo) -> bool:
    if mine.frames == 1:
        return False
    if mine.frame_digests and theirs.frame_digests:
        return not set(mine.frame_digests) <= set(theirs.frame_digests)
    # Where frames were not compared one by one, an equal number of them proves nothing.
    return True


_TEXTS = {
    "taken": Lack.TAKEN,
    "place": Lack.POSITION,
    "camera": Lack.CAMERA,
    "lens": Lack.LENS,
    "rating": Lack.RATING,
    "label": Lack.LABEL,
    "title": Lack.TITLE,
    "description": Lack.DESCRIPTION,
    "comment": Lack.COMMENT,
    "creator": Lack.COPYRIGHT,
    "copyright": Lack.COPYRIGHT,
    "generation": Lack.GENERATION,
}
_LISTS = {"keywords": Lack.KEYWORDS, "people": Lack.PEOPLE}


def _metadata_lacking(mine: Metadata, theirs: Metadata) -> Iterator[Lack]:
    for name, lack in _TEXTS.items():
        value = getattr(mine, name)
        if value and value != getattr(theirs, name):
            yield lack
    for name, lack in _LISTS.items():
        if not set(getattr(mine, name)) <= set(getattr(theirs, name)):
            yield lack
    if mine.has_gps and not theirs.has_gps and not mine.place:
        yield Lack.POSITION
    if mine.profile not in (None, "sRGB", theirs.profile):
        yield Lack.PROFILE


def _picture(member: KeepFacts, witness: KeepFacts, compared: Compared) -> Iterator[Lack]:
    """What the pixels show."""
    look, match = compared.look, compared.match
    assert match is not None
    if look is None:
        yield Lack.UNMEASURED
        return
    if look.worst >= DIFFERS:
        yield Lack.DIFFERS
    if look.tone > _TONES or match.negative:
        yield Lack.TONES
    few = [each.info.metadata.few_colours for each in (member, witness)]
    fewer = few[1] and not few[0] and not look.drawing
    greyed = member.colourful and not witness.colourful
    if _recoloured(look) or greyed or fewer:
        yield Lack.COLOURS
    if look.rest_a > REST:
        yield Lack.AREA
    if match.share_b < _CROP:
        yield Lack.CROP
    turned = _turned(look) and not _derived(member, witness, look)
    if turned or (look.drawing and (_turned(look) or look.mirrored)):
        yield Lack.ORIENTATION
    if member.transparent and not witness.transparent:
        yield Lack.TRANSPARENCY
    if member.bits > max(8, witness.bits):
        yield Lack.DEPTH
    if is_camera_original(member) and not is_camera_original(witness):
        yield Lack.ORIGINAL
    if look.resaved < 0:
        yield Lack.SOURCE
    yield from _finer(member, witness, look)


def _finer(member: KeepFacts, witness: KeepFacts, look: Look) -> Iterator[Lack]:
    """Whether the member shows the shared picture better than the witness does."""
    mine, theirs = member.info, witness.info
    kind = format_class(mine.format, mine.lossless)
    other = format_class(theirs.format, theirs.lossless)
    as_large = 1 / least_scale_of(look.transform) >= _AS_LARGE
    compressed = _compressed(member, witness)
    softened = as_large and look.detail < -(_SOFTENED_TOO if compressed else _SOFTENED)
    strongly = compressed and (mine.metadata.jpeg_quality or 100) <= _STRONG_COMPRESSION
    changed = (look.sharpened and not compressed) or (softened and not strongly)
    # Of what was compressed this strongly nothing can be said.
    filtered = look.filtered and (mine.metadata.jpeg_quality or 100) > _RUINED
    if (changed and look.resaved <= 0) or filtered:
        yield Lack.SHARPNESS
    if scale_of(look.transform) < 1 / _LARGER:
        yield Lack.SIZE
    if _was_enlarged(member, witness, look):
        yield Lack.NOT_ENLARGED
    if _stretched(look) and look.detail > -_DETAIL:
        # Squeezing takes detail away; stretching adds pixels and nothing else.
        yield Lack.PROPORTIONS
    if _sheared(look) and not look.border_a > REST >= look.border_b:
        # The one with empty corners was sheared; without them, either may have been put straight.
        yield Lack.PROPORTIONS
    # What strong compression adds to edges looks like a little detail. Only of JPEGs is it known
    # which one was compressed more strongly: bytes of two formats say little.
    jpegs = None not in (mine.metadata.jpeg_quality, theirs.metadata.jpeg_quality)
    added = jpegs and compressed and look.detail < _SOFTENED and look.coherence >= _COHERENT
    added = added or look.resaved > 0
    if _of_other_codecs(mine, theirs) and look.resaved == 0:
        # What WebP adds in the finest scales is none either. It may go if it takes fewer bytes than
        # a JPEG that was not made from it; otherwise nobody knows which one came first.
        surely = compressed and look.unexplained
        surely |= is_camera_original(witness) and not is_camera_original(member)
        added = surely and look.detail < _SOFTENED_TOO
        if as_large and not surely:
            yield Lack.DETAIL
    if (look.detail > _DETAIL and not added) or (as_large and _lighter(mine, theirs, look)):
        yield Lack.DETAIL
    if kind == 3 > other:
        yield Lack.RAW
    if kind == 2 and other < 2 and as_large and not mine.metadata.few_colours:
        yield Lack.LOSSLESS


def _of_other_codecs(one: ImageInfo, other: ImageInfo) -> bool:
    """Whether both are lossy, in other ways: what each adds in the finest scales is no detail."""
    coded = ["JPEG" if each.metadata.jpeg_quality else each.format for each in (one, other)]
    lossy = all(format_class(each.format, each.lossless) == 1 for each in (one, other))
    return lossy and coded[0] != coded[1]


def _was_enlarged(member: KeepFacts, witness: KeepFacts, look: Look) -> bool:
    """Whether the witness seems to have been enlarged from the member.

    A soft picture and a smaller copy of it look the same, but that copy is mostly compressed more
    strongly.
    """
    return look.enlarged and not _compressed(member, witness) and not is_camera_original(witness)


def _compressed(member: KeepFacts, witness: KeepFacts) -> bool:
    """Whether the member is compressed more strongly, which changes grain and fine detail."""
    a, b = (each.info.metadata.jpeg_quality for each in (member, witness))
    if member.info.lossless:
        return False
    if witness.info.lossless:
        return True
    if a is not None and b is not None:
        return a < b - _QUALITY
    one, other = (each.bytes / max(1, each.info.pixels) for each in (member, witness))
    return one < other * _FEWER_BYTES


def _lighter(mine: ImageInfo, theirs: ImageInfo, look: Look) -> bool:
    """Whether the first is a JPEG with lighter compression and was not just made from the other.

    A JPEG that was saved again with lighter compression agrees with its source in all fine detail.
    """
    a, b = mine.metadata.jpeg_quality, theirs.metadata.jpeg_quality
    lighter = a is not None and b is not None and a > b + _QUALITY
    return lighter and look.coherence < _COHERENT and look.resaved <= 0


def _derived(member: KeepFacts, witness: KeepFacts, look: Look) -> bool:
    """Whether the member was evidently made from the witness: smaller, softer or newly lossy.

    If the two are equally good, either may be the one that somebody turned the right way up.
    """
    return (
        scale_of(look.transform) > _LARGER
        or look.detail < -_DETAIL
        or (witness.info.lossless and not member.info.lossless)
    )


def _stretched(look: Look) -> bool:
    """Whether the two have other proportions: one was stretched along its sides."""
    return _straight(look) and _unevenly_scaled(look)


def _straight(look: Look) -> bool:
    (a, b, _), (c, d, _) = homogeneous(look.transform)[:2]
    return min(math.hypot(a, d), math.hypot(b, c)) <= _SKEW * max(map(abs, (a, b, c, d)))


def _unevenly_scaled(look: Look) -> bool:
    """Whether one direction is enlarged more than the other."""
    return (scale_of(look.transform) / least_scale_of(look.transform)) ** 2 > _STRETCHED


def _sheared(look: Look) -> bool:
    """Whether the two have other angles: one was sheared or seen from the side."""
    return _unevenly_scaled(look) and not _straight(look)


def _turned(look: Look) -> bool:
    """Whether the witness shows the member on its side or upside down."""
    matrix = homogeneous(look.transform)
    (a, b, _), (c, d, _) = matrix[:2]
    if look.mirrored:
        a, c = -a, -c
    return abs(math.atan2(c - b, a + d)) > _A_QUARTER


def revised(match: Match, look: Look | None, a: ImageInfo, b: ImageInfo) -> Match:
    """The match of a with b, corrected by the closer look at them.

    Another exposure of the scene, a drawing in which a spot or a colour differs, or an icon that
    points elsewhere is another picture that only looks alike. A changed copy of the same photograph
    is called edited.
    """
    if look is None or not may_differ(match):
        return match
    changed = _changed(look)
    other_sign = look.drawing and (_turned(look) or look.mirrored) and max(_sides(a, b)) <= _ICON
    if _another_shot(look, a, b) or (look.drawing and changed) or other_sign:
        return replace(match, relation=Relation.SIMILAR, same_photograph=False)
    if changed and look.differing > _VISIBLE and match.relation in SAME_FRAME:
        return replace(match, relation=Relation.EDITED)
    return match


def _sides(*pictures: ImageInfo) -> Iterator[int]:
    return (side for each in pictures for side in (each.width, each.height))


_VISIBLE = 0.002
# Drawings up to this size are signs, and a turned sign is another one; larger ones may be scans.
_ICON = 256
_ZONES, _WITH_SECONDS = timedelta(minutes=15), len("2024-05-01T12:30:00")
# Two exposures of one scene are about equally sharp; if one is much softer, it was edited.
_AS_SHARP = 3.0


def _another_shot(look: Look, a: ImageInfo, b: ImageInfo) -> bool:
    """Whether the two are separate exposures; the times that cameras wrote have the last word.

    Of one camera, other times are other exposures, unless a person set its clock or zone right.
    Strong compression by another codec leaves noise of its own too, so without times only files
    of the same format count.
    """
    one, other = a.metadata, b.metadata
    if one.taken is not None and other.taken is not None:
        if look.another_shot:
            return (one.taken, one.subsecond) != (other.taken, other.subsecond)
        as_taken = not one.edited and not other.edited and one.camera is not None
        return as_taken and one.camera == other.camera and _apart(one, other)
    return look.another_shot and a.format == b.format and abs(look.detail) < _AS_SHARP


def _apart(one: Metadata, other: Metadata) -> bool:
    """Whether the times of exposure differ by anything but what zones differ by."""
    times = [each.taken or "" for each in (one, other)]
    try:
        first, second = map(datetime.fromisoformat, times)
    except ValueError:
        return False
    if min(map(len, times)) < _WITH_SECONDS:
        return False
    away = abs(first.replace(tzinfo=None) - second.replace(tzinfo=None))
    if away:
        return away % _ZONES != timedelta(0)
    parts = [(each.subsecond or "").rstrip("0") for each in (one, other)]
    return None not in (one.subsecond, other.subsecond) and parts[0] != parts[1]


def _changed(look: Look) -> bool:
    """Whether the two differ in anything but size, compression and detail."""
    return look.worst >= DIFFERS or _filtered(look)


def _filtered(look: Look) -> bool:
    """Whether one has other tones or colours than the other."""
    return look.tone > _TONES or _recoloured(look)


def _recoloured(look: Look) -> bool:
    return not 1 / COLOURS < look.chroma < COLOURS


def standings(
    best: Mapping[int, KeepFacts], pairs: Iterable[tuple[int, int]], evidence: Evidence
) -> dict[int, Standing]:
    """How contents rank among those they were compared with.

    ``best`` has the facts of each content's best file. A content is dominated if another holds
    everything it has, and more. Levels of detail and widths of borders are relative to the best
    content of each family, and carried from pair to pair: not every pair was compared.
    """
    dominated: set[int] = set()
    holds: Counter[int] = Counter()
    near: _Gains = {}
    frames: _Gains = {}
    enlarged: set[int] = set()
    uncounted: set[int] = set()
    for a, b in pairs:
        compared = evidence.compared(a, b)
        if compared is None or (compared.look is None and not compared.same_pixels):
            continue
        back = evidence.compared(b, a)
        assert back is not None
        a_is_held = not lacking(best[a], best[b], compared)
        b_is_held = not lacking(best[b], best[a], back)
        look, match = compared.look, compared.match
        # A copy that was turned or mirrored holds others that were not, and says nothing by that.
        upright = look is None or not (_turned(look) or look.mirrored)
        holds.update({a: b_is_held and upright, b: a_is_held and upright})
        if best[a].colourful != best[b].colourful:
            uncounted.add(b if best[a].colourful else a)
        if a_is_held != b_is_held:
            dominated.add(a if a_is_held else b)
        if look is None or back.look is None or match is None:
            _connect(near, a, b, 0.0)
            _connect(frames, a, b, 0.0)
            continue
        uncounted.update([b] * _was_enlarged(best[a], best[b], look))
        uncounted.update([a] * _was_enlarged(best[b], best[a], back.look))
        # Noise is not detail, and a filter can look like it: only equal pictures are compared. But
        # much lost detail is a difference by itself: an enlarged thumbnail has no fine line left.
        much = abs(look.detail) > _MUCH and not _filtered(look)
        if look.sharpened or (_changed(look) and not much):
            continue
        detail = look.detail
        if _of_other_codecs(best[a].info, best[b].info) and abs(detail) <= _SOFTENED_TOO:
            detail = 0.0
        elif abs(detail) <= _DETAIL:
            lighter = _lighter(best[a].info, best[b].info, look)
            heavier = _lighter(best[b].info, best[a].info, back.look)
            detail = _STEP * (lighter - heavier)
        _connect(near, a, b, -detail)
        if shows_one_frame(match):
            scale = scale_of(look.transform)
            if abs(look.detail) <= _DETAIL and not 1 / _LARGER < scale < _LARGER:
                enlarged.add(a if scale < 1 else b)
        _connect(frames, a, b, _wider_border(match, look))
    levels = _levels(near, best)
    borders = _levels(frames, best)
    return {
        id: Standing(
            measured=id in levels,
            dominated=id in dominated,
            # What it holds, so does the picture that it was enlarged from; and that a version in
            # black and white has copies says nothing of it beside the one with colours.
            holds=0 if id in uncounted else count,
            level=round(levels.get(id, 0.0) / _STEP),
            enlarged=id in enlarged,
            border=round(-borders.get(id, 0.0) / _BORDER_STEP),
        )
        for id, count in holds.items()
    }


def adds_a_border(compared: Compared) -> bool:
    """Whether all that the witness shows beyond the member is a flat border or bar."""
    match, look = compared.match, compared.look
    return match is not None and look is not None and _wider_border(match, look) < 0


def _wider_border(match: Match, look: Look) -> float:
    """By how much of its area a has a wider border than b; a crop may cut off plain ground."""
    if shows_one_frame(match) or match.relation is Relation.CROPPED:
        return 0.0
    mine, theirs = (share * (share > REST) for share in (look.border_a, look.border_b))
    return mine - theirs


_STEP = 2.0
_BORDER_STEP = 0.05
# Half the size enlarged again loses about 11 dB, a blur of 0.8 pixels 9, quality 30 less than 1.
_MUCH = 6.0


_Gains = dict[int, list[tuple[int, float]]]
"""For each content those that it was compared with, and by how much each is better than it."""


def _connect(gains: _Gains, a: int, b: int, gain: float) -> None:
    """Note that ``b`` is better than ``a`` by ``gain``."""
    gains.setdefault(a, []).append((b, gain))
    gains.setdefault(b, []).append((a, -gain))


def _levels(near: _Gains, best: Mapping[int, KeepFacts]) -> dict[int, float]:
    """The gain of each content over the others of its family, pair by pair; the best has 0.

    In the order of paths, not of ids: two libraries number the same contents differently.
    """

    def by_path(id: int) -> str:
        return best[id].path

    levels: dict[int, float] = {}
    for start in sorted(near, key=by_path):
        if start in levels:
            continue
        levels[start] = 0.0
        family = [start]
        for id in family:
            for other, gain in sorted(near[id], key=lambda step: by_path(step[0])):
                if other not in levels:
                    levels[other] = levels[id] + gain
                    family.append(other)
        finest = max(levels[id] for id in family)
        levels.update((id, levels[id] - finest) for id in family)
    return levels
