"""Folders of this computer to choose from, and what a scan would find in them."""

from __future__ import annotations

import contextlib
import os
import re
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from image_duplicate_finder.discover import discover, may_be_image

_ESTIMATE_SECONDS = 2.0
_MOST_DRIVES = 8
_MOUNT_PLACES = ("/media/", "/run/media/", "/mnt/", "/photos")
_MOST_COMPLETIONS = 50


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that can be opened; ``name`` is what the dialog calls it."""

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a folder holds. ``trail`` leads from the root to the folder itself, included.

    ``pictures`` counts files directly in it that may be pictures. ``problem`` says why its
    content cannot be shown, and is empty otherwise.
    """

    path: str
    parent: str | None
    trail: tuple[Place, ...]
    folders: tuple[Place, ...]
    pictures: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How much a scan would look at. ``complete`` is False where counting took too long.

    ``read_only`` are folders that files cannot be moved out of.
    """

    files: int
    bytes: int
    complete: bool
    read_only: tuple[str, ...]


def list_folder(path: str, *, hidden: bool = False) -> Listing:
    """The folders in ``path``; for one that cannot be read, its trail and the reason."""
    folder = os.path.realpath(path)
    parents = [folder, *map(str, Path(folder).parents)]
    trail = tuple(Place(each, os.path.basename(each) or each) for each in reversed(parents))
    parent = parents[1] if len(parents) > 1 else None
    below: list[Place] = []
    pictures = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and not hidden:
                    continue
                if _is_folder(entry):
                    below.append(Place(entry.path, entry.name))
                elif may_be_image(entry.name):
                    pictures += 1
    except OSError as error:
        return Listing(folder, parent, trail, (), 0, error.strerror or str(error))
    below.sort(key=lambda place: (place.name.casefold(), place.name))
    return Listing(folder, parent, trail, tuple(below), pictures)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


class PlaceKind(StrEnum):
    """Why a folder is likely to be searched."""

    PICTURES = "pictures"
    DOWNLOADS = "downloads"
    DESKTOP = "desktop"
    CARD = "card"
    DRIVE = "drive"


def likely_folders() -> list[tuple[PlaceKind, str]]:
    """Folders of this computer in which people have pictures: their own, cards and drives."""
    import platformdirs

    found = [
        (PlaceKind.PICTURES, platformdirs.user_pictures_dir()),
        (PlaceKind.DOWNLOADS, platformdirs.user_downloads_dir()),
        (PlaceKind.DESKTOP, platformdirs.user_desktop_dir()),
    ]
    drives: list[str] = []
    with contextlib.suppress(OSError):
        drives = _mounted()
    for drive in drives:
        # What cameras and phones write lies below DCIM, by their standard (DCF).
        card = os.path.join(drive, "DCIM")
        found.append((PlaceKind.CARD, card) if os.path.isdir(card) else (PlaceKind.DRIVE, drive))
    home = os.path.realpath(os.path.expanduser("~"))
    return [
        (kind, path)
        for kind, path in found
        # Without a desktop the names of such folders stand for the home folder itself.
        if os.path.isdir(path) and os.path.realpath(path) != home
    ]


def _mounted() -> list[str]:
    """Drives and cards that people plugged in, or gave to a container."""
    if os.name == "nt":
        system = os.environ.get("SYSTEMDRIVE", "C:")
        drives = (f"{letter}:" for letter in string.ascii_uppercase)
        found = [f"{drive}\\" for drive in drives if drive != system and os.path.isdir(drive)]
    elif os.path.exists("/proc/mounts"):
        lines = Path("/proc/mounts").read_bytes().splitlines()
        mounts = (line.split()[:2] for line in lines)
        # Of devices only: a network drive that does not answer would keep the page waiting.
        paths = (unescaped(path) for device, path in mounts if device.startswith(b"/dev/"))
        found = [path for path in paths if path.startswith(_MOUNT_PLACES)]
    else:
        volumes = (os.path.join("/Volumes", name) for name in os.listdir("/Volumes"))
        found = [path for path in volumes if not os.path.islink(path)]
    return sorted(set(found))[:_MOST_DRIVES]


def unescaped(path: bytes) -> str:
    """A path of /proc/mounts, in which spaces and the like are octal numbers."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), path))


def completions(text: str) -> list[str]:
    """Folders whose path begins with what was typed of it; letter case does not matter."""
    if not text.startswith(("/", "~", os.sep)) and ":" not in text[:2]:
        return []
    folder, start = os.path.split(text)
    found = []
    with contextlib.suppress(OSError, ValueError), os.scandir(os.path.expanduser(folder)) as all:
        for entry in all:
            if entry.name.startswith(".") and not start.startswith("."):
                continue
            if entry.name.casefold().startswith(start.casefold()) and _is_folder(entry):
                found.append(os.path.join(folder, entry.name))
            if len(found) == _MOST_COMPLETIONS:
                break
    return sorted(found, key=str.casefold)


def common_places() -> list[Place]:
    """Where pictures usually are: home, its picture folders, drives."""
    home = os.path.expanduser("~")
    wanted = [home, *(os.path.join(home, name) for name in ("Pictures", "Photos", "Desktop"))]
    if os.name == "nt":
        wanted += [f"{letter}:\\" for letter in string.ascii_uppercase]
    else:
        wanted += ["/", "/Volumes", "/media", "/mnt"]
    return [Place(path, path) for path in wanted if os.path.isdir(path)]


def estimate(
    roots: Sequence[str], *, recursive: bool, hidden: bool, exclude: Sequence[str]
) -> Estimate:
    """Count what a scan of ``roots`` (from ``clean_roots``) would read, for at most 2 seconds."""
    deadline = time.monotonic() + _ESTIMATE_SECONDS
    late = False

    def on_folder(_folder: str, _files: int) -> bool:
        nonlocal late
        late = late or time.monotonic() > deadline
        return not late

    found = discover(
        roots, recursive=recursive, hidden=hidden, exclude=exclude, on_folder=on_folder
    )
    return Estimate(
        files=len(found.files),
        bytes=sum(file.stat.size for file in found.files),
        complete=not late,
        read_only=tuple(root for root in roots if not os.access(root, os.W_OK)),
    )
