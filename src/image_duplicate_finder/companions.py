"""Which files belong to a picture, by names, times and content identifiers. Pure.

A unit is one shot: the picture, its RAW or camera JPEG, the film half of a moving picture, the
sidecars that describe it, and the captions and labels that a training set keeps of it.

Sources of the rules: DCF (CIPA DC-009, files of one number form one object), Apple's Live Photo
pairs (same name, "NAME_HEVC.MOV", or the same content identifier), Google's motion photos
("NAME.MP.jpg" with "NAME.MP") and RAW pairs ("NAME.RAW-01.COVER.jpg", "NAME.RAW-02.ORIGINAL.dng"),
voice notes of cameras, Adobe's XMP sidecars ("name.xmp" or "name.ext.xmp"), those of RAW
developers, Apple's .AAE edits, .THM thumbnails, Google Takeout's "name.ext.json",
"name.ext.supplemental-metadata.json" (cut to 46 characters before ".json") and
"name.ext(1).json", world files of maps, and the data sets of YOLO (images/, labels/), PASCAL VOC
(JPEGImages/, Annotations/) and kohya's trainers (captions, masks and caches beside the picture).
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from image_duplicate_finder.formats import (
    CAMERA_EXTENSIONS,
    CAMERA_FORMATS,
    LIVE_EXTENSIONS,
    PICTURE_EXTENSIONS,
    RAW_EXTENSIONS,
    RAW_FORMATS,
)
from image_duplicate_finder.model import ImageInfo

FILM_EXTENSIONS = frozenset({"mov", "mp4", "mp"})
SOUND_EXTENSIONS = frozenset("wav m4a aac amr".split())
CAPTION_EXTENSIONS = frozenset("txt caption captions json xml npz".split())
WORLD_EXTENSIONS = frozenset("tfw tifw tiffw jgw jpgw jpegw pgw pngw gfw gifw bpw wld".split())
_DEVELOPERS = frozenset("xmp pp3 dop arp cos vrd on1 nksc".split())
OWN_SIDECARS = _DEVELOPERS | CAPTION_EXTENSIONS
STEM_SIDECARS = (
    _DEVELOPERS
    | CAPTION_EXTENSIONS
    | SOUND_EXTENSIONS
    | WORLD_EXTENSIONS
    | frozenset({"aae", "thm", "prj"})
)
SIDECAR_EXTENSIONS = OWN_SIDECARS | STEM_SIDECARS

_TAKEOUT_WORD = ".supplemental-metadata"
_TAKEOUT_LENGTH = 46
_NUMBERED = re.compile(r"^(?P<stem>.*)(?P<number>\(\d+\))(?P<extension>\.[^.]+)$", re.DOTALL)
_FILM_ENDINGS = ("", "_hevc", ".mp")
# What phones append to the name of a shot to distinguish its files.
_OF_A_SHOT = re.compile(r"(?:\.raw-\d+)?(?:\.(?:mp|cover|original|main))*$|[_-](?:raw|jpe?g)$")
_MASK = re.compile(r"[._-](?:mask|masklabel|seg|segmentation|matte)$")
_CACHE = re.compile(r"_\d{3,5}x\d{3,5}(?:_\w+)?$|_te\d*$")
# Folders next to that of the pictures in which training sets keep what belongs to them.
_PICTURE_FOLDERS = frozenset("images image imgs img jpegimages rgb".split())
_LABEL_FOLDERS = (
    "labels label Labels annotations Annotations captions masks mask Masks segmentation"
    " SegmentationClass SegmentationObject"
).split()
_LABEL_EXTENSIONS = CAPTION_EXTENSIONS | frozenset({"png"})
# A camera's picture has the sensor's size but for some pixels at its edges.
_SAME_SIZE = 0.06


def split(name: str) -> tuple[str, str]:
    """Stem and extension of a name, both case-folded, the extension without its dot."""
    stem, dot, extension = name.rpartition(".")
    return (stem.casefold(), extension.casefold()) if dot and stem else (name.casefold(), "")


def shot_of(name: str) -> str:
    """What the names of all files of one shot have in common, case-folded."""
    return _OF_A_SHOT.sub("", split(name)[0])


@dataclass(frozen=True, slots=True)
class Shot:
    """What decides whether two files are of one shot: a path and what the file is."""

    path: str
    info: ImageInfo


def one_shot(one: Shot, other: Shot) -> bool:
    """Whether a camera wrote both at once: RAW and picture (rule 8).

    In one folder the names say so. In others, as after sorting by kind, the name or the moment
    does, where the picture has the sensor's size and no program changed it: a small copy or an
    export is one's own work.
    """
    if (one.info.format in RAW_FORMATS) == (other.info.format in RAW_FORMATS):
        return False
    raw, picture = (one, other) if one.info.format in RAW_FORMATS else (other, one)
    folder, name = os.path.split(raw.path)
    folder_beside, name_beside = os.path.split(picture.path)
    same_name = shot_of(name) == shot_of(name_beside)
    if same_name and folder == folder_beside:
        return True
    if picture.info.format not in CAMERA_FORMATS or picture.info.metadata.edited:
        return False
    sides = (raw.info.width, picture.info.width), (raw.info.height, picture.info.height)
    if any(abs(a - b) > _SAME_SIZE * max(a, b) for a, b in sides):
        return False
    mine, theirs = raw.info.metadata, picture.info.metadata
    same_moment = (
        mine.taken is not None
        and mine.camera is not None
        and (mine.taken[:19], mine.camera) == (theirs.taken and theirs.taken[:19], theirs.camera)
        and (mine.subsecond is None or mine.subsecond == theirs.subsecond)
    )
    return same_name or same_moment


class CompanionKind(StrEnum):
    """What a file that belongs to a picture is."""

    FILM = "film"
    SOUND = "sound"
    CAPTION = "caption"
    MASK = "mask"
    WORLD = "world"
    SIDECAR = "sidecar"


def kind_of(name: str) -> CompanionKind:
    """What a companion of that name is."""
    extension = split(name)[1]
    if extension in FILM_EXTENSIONS:
        return CompanionKind.FILM
    if extension in SOUND_EXTENSIONS:
        return CompanionKind.SOUND
    if extension in WORLD_EXTENSIONS or name.casefold().endswith(".aux.xml"):
        return CompanionKind.WORLD
    if extension in PICTURE_EXTENSIONS:
        return CompanionKind.MASK
    # Takeout's metadata are JSON too, and named for the whole file.
    if extension == "json" and split(split(name)[0])[1] in PICTURE_EXTENSIONS:
        return CompanionKind.SIDECAR
    return CompanionKind.CAPTION if extension in CAPTION_EXTENSIONS else CompanionKind.SIDECAR


@dataclass(frozen=True, slots=True)
class Unit:
    """The companions of one picture, as names in its folder.

    ``partners``: the RAW of a camera JPEG or the reverse. ``films``: the moving half of a Live
    Photo, and ``film_sharers`` other pictures it belongs to as well. ``own_sidecars`` name the
    whole file; ``stem_sidecars`` only its stem, so they may also be those of
    ``stem_sharers``, other pictures of that stem.
    """

    partners: tuple[str, ...] = ()
    films: tuple[str, ...] = ()
    film_sharers: tuple[str, ...] = ()
    own_sidecars: tuple[str, ...] = ()
    stem_sidecars: tuple[str, ...] = ()
    stem_sharers: tuple[str, ...] = ()

    @property
    def companions(self) -> tuple[str, ...]:
        """The films and sidecars, each once."""
        return tuple(dict.fromkeys((*self.films, *self.own_sidecars, *self.stem_sidecars)))


@dataclass(frozen=True, slots=True)
class Folder:
    """The names in one folder, ready to be asked for units.

    ``identifiers`` maps names to Live Photo content identifiers, where files state one. ``beside``
    are paths in the folders of labels beside it (:func:`label_folders`); units give them as such.
    """

    by_stem: Mapping[str, tuple[str, ...]]
    by_shot: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    identifiers: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        names: Iterable[str],
        identifiers: Mapping[str, str] | None = None,
        beside: Iterable[str] = (),
    ) -> Folder:
        """Index the names of a folder."""
        by_stem: defaultdict[str, list[str]] = defaultdict(list)
        by_shot: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            stem, extension = split(name)
            by_stem[stem].append(name)
            if extension in RAW_EXTENSIONS or extension in CAMERA_EXTENSIONS:
                by_shot[shot_of(name)].append(name)
            elif extension == "npz" and (base := _CACHE.sub("", stem)) != stem:
                by_stem[base].append(name)
            if extension in PICTURE_EXTENSIONS and (base := _MASK.sub("", stem)) != stem:
                by_stem[base].append(name)
        labels: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(beside):
            stem, extension = split(os.path.basename(path))
            if extension in _LABEL_EXTENSIONS:
                labels[_MASK.sub("", stem)].append(path)
        frozen = (
            {key: tuple(dict.fromkeys(found)) for key, found in each.items()}
            for each in (by_stem, by_shot, labels)
        )
        stems, shots, label_names = frozen
        return cls(stems, shots, dict(identifiers or {}), label_names)

    def unit(self, name: str) -> Unit:
        """What belongs to the picture ``name``."""
        stem, extension = split(name)
        if _MASK.search(stem) and _MASK.sub("", stem) in self.by_stem:
            return Unit()  # it is a companion itself
        same_stem = [other for other in self.by_stem.get(stem, ()) if other != name]
        films, sharers = self._films(name, extension, stem)
        own = tuple(
            other
            for key in _own_sidecar_stems(name)
            for other in self.by_stem.get(key, ())
            if split(other)[1] in OWN_SIDECARS and other != name
        )
        masks = [other for other in same_stem if split(other)[0] != stem]
        return Unit(
            partners=tuple(
                other
                for other in self.by_shot.get(shot_of(name), ())
                if other != name and _is_raw_pair(extension, split(other)[1])
            ),
            films=films,
            film_sharers=sharers,
            own_sidecars=tuple(dict.fromkeys(own)),
            stem_sidecars=(
                *(o for o in same_stem if split(o)[1] in STEM_SIDECARS or o in masks),
                *self.beside.get(stem, ()),
            ),
            stem_sharers=tuple(
                o for o in same_stem if split(o)[1] in PICTURE_EXTENSIONS and o not in masks
            ),
        )

    def _films(
        self, name: str, extension: str, stem: str
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The moving halves of a picture, and the other pictures that they belong to."""
        if extension not in LIVE_EXTENSIONS:
            return (), ()
        mine = self.identifiers.get(name)
        bare = stem.removesuffix(".mp")

        def agrees(other: str) -> bool:
            return mine is None or self.identifiers.get(other, mine) == mine

        stems = dict.fromkeys(base + ending for base in (stem, bare) for ending in _FILM_ENDINGS)
        related = [other for key in stems for other in self.by_stem.get(key, ()) if agrees(other)]
        related += [other for other, theirs in self.identifiers.items() if theirs == mine]
        by_kind = {
            kind: tuple(o for o in dict.fromkeys(related) if o != name and split(o)[1] in kind)
            for kind in (FILM_EXTENSIONS, LIVE_EXTENSIONS)
        }
        return by_kind[FILM_EXTENSIONS], by_kind[LIVE_EXTENSIONS]


