"""find_duplicates, compare and leakage: each opens what it needs and closes it again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from image_duplicate_finder.api.results import Comparison, LeakageResult, ScanResult
from image_duplicate_finder.discover import one_picture
from image_duplicate_finder.discover.walk import as_paths
from image_duplicate_finder.errors import NothingReadable, UsageError
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import Plain
from image_duplicate_finder.progress import CancelToken, Progress, silent
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.splits import Places, find_leaks, find_leaks_listed

if TYPE_CHECKING:
    from image_duplicate_finder.discover.walk import Picture


def find_duplicates(
    pictures: Iterable[Picture] | str | os.PathLike[str],
    settings: ScanSettings | None = None,
    *,
    library: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
    cancel: CancelToken | None = None,
) -> ScanResult:
    """Look for duplicates below folders, among files, or among pictures in memory.

    ``pictures`` is a path or several: folders, files, globs, archives (``.zip``, ``.cbz``,
    ``.tar``), manifests (``.csv``, ``.parquet``) and URLs; or arrays (uint8, (H, W),
    (H, W, 3) RGB or (H, W, 4) RGBA) and Pillow images, whose place in the list
    is :meth:`ScanResult.index_of`.

    What is read is remembered in ``library`` (default: the user's own), so that a second call
    reads only what changed; pictures in memory are remembered only in a library that is named.
    No file is touched. Raises UsageError for what does not exist or is no picture,
    NothingReadable when no file could be read as a picture, LibraryBusy while another scan
    runs, Interrupted after ``cancel``.
    """
    listed = [pictures] if isinstance(pictures, str | os.PathLike) else pictures
    given = as_paths(listed)
    with _library(library, temporary=bool(given.positions)) as opened:
        scan = opened.scan(given.paths, settings, progress=progress, cancel=cancel)
        return ScanResult.of(opened, scan.id, pictures=given)


def compare(a: Picture, b: Picture, mode: Mode = Mode.THOROUGH) -> Comparison:
    """What two pictures (paths, arrays or Pillow images) are to each other.

    Raises UsageError for what is no picture, or where both are one file, and NothingReadable
    when one of them cannot be read.
    """
    given = as_paths([a, b])
    first, second = map(one_picture, given.paths)
    if first == second:
        raise UsageError("Both pictures are one and the same file.")
    for group in scan_of_two(first, second, mode):
        (member,) = group.members
        return Comparison(
            relation=member.relation,
            kind=group.kind,
            keeper=(first, second).index(group.keeper.path),
            reasons=group.reasons,
            words=member.words,
            transform=member.transform,
            mirrored=member.mirrored,
            overlap=member.overlap,
            score=member.score,
        )
    return Comparison()


def scan_of_two(first: str, second: str, mode: Mode) -> ScanResult:
    """A scan of just two files: what a scan of their folders would say of them.

    Raises NothingReadable when one of them cannot be read.
    """
    with _library(None, temporary=True) as opened:
        scan = opened.scan([first, second], ScanSettings(mode=mode))
        result = ScanResult.of(opened, scan.id)
    for failure in result.failures:
        raise NothingReadable(Plain.ABOUT(path=failure.path, text=failure.reason))
    return result


def leakage(
    splits: Mapping[str, Places] | None = None,
    /,
    *,
    train: Places | None = None,
    val: Places | None = None,
    test: Places | None = None,
    manifest: str | os.PathLike[str] | None = None,
    settings: ScanSettings | None = None,
    look_alikes: bool = False,
    library: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
    cancel: CancelToken | None = None,
) -> LeakageResult:
    """Pictures that appear in two splits of a data set, as copies, crops or edits too.

    Each split is one or several of what :func:`find_duplicates` takes for paths; other names
    than the usual three come in ``splits``. Instead of all these, a ``manifest`` (CSV or
    Parquet) names each file's split in its column ``split``. ``look_alikes`` counts other
    photographs that look alike too. The mode is thorough unless ``settings`` say otherwise.
    Raises what :func:`find_duplicates` raises, and UsageError for fewer than two splits or one
    inside another.
    """
    usual = {"train": train, "val": val, "test": test}
    wanted = {**(splits or {}), **{name: each for name, each in usual.items() if each is not None}}
    if (manifest is None) == (not wanted):
        raise UsageError("Name the splits, or a manifest with a column split.")
    with _library(library) as opened:
        if manifest is not None:
            report = find_leaks_listed(
                opened,
                manifest,
                settings,
                similar=look_alikes,
                progress=progress,
                cancel=cancel,
            )
        else:
            report = find_leaks(
                opened,
                wanted,
                settings,
                similar=look_alikes,
                progress=progress,
                cancel=cancel,
            )
    return LeakageResult(report)


@contextmanager
def _library(
    folder: str | os.PathLike[str] | None, *, temporary: bool = False
) -> Iterator[Library]:
    """The library that was named, else a temporary one or the user's own."""
    if folder is not None or not temporary:
        with Library.open(folder) as library:
            yield library
        return
    with Library.temporary() as library:
        yield library
