"""Which files of one folder belong together, told by their names and content identifiers.

A unit is one shot: the picture, its RAW or camera JPEG, the video half of a Live Photo and the
sidecars that describe it. Pure: names go in, names come out.

Sources of the rules: DCF (CIPA DC-009, files of one number form one object), Apple's Live Photo
pairs (same name, or the same content identifier), Adobe's XMP sidecars ("name.xmp" or
"name.ext.xmp"), Apple's .AAE edits, the .THM thumbnails of cameras, and Google Takeout's
"name.ext.json", "name.ext.supplemental-metadata.json" (cut to 46 characters before ".json") and
"name.ext(1).json".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

RAW_EXTENSIONS = frozenset(
    """
    3fr arw cap cr2 cr3 crw dcr dcs dng eip erf fff gpr iiq k25 kdc mdc mef mos mrw nef nrw orf
    pef ptx pxn raf raw rw2 rwl rwz sr2 srf srw x3f
    """.split()
)
CAMERA_EXTENSIONS = frozenset({"jpg", "jpeg", "jpe", "heic", "heif", "hif", "jxl"})
LIVE_EXTENSIONS = frozenset({"jpg", "jpeg", "heic", "heif"})
VIDEO_EXTENSIONS = frozenset({"mov", "mp4"})
OWN_SIDECARS = frozenset({"xmp", "json"})
STEM_SIDECARS = frozenset({"xmp", "aae", "thm", "json"})
PICTURE_EXTENSIONS = (
    RAW_EXTENSIONS
    | CAMERA_EXTENSIONS
    | frozenset({"png", "gif", "webp", "avif", "tif", "tiff", "bmp", "jp2", "psd"})
)

_TAKEOUT_WORD = ".supplemental-metadata"
_TAKEOUT_LENGTH = 46
_NUMBERED = re.compile(r"^(?P<stem>.*)(?P<number>\(\d+\))(?P<extension>\.[^.]+)$", re.DOTALL)


def split(name: str) -> tuple[str, str]:
    """Stem and extension of a name, both case-folded, the extension without its dot."""
    stem, dot, extension = name.rpartition(".")
    return (stem.casefold(), extension.casefold()) if dot and stem else (name.casefold(), "")


@dataclass(frozen=True, slots=True)
class Unit:
    """The companions of one picture, as names in its folder.

    ``partners``: the RAW of a camera JPEG or the reverse. ``videos``: the moving half of a Live
    Photo, and ``video_sharers`` other pictures it belongs to as well. ``own_sidecars`` name the
    whole file; ``stem_sidecars`` only its stem, so they may also be those of
    ``stem_sharers``, other pictures of that stem.
    """

    partners: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    video_sharers: tuple[str, ...] = ()
    own_sidecars: tuple[str, ...] = ()
    stem_sidecars: tuple[str, ...] = ()
    stem_sharers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """The names in one folder, ready to be asked for units.

    ``identifiers`` maps names to Live Photo content identifiers, where files state one.
    """

    by_stem: Mapping[str, tuple[str, ...]]
    identifiers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[str], identifiers: Mapping[str, str] | None = None) -> Folder:
        """Index the names of a folder."""
        by_stem: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(names):
            by_stem[split(name)[0]].append(name)
        return cls({stem: tuple(found) for stem, found in by_stem.items()}, dict(identifiers or {}))

    def unit(self, name: str) -> Unit:
        """What belongs to the picture ``name``."""
        stem, extension = split(name)
        same_stem = [other for other in self.by_stem.get(stem, ()) if other != name]
        videos, sharers = self._videos(name, extension, same_stem)
        own = tuple(
            other
            for key in _own_sidecar_stems(name)
            for other in self.by_stem.get(key, ())
            if split(other)[1] in OWN_SIDECARS and other != name
        )
        return Unit(
            partners=tuple(o for o in same_stem if _is_raw_pair(extension, split(o)[1])),
            videos=videos,
            video_sharers=sharers,
            own_sidecars=tuple(dict.fromkeys(own)),
            stem_sidecars=tuple(o for o in same_stem if split(o)[1] in STEM_SIDECARS),
            stem_sharers=tuple(o for o in same_stem if split(o)[1] in PICTURE_EXTENSIONS),
        )

    def _videos(
        self, name: str, extension: str, same_stem: Sequence[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The moving halves of a Live Photo, and the other pictures that they belong to."""
        if extension not in LIVE_EXTENSIONS:
            return (), ()
        mine = self.identifiers.get(name)

        def agrees(other: str) -> bool:
            return mine is None or self.identifiers.get(other, mine) == mine

        related = [other for other in same_stem if agrees(other)]
        related += [other for other, theirs in self.identifiers.items() if theirs == mine]
        by_kind = {
            kind: tuple(o for o in dict.fromkeys(related) if o != name and split(o)[1] in kind)
            for kind in (VIDEO_EXTENSIONS, LIVE_EXTENSIONS)
        }
        return by_kind[VIDEO_EXTENSIONS], by_kind[LIVE_EXTENSIONS]


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
        stems += [base + number, full + number, full[:_TAKEOUT_LENGTH] + number]
    return list(dict.fromkeys(stem.casefold() for stem in stems))
