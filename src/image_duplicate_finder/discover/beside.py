"""Files that belong to pictures and are stored beside them: videos, captions, labels, sidecars."""

from __future__ import annotations

import functools
import os
import stat as stat_bits
from collections.abc import Iterable
from typing import NamedTuple

from blake3 import blake3

from image_duplicate_finder.companions import (
    CompanionKind,
    Folder,
    kind_of,
    label_folders,
    split,
)
from image_duplicate_finder.model import Metadata

_LARGEST_TEXT = 1 << 20
_CHUNK = 1 << 20


class Beside(NamedTuple):
    """A file that belongs to a picture; equal digests are equal contents.

    The digest of a caption ignores surrounding white space. A file that cannot be read has a digest
    that equals no other. ``metadata`` is that of an XMP sidecar.
    """

    path: str
    kind: CompanionKind
    digest: str
    metadata: Metadata | None = None


def beside(paths: Iterable[str]) -> dict[str, tuple[Beside, ...]]:
    """The companions of pictures in folders, by path; pictures without companions are left out.

    RAW partners are not among them: they are pictures of their own.
    """
    folders: dict[str, Folder] = {}
    found: dict[str, tuple[Beside, ...]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = _indexed(folder)
        companions = folders[folder].unit(name).companions
        read = [_read(os.path.join(folder, each)) for each in companions]
        if kept := tuple(each for each in read if each is not None):
            found[path] = kept
    return found


def unit_of(path: str) -> tuple[str, ...]:
    """The names of all files that belong to a picture, its RAW partner first.

    Cheap to ask again and again: a folder is read once until something in it changes.
    """
    folder, name = os.path.split(path)
    changed = tuple(_changed(each) for each in (folder, *label_folders(folder)))
    if not any(changed):
        return ()
    unit = _known(folder, changed).unit(name)
    return (*unit.partners, *map(os.path.basename, unit.companions))


@functools.lru_cache(maxsize=8)
def _known(folder: str, changed: tuple[int, ...]) -> Folder:  # noqa: ARG001  part of the key
    return _indexed(folder)


def _indexed(folder: str) -> Folder:
    labels = [os.path.join(each, name) for each in label_folders(folder) for name in _names(each)]
    return Folder.of(_names(folder), beside=labels)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _read(path: str) -> Beside | None:
    kind = kind_of(os.path.basename(path))
    try:
        status = os.lstat(path)
        if not stat_bits.S_ISREG(status.st_mode):
            return None
        with open(path, "rb") as file:
            if status.st_size > _LARGEST_TEXT or kind in (CompanionKind.FILM, CompanionKind.SOUND):
                digest = blake3()
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                return Beside(path, kind, digest.digest(8).hex())
            data = file.read()
    except OSError:
        return Beside(path, kind, f"unread:{path}")
    if kind is CompanionKind.CAPTION:
        data = data.strip()
    metadata = _metadata(data) if split(path)[1] == "xmp" else None
    return Beside(path, kind, blake3(data).digest(8).hex(), metadata)


def _metadata(packet: bytes) -> Metadata:
    from image_duplicate_finder.decode.metadata import merge_metadata  # it loads decoders

    return merge_metadata(xmp=packet)
