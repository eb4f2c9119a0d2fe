"""The values that stages hand to each other: frozen and slotted.

Words (file, content, fingerprint, candidate, match, group, keeper) are those of ARCHITECTURE.md.
Paths are ``str`` decoded with ``os.fsdecode``; names that are not UTF-8 carry surrogate escapes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NamedTuple

from image_duplicate_finder.errors import FailureStage
from image_duplicate_finder.messages import Code, Message, english

Transform = tuple[tuple[float, float, float], ...]
"""Rows of a 2 x 3 affine or 3 x 3 projective matrix that maps pixel coordinates (x, y, 1)."""

IDENTITY: Transform = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
"""The affine transform that changes nothing."""

Row = tuple[float, float, float]


def homogeneous(transform: Transform) -> tuple[Row, Row, Row]:
    """The 3 x 3 matrix of an affine (2 x 3) or projective (3 x 3) transform."""
    if len(transform) == 2:
        return transform[0], transform[1], (0.0, 0.0, 1.0)
    return transform[0], transform[1], transform[2]


def invert(transform: Transform) -> Transform:
    """The transform that undoes ``transform``; affine stays 2 x 3.

    Raises ZeroDivisionError for a singular matrix, which no verified match has.
    """
    (a, b, c), (d, e, f), (g, h, i) = homogeneous(transform)
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    adjugate = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    x, y, z = ((r[0] / determinant, r[1] / determinant, r[2] / determinant) for r in adjugate)
    if len(transform) == 2:
        return x, y
    return x, y, z


def compose(after: Transform, before: Transform) -> Transform:
    """The transform that applies ``before`` and then ``after``."""
    left, right = homogeneous(after), homogeneous(before)
    x, y, z = (
        (
            sum(row[k] * right[k][0] for k in range(3)),
            sum(row[k] * right[k][1] for k in range(3)),
            sum(row[k] * right[k][2] for k in range(3)),
        )
        for row in left
    )
    if len(after) == 2 and len(before) == 2:
        return x, y
    return x, y, z


def scale_of(transform: Transform) -> float:
    """By how much a transform enlarges lengths, on average over all directions."""
    (a, b, _), (c, d, _) = transform[:2]
    return math.sqrt(abs(a * d - b * c))


def least_scale_of(transform: Transform) -> float:
    """By how much a transform enlarges lengths in the direction in which it enlarges least."""
    (a, b, _), (c, d, _) = transform[:2]
    mean, half = (a * a + b * b + c * c + d * d) / 2, a * d - b * c
    return math.sqrt(max(1e-12, mean - math.sqrt(max(0.0, mean * mean - half * half))))


BACKUP_MARKER_NAME = ".idf-backup"
"""A folder that holds an entry of this name is a backup of this program and is never scanned."""


class Relation(StrEnum):
    """What a member is to its keeper (or one picture of a match to the other)."""

    BYTE_IDENTICAL = "byte_identical"
    PIXEL_IDENTICAL = "pixel_identical"
    REENCODED = "reencoded"
    RESIZED = "resized"
    CROPPED = "cropped"
    ROTATED = "rotated"
    EDITED = "edited"
    CONTAINS = "contains"
    SIMILAR = "similar"


class GroupKind(StrEnum):
    """``duplicates`` show the same photograph; the two others are never preselected."""

    DUPLICATES = "duplicates"
    SIMILAR = "similar"
    CONTAINS = "contains"


class Lack(Code):
    """Something that a picture has and its witness lacks: a reason not to propose its removal.

    Its template is short enough for a label beside the file. ``unmeasured``: no closer look was
    possible. ``preferred``: the witness holds all of it, but is the worse of the two by the keep
    rules, or a framed copy. The others name what would be lost: a place that differs, other tones
    or colours, finer detail, more pixels, the size before it was enlarged, the file before it was
    saved again, whatever is outside the shared picture, a deliberate crop or orientation, a fact of
    the metadata, a frame, layer or second picture in the file, or a file that belongs to the
    picture.
    """

    UNMEASURED = "unmeasured", "could not be compared closely"
    PREFERRED = "preferred", "better than the kept file"
    DIFFERS = "differs", "differs in places"
    TONES = "tones", "different brightness or contrast"
    COLOURS = "colours", "different colours"
    DETAIL = "detail", "finer detail"
    SHARPNESS = "sharpness", "sharpened, smoothed or grain added"
    SIZE = "size", "more pixels"
    NOT_ENLARGED = "not_enlarged", "original size, while the other is enlarged"
    AREA = "area", "shows more of the scene"
    CROP = "crop", "cropped to less than half"
    ORIENTATION = "orientation", "rotated or mirrored"
    PROPORTIONS = "proportions", "other proportions"
    COMPLETE = "complete", "complete, while the other is cut off"
    ORIGINAL = "original", "camera original"
    SOURCE = "source", "source that the other was saved from"
    RAW = "raw", "camera RAW"
    LOSSLESS = "lossless", "lossless compression"
    DEPTH = "depth", "more bits per channel"
    TRANSPARENCY = "transparency", "transparency"
    FRAMES = "frames", "more frames or pages"
    LAYERS = "layers", "layers"
    MOTION = "motion", "moving part"
    SECOND_VIEW = "second_view", "second view"
    GAIN_MAP = "gain_map", "HDR gain map"
    DEPTH_MAP = "depth_map", "depth map"
    AUDIO = "audio", "sound"
    ATTACHED_DATA = "attached_data", "data after the picture"
    PROFILE = "profile", "colour profile"
    TAKEN = "taken", "date taken"
    POSITION = "position", "GPS position"
    CAMERA = "camera", "camera"
    LENS = "lens", "lens"
    RATING = "rating", "rating"
    LABEL = "label", "colour label"
    KEYWORDS = "keywords", "keywords"
    TITLE = "title", "title"
    DESCRIPTION = "description", "description"
    COMMENT = "comment", "comment"
    COPYRIGHT = "copyright", "copyright"
    PEOPLE = "people", "people"
    GENERATION = "generation", "generation data"
    GEOREFERENCE = "georeference", "georeference"
    CAPTION = "caption", "caption file"
    SIDECAR = "sidecar", "sidecar file"
    VIDEO = "video", "video file"
    VOICE_NOTE = "voice_note", "voice note"


class FileStat(NamedTuple):
    """What the file system says about a file; any difference means that it may have changed.

    ``size`` in bytes, times in nanoseconds since 1970, ``links`` the number of hard links. A
    tuple, since every walk makes one for each file, and dataclasses take three times as long.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int
    links: int = 1

    @classmethod
    def of(cls, result: os.stat_result) -> FileStat:
        """The fields of an ``os.stat_result`` that this program keeps."""
        # The same as cls(...), which takes twice as long.
        return tuple.__new__(
            cls,
            (
                result.st_size,
                result.st_mtime_ns,
                result.st_ctime_ns,
                result.st_dev,
                result.st_ino,
                result.st_nlink,
            ),
        )

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode: equal for hard links of one file."""
        return self.device, self.inode

    def unchanged(self, other: FileStat) -> bool:
        """Whether no field that changes with the content differs.

        ``links`` is left out: a new hard link elsewhere does not change what the file holds,
        though it does change ``ctime_ns``, which is compared.
        """
        return self[:5] == other[:5]


class FoundFile(NamedTuple):
    """A regular file that discovery found; ``root`` is the folder it was found under.

    ``removable`` is False for files in an archive or storage, or listed by a manifest.
    """

    path: str
    stat: FileStat
    root: str
    removable: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be used: where it stopped and why."""

    path: str
    stage: FailureStage
    reason: Message

    @property
    def message(self) -> str:
        """The reason in English."""
        return english(self.reason)

    @property
    def passing(self) -> bool:
        """Whether another try may succeed with the same file and the same limits."""
        return self.stage in _PASSING


