"""The part of a scan that computes: what is new is read, what may be alike is compared."""

from __future__ import annotations

from collections.abc import Sequence

from image_duplicate_finder.executors.engine import open_executor
from image_duplicate_finder.executors.messages import FileTask
from image_duplicate_finder.grouping import rank_of
from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.results import ScanState
from image_duplicate_finder.scan.basis import basis_of, repeats
from image_duplicate_finder.scan.deciding import look_closer
from image_duplicate_finder.scan.intake import Intake
from image_duplicate_finder.scan.matching import find_matches
from image_duplicate_finder.scan.publish import Preview, publish_groups
from image_duplicate_finder.scan.reading import read_files
from image_duplicate_finder.scan.regroup import CHOSEN
from image_duplicate_finder.scan.similar import find_look_alikes
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import Store


def read_and_compare(
    store: Store,
    scan: int,
    roots: Sequence[str],
    intake: Intake,
    tasks: Sequence[FileTask],
    basis: bytes | None,
    settings: ScanSettings,
    *,
    progress: Progress,
    cancel: CancelToken,
) -> None:
    """Read ``tasks``, find what is alike and store the groups and that the scan is done.

    ``basis`` is that where nothing is left to read, and no earlier scan stands on it; else None.
    Raises NothingReadable and Interrupted as :func:`~.pipeline.run_scan`.
    """
    with open_executor(settings) as executor:
        if basis is None:
            preview = Preview(store, scan, settings)
            read_files(intake, tasks, settings, executor, progress, cancel, preview.offer)
            intake.refuse_nothing()
            basis = basis_of(store, roots, settings, store.scans.fixture(scan))
            if repeats(store, scan, basis, progress):
                return
        contents = frozenset(intake.contents)
        rank = rank_of(store.scans.contents(scan), settings.keep_rules)
        matches = find_matches(store, contents, rank, settings, executor, progress, cancel)
        found = look_closer(store, scan, settings, matches, executor, progress, cancel)
    progress(Step("group", 0, None))
    if settings.mode is not Mode.QUICK:
        find_look_alikes(store, scan, contents, settings)
    publish_groups(store, scan, settings, found)
    store.scans.finish(scan, ScanState.DONE, basis=basis)
    store.scans.take_the_place_of_earlier(scan, CHOSEN)
