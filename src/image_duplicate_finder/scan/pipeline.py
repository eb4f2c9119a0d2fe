"""A scan from top to bottom: discover, fingerprint, propose, verify, group, publish.

What is finished is stored at once, so a scan that is stopped or killed goes on where it was:
the next one finds its fingerprints and verified pairs in the library.
"""

from __future__ import annotations

from collections.abc import Sequence

from image_duplicate_finder.discover import Discovery, discover
from image_duplicate_finder.errors import Interrupted, UsageError
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.progress import CancelToken, Progress, Step
from image_duplicate_finder.results import ScanState
from image_duplicate_finder.scan.basis import basis_of, repeats
from image_duplicate_finder.scan.intake import Intake
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
            # Imported here since it loads NumPy, OpenCV and more, for which nobody waits who
            # looks again at a folder that did not change.
            from image_duplicate_finder.scan.comparing import read_and_compare

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
