"""Kinds of identity paths, by how they are written. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

MEMBER_MARK = "!/"
"""Separates an archive from the name of a member inside it."""

_ARCHIVE = re.compile(r"\.(zip|cbz|tar)$", re.IGNORECASE)
_MEMBER = re.compile(r"(.+?\.(?:zip|cbz|tar))!/(.+)", re.IGNORECASE | re.DOTALL)
# Apple Photos, iPhoto, Aperture, Photo Booth; Lightroom's previews and synchronised pictures;
# Capture One; Eagle.
_LIBRARY = re.compile(
    r"(.*?/[^/]*\.(?:photoslibrary|photolibrary|migratedphotolibrary|aplibrary|photoboothlibrary"
    r"|lrdata|lrlibrary|lrcat-data|cocatalog|library)|.*?/(?:iPhoto|Aperture) Library)/",
    re.IGNORECASE | re.DOTALL,
)
# Names that Windows keeps for devices, with any extension.
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{device}{number}" for device in ("com", "lpt") for number in "0123456789¹²³"]
)
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f]')
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_url(path: str) -> bool:
    """Whether ``path`` is a URL such as ``s3://bucket/a.jpg``."""
    return _URL.match(path) is not None


def is_no_name_of_windows(name: str) -> bool:
    """Whether Windows would take a file's name for a device, a stream, or another name.

    >>> [is_no_name_of_windows(name) for name in ("nul.txt", "a.jpg:b", "a.", "null.txt")]
    [True, True, True, False]
    """
    stem = name.partition(".")[0].rstrip(" ").lower()
    return stem in _DEVICES or name[-1:] in (".", " ") or _FORBIDDEN.search(name) is not None


def is_archive(path: str) -> bool:
    """Whether ``path`` has the name of an archive whose members can be read one by one."""
    return _ARCHIVE.search(path) is not None


def split_member(path: str) -> tuple[str, str] | None:
    """The archive and the name inside it, or None for what is no member of an archive.

    >>> split_member("/photos/trip.zip!/day 1/a.jpg")
    ('/photos/trip.zip', 'day 1/a.jpg')
    """
    found = _MEMBER.fullmatch(path)
    return None if found is None else (found[1], found[2])


def outer(path: str, change: Callable[[str], str]) -> str:
    """``path`` with ``change`` applied to the part that the system knows: all, or the archive.

    The name inside an archive is no path of the system, and nothing in it may be resolved.
    """
    member = split_member(path)
    return change(path) if member is None else change(member[0]) + MEMBER_MARK + member[1]


def is_read_only(path: str) -> bool:
    """Whether ``path`` lies in an archive or behind a URL: this program never changes those."""
    return is_url(path) or split_member(path) is not None


def library_of(path: str) -> str | None:
    """The package of a photo manager that ``path`` lies in, or None.

    Its database names every file inside, so that none may be changed or taken away. Pictures
    inside can be kept for others outside.

    >>> library_of("/home/a/Photos Library.photoslibrary/originals/4/4F.jpeg")
    '/home/a/Photos Library.photoslibrary'
    """
    found = _LIBRARY.match(path.replace(os.sep, "/") if os.sep != "/" else path)
    return None if found is None else path[: found.end(1)]


def within(folder: str) -> str:
    """What the path of everything below ``folder`` begins with."""
    separator = "/" if is_url(folder) else os.sep
    return folder.rstrip(separator) + separator


def parent(path: str) -> str:
    """The folder that holds a file; for a member of an archive the one that holds the archive."""
    member = split_member(path)
    place = path if member is None else member[0]
    if is_url(place):
        return place.rsplit("/", 1)[0]
    return os.path.dirname(place)
