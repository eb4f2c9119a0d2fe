"""Which of several files to keep, and why: by a scan's rules, or by one rule for all groups. Pure.

A scan's keep rules compare facts about each file. A bulk rule keeps, in every group, the file that
is first by one property. Bulk rules work on outlines of groups, a few plain values per file, so
that fifty thousand groups can be processed while a person waits.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from image_duplicate_finder.companions import CompanionKind
from image_duplicate_finder.formats import CAMERA_FORMATS, FEW_COLOUR_FORMATS, RAW_FORMATS
from image_duplicate_finder.messages import KeepReason, Message
from image_duplicate_finder.model import ImageInfo, Relation, Seen
from image_duplicate_finder.relations import PRESELECTABLE
from image_duplicate_finder.settings import DEFAULT_KEEP_RULES, KeepRule


@dataclass(frozen=True, slots=True)
class Standing:
    """How a picture ranks among those it was compared with, see :mod:`.dominance`.

    ``measured``: detail was compared, so the quality stated in headers no longer counts. ``holds``
    counts the pictures whose whole content it was shown to hold. ``dominated``: another picture
    holds everything it has, and more. ``level``: measured detail, in steps larger than measurement
    noise; higher is finer. ``enlarged``: it has more pixels than another but shows no more.
    ``border``: in steps, how much wider the flat borders and bars around it are than the family's
    narrowest.
    """

    measured: bool = False
    dominated: bool = False
    holds: int = 0
    level: int = 0
    enlarged: bool = False
    border: int = 0


NO_STANDING = Standing()


@dataclass(frozen=True, slots=True)
class KeepFacts:
    """What the rules need to know of a file.

    ``partial``: another picture of the group shows more of the scene. ``seen`` is what a full
    decode found, if there was one. ``beside``: the files that belong to it, by kind and digest.
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
        """Whether some of the picture is transparent; by the header if it was never decoded."""
        return self.info.has_alpha if self.seen is None else self.seen.alpha_used

    @property
    def colourful(self) -> bool:
        """Whether the picture has colours; by the header if it was never decoded."""
        return not self.info.metadata.grey if self.seen is None else self.seen.colourful

    @property
    def bits(self) -> int:
        """Bits per channel that are used; by the header if it was never decoded."""
        return self.info.bit_depth if self.seen is None else self.seen.bits


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
    """How much of the original a format preserves: 3 RAW, 2 lossless, 1 lossy, 0 few colours."""
    if format in RAW_FORMATS:
        return 3
    if format in FEW_COLOUR_FORMATS:
        return 0
    return 2 if lossless else 1


def _quality(facts: KeepFacts) -> tuple[float, ...]:
    """Colour before grey, then the format's class, then the number of colours, the bit depth or
    how light the compression is; smaller is better.
    """
    info = facts.info
    kind = format_class(info.format, info.lossless)
    if kind == 0:
        return not facts.colourful, 0, False, 0
    if kind > 1:
        # 32 bits per sample preserve no more of a photo than 16.
        return not facts.colourful, -kind, info.metadata.few_colours, -min(facts.bits, 16)
    if facts.standing.measured:
        return not facts.colourful, -1, False, 0
    quality = info.metadata.jpeg_quality
    if quality is None:
        # Other lossy files do not state a quality; bytes per pixel are used instead.
        quality = min(100, round(facts.bytes * 200 / max(1, info.pixels)))
    return not facts.colourful, -1, False, -quality


def is_camera_original(facts: KeepFacts) -> bool:
    """Whether a camera wrote the file, by its name and metadata."""
    return origin_of(facts.path, facts.info) is Origin.CAMERA


def _metadata(facts: KeepFacts) -> int:
    metadata = facts.info.metadata
    known = (
        *(metadata.has_exif, metadata.taken, metadata.has_gps, metadata.camera, metadata.lens),
        *(metadata.rating, metadata.keywords, metadata.people, metadata.label, metadata.title),
        *(metadata.description, metadata.comment, metadata.creator, metadata.copyright),
        metadata.generation,
    )
    return sum(map(bool, known)) + len(facts.info.parts)


_UNKNOWN = "~"
"""Sorts after every date."""

# The values of each rule compare as tuples; smaller is better.
_VALUES: dict[KeepRule, Callable[[KeepFacts], tuple[Any, ...]]] = {
    KeepRule.PROTECTED: lambda facts: (not facts.protected,),
    KeepRule.WHOLE: lambda facts: (facts.partial,),
    KeepRule.COMPLETE: lambda facts: (facts.standing.dominated, -facts.standing.holds),
    KeepRule.ORIGINAL: lambda facts: (not is_camera_original(facts),),
    KeepRule.DETAIL: lambda facts: (
        -facts.standing.level,
        facts.standing.enlarged,
        facts.standing.border,
    ),
    KeepRule.PIXELS: lambda facts: (-facts.info.pixels,),
    KeepRule.QUALITY: _quality,
    KeepRule.METADATA: lambda facts: (-_metadata(facts),),
    KeepRule.COMPANIONS: lambda facts: (-len(facts.beside),),
    # A time of 0 means that none is known.
    KeepRule.OLDER: lambda facts: (
        facts.info.metadata.taken or _UNKNOWN,
        facts.mtime_ns <= 0,
        facts.mtime_ns,
    ),
    KeepRule.NAME: lambda facts: (looks_like_copy(facts.path),),
}
_SEPARATOR = os.fsencode(os.sep)


