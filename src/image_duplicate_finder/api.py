"""The shortest way in for Python programs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from image_duplicate_finder.documents import scan_document
from image_duplicate_finder.library import Library
from image_duplicate_finder.model import Failure, GroupKind
from image_duplicate_finder.progress import CancelToken, Progress, silent
from image_duplicate_finder.results import GroupView, ScanRecord
from image_duplicate_finder.settings import ScanSettings


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What one scan found; iterating gives its groups, duplicates first."""

    scan: ScanRecord
    groups: tuple[GroupView, ...]
    failures: tuple[Failure, ...]

    def __iter__(self) -> Iterator[GroupView]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def duplicates(self) -> tuple[GroupView, ...]:
        """The groups whose members show the same photograph as their keeper."""
        return tuple(group for group in self.groups if group.kind is GroupKind.DUPLICATES)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON-ready values, in the form of ``idf scan --json``."""
        return scan_document(self.scan, self.groups, self.failures)


def find_duplicates(
    paths: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    settings: ScanSettings | None = None,
    *,
    library: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
    cancel: CancelToken | None = None,
) -> ScanResult:
    """Look for duplicates below folders (or among files), and return what was found.

    What is read is remembered in ``library`` (default: the user's own), so that a second call
    reads only what changed. No file is touched. Raises UsageError for a path that does not
    exist, NothingReadable when no file could be read as a picture, LibraryBusy while another
    scan runs, Interrupted after ``cancel``.
    """
    roots = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    with Library.open(library) as opened:
        scan = opened.scan(roots, settings, progress=progress, cancel=cancel)
        return ScanResult(scan, tuple(opened.all_groups(scan.id)), tuple(opened.failures(scan.id)))
