"""Object storage and other places behind URLs, through fsspec (the extra ``cloud``).

Credentials and endpoints are those of fsspec and of each storage's own settings, such as
``AWS_ACCESS_KEY_ID`` and ``AWS_ENDPOINT_URL``; nothing of them is stored.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from image_duplicate_finder.errors import DecodeError, UsageError
from image_duplicate_finder.model import FileStat
from image_duplicate_finder.settings import DecodeLimits
from image_duplicate_finder.sources import local
from image_duplicate_finder.sources.numbers import number_of

_MAGIC = "*?["

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
            local.check_size(stat.size, limits)
        with _only_os_errors(path):
            system, name = _system(path)
            data = cast(bytes, system.cat_file(name))
        if stat.size == _UNKNOWN:
            stat = stat._replace(size=len(data))
            local.check_size(stat.size, limits)
        if len(data) != stat.size:
            raise local.changed_while_reading()
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


def check(url: str) -> None:
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
        raise UsageError(f"{url} cannot be read: {error}") from error


def objects(url: str, *, recursive: bool = True) -> Iterator[tuple[str, str, FileStat]]:
    """The objects at or below ``url``, or that its wildcards fit: (url, relative name, stat).

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
        # The object itself was named: its own name is all there is to compare with patterns.
        relative = inner or key.rsplit("/", 1)[-1]
        place = f"{base.rstrip('/')}/{inner}" if inner else base
        yield place, relative, _to_stat(place, info)


def is_wild(url: str) -> bool:
    """Whether a URL has wildcards."""
    return any(sign in url for sign in _MAGIC)


def _base(url: str) -> tuple[str, bool]:
    """The part of a URL that has no wildcard, and whether the rest has one."""
    first = min((at for sign in _MAGIC if (at := url.find(sign)) >= 0), default=None)
    if first is None:
        return url, False
    return url[:first].rsplit("/", 1)[0], True


def _system(url: str) -> tuple[Any, str]:
    """The file system behind a URL and the name in it. Raises UsageError for what is missing."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise UsageError(
            f"Reading {url} needs more packages: pip install fsspec s3fs gcsfs"
        ) from error
    try:
        system, name = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise UsageError(f"{url} cannot be read: {error}") from error
    return system, name


def _to_stat(url: str, info: dict[str, Any]) -> FileStat:
    """Size and time as stated; where there is an entity tag, it stands in for the change time."""
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
