"""A scan from top to bottom: discover, fingerprint, propose, verify, look closer, group, publish.

Finished work is stored at once, so a scan that was stopped or killed goes on where it was: the
next one finds its fingerprints and verified pairs in the library.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from image_duplicate_finder.discover import Discovery, discover
from image_duplicate_finder.errors import Interrupted, UsageError
from image_duplicate_finder.executors.messages import FileTask
from image_duplicate_finder.executors.processes import ProcessExecutor, early_worker
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.grouping import rank_of
from image_duplicate_finder.messages import Problem
from image_duplicate_finder.progress import Stage
from image_duplicate_finder.results import ScanState
from image_duplicate_finder.scan.context import ScanContext, inputs_digest
from image_duplicate_finder.scan.intake import Intake, read_files
from image_duplicate_finder.settings import Engine, Mode, ScanSettings


def check_model(settings: ScanSettings) -> None:
    """Raise UsageError if ``settings`` name a model that a scan cannot use.

    A worker loads and tries it, so a model that ends its process does no harm.
    """
    if settings.model is None or settings.mode is Mode.QUICK:
        return
    specs = Specs.of(settings)
    specs.embedding()
    with ProcessExecutor(specs, jobs=1) as executor:
        try:
            executor.check()
        except OSError as error:
            raise UsageError(Problem.MODEL_ENDS(path=str(settings.model))) from error


def run_scan(context: ScanContext, roots: Sequence[str]) -> None:
    """Carry out a scan and record in the store how it ended.

    Raises NothingReadable when there are files but none could be read, and Interrupted when a
    stop was asked for; the scan's record says so in both cases.
    """
    scans = context.store.scans
    try:
        _run(context, roots)
    except Interrupted:
        scans.finish(context.scan, ScanState.STOPPED)
        raise
    except BaseException:
        scans.finish(context.scan, ScanState.FAILED)
        raise


def _run(context: ScanContext, roots: Sequence[str]) -> None:
    intake = Intake(context, _discover(context, roots))
    tasks = intake.sort_out()
    known = intake.files - len(tasks)
    context.report(Stage.FINGERPRINT, known, intake.files, failures=intake.failures)
    inputs = None
    if not tasks:
        intake.refuse_nothing()
        inputs = inputs_digest(context, roots, intake.unchanged())
        if _reuse_earlier(context, inputs):
            return
    intake.cover_unchanged()
    reads_here = tasks and context.settings.engine is Engine.LOCAL
    with early_worker(context.settings) if reads_here else nullcontext():
        _read_and_compare(context, roots, intake, tasks, inputs)


def _discover(context: ScanContext, roots: Sequence[str]) -> Discovery:
    settings = context.settings

    def on_folder(folder: str, files: int) -> bool:
        context.report(Stage.DISCOVER, files, current=folder)
        context.cancel.check()
        return True

    # Protected and compare-only folders are searched like the others.
    everywhere = tuple(dict.fromkeys((*roots, *settings.guarded)))
    discovery = discover(
        everywhere,
        recursive=settings.recursive,
        hidden=settings.hidden,
        exclude=settings.exclude,
        on_folder=on_folder,
    )
    context.cancel.check()
    return discovery


def _reuse_earlier(context: ScanContext, inputs: bytes) -> bool:
    """Let an earlier scan of the same inputs supersede this one; False if there is none."""
    earlier = context.store.scans.with_inputs(inputs)
    if earlier is None:
        return False
    context.report(Stage.GROUP)
    context.store.scans.reuse(context.scan, earlier)
    return True


def _read_and_compare(
    context: ScanContext,
    roots: Sequence[str],
    intake: Intake,
    tasks: Sequence[FileTask],
    inputs: bytes | None,
) -> None:
    """Read ``tasks``, find what is alike, and store the groups.

    ``inputs`` is the scan's digest if nothing is left to read, else None.
    """
    # These load NumPy, OpenCV and more, which a scan of an unchanged folder does without.
    from image_duplicate_finder.executors.engine import open_executor
    from image_duplicate_finder.scan.groups import Preview, publish_groups
    from image_duplicate_finder.scan.judging import look_closer
    from image_duplicate_finder.scan.matching import find_matches

    scans, preview = context.store.scans, Preview(context)
    with open_executor(context.settings) as executor:
        if inputs is None:
            read_files(context, intake, tasks, executor, preview.offer)
            intake.refuse_nothing()
            inputs = inputs_digest(context, roots, scans.covered(context.scan))
            if _reuse_earlier(context, inputs):
                return
        contents = frozenset(intake.contents)
        rank = rank_of(scans.contents(context.scan), context.settings.keep_rules)
        matches = find_matches(context, contents, rank, executor)
        preview.before_looks(matches)
        judged = look_closer(context, matches, executor)
    context.report(Stage.GROUP)
    publish_groups(context, judged)
    scans.finish(context.scan, ScanState.DONE, inputs=inputs)
    scans.supersede_earlier(context.scan)
