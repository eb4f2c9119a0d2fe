"""Roots to files, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from image_duplicate_finder.discover import elsewhere, folders
from image_duplicate_finder.discover.names import Choice, Discovery
from image_duplicate_finder.model import Failure, FoundFile
from image_duplicate_finder.sources import is_archive, is_url, split_member
from image_duplicate_finder.sources.manifest import is_manifest
from image_duplicate_finder.sources.remote import is_wild

if TYPE_CHECKING:
    import pathspec


def discover(
    roots: Sequence[str],
    *,
    recursive: bool = True,
    hidden: bool = False,
    exclude: Sequence[str] = (),
    on_folder: Callable[[str, int], bool] | None = None,
) -> Discovery:
    """Find the picture files below ``roots`` (from :func:`clean_roots`).

    ``exclude`` holds patterns in the way of .gitignore, matched against paths relative to
    their root. ``on_folder(folder, files so far)`` is called for each folder and returns
    False to stop. Backups of this program and system folders are always passed over.
    """
    choice = Choice(recursive, hidden, _patterns(exclude) if exclude else None)
    found: list[FoundFile] = []
    failures: list[Failure] = []
    for root in roots:
        for item in _found_at(root, choice):
            if isinstance(item, FoundFile):
                found.append(item)
            elif isinstance(item, Failure):
                failures.append(item)
            elif on_folder is not None and not on_folder(item, len(found)):
                break
    # A file that was found in a folder and in a list may be removed from the folder.
    found.sort(key=lambda file: not file.removable)
    found.sort(key=attrgetter("path"))
    files, aliases = _without_doubles(found)
    return Discovery(tuple(files), tuple(failures), tuple(aliases))


def _patterns(lines: Sequence[str]) -> pathspec.GitIgnoreSpec:
    import pathspec  # where it is needed: most scans would wait for it in vain

    return pathspec.GitIgnoreSpec.from_lines(lines)


def _without_doubles(found: list[FoundFile]) -> tuple[list[FoundFile], list[tuple[str, str]]]:
    """Each file once, by the first of its paths, and its others as (path, first path)."""
    if len({file.stat.inode for file in found}) == len(found):
        return found, []  # as nearly always: not even two devices share a number
    files: list[FoundFile] = []
    aliases: list[tuple[str, str]] = []
    listed: dict[tuple[int, int], str] = {}
    for file in found:
        first = listed.get(file.stat.identity)
        if first is None:
            listed[file.stat.identity] = file.path
            files.append(file)
        elif first != file.path:
            aliases.append((file.path, first))
    return files, aliases


def _found_at(root: str, choice: Choice) -> folders.Found:
    if is_url(root) and (is_wild(root) or not is_archive(root)):
        return elsewhere.in_storage(root, choice)
    if split_member(root) is not None and not os.path.lexists(root):
        return elsewhere.listed([root])
    if is_archive(root) and not os.path.isdir(root):
        return elsewhere.in_archive(root, choice)
    if is_manifest(root) and not os.path.isdir(root):
        return elsewhere.in_manifest(root)
    return folders.walk(root, choice)
