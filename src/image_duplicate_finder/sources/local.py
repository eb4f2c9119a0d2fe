"""Files of the system: read whole, with a stat that belongs to just these bytes."""

from __future__ import annotations

import errno
import os
import stat as stat_bits
from typing import BinaryIO

from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.model import FileStat
from image_duplicate_finder.settings import DecodeLimits

_MEGABYTE = 1024 * 1024


class LocalFiles:
    """The source of ordinary paths."""

    def stat(self, path: str) -> FileStat:
        """What the file system says of ``path``, links not followed. Raises OSError."""
        return FileStat.of(os.stat(path, follow_symlinks=False))

    def read(self, path: str, limits: DecodeLimits) -> tuple[bytes, FileStat]:
        """All bytes of a regular file and its stat, equal before and after reading.

        Raises DecodeError (stage ``read``, ``header``, ``limits`` or ``changed``) and OSError.
        """
        with open_regular(path) as file:
            before = os.fstat(file.fileno())
            check_size(before.st_size, limits)
            data = file.read(before.st_size + 1)
            while data and len(data) < before.st_size and (more := file.read(before.st_size)):
                data += more
            after = os.fstat(file.fileno())
        changed = len(data) != after.st_size or before.st_mtime_ns != after.st_mtime_ns
        if changed or before.st_size != after.st_size:
            raise changed_while_reading()
        return data, FileStat.of(after)


def open_regular(path: str) -> BinaryIO:
    """Open a regular file, unbuffered. Raises DecodeError for anything else, and OSError."""
    # O_NONBLOCK: what was a file during discovery may be a FIFO now, and must not block.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        if error.errno == errno.ELOOP:  # what O_NOFOLLOW says of a link
            raise _no_file() from error
        raise
    if not stat_bits.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file()
    return os.fdopen(descriptor, "rb", buffering=0)


def _no_file() -> DecodeError:
    return DecodeError("This is no regular file any more. Scan again.", stage="read")


def check_size(size: int, limits: DecodeLimits) -> None:
    """Raise DecodeError for a file that is empty, or larger than ``limits`` allow."""
    if size == 0:
        raise DecodeError("The file is empty (0 bytes).", stage="header")
    if size > limits.bytes:
        raise DecodeError(
            f"The file has {size // _MEGABYTE} MB, more than the limit of "
            f"{limits.bytes // _MEGABYTE} MB.",
            stage="limits",
        )


def changed_while_reading() -> DecodeError:
    """The error for bytes and a stat that do not belong together."""
    return DecodeError("The file changed while it was being read. Scan again.", stage="changed")
