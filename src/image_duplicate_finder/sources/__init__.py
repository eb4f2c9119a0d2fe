"""Where files' bytes come from: folders, archives and object storage, behind one protocol.

Every file has an identity path, a string that tells where it is: an ordinary path, a member of an
archive (``/photos/trip.zip!/day 1/a.jpg``) or a URL (``s3://bucket/a.jpg``). Whoever needs bytes
(a worker process, the web app, a report) asks :func:`read` and need not know which it is.
"""

from __future__ import annotations

import os
from typing import Protocol

from blake3 import blake3

from image_duplicate_finder.errors import DecodeError, NotFound
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.model import FileStat
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources.archives import ArchiveMembers
from image_duplicate_finder.sources.names import (
    is_archive,
    is_read_only,
    is_url,
    library_of,
    split_member,
    within,
)
from image_duplicate_finder.sources.storage import LocalFiles, RemoteObjects

__all__ = [
    "Source",
    "is_archive",
    "is_read_only",
    "is_url",
    "library_of",
    "read",
    "read_as_scanned",
    "split_member",
    "stat",
    "within",
]


class Source(Protocol):
    """Opens the files of one kind of place by their identity paths."""

    def stat(self, path: str) -> FileStat:
        """What is known of a file without reading it. Raises OSError."""

    def read(self, path: str, limits: DecodeLimits) -> tuple[bytes, FileStat]:
        """All bytes of a file and the stat that belongs to them.

        Raises DecodeError (stage ``read``, ``header``, ``limits`` or ``changed``) and OSError.
        """


def source_of(path: str) -> Source:
    """The source that a path belongs to."""
    if split_member(path) is not None and not os.path.lexists(path):
        return ArchiveMembers()
    return RemoteObjects() if is_url(path) else LocalFiles()


def read(path: str, limits: DecodeLimits) -> tuple[bytes, FileStat]:
    """All bytes of a file and their stat; see :meth:`Source.read`."""
    return source_of(path).read(path, limits)


def stat(path: str) -> FileStat:
    """What is known of a file without reading it. Raises OSError and DecodeError."""
    return source_of(path).stat(path)


def read_as_scanned(path: str, known: FileStat, content: bytes, limits: DecodeLimits) -> bytes:
    """The bytes of a file, if they still are what a scan saw there.

    ``content`` is their BLAKE3 hash, 32 bytes. Raises NotFound for anything else.
    """
    try:
        data, now = read(path, limits)
    except OSError as error:
        raise NotFound(Problem.GONE(reason=error.strerror or str(error))) from error
    except DecodeError as error:
        raise NotFound(error.message) from error
    if not known.unchanged(now) and blake3(data).digest() != content:
        raise NotFound(Problem.CHANGED())
    return data