RankKey = tuple[tuple[Any, ...], ...]


def ranking(rules: Sequence[KeepRule]) -> Callable[[KeepFacts], RankKey]:
    """A key that sorts the best file first, as ``rules`` say.

    A total order: by each rule in turn, then by the shallower path, then by the first one.
    """
    values = [_VALUES[rule] for rule in rules]

    def key(facts: KeepFacts) -> RankKey:
        path = os.fsencode(facts.path)
        return (*[value(facts) for value in values], (path.count(_SEPARATOR), path))

    return key


def reasons(
    keeper: KeepFacts, others: Iterable[KeepFacts], rules: Sequence[KeepRule] = DEFAULT_KEEP_RULES
) -> tuple[Message, ...]:
    """Why ``keeper`` is kept: for each of ``others``, the rule that decides in its favour."""
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


class Origin(StrEnum):
    """Where a file comes from; CAMERA: and, as far as it says, no program changed it since."""

    CAMERA = "camera"
    EDITED = "edited"
    MESSENGER = "messenger"
    SCREENSHOT = "screenshot"
    DOWNLOAD = "download"
    UNKNOWN = "unknown"


_MESSENGER = re.compile(
    r"IMG-\d{8}-WA\d{4}|WhatsApp Image \d{4}-\d\d-\d\d|received_\d{6,}|signal-\d{4}-\d\d-\d\d"
    r"|photo_\d{4}-\d\d-\d\d_\d\d-\d\d|photo_\d+@\d\d-\d\d-\d{4}|FB_IMG_\d{8,}|mmexport\d{10,}"
    r"|Snapchat-\d+|viber[_ ]image|telegram-cloud-photo|Messenger_creation|wx_camera_\d+"
    r"|InShot_\d{8}|IMG_\d{8}_\d{6}_WA|Screenshot_WhatsApp",
    re.IGNORECASE,
)
_SCREENSHOT = re.compile(
    r"Screen ?-?shot|Screen_Shot|Bildschirmfoto|Bildschirmaufnahme|Capture d.[ée]cran"
    r"|Captura de (?:pantalla|tela|ecr[ãa])|Schermafbeelding|Schermata|Istantanea|Zrzut ekranu"
    r"|Снимок экрана|スクリーンショット|截图|屏幕截图|螢幕截圖|스크린샷|Skärmavbild|Skjermbilde",
    re.IGNORECASE,
)
_DOWNLOAD = re.compile(
    r"(?:download|images?|unnamed|photo|picture|FullSizeRender|large|original|maxresdefault"
    r"|\d+_\d+_\d+_[no]|[0-9a-f]{32,64}|[A-Za-z0-9_-]{10,}_o)(?: ?\(\d+\))?",
)


def origin_of(path: str, info: ImageInfo) -> Origin:
    """By name and metadata; names that programs give count first."""
    stem = os.path.splitext(os.path.basename(path))[0]
    if _SCREENSHOT.match(stem):
        return Origin.SCREENSHOT
    if _MESSENGER.match(stem):
        return Origin.MESSENGER
    if info.format in RAW_FORMATS:
        return Origin.CAMERA
    metadata = info.metadata
    if metadata.edited:
        return Origin.EDITED
    if metadata.camera is not None and metadata.taken is not None and info.format in CAMERA_FORMATS:
        return Origin.CAMERA
    return Origin.DOWNLOAD if _DOWNLOAD.fullmatch(stem) else Origin.UNKNOWN


class BulkRule(StrEnum):
    """Which file a rule keeps; ``present`` is the current keeper."""

    PRESENT = "present"
    MOST_PIXELS = "most_pixels"
    LARGEST_FILE = "largest_file"
    SMALLEST_FILE = "smallest_file"
    OLDEST = "oldest"
    NEWEST = "newest"
    BEST_FORMAT = "best_format"
    FOLDER_ORDER = "folder_order"
    SHORTEST_NAME = "shortest_name"
    LONGEST_NAME = "longest_name"
    SHORTEST_PATH = "shortest_path"


class BulkFile(NamedTuple):
    """A file of a group: ``relation`` is None for the keeper.

    A named tuple, because hundreds of thousands of them are made for one preview.
    """

    file: int
    relation: Relation | None
    path: str
    bytes: int
    pixels: int
    mtime_ns: int
    format: str
    lossless: bool
    selected: bool
    removable: bool

    @property
    def keeper(self) -> bool:
        """Whether this file is the group's current keeper."""
        return self.relation is None


