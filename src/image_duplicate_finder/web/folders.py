"""Folders of this computer for the dialog that chooses one, and what a scan would find there."""

from __future__ import annotations

import os
import string
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image_duplicate_finder.discover import discover, may_be_image

_ESTIMATE_SECONDS = 2.0


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
