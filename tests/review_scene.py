"""A library with a few groups over real files, stored directly: no scan is needed to look at it."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray
from PIL import Image

from image_duplicate_finder.decode import read_info
from image_duplicate_finder.messages import Description, KeepReason
from image_duplicate_finder.model import FileStat, Group, GroupKind, Match, Member, Relation
from image_duplicate_finder.results import ScanState
from image_duplicate_finder.scan.context import verifier_name
from image_duplicate_finder.settings import DecodeLimits, ScanSettings
from image_duplicate_finder.store import Store
from tests import stored
from tests.painting import paint_face, paint_photo

CROP = (60, 30, 300, 240)
"""Left, top, width, height of the crop in the 480 x 360 pixels of its original."""
MARKUP = "<img src=x onerror=alert(1)> & \"q\" 'r'.jpg"


@dataclass(slots=True)
class Scene:
    """File ids by name, the number of the scan, and the folder of the files."""

    folder: Path
    scan: int
    files: dict[str, int]

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.folder / name


def _encoded(pixels: NDArray[np.uint8], name: str) -> bytes:
    """A picture in the format that its name says."""
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG" if name.endswith("png") else "JPEG", quality=95)
    return held.getvalue()


@functools.cache
def _pictures(more: int, copies: int) -> dict[str, bytes]:
    """The files of a scene by name; painted once for all tests."""
    photo, shot, third = (paint_photo(seed) for seed in (1, 2, 3))
    blink, shot = (paint_face(shot, 240, 190, 80, eyes_open=wide) for wide in (False, True))
    left, top, width, height = CROP
    painted = {
        "a/original.png": photo,
        "b/small.jpg": cv2.resize(photo, (240, 180), interpolation=cv2.INTER_AREA),
        "b/crop.png": photo[top : top + height, left : left + width],
        "c/shot 1.jpg": cv2.GaussianBlur(blink, (0, 0), 4),
        "c/shot 2.jpg": shot,
        "d/third.jpg": third,
        "safe/third.jpg": cv2.resize(third, (240, 180), interpolation=cv2.INTER_AREA),
    }
    for number in range(more):
        picture = paint_photo(100 + number, 160, 120)
        painted[f"m/{number:03d} large.jpg"] = picture
        painted[f"m/{number:03d} small.jpg"] = picture[::2, ::2]
    files = {name: _encoded(np.asarray(pixels, np.uint8), name) for name, pixels in painted.items()}
    one = _encoded(np.asarray(paint_photo(50, 120, 90), np.uint8), "x.jpg") if copies else b""
    large = {f"n/{number:04d}.jpg": one for number in range(copies)}
    return files | large | {f"b/{MARKUP}": files["a/original.png"]}


def put_file(store: Store, path: Path) -> int:
    """Store a file with what decoding says of it; returns its id."""
    data = path.read_bytes()
    found = path.stat()
    stat = FileStat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_dev, found.st_ino)
    info = read_info(data, limits=DecodeLimits())
    return stored.put_file(
        store, str(path), stat, stored.put_content(store, blake3(data).digest(), len(data), info)
    )


def make_scene(library: Path, folder: Path, *, more: int = 0, copies: int = 0) -> Scene:
    """Three groups of painted pictures, ``more`` groups of a picture with a small copy, and,
    if ``copies``, a group of so many equal files.

    The first holds a copy under a hostile name, a small copy and a crop; the second two shots
    of one scene, one of them blurred and with closed eyes; the third a pair that a protected
    folder guards.
    """
    for name, data in _pictures(more, copies).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    store = Store(library)
    with store.atomic():
        files = {
            str(path.relative_to(folder)): put_file(store, path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        scan = store.scans.start([str(folder)], ScanSettings())
        store.scans.add_files(
            scan,
            [
                (id, not name.startswith("safe" + os.sep), name.startswith("safe" + os.sep))
                for name, id in files.items()
            ],
        )
        groups = _groups(files, more, copies)
        store.groups.replace(scan, groups)
        store.matches.put(verifier_name(ScanSettings().mode), _matches(store, groups))
        store.scans.update(scan, files=len(files), decoded=len(files), failures=0)
        store.scans.finish(scan, ScanState.DONE)
    store.close()
    return Scene(folder, scan, files)


def _matches(store: Store, groups: Iterable[Group]) -> Iterator[Match]:
    """That all members of a group match each other, as verification would have stored it."""
    for group in groups:
        ids = [group.keeper, *(member.file for member in group.members)]
        contents = {view.id: view.content for view in store.groups.files(1, ids)}
        numbers = store.contents.ids_of(list(contents.values()))
        relation_of = {member.file: member.relation for member in group.members}
        for one, other in combinations(ids, 2):
            low, high = sorted((numbers[contents[one]], numbers[contents[other]]))
            if low != high:
                same = group.kind is not GroupKind.SIMILAR
                yield Match(low, high, relation_of[other], same_photograph=same)


def _groups(files: dict[str, int], more: int, copies: int) -> list[Group]:
    left, top, width, height = CROP
    crop = ((1.0, 0.0, -float(left)), (0.0, 1.0, -float(top)))
    half = ((0.5, 0.0, -0.25), (0.0, 0.5, -0.25))
    resized = Relation.RESIZED
    groups = [
        Group(
            GroupKind.DUPLICATES,
            files["a/original.png"],
            (KeepReason.PIXELS(),),
            (
                Member(
                    files[f"b/{MARKUP}"],
                    Relation.BYTE_IDENTICAL,
                    (Description.IDENTICAL_FILE(),),
                    selected=True,
                ),
                Member(files["b/small.jpg"], resized, (Description.HALF(),), half, selected=True),
                Member(
                    files["b/crop.png"],
                    Relation.CROPPED,
                    (Description.CROPPED(share=0.42),),
                    crop,
                    overlap=width * height / (480 * 360),
                ),
            ),
        ),
        Group(
            GroupKind.SIMILAR,
            files["c/shot 1.jpg"],
            (KeepReason.PATH(),),
            (
                Member(
                    files["c/shot 2.jpg"],
                    Relation.SIMILAR,
                    (Description.ANOTHER_SHOT(),),
                    score=0.93,
                ),
            ),
        ),
        Group(
            GroupKind.DUPLICATES,
            files["d/third.jpg"],
            (KeepReason.PIXELS(),),
            (Member(files["safe/third.jpg"], resized, (Description.HALF(),), half),),
        ),
    ]
    groups += [
        Group(
            GroupKind.DUPLICATES,
            files[f"m/{number:03d} large.jpg"],
            (KeepReason.PIXELS(),),
            (Member(files[f"m/{number:03d} small.jpg"], resized, (Description.HALF(),), half),),
        )
        for number in range(more)
    ]
    if copies:
        first, *rest = (files[f"n/{number:04d}.jpg"] for number in range(copies))
        same = Relation.BYTE_IDENTICAL
        members = tuple(
            Member(file, same, (Description.IDENTICAL_FILE(),), selected=True) for file in rest
        )
        groups.append(Group(GroupKind.DUPLICATES, first, (KeepReason.PATH(),), members))
    return groups
