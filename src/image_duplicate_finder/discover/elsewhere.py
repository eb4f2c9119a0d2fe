"""Files that lie in archives and storage, or that a manifest lists."""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Iterable, Sequence

from image_duplicate_finder.discover.folders import OWN, Found, reason
from image_duplicate_finder.discover.names import Choice, Discovery
from image_duplicate_finder.errors import DecodeError
from image_duplicate_finder.model import Failure, FileStat, FoundFile
from image_duplicate_finder.own_files import is_below_own_folder, own_among
from image_duplicate_finder.sources import archives, is_archive, is_read_only, is_url, remote
from image_duplicate_finder.sources import stat as source_stat
from image_duplicate_finder.sources.manifest import read_manifest
from image_duplicate_finder.sources.names import MEMBER_MARK, parent

# How many files are listed between two signs of life.
_REPORT_EVERY = 500
_ASKED_AT_ONCE = 16


def in_archive(archive: str, choice: Choice) -> Found:
    """The pictures in an archive on this machine or behind a URL."""
    yield archive
    try:
        found = archives.members(archive)
    except OSError as error:
        yield Failure(archive, "discover", reason(error, "file"))
        return
    except DecodeError as error:
        yield Failure(archive, "discover", str(error))
        return
    own = own_among(found)
    for name, stat in found.items():
        if name not in own and choice.takes(name.removeprefix("./")):
            yield FoundFile(archive + MEMBER_MARK + name, stat, parent(archive), removable=False)


def in_storage(url: str, choice: Choice) -> Found:
    """The pictures at or below a URL, or that its wildcards fit; archives among those too."""
    yield url
    try:
        objects = list(remote.objects(url, recursive=choice.recursive))
        own = own_among(relative for _, relative, _ in objects)
        for number, (place, relative, stat) in enumerate(objects):
            if number % _REPORT_EVERY == 0:
                yield place
            if relative in own:
                continue
            if is_archive(place) and remote.is_wild(url):
                yield from in_archive(place, choice)
            elif choice.takes(relative):
                yield FoundFile(place, stat, url, removable=False)
    except OSError as error:
        yield Failure(url, "discover", reason(error, "folder"))


def in_manifest(path: str) -> Found:
    """The files that a manifest lists, which are offered for removal by no scan of it.

    What else refers to them (labels, splits) lies outside what this program knows. Raises
    UsageError for a manifest that cannot be read.
    """
    yield from listed(row.path for row in read_manifest(path))


def listed(paths: Iterable[str]) -> Found:
    """Files that were named one by one, each a failure where it is not there."""
    every = list(paths)
    for start in range(0, len(every), _REPORT_EVERY):
        part = every[start : start + _REPORT_EVERY]
        yield parent(part[0])
        yield from _all(part)


def listing(paths: Iterable[str]) -> Discovery:
    """Files that were named one by one, in the order of their paths."""
    found = _all(sorted(set(paths), key=os.fsencode))
    return Discovery(
        files=tuple(each for each in found if isinstance(each, FoundFile)),
        failures=tuple(each for each in found if isinstance(each, Failure)),
        aliases=(),
    )


def _all(paths: Sequence[str]) -> list[FoundFile | Failure]:
    """What is known of each path; storage is asked about several at once, as answers take long."""
    if not any(map(is_url, paths)):
        return [_one(path) for path in paths]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        return list(pool.map(_one, paths))


def _one(path: str) -> FoundFile | Failure:
    try:
        if is_read_only(path):
            return FoundFile(path, source_stat(path), parent(path), removable=False)
        # Data sets are often made of links; what is read is the file that one leads to.
        real = os.path.realpath(path)
        status = os.stat(real)
    except OSError as error:
        return Failure(path, "discover", reason(error, "file"))
    except DecodeError as error:
        return Failure(path, "discover", str(error))
    if is_below_own_folder(parent(real)):
        return Failure(path, "discover", OWN)
    if not stat_bits.S_ISREG(status.st_mode):
        return Failure(path, "discover", "This is no regular file.")
    return FoundFile(real, FileStat.of(status), parent(real), removable=False)
