"""Keep-lists and delete-lists: plain paths, for data sets that another program changes. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.results import FileView, GroupView, MemberView


def delete_list(groups: Iterable[GroupView], protected: Sequence[str] = ()) -> tuple[str, ...]:
    """Paths of the files that could go, sorted; no keeper of any of these files is among them.

    Those are the selected members, and in archives, storage and manifests, where nothing can be
    selected, the members whose witness holds all of them. Files below ``protected`` folders never
    are.
    """
    going: set[str] = set()
    staying: set[str] = set()
    for group in groups:
        path_of = {member.file.id: member.file.path for member in group.members}
        for member in group.members:
            if member.file.gone or _guarded(member.file, protected):
                continue
            if member.selected or _is_held(member):
                going.add(member.file.path)
                staying.add(group.keeper.path)
                if member.witness in path_of:
                    staying.add(path_of[member.witness])
    return tuple(sorted(going - staying))


def keep_list(groups: Sequence[GroupView], protected: Sequence[str] = ()) -> tuple[str, ...]:
    """Paths of all files of the groups that are in no :func:`delete_list`, sorted."""
    going = set(delete_list(groups, protected))
    files = {file.path for group in groups for file in group.files if not file.gone}
    return tuple(sorted(files - going))


def written(paths: Iterable[str], *, null: bool = False) -> Iterator[bytes]:
    """A list as bytes, each path in the system's own encoding and ended by a line break.

    With ``null`` a zero byte ends each path. Raises UsageError for a path that has a line break
    itself and would be taken for two.
    """
    for path in paths:
        if not null and "\n" in path:
            raise UsageError(Problem.LINE_BREAK(path=repr(path)))
        yield os.fsencode(path) + (b"\0" if null else b"\n")


def _guarded(file: FileView, protected: Sequence[str]) -> bool:
    return any(is_inside(file.path, folder) for folder in protected)


def _is_held(member: MemberView) -> bool:
    """Whether a file that cannot be selected where it lies was shown to hold nothing of its own."""
    return not member.file.removable and member.witness is not None and not member.lacks
