"""A scan from top to bottom: discover, fingerprint, propose, verify, group, publish.

What is finished is stored at once, so a scan that is stopped or killed goes on where it was:
the next one finds its fingerprints and verified pairs in the library.
"""

from __future__ import annotations

from collections.abc import Sequence

from image_duplicate_finder.discover import Discovery, discover
from image_duplicate_finder.errors import Interrupted, NothingReadable
from image_duplicate_finder.executors.engine import open_executor
from image_duplicate_finder.grouping import rank_of
from image_duplicate_finder.model import Match
from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.results import ScanState
from image_duplicate_finder.scan.matching import find_matches
from image_duplicate_finder.scan.publish import Preview, basis_of, publish_groups
from image_duplicate_finder.scan.reading import Reading, read_files
from image_duplicate_finder.scan.similar import find_look_alikes
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import Store


def run_scan(
    store: Store,
    scan: int,
    roots: Sequence[str],
    settings: ScanSettings,
    *,
    progress: Progress,
    cancel: CancelToken,
) -> None:
    """Carry out scan number ``scan`` and record in the store how it ended.

    Raises NothingReadable when there are files but none could be read, and Interrupted when
    ``cancel`` asked for a stop; in both cases the scan's record says so.
    """
    try:
        discovery = _discover(roots, settings, progress, cancel)
        preview = Preview(store, scan, settings)
        with open_executor(settings) as executor:
            reading = read_files(
                store, scan, discovery, settings, executor, progress, cancel, preview.offer
            )
            _refuse_nothing(discovery, reading)

            basis = basis_of(store, scan, settings)
            earlier = store.scans.with_basis(basis)
            matches: list[Match] = []
            if earlier is None:
                contents = reading.contents
                rank = rank_of(store.scans.contents(scan), settings.keep_rules)
                matches = find_matches(store, contents, rank, settings, executor, progress, cancel)
        progress(Step("group", 0, None))
        if earlier is not None:
            store.groups.copy(earlier, scan)
        else:
            if settings.mode is not Mode.QUICK:
                find_look_alikes(store, scan, reading.contents, settings)
            publish_groups(store, scan, settings, matches)
        store.scans.finish(scan, ScanState.DONE, basis=basis)
    except Interrupted:
        store.scans.finish(scan, ScanState.STOPPED)
        raise
    except BaseException as error:
        store.scans.finish(scan, ScanState.FAILED, message=str(error))
        raise


def _discover(
    roots: Sequence[str], settings: ScanSettings, progress: Progress, cancel: CancelToken
) -> Discovery:
    def on_folder(folder: str, files: int) -> bool:
        progress(Step("discover", files, None, current=folder))
        return not cancel.cancelled

    # Protected and compare-only folders are looked at like the others.
    everywhere = tuple(dict.fromkeys((*roots, *settings.protected, *settings.compare_only)))
    discovery = discover(
        everywhere,
        recursive=settings.recursive,
        hidden=settings.hidden,
        exclude=settings.exclude,
        on_folder=on_folder,
    )
    if cancel.cancelled:
        raise Interrupted("The scan was stopped.")
    return discovery


def _refuse_nothing(discovery: Discovery, reading: Reading) -> None:
    unread_roots = not discovery.files and discovery.failures
    if (discovery.files and not reading.contents) or unread_roots:
        raise NothingReadable(
            "None of the files could be read as a picture. The list of failures says why."
        )