def label_folders(folder: str) -> tuple[str, ...]:
    """Folders in which a training set may keep labels of the pictures in ``folder``.

    The last folder on the way that is named for pictures has them beside it: ``images/train`` has
    ``labels/train``.
    """
    parts = folder.split(os.sep)
    for place in range(len(parts) - 1, max(len(parts) - 4, 0), -1):
        if parts[place].casefold() in _PICTURE_FOLDERS:
            above, below = os.sep.join(parts[:place]), parts[place + 1 :]
            return tuple(os.path.join(above, name, *below) for name in _LABEL_FOLDERS)
    return ()


def _is_raw_pair(extension: str, other: str) -> bool:
    return (extension in RAW_EXTENSIONS and other in CAMERA_EXTENSIONS) or (
        extension in CAMERA_EXTENSIONS and other in RAW_EXTENSIONS
    )


def _own_sidecar_stems(name: str) -> list[str]:
    """The stems of sidecars that name the whole file, case-folded."""
    bases = [(name, "")]
    if numbered := _NUMBERED.match(name):  # Takeout: "a(1).jpg" has "a.jpg(1).json"
        bases.append((numbered["stem"] + numbered["extension"], numbered["number"]))
    stems = []
    for base, number in bases:
        full = base + _TAKEOUT_WORD
        stems += [base + number, full + number, full[:_TAKEOUT_LENGTH] + number, base + ".aux"]
    return list(dict.fromkeys(stem.casefold() for stem in stems))
