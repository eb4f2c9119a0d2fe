"""What is asked of a worker and what it answers, apart from the code that does the work."""

from __future__ import annotations

from dataclasses import dataclass

from image_duplicate_finder.model import Failure, FileStat, Fingerprinted


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to read. ``known`` holds content hashes that need no decoding.

    ``size`` in bytes and ``device`` are what discovery saw; they only decide when it is read. A
    ``suspect`` was too much for its worker in an earlier scan: it is read last, by itself.
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


TaskResult = Fingerprinted | Recognised | Failure
Answer = tuple[TaskResult, FileStat | None]
"""What became of a file, and the stat that belongs to it."""