class BulkGroup(NamedTuple):
    """A group's files, the keeper first."""

    id: int
    files: Sequence[BulkFile]


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """A rule and its parameters.

    ``folders``: for FOLDER_ORDER, in order of preference. ``relations``: members with these are
    selected; others stay as they are. A file that only contains another picture or looks like it
    is never selected by a rule (:data:`PRESELECTABLE`).
    """

    rule: BulkRule
    folders: tuple[str, ...] = ()
    relations: frozenset[Relation] = PRESELECTABLE - {Relation.EDITED}


@dataclass(frozen=True, slots=True)
class BulkChange:
    """What a rule does to one group: ``keeper`` is kept and ``select`` is selected for removal.

    ``changes_keeper``: another file was kept before. Then ``select`` is an upper limit: how the
    others relate to the new keeper is known only once they are verified against it, and
    :func:`select_with_keeper` chooses among them.
    """

    group: int
    keeper: int
    changes_keeper: bool
    select: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BulkStep:
    """How far a rule was carried out: ``after`` is the last group done, ``left`` how many wait.

    ``until`` is the last group that existed at the start: groups made by the rule are not processed
    again. ``decision`` is the decision whose undo reverts all steps.
    """

    after: int
    until: int
    done: int
    left: int
    decision: int | None = None


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What a rule would change in many groups, in numbers.

    ``files_after`` and ``bytes_after`` are upper limits: in groups whose keeper changes, the
    others are verified against the new one when the rule is carried out. ``examples`` are the
    first groups whose keeper changes, followed by groups whose selection does.
    """

    groups: int
    changed_groups: int
    changed_keepers: int
    files_before: int
    bytes_before: int
    files_after: int
    bytes_after: int
    examples: tuple[BulkChange, ...]


Rank = Callable[[BulkFile], tuple[float, ...]]

_RANKS: dict[BulkRule, Rank] = {
    BulkRule.PRESENT: lambda file: (not file.keeper,),
    BulkRule.MOST_PIXELS: lambda file: (-file.pixels,),
    BulkRule.LARGEST_FILE: lambda file: (-file.bytes,),
    BulkRule.SMALLEST_FILE: lambda file: (file.bytes,),
    BulkRule.OLDEST: lambda file: (file.mtime_ns,),
    BulkRule.NEWEST: lambda file: (-file.mtime_ns,),
    BulkRule.BEST_FORMAT: lambda file: (
        -format_class(file.format, file.lossless),
        -file.bytes / max(1, file.pixels),
    ),
    BulkRule.SHORTEST_NAME: lambda file: (len(os.path.basename(file.path)),),
    BulkRule.LONGEST_NAME: lambda file: (-len(os.path.basename(file.path)),),
    BulkRule.SHORTEST_PATH: lambda file: (len(file.path),),
}


def change(group: BulkGroup, order: BulkOrder) -> BulkChange:
    """What a rule does to a group. In a tie the current keeper wins, then the first path."""
    rank = _RANKS.get(order.rule) or _by_folder(order.folders)
    best = min(group.files, key=lambda file: (rank(file), file.relation is not None, file.path))
    relations = order.relations & PRESELECTABLE
    surely = best.relation is None or best.relation in relations
    select = tuple(
        file.file
        for file in group.files
        if file is not best
        and file.removable
        and (file.selected or (surely and (file.relation is None or file.relation in relations)))
    )
    return BulkChange(group.id, best.file, best.relation is not None, select)


def select_with_keeper(wanted: BulkChange, group: BulkGroup, order: BulkOrder) -> tuple[int, ...]:
    """What a rule selects in ``group`` once its members are verified against its new keeper."""
    relations = order.relations & PRESELECTABLE
    return tuple(
        file.file
        for file in group.files
        if file.file in wanted.select and file.relation in relations
    )


def preview(groups: Iterable[BulkGroup], order: BulkOrder, examples: int = 4) -> BulkPreview:
    """Count what a rule changes in ``groups``."""
    total = changed = keepers = files_before = bytes_before = files_after = bytes_after = 0
    other_keeper: list[BulkChange] = []
    other_selection: list[BulkChange] = []
    for group in groups:
        total += 1
        result = change(group, order)
        after = result.select
        before = tuple(file.file for file in group.files if file.selected)
        files_before += len(before)
        files_after += len(after)
        for file in group.files:
            if file.selected:
                bytes_before += file.bytes
            if file.file in after:
                bytes_after += file.bytes
        changed += result.changes_keeper or after != before
        keepers += result.changes_keeper
        if result.changes_keeper and len(other_keeper) < examples:
            other_keeper.append(result)
        elif after != before and len(other_selection) < examples:
            other_selection.append(result)
    return BulkPreview(
        groups=total,
        changed_groups=changed,
        changed_keepers=keepers,
        files_before=files_before,
        bytes_before=bytes_before,
        files_after=files_after,
        bytes_after=bytes_after,
        examples=tuple((other_keeper + other_selection)[:examples]),
    )


def _by_folder(folders: Sequence[str]) -> Rank:
    prefixes = [folder.rstrip(os.sep) + os.sep for folder in folders]

    def rank(file: BulkFile) -> tuple[float, ...]:
        for place, prefix in enumerate(prefixes):
            if file.path.startswith(prefix):
                return (place,)
        return (len(prefixes),)

    return rank
