"""Files of the system and objects behind URLs: read whole, with a stat of just these bytes.

URLs go through fsspec (the extra ``cloud``). Credentials and endpoints are those of fsspec and of
each storage's own settings, such as ``AWS_ACCESS_KEY_ID`` and ``AWS_ENDPOINT_URL``; nothing of
them is stored.
"""

from __future__ import annotations

import datetime
import errno
import os
import stat as stat_bits
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from blake3 import blake3

from image_duplicate_finder.errors import DecodeError, FailureStage, UsageError
from image_duplicate_finder.messages import FailureReason, Problem
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
    return DecodeError(FailureReason.NO_LONGER_REGULAR(), stage=FailureStage.READ)


def check_size(size: int, limits: DecodeLimits) -> None:
    """Raise DecodeError for a file that is empty, or larger than ``limits`` allow."""
    if size == 0:
        raise DecodeError(FailureReason.EMPTY(), stage=FailureStage.HEADER)
    if size > limits.bytes:
        raise DecodeError(
            FailureReason.TOO_MANY_MEGABYTES(
                count=size // _MEGABYTE, limit=limits.bytes // _MEGABYTE
            ),
            stage=FailureStage.LIMITS,
        )


def changed_while_reading() -> DecodeError:
    """The error for bytes and a stat that do not belong together."""
    return DecodeError(FailureReason.CHANGED_IN_READING(), stage=FailureStage.CHANGED)


def number_of(*parts: object) -> int:
    """A number from -2**56 to -1, made of ``parts``.

    File systems use no negative inode numbers, so it never equals a real one.
    """
    digest = blake3(repr(parts).encode("ascii", "backslashreplace")).digest(7)
    return -int.from_bytes(digest, "big") - 1


_WILDCARDS = "*?["
_NANO = 1_000_000_000
_UNKNOWN = -1


class RemoteObjects:
    """The source of URLs."""

    def stat(self, path: str) -> FileStat:
        """What the storage says of an object. Raises OSError."""
        return stat_url(path)

    def read(self, path: str, limits: DecodeLimits) -> tuple[bytes, FileStat]:
        """An object's bytes, and the stat that it had before they were read.

        So an object that is replaced meanwhile counts as changed in the next scan. Raises
        DecodeError and OSError.
        """
        stat = stat_url(path)
        if stat.size != _UNKNOWN:
            check_size(stat.size, limits)
        with _only_os_errors(path):
            system, name = _system(path)
            data = cast(bytes, system.cat_file(name))
        if stat.size == _UNKNOWN:
            stat = stat._replace(size=len(data))
            check_size(stat.size, limits)
        if len(data) != stat.size:
            raise changed_while_reading()
        return data, stat


def stat_url(url: str) -> FileStat:
    """The stat of one object. Raises OSError, also for what is no single object."""
    with _only_os_errors(url):
        system, name = _system(url)
        system.invalidate_cache()
        info = system.info(name)
    if info.get("type") != "file":
        raise IsADirectoryError(f"{url} is no single object.")
    return _to_stat(url, info)


def open_url(url: str) -> BinaryIO:
    """An object opened for reading at any place in it. Raises OSError."""
    with _only_os_errors(url):
        system, name = _system(url)
        return cast(BinaryIO, system.open(name, "rb"))


def check_url(url: str) -> None:
    """Raise UsageError when there is nothing at ``url``, or nothing that can be looked at."""
    if is_wild(url):
        _system(url)
        return
    try:
        with _only_os_errors(url):
            system, name = _system(url)
            system.invalidate_cache()
            system.info(name)
    except OSError as error:
        raise UsageError(Problem.URL(path=url, reason=str(error))) from error


def objects(url: str, *, recursive: bool = True) -> Iterator[tuple[str, str, FileStat]]:
    """The objects at or below ``url``, or matching its wildcards: (url, relative name, stat).

    Raises OSError.
    """
    with _only_os_errors(url):
        system, name = _system(url)
        system.invalidate_cache()
        base, wild = _base(url)
        if wild:
            found = system.glob(name, detail=True)
        else:
            found = system.find(name, maxdepth=None if recursive else 1, detail=True)
        top = system._strip_protocol(base).rstrip("/")
    for key, info in sorted(found.items()):
        if info.get("type") != "file":
            continue
        inner = key[len(top) :].lstrip("/")
        # The object itself was named: patterns are compared with its name.
        relative = inner or key.rsplit("/", 1)[-1]
        place = f"{base.rstrip('/')}/{inner}" if inner else base
        yield place, relative, _to_stat(place, info)


def is_wild(url: str) -> bool:
    """Whether a URL has wildcards."""
    return any(sign in url for sign in _WILDCARDS)


def _base(url: str) -> tuple[str, bool]:
    """The part of a URL that has no wildcard, and whether the rest has one."""
    first = min((at for sign in _WILDCARDS if (at := url.find(sign)) >= 0), default=None)
    if first is None:
        return url, False
    return url[:first].rsplit("/", 1)[0], True


def _system(url: str) -> tuple[Any, str]:
    """The file system behind a URL and the name in it. Raises UsageError for what is missing."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise UsageError(
            Problem.NEEDS_PACKAGES(path=url, command="pip install fsspec s3fs gcsfs")
        ) from error
    try:
        system, name = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(Problem.URL(path=url, reason=str(error))) from error
    return system, name


def _to_stat(url: str, info: dict[str, Any]) -> FileStat:
    """Size and time as stated; an entity tag serves as the change time."""
    size = info.get("size")
    tag = info.get("ETag") or info.get("etag") or info.get("md5Hash") or ""
    when = next((info[key] for key in _TIMES if info.get(key) is not None), None)
    return FileStat(
        size=_UNKNOWN if size is None else int(size),
        mtime_ns=_nanoseconds(when),
        ctime_ns=-number_of(tag),
        device=number_of(url.split("://", 1)[0]),
        inode=number_of(url),
    )


_TIMES = ("LastModified", "mtime", "updated", "modified", "created")


def _nanoseconds(when: object) -> int:
    if isinstance(when, str):
        try:
            when = datetime.datetime.fromisoformat(when)
        except ValueError:
            return 0
    if isinstance(when, datetime.datetime):
        return round(when.timestamp() * _NANO)
    return round(float(when) * _NANO) if isinstance(when, int | float) else 0


@contextmanager
def _only_os_errors(url: str) -> Iterator[None]:
    """Each storage has exceptions of its own for what it does not give."""
    try:
        yield
    except (OSError, UsageError, DecodeError):
        raise
    except Exception as error:
        raise OSError(f"{url}: {error}") from error
