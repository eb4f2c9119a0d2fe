"""A scan from top to bottom: discover, fingerprint, propose, verify, group, publish.

What is finished is stored at once, so a scan that is stopped or killed goes on where it was:
the next one finds its fingerprints and verified pairs in the library.
"""

from __future__ import annotations

from collections.abc import Sequence

from image_duplicate_finder.discover import Discovery, discover
from image_duplicate_finder.errors import Interrupted, UsageError
from image_duplicate_finder.executors.messages import FileTask
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.grouping import rank_of
from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.results import ScanState
from image_duplicate_finder.scan.context import basis_of, repeats
from image_duplicate_finder.scan.intake import Intake, read_files
from image_duplicate_finder.settings import Mode, ScanSettings
from image_duplicate_finder.store import Store


def check_model(settings: ScanSettings) -> None:
    """Raise UsageError where ``settings`` name a model that a scan cannot use.

    It is loaded and tried by a worker, which a model may end without harm.
    """
    if settings.model is None or settings.mode is Mode.QUICK:
        return
    from image_duplicate_finder.executors.processes import ProcessExecutor

    specs = Specs.of(settings)
    specs.embedding()
    with ProcessExecutor(specs, settings.limits, jobs=1) as executor:
        try:
            executor.check()
        except OSError as error:
            raise UsageError(
                f"The model {settings.model} ends the process that runs it."
            ) from error


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
        intake = Intake(store, scan, settings, discovery)
        tasks = intake.sort_out()
        known = intake.files - len(tasks)
        progress(Step("fingerprint", known, intake.files, failures=intake.failures))
        basis = None
        if not tasks:
            intake.refuse_nothing()
            basis = basis_of(store, roots, settings, intake.unchanged())
        if basis is None or not repeats(store, scan, basis, progress):
            intake.cover_unchanged()
            read_and_compare(
                store,
                scan,
                roots,
                intake,
                tasks,
                basis,
                settings,
                progress=progress,
                cancel=cancel,
            )
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
    # Imported here since they load NumPy, OpenCV and more, for which nobody waits who looks again
    # at a folder that did not change.
    from image_duplicate_finder.executors.engine import open_executor
    from image_duplicate_finder.scan.groups import Preview, publish_groups
    from image_duplicate_finder.scan.matching import find_look_alikes, find_matches
    from image_duplicate_finder.scan.verification import look_closer

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
    store.scans.supersede_earlier(scan)
