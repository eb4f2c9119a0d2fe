"""Requests to workers and their answers, apart from the code that does the work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from image_duplicate_finder.model import Failure, FileStat, Fingerprinted, Look, Match, Seen


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to read. ``known`` holds content hashes that need no decoding.

    ``size`` in bytes and ``device`` come from discovery and only decide when it is read. A
    ``suspect`` failed in an earlier scan: it is read last, by itself.
    """

    path: str
    size: int
    known: tuple[bytes, ...] = ()
    device: int = 0
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Recognised:
    """The file's content was among the known ones."""

    path: str
    stat: FileStat
    content: bytes


@dataclass(frozen=True, slots=True)
class Partner:
    """A picture to compare with that of a :class:`LookTask`; ``match`` leads from it to this.

    ``kept`` is where the picture, once decoded, waits for the next look; None to keep nothing.
    """

    path: str
    content: bytes
    match: Match
    kept: str | None = None


@dataclass(frozen=True, slots=True)
class LookTask:
    """Decode a picture in full, and look at each partner beside it.

    ``size`` in bytes is that of all files together. Contents are BLAKE3 hashes: a file whose
    content has changed is skipped. ``kept``: see :class:`Partner`.
    """

    path: str
    size: int
    content: bytes
    partners: tuple[Partner, ...]
    kept: str | None = None
    device: int = 0
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """The results of a :class:`LookTask`: by the contents of partners, and of decoded pictures.

    A look is None if the two could not be aligned. Partners that could not be read are missing,
    and among the ``failures``: what is not shown is not claimed. ``seen`` lacks pictures that an
    earlier look has decoded and kept.
    """

    path: str
    content: bytes
    looks: Mapping[bytes, Look | None]
    seen: Mapping[bytes, Seen]
    failures: tuple[Failure, ...] = ()


Task = FileTask | LookTask
TaskResult = Fingerprinted | Recognised | Failure
Answer = tuple[TaskResult, FileStat | None]
"""The result for a file, and the stat that belongs to it."""
LookAnswer = tuple[Looked | Failure, None]
