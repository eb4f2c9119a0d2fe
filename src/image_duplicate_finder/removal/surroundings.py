"""Looks at what stands beside the files of a plan: possible halves, partners and sidecars."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from image_duplicate_finder.companions import FILM_EXTENSIONS, label_folders, split
from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.model import FileStat
from image_duplicate_finder.removal import fs, look
from image_duplicate_finder.removal.links import Targets, links_below
from image_duplicate_finder.removal.plan import Evidence, Surroundings, UnitIndex
from image_duplicate_finder.removal.quicktime import content_identifier


def look_around(
    evidence: Iterable[Evidence], roots: Iterable[str] = (), *, links: bool = True
) -> Surroundings:
    """List the folders of all files and keepers; stat what belongs to a file there.

    Folders of labels beside those of pictures are looked for below ``roots``, and so are symbolic
    links to the files, unless the caller does that (``links`` False).

    Films are opened for their content identifier only beside a picture that states one. A
    folder that cannot be read counts as empty: its files cannot be moved either.
    """
    folders: dict[str, tuple[str, ...]] = {}
    beside: dict[str, tuple[str, ...]] = {}
    stats: dict[str, FileStat] = {}
    identifiers: dict[str, str] = {}
    evidence, roots = list(evidence), list(roots)
    for wish in evidence:
        for file in (wish.file, wish.keeper):
            if file.content_identifier is not None:
                identifiers[file.path] = file.content_identifier
            folders.setdefault(os.path.dirname(file.path), ())
    with_identifiers = {os.path.dirname(path) for path in identifiers}
    for folder in folders:
        folders[folder] = _names(folder)
        beside[folder] = tuple(
            os.path.join(labels, name)
            for labels in label_folders(folder)
            if any(is_inside(labels, root) for root in roots)
            for name in _names(labels)
        )
        for name in folders[folder] if folder in with_identifiers else ():
            path = os.path.join(folder, name)
            if split(name)[1] in FILM_EXTENSIONS and look.regular(path) is not None:
                identifier = content_identifier(path)
                if identifier is not None:
                    identifiers[path] = identifier
    led_to = _led_to(evidence, roots if links else ())
    around = Surroundings(folders, stats, identifiers, beside, led_to)
    units = UnitIndex(around)
    for path in {wish.file.path for wish in evidence}:
        for companion in units.paths(path, units.unit(path).companions):
            if companion not in stats and (found := look.regular(companion)) is not None:
                stats[companion] = found
    return around


def _names(folder: str) -> tuple[str, ...]:
    try:
        return tuple(fs.names(folder))
    except OSError:
        return ()


def _led_to(evidence: Iterable[Evidence], roots: Iterable[str]) -> dict[str, str]:
    """The files to remove that symbolic links lead to, with one such link each."""
    targets = Targets(links_below(roots))
    found: dict[str, str] = {}
    for wish in evidence:
        with contextlib.suppress(OSError):  # what cannot be looked at now cannot be removed, too
            link = targets.link_to(wish.file.path, wish.file.stat.identity)
            if link is not None:
                found[wish.file.path] = link
    return found