_PASSING = frozenset(FailureStage) - {
    FailureStage.HEADER,
    FailureStage.LIMITS,
    FailureStage.DECODE,
    FailureStage.INSTALLATION,
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a picture's metadata says, read once.

    ``taken``: ISO 8601 date and time without zone unless the file states one, or None, and
    ``subsecond`` the digits of its fraction. ``place``: latitude and longitude in degrees, to five
    decimals (about a metre). ``people`` are named in the picture. ``label`` is the colour label of
    a photo manager. ``jpeg_quality``: estimated libjpeg quality 1 to 100, None for other formats.
    ``profile``: short name of the colour profile ("sRGB", "Display P3", ...), "CMYK" for inks
    without one, None if absent.
    ``content_identifier``: the id that both halves of a Live Photo share. ``grey``: the file has
    no colour channels, so a copy in colours shows more. ``few_colours``: it has a palette or one
    bit per pixel, so most of a photo's colours are lost. ``generation`` is a digest of what an
    image generator wrote (prompt, seed, workflow), ``comment`` one of other texts; programs' own
    marks are left out. ``software`` is the program that wrote the file. ``maker_notes``: the
    camera's own block is there. ``edited``: the file itself says that it was changed since the
    camera wrote it (an editor's name, other dimensions, a preview of another shape).
    """

    taken: str | None = None
    camera: str | None = None
    lens: str | None = None
    has_exif: bool = False
    has_gps: bool = False
    profile: str | None = None
    jpeg_quality: int | None = None
    rating: int | None = None
    keywords: tuple[str, ...] = ()
    content_identifier: str | None = None
    grey: bool = False
    few_colours: bool = False
    subsecond: str | None = None
    place: tuple[float, float] | None = None
    title: str | None = None
    description: str | None = None
    creator: str | None = None
    copyright: str | None = None
    people: tuple[str, ...] = ()
    label: str | None = None
    generation: str | None = None
    comment: str | None = None
    software: str | None = None
    maker_notes: bool = False
    edited: bool = False

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Metadata:
        """From values as JSON gives them back; those that are absent are as by default."""
        lists = {name: tuple(found) for name in _LISTS if (found := values.get(name)) is not None}
        return cls(**{**values, **lists})


_LISTS = ("keywords", "people", "place")


class PartKind(StrEnum):
    """What a file can hold in addition to its picture."""

    LAYERS = "layers"
    MOTION = "motion"
    VIEW = "view"
    GAIN_MAP = "gain_map"
    DEPTH_MAP = "depth_map"
    GEOREFERENCE = "georeference"
    SOUND = "sound"
    DATA = "data"


class Part(NamedTuple):
    """One thing that a file holds in addition to its picture; equal digests mean equal contents.

    ``motion`` is a film, ``view`` another picture (the other eye of a stereo photo), ``data``
    whatever else follows the picture and is long enough to be more than padding.
    """

    kind: PartKind
    digest: str


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a picture is, apart from its pixels' values.

    ``width`` and ``height`` are of the upright picture at full size. ``format`` is by content
    ("JPEG", "PNG", "HEIF", "AVIF", "JXL", "TIFF", "CR2", ...). ``orientation`` is the EXIF
    value 1 to 8 that was applied. ``frames`` is 1 for still pictures. ``bit_depth`` is per
    channel. ``lossless``: how the pixels are compressed, as far as known. ``parts``: what else the
    file holds, each once. ``frame_digests`` has a digest for each frame or page if there are
    several; equal digests look equal, whatever their duration. If there are more than 255, the last
    represents the rest; if a format's frames are not distinguished, one represents all.
    ``incomplete``: the file ends before its picture does, though it can be decoded.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    bit_depth: int = 8
    has_alpha: bool = False
    frames: int = 1
    lossless: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    parts: tuple[Part, ...] = ()
    frame_digests: tuple[str, ...] = ()
    incomplete: bool = False

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> ImageInfo:
        """From values as JSON gives them back; those that are absent are as by default."""
        parts = tuple(Part(PartKind(kind), digest) for kind, digest in values.get("parts", ()))
        changed = {
            "metadata": Metadata.from_values(values.get("metadata", {})),
            "parts": parts,
            "frame_digests": tuple(values.get("frame_digests", ())),
        }
        return cls(**{**values, **changed})

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the Euclidean distances of a model's unit vectors become calibrated ones.

    ``scale * distance ** power`` keeps the order of all pairs and gives the thresholds the same
    meaning for every model.
    """

    scale: float = 1.0
    power: float = 1.0


UNCALIBRATED = Calibration()
"""Leaves distances as they are."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One thing computed from a content, identified by (content, name, version).

    ``name`` is the kind (``perceptual``, ``keypoints``, ``proof``, ``embedding:<model hash>``);
    ``version`` changes with the method or its parameters; ``data`` is its compact encoding.
    """

    name: str
    version: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Fingerprinted:
    """Everything that one read and one decode of a file produced.

    ``content`` is the BLAKE3 hash (32 bytes) of the file's bytes; ``stat`` was taken on the
    open file, so it belongs to exactly these bytes.
    """

    path: str
    stat: FileStat
    content: bytes
    info: ImageInfo
    fingerprints: tuple[Fingerprint, ...]


class Box(NamedTuple):
    """A rectangle in pixels of an upright picture at full size: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two aligned pictures differ: where it is in each, and how strongly.

    ``strength`` is in units of what compression and scaling explain; from 4 up it is content.
    """

    in_a: Box
    in_b: Box
    strength: float


# Below this scale, enlarging and shrinking leave the same bands to compare. Enlarging adds less
# than this many decibels (see verify/detail.py).
_ENLARGED, _FINER = 1.4, 0.4


@dataclass(frozen=True, slots=True)
class Look:
    """What a closer look at two pictures measured, in colour and at up to 1,024 pixels.

    ``transform`` maps pixels of a (upright, full size) to b, finer than the match that led here.
    ``differences`` are the places that differ most, strongest first; ``worst`` is the strength
    of the strongest, even if it is too weak to be listed. ``tone`` is how far one
    global tone curve lies from the identity (largest departure in grey levels, 0 to 255),
    ``chroma`` the ratio of b's colourfulness to a's (1.0 where neither has colour).
    ``detail`` in decibels is how much finer detail a shows than b on the shared scene, measured
    where the pictures are finest; negative where b is the finer one. ``coherence`` (0 to 1) is how
    much of the fine detail of the two agrees. ``rest_a`` and ``rest_b`` are the shares (0 to 1)
    of each canvas that are outside the shared picture and not a flat border or bar;
    ``border_a`` and ``border_b`` are the shares that are. ``another_shot``: these are two
    exposures of one scene (independent noise or parallax), not copies of one photograph.
    ``differing`` is the share of the shared picture (0 to 1) that differs in any way by more than
    4, ``recoloured`` the share that differs in colour alone. ``drawing``: at least one of them is a
    drawing (flat areas and few colours: icons, emoji, sprites, charts, pages), which is another
    picture if one spot or one colour differs. ``sharpened`` in decibels is how much more sharpening
    or added grain a has than b (negative: b than a); that is not detail, and neither is surely the
    worse one. ``resaved``: 1 if a is what b became when it was saved again, -1 for the reverse, 0
    where that cannot be told (of two JPEGs only higher qualities are told). ``filtered``: pixel on
    pixel, more parts the two than what compression rounded: one was smoothed or sharpened.
    ``unexplained``: pixel on pixel, a JPEG and a file of another format of which the JPEG was not
    made.
    """

    transform: Transform
    mirrored: bool = False
    differences: tuple[Difference, ...] = ()
    worst: float = 0.0
    tone: float = 0.0
    chroma: float = 1.0
    detail: float = 0.0
    coherence: float = 1.0
    rest_a: float = 0.0
    rest_b: float = 0.0
    border_a: float = 0.0
    border_b: float = 0.0
    another_shot: bool = False
    differing: float = 0.0
    recoloured: float = 0.0
    drawing: bool = False
    sharpened: float = 0.0
    resaved: int = 0
    filtered: bool = False
    unexplained: bool = False

    @property
    def enlarged(self) -> bool:
        """Whether b has clearly more pixels than a and shows no more: it was enlarged from it."""
        return scale_of(self.transform) >= _ENLARGED and self.detail > -_FINER

    def reversed(self) -> Look:
        """The same look as seen from b. Raises ZeroDivisionError for a singular transform."""
        return replace(
            self,
            transform=invert(self.transform),
            differences=tuple(
                Difference(each.in_b, each.in_a, each.strength) for each in self.differences
            ),
            chroma=1.0 / self.chroma if self.chroma else 1e6,
            detail=-self.detail,
            sharpened=-self.sharpened,
            resaved=-self.resaved,
            rest_a=self.rest_b,
            rest_b=self.rest_a,
            border_a=self.border_b,
            border_b=self.border_a,
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What only a full decode shows about a picture.

    ``alpha_used``: some of it is transparent. ``colourful``: it has colours, not only channels
    for them. ``bits``: how many per channel its values really use, 8 or 16.
    """

    alpha_used: bool = False
    colourful: bool = True
    bits: int = 8


ContentPair = tuple[int, int]
"""The ids of two contents, the lower one first."""


def ordered(a: int, b: int) -> ContentPair:
    """Two content ids as a pair."""
    return (a, b) if a < b else (b, a)


@dataclass(frozen=True, slots=True)
class Match:
    """A verified match: pictures ``a`` and ``b`` (content ids) show the same thing.

    ``transform`` maps pixel coordinates of ``a`` (upright, full size) to those of ``b``; None
    where no alignment was needed or possible. ``share_a`` is the share of a's area (0 to 1)
    that ``b`` shows, ``share_b`` the reverse. ``score`` (0 to 1) is the agreement of the
    aligned pixels. ``same_photograph`` is False for another shot of the scene. ``agreement``
    is the share of compared blocks that agree: captions and stickers lower it.
    ``brightness`` is the mean grey of b minus that of a where they overlap, -255 to 255.
    """

    a: int
    b: int
    relation: Relation
    transform: Transform | None = None
    mirrored: bool = False
    negative: bool = False
    share_a: float = 1.0
    share_b: float = 1.0
    score: float = 1.0
    agreement: float = 1.0
    brightness: float = 0.0
    same_photograph: bool = True

    @property
    def pair(self) -> ContentPair:
        """The ids of the two contents, in order."""
        return ordered(self.a, self.b)

    def seen_from(self, content: int) -> Match:
        """The same match with ``content``, one of the two, as ``a``."""
        return self if self.a == content else self.reversed()

    def reversed(self) -> Match:
        """The same match as seen from ``b``: shares swapped, transform inverted."""
        # Written out: dataclasses.replace takes three times as long, and a hundred thousand
        # similar pairs pass here whenever a threshold moves.
        return Match(
            a=self.b,
            b=self.a,
            relation=self.relation,
            transform=None if self.transform is None else invert(self.transform),
            mirrored=self.mirrored,
            negative=self.negative,
            share_a=self.share_b,
            share_b=self.share_a,
            score=self.score,
            agreement=self.agreement,
            brightness=-self.brightness,
            same_photograph=self.same_photograph,
        )


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a group other than its keeper, with its own match to the keeper.

    ``transform`` maps the keeper's pixel coordinates to the member's. ``overlap`` is the share
    of the keeper that the member shows. ``description`` says how it relates to the keeper
    ("cropped to 62%, mirrored"). ``selected``: the program proposes to remove it. ``witness``:
    the file that holds most of what the member has; ``lacks``: what it does not hold. ``detail`` is
    how much finer the member is than its witness (decibels), ``differences`` where they differ.
    """

    file: int
    relation: Relation
    description: tuple[Message, ...]
    transform: Transform | None = None
    mirrored: bool = False
    overlap: float = 1.0
    score: float = 1.0
    selected: bool = False
    witness: int | None = None
    lacks: tuple[Lack, ...] = ()
    detail: float | None = None
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A keeper and its members (file ids), each matched directly against the keeper.

    ``chosen``: a person chose the keeper.
    """

    kind: GroupKind
    keeper: int
    keep_reasons: tuple[Message, ...]
    members: tuple[Member, ...]
    chosen: bool = False
