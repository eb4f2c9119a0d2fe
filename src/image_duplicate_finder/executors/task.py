"""The work on one file: read it once, fingerprint it, or say why not. Runs in a worker."""

from __future__ import annotations

import os
import stat as stat_bits
from dataclasses import dataclass

from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.fingerprint.compute import Specs, fingerprint
from image_duplicate_finder.fingerprint.exact import content_hash
from image_duplicate_finder.model import Failure, FileStat, Fingerprinted
from image_duplicate_finder.settings import DecodeLimits

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to read. ``known`` holds content hashes that need no decoding."""

    path: str
    size: int
    known: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Recognised:
    """The file's content was among the known ones."""

    path: str
    stat: FileStat
    content: bytes


TaskResult = Fingerprinted | Recognised | Failure


def run_task(
    task: FileTask, specs: Specs, limits: DecodeLimits
) -> tuple[TaskResult, FileStat | None]:
    """Read and fingerprint one file; the stat belongs to the bytes that were read, if any were."""
    try:
        data, stat = _read(task.path, limits)
    except DecodeError as error:
        return Failure(task.path, error.stage, str(error)), None
    except OSError as error:
        return Failure(task.path, "read", _reason(error)), None
    content = content_hash(data)
    if content in task.known:
        return Recognised(task.path, stat, content), stat
    try:
        info, fingerprints = fingerprint(data, specs, limits)
    except DecodeError as error:
        return Failure(task.path, error.stage, str(error)), stat
    except MemoryError:
        limit = limits.memory // _MEGABYTE
        message = f"Decoding needs more than the memory limit of {limit} MB for one file."
        return Failure(task.path, "limits", message), stat
    return Fingerprinted(task.path, stat, content, info, fingerprints), stat


def _read(path: str, limits: DecodeLimits) -> tuple[bytes, FileStat]:
    """All bytes of a regular file and its stat, equal before and after reading."""
    # O_NONBLOCK: what was a file during discovery may be a FIFO now, and must not block.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        if not stat_bits.S_ISREG(before.st_mode):
            raise DecodeError("This is no regular file any more. Scan again.", stage="read")
        if before.st_size == 0:
            raise DecodeError("The file is empty (0 bytes).", stage="header")
        if before.st_size > limits.bytes:
            size, limit = before.st_size // _MEGABYTE, limits.bytes // _MEGABYTE
            raise DecodeError(
                f"The file has {size} MB, more than the limit of {limit} MB.", stage="limits"
            )
        data = file.read(before.st_size + 1)
        while data and len(data) < before.st_size and (more := file.read(before.st_size)):
            data += more
        after = os.fstat(file.fileno())
    changed = len(data) != after.st_size or before.st_mtime_ns != after.st_mtime_ns
    if changed or before.st_size != after.st_size:
        raise DecodeError("The file changed while it was being read. Scan again.", stage="changed")
    return data, FileStat.of(after)


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "You have no permission to read this file. Change its permissions and scan again."
    if isinstance(error, FileNotFoundError):
        return "The file vanished during the scan. Scan again."
    return f"The system cannot read this file: {error.strerror or error}."
