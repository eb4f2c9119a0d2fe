"""Which of several files to keep, and why: pure rules over what is known of each file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from image_duplicate_finder.companions import CompanionKind
from image_duplicate_finder.formats import RAW_FORMATS
from image_duplicate_finder.messages import KeepReason, Message
from image_duplicate_finder.model import ImageInfo, Seen
from image_duplicate_finder.origin import Origin, origin_of
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule


@dataclass(frozen=True, slots=True)
class Standing:
    """How a picture stands among those that it was compared with, see :mod:`.dominance`.

    ``measured``: detail was compared, so what headers say of quality no longer counts. ``holds``
    counts those of which it was shown to hold all. ``dominated``: another one holds all of it and
    more. ``level`` of measured detail, in steps that are no measurement noise; higher is finer.
    ``enlarged``: it has more pixels than another and shows no more. ``bordered``: a flat border or
    bar surrounds what it shares with others.
    """

    measured: bool = False
    dominated: bool = False
    holds: int = 0
    level: int = 0
    enlarged: bool = False
    bordered: bool = False


NO_STANDING = Standing()


@dataclass(frozen=True, slots=True)
class KeepFacts:
    """What the rules look at. ``partial``: another picture of the group shows more of the scene.

    ``seen`` is what a full decode told, if there was one. ``beside`` are the files that belong to
    it, by kind and digest.
    """

    file: int
    path: str
    info: ImageInfo
    bytes: int
    mtime_ns: int
    protected: bool = False
    partial: bool = False
    standing: Standing = NO_STANDING
    seen: Seen | None = None
    beside: tuple[tuple[CompanionKind, str], ...] = ()

    @property
    def transparent(self) -> bool:
        """Whether some of the picture is transparent; as far as the header tells, if not seen."""
        return self.info.has_alpha if self.seen is None else self.seen.alpha_used

    @property
    def colourful(self) -> bool:
        """Whether the picture has colours; as far as the header tells, if not seen."""
        return not self.info.metadata.grey if self.seen is None else self.seen.colourful

    @property
    def bits(self) -> int:
        """Bits per channel that are used; as far as the header tells, if not seen."""
        return self.info.bit_depth if self.seen is None else self.seen.bits


# How a picture was compressed says how much of the original is left: camera RAW holds most.
_FEW_COLOURS = frozenset({"GIF", "ICO"})
_COPY_NAMES = re.compile(
    r"(?:^|[\s_\-(.])(?:copy|copie|kopie|copia|cópia|kopia|копия|副本|コピー|복사본|edited|duplicate)"
    r"(?:[\s_\-).]|\d|$)|\(\d+\)|~\d?$|\bcopy of\b",
    re.IGNORECASE,
)


def looks_like_copy(path: str) -> bool:
    """Whether a file's name says that it is a copy: "a copy.jpg", "a (1).jpg", "Kopie von a"."""
    stem = os.path.splitext(os.path.basename(path))[0]
    return _COPY_NAMES.search(stem) is not None


def format_class(format: str, lossless: bool) -> int:
    """How much of the original a format holds: 3 RAW, 2 lossless, 1 lossy, 0 few colours."""
    if format in RAW_FORMATS:
        return 3
    if format in _FEW_COLOURS:
        return 0
    return 2 if lossless else 1


def _quality(facts: KeepFacts) -> tuple[float, ...]:
    """Colour before grey, then the format's class, then the number of colours, their depth or
    the lightness of compression; the smaller, the better.
    """
    info = facts.info
    kind = format_class(info.format, info.lossless)
    if kind == 0:
        return not facts.colourful, 0, False, 0
    if kind > 1:
        # Samples of 32 bits hold no more of a photo than those of 16.
        return not facts.colourful, -kind, info.metadata.few_colours, -min(facts.bits, 16)
    if facts.standing.measured:
        return not facts.colourful, -1, False, 0
    quality = info.metadata.jpeg_quality
    if quality is None:
        # No quality is written in other lossy files; bytes per thousand pixels stand in for it.
        quality = min(100, round(facts.bytes * 200 / max(1, info.pixels)))
    return not facts.colourful, -1, False, -quality


def is_camera_original(facts: KeepFacts) -> bool:
    """Whether a camera wrote the file, as far as its name and its metadata tell."""
    return origin_of(facts.path, facts.info) is Origin.CAMERA


def _metadata(facts: KeepFacts) -> int:
    metadata = facts.info.metadata
    told = (
        *(metadata.has_exif, metadata.taken, metadata.has_gps, metadata.camera, metadata.lens),
        *(metadata.rating, metadata.keywords, metadata.people, metadata.label, metadata.title),
        *(metadata.description, metadata.comment, metadata.creator, metadata.copyright),
        metadata.generation,
    )
    return sum(map(bool, told)) + len(facts.info.parts)


_UNKNOWN = "~"
"""Sorts behind every date."""

# Each value compares as a tuple; the smaller, the better.
_VALUES: dict[KeepRule, Callable[[KeepFacts], tuple[Any, ...]]] = {
    KeepRule.PROTECTED: lambda facts: (not facts.protected,),
    KeepRule.WHOLE: lambda facts: (facts.partial,),
    KeepRule.COMPLETE: lambda facts: (facts.standing.dominated, -facts.standing.holds),
    KeepRule.ORIGINAL: lambda facts: (not is_camera_original(facts),),
    KeepRule.DETAIL: lambda facts: (
        -facts.standing.level,
        facts.standing.enlarged,
        facts.standing.bordered,
    ),
    KeepRule.PIXELS: lambda facts: (-facts.info.pixels,),
    KeepRule.QUALITY: _quality,
    KeepRule.METADATA: lambda facts: (-_metadata(facts),),
    # A time of 0 says that none is known.
    KeepRule.COMPANIONS: lambda facts: (-len(facts.beside),),
    KeepRule.OLDER: lambda facts: (
        facts.info.metadata.taken or _UNKNOWN,
        facts.mtime_ns <= 0,
        facts.mtime_ns,
    ),
    KeepRule.NAME: lambda facts: (looks_like_copy(facts.path),),
}
_SEPARATOR = os.fsencode(os.sep)


RankKey = tuple[tuple[Any, ...], ...]


def rank_key(facts: KeepFacts, rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES) -> RankKey:
    """Sorts the best file first. A total order: rules in turn, then the shorter and first path."""
    return ranking(rules)(facts)


def ranking(rules: Sequence[KeepRule]) -> Callable[[KeepFacts], RankKey]:
    """:func:`rank_key` by these rules, for many files: to look up a rule takes its time."""
    values = [_VALUES[rule] for rule in rules]

    def key(facts: KeepFacts) -> RankKey:
        path = os.fsencode(facts.path)
        return (*[value(facts) for value in values], (path.count(_SEPARATOR), path))

    return key


def reasons(
    keeper: KeepFacts, others: Iterable[KeepFacts], rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES
) -> tuple[Message, ...]:
    """Why ``keeper`` is kept: for each of ``others``, the first rule that tells it from them."""
    key = ranking(rules)
    return reasons_of(key(keeper), map(key, others), rules)


def reasons_of(
    keeper: RankKey, others: Iterable[RankKey], rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES
) -> tuple[Message, ...]:
    """:func:`reasons` of files whose rank keys by these rules are known."""
    found: set[KeepRule] = set()
    for other in others:
        for rule, mine, theirs in zip(rules, keeper, other, strict=False):
            if mine != theirs:
                if mine < theirs:
                    found.add(rule)
                break
    why = tuple(KeepReason[rule.name]() for rule in rules if rule in found)
    return why or (KeepReason.PATH(),)
