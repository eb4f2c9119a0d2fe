"""The work on one file: read it once, fingerprint it, or say why not. Runs in a worker."""

from __future__ import annotations

from dataclasses import dataclass

from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.fingerprint.compute import Specs, fingerprint
from image_duplicate_finder.fingerprint.exact import content_hash
from image_duplicate_finder.model import Failure, FileStat, Fingerprinted
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources import read

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FileTask:
    """A file to read. ``known`` holds content hashes that need no decoding.

    ``size`` in bytes and ``device`` are what discovery saw; they only decide when it is read.
    """

    path: str
    size: int
    known: tuple[bytes, ...] = ()
    device: int = 0


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
        data, stat = read(task.path, limits)
    except DecodeError as error:
        return Failure(task.path, error.stage, str(error)), None
    except OSError as error:
        return Failure(task.path, "read", _reason(error)), None
    except MemoryError:
        return _too_large(task.path, limits), None
    content = content_hash(data)
    if content in task.known:
        return Recognised(task.path, stat, content), stat
    try:
        info, fingerprints = fingerprint(data, specs, limits)
    except DecodeError as error:
        return Failure(task.path, error.stage, str(error)), stat
    except MemoryError:
        return _too_large(task.path, limits), stat
    return Fingerprinted(task.path, stat, content, info, fingerprints), stat


def _too_large(path: str, limits: DecodeLimits) -> Failure:
    limit = limits.memory // _MEGABYTE
    message = f"Decoding needs more than the memory limit of {limit} MB for one file."
    return Failure(path, "limits", message)


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "You have no permission to read this file. Change its permissions and scan again."
    if isinstance(error, FileNotFoundError):
        return "The file vanished during the scan. Scan again."
    return f"The system cannot read this file: {error.strerror or error}."
