"""Looks at what stands beside the files of a plan: possible halves, partners and sidecars."""

from __future__ import annotations

import os
from collections.abc import Iterable

from image_duplicate_finder.model import FileStat
from image_duplicate_finder.removal import fs, look
from image_duplicate_finder.removal.links import Targets, links_below
from image_duplicate_finder.removal.plan import Evidence, Surroundings
from image_duplicate_finder.removal.quicktime import content_identifier
from image_duplicate_finder.removal.units import (
    OWN_SIDECARS,
    STEM_SIDECARS,
    VIDEO_EXTENSIONS,
    split,
)

_COMPANIONS = OWN_SIDECARS | STEM_SIDECARS | VIDEO_EXTENSIONS


def look_around(evidence: Iterable[Evidence], roots: Iterable[str] = ()) -> Surroundings:
    """List the folders of all files and keepers; stat what may be a companion there.

    Symbolic links to the files are looked for below ``roots``.

    Videos are opened for their content identifier only beside a picture that states one. A
    folder that cannot be read counts as empty: its files cannot be moved either.
    """
    folders: dict[str, tuple[str, ...]] = {}
    stats: dict[str, FileStat] = {}
    identifiers: dict[str, str] = {}
    evidence = list(evidence)
    for wish in evidence:
        for file in (wish.file, wish.keeper):
            if file.content_identifier is not None:
                identifiers[file.path] = file.content_identifier
            folders.setdefault(os.path.dirname(file.path), ())
    with_identifiers = {os.path.dirname(path) for path in identifiers}
    for folder in folders:
        try:
            folders[folder] = tuple(fs.names(folder))
        except OSError:
            continue
        for name in folders[folder]:
            extension = split(name)[1]
            path = os.path.join(folder, name)
            if extension not in _COMPANIONS or (found := look.regular(path)) is None:
                continue
            stats[path] = found
            if extension in VIDEO_EXTENSIONS and folder in with_identifiers:
                identifier = content_identifier(path)
                if identifier is not None:
                    identifiers[path] = identifier
    return Surroundings(folders, stats, identifiers, _led_to(evidence, roots))


def _led_to(evidence: Iterable[Evidence], roots: Iterable[str]) -> dict[str, str]:
    """The files to remove that symbolic links lead to, with one such link each."""
    targets = Targets(links_below(roots))
    return {
        wish.file.path: link
        for wish in evidence
        if (link := targets.link_to(wish.file.path, wish.file.stat.identity)) is not None
    }
