"""What a person names as a root: folders, files, globs, archives, manifests and URLs."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator

from image_duplicate_finder.errors import DecodeError, UsageError
from image_duplicate_finder.sources import is_archive, is_url, split_member, within
from image_duplicate_finder.sources import stat as source_stat
from image_duplicate_finder.sources.manifest import is_manifest
from image_duplicate_finder.sources.names import MEMBER_MARK, outer
from image_duplicate_finder.sources.remote import check

_LOCAL_URL = "file://"


def clean_roots(roots: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    """Absolute, real paths or URLs without repeats; a root inside another one is dropped.

    A path with wildcards that is no file itself becomes all that it fits, ``**`` for any folders
    between. Raises UsageError for what does not exist, or when nothing is given.
    """
    real = {path for root in roots for path in _real(os.fspath(root))}
    if not real:
        raise UsageError("Name at least one folder to search.")
    return tuple(
        path
        for path in sorted(real, key=os.fsencode)
        if not any(above in real for above in _holders(path))
    )


def one_picture(path: str | os.PathLike[str]) -> str:
    """The real path or URL of what is named as a single picture.

    Raises UsageError for what is not there, and for what is no single file that may be one.
    """
    found = clean_roots([path])
    named = os.fspath(path)
    if len(found) > 1:
        raise UsageError(f"{named!r} fits {len(found)} files. Name one picture.")
    (real,) = found
    if is_url(real):
        several, odd = is_archive(real), False
    elif not os.path.exists(real):  # a member of an archive
        several, odd = False, False
    else:
        several = os.path.isdir(real) or is_archive(real) or is_manifest(real)
        odd = not os.path.isfile(real)
    if several:
        raise UsageError(f"{named!r} holds or lists files. Name one picture.")
    if odd:
        raise UsageError(f"{named!r} is no regular file. Name a picture.")
    return real


def _real(root: str) -> Iterator[str]:
    root = root.removeprefix(_LOCAL_URL)
    if is_url(root):
        check(root)
        yield root.rstrip("/")
        return
    path = outer(root, lambda place: os.path.realpath(os.path.expanduser(place)))
    if os.path.exists(path) or _is_member(path):
        yield path
        return
    fitting = glob.glob(os.path.expanduser(root), recursive=True) if glob.has_magic(root) else []
    if not fitting:
        raise UsageError(f"There is no folder or file {root!r}. Check the spelling.")
    for each in fitting:
        yield os.path.realpath(each)


def _is_member(path: str) -> bool:
    """Whether ``path`` names a member that is there in its archive."""
    if split_member(path) is None:
        return False
    try:
        source_stat(path)
    except (OSError, DecodeError):
        return False
    return True


def _holders(path: str) -> Iterator[str]:
    """Other roots in which a walk would come upon ``path``; folders' archives are not opened."""
    member = split_member(path)
    if member is not None:
        return iter(member[:1])
    return iter(()) if is_archive(path) or is_manifest(path) else _above(path)


def _above(path: str) -> Iterator[str]:
    """The folders that a root lies in, innermost first."""
    separator = "/" if is_url(path) else os.sep
    while (cut := path.rstrip(separator).rfind(separator)) >= 0:
        # The root folder keeps its separator: "/", "C:\\".
        above = path[:cut]
        yield above
        yield above + separator
        path = above


def is_inside(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or lies below it or in it; both absolute and normalised.

    ``folder`` may be an archive, whose members lie in it.
    """
    return path == folder or path.startswith((within(folder), folder + MEMBER_MARK))
