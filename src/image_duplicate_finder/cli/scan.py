"""``idf scan``: look for duplicates."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from image_duplicate_finder.cli.options import (
    ByteSize,
    JsonTarget,
    choice,
    has_library,
    json_option,
    open_library,
)
from image_duplicate_finder.cli.output import counted, duration, shown, size
from image_duplicate_finder.cli.progress import Timings, reporting, stoppable
from image_duplicate_finder.errors import NothingReadable, UsageError
from image_duplicate_finder.model import Failure, GroupKind
from image_duplicate_finder.settings import (
    DEFAULT_CSIMILARITY_THRESHOLD,
    DEFAULT_ESIMILARITY_THRESHOLD,
    DEFAULT_KEEP_RULES,
    DecodeLimits,
    Engine,
    KeepRule,
    Mode,
    ScanSettings,
)

if TYPE_CHECKING:
    from image_duplicate_finder.library import Library
    from image_duplicate_finder.results import ScanRecord, Summary


EXIT_SOME_FAILED = 1
FAILURES_SHOWN = 10
_RULES = ",".join(rule.value for rule in DEFAULT_KEEP_RULES)


@click.command()
@click.argument("roots", nargs=-1, required=True, metavar="ROOT...", type=click.Path())
@click.option(
    "--mode",
    type=choice(Mode),
    default=Mode.STANDARD.value,
    show_default=True,
    help="quick: exact, re-encoded, resized, mirrored and rotated copies. standard: also crops, "
    "edits and similar pictures. thorough: also small pictures inside large ones.",
)
@click.option(
    "--esimilarity-threshold",
    type=click.FloatRange(0, 1),
    metavar="X",
    default=DEFAULT_ESIMILARITY_THRESHOLD,
    show_default=True,
    help="Maximum Euclidean distance of similar pictures; lower is stricter.",
)
@click.option(
    "--csimilarity-threshold",
    type=click.FloatRange(0, 1),
    metavar="X",
    default=DEFAULT_CSIMILARITY_THRESHOLD,
    show_default=True,
    help="Minimum cosine similarity of similar pictures; higher is stricter.",
)
@click.option(
    "--recursive/--no-recursive", default=True, show_default=True, help="Include subfolders."
)
@click.option("--hidden", is_flag=True, help="Include hidden files and folders.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Skip what matches PATTERN, as in a .gitignore file. Repeatable.",
)
@click.option(
    "--protect",
    "protected",
    multiple=True,
    metavar="DIR",
    type=click.Path(),
    help="Also scan DIR; its files are kept, never removed. Repeatable.",
)
@click.option(
    "--compare-only",
    multiple=True,
    metavar="DIR",
    type=click.Path(),
    help="Compare with the files in DIR, which are never offered for removal. Repeatable.",
)
@click.option(
    "--keep",
    "keep_rules",
    default=_RULES,
    metavar="RULE,...",
    help=f"Rules that decide which file of a group is kept, in order. [default: {_RULES}]",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Worker processes. [default: all cores]"
)
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Use this ONNX model to find similar pictures instead of the built-in one.",
)
@click.option(
    "--gpu",
    is_flag=True,
    help="Compute the features for similar pictures on a CUDA device (needs the extra [gpu]).",
)
@click.option(
    "--engine",
    type=choice(Engine),
    default=Engine.LOCAL.value,
    show_default=True,
    help="Run on this machine or on a Ray cluster (needs the extra [ray]).",
)
@click.option(
    "--address",
    metavar="ADDRESS",
    help="With --engine ray: address of the running cluster. [default: start one on this machine]",
)
@click.option(
    "--parquet",
    metavar="DIR",
    help="With --engine ray: keep the fingerprints as Parquet files in DIR, a folder or an "
    "address such as s3://bucket/folder that all machines can reach.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=DecodeLimits().pixels,
    show_default=True,
    metavar="N",
    help="Skip and report pictures with more than N pixels.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=DecodeLimits().seconds,
    show_default=True,
    metavar="S",
    help="Skip and report files that take longer than S seconds to decode.",
)
@click.option(
    "--memory-limit",
    type=ByteSize(),
    default=f"{DecodeLimits().memory // 2**30}G",
    show_default=True,
    metavar="SIZE",
    help="Memory limit per worker process, such as 500M or 2G; pictures that need more are "
    "skipped and reported.",
)
@click.option(
    "--nice",
    type=click.IntRange(0, 19),
    default=0,
    show_default=True,
    metavar="N",
    help="Lower the priority, from 0 to 19 (runs only when no other program wants the processor).",
)
@click.option("--timings", is_flag=True, help="Show how long each stage took.")
@click.option("--strict", is_flag=True, help="Exit with status 1 if any file could not be read.")
@click.option("--quiet", "-q", is_flag=True, help="Hide the progress.")
@json_option
@click.pass_context
def scan_command(
    context: click.Context,
    /,
    roots: tuple[str, ...],
    strict: bool,
    quiet: bool,
    timings: bool,
    nice: int,
    json_to: JsonTarget | None,
    **options: Any,
) -> int:
    """Find duplicates in folders and remember them in the library.

    ROOT is a folder, a file, a pattern such as 'sets/**/*.png', an archive (.zip, .cbz, .tar), a
    list of files (.csv, .tsv, .parquet) or a URL (s3://, gs://, https://; needs the extra
    cloud). Pictures in archives, lists and object storage are compared but never offered for
    removal; idf export writes lists of them.

    A scan changes nothing. Files that have not changed since they were read are not read again.
    Ctrl-C stops a scan; the next one resumes where it stopped.

    \b
    Examples:
      idf scan ~/Pictures
      idf scan ~/Pictures /mnt/phone --protect ~/Pictures/Albums
      idf scan . --mode quick --exclude 'thumbs/' --json result.json
      idf scan . --json - | jq '.groups[].members[].path'
      idf scan 'shards/*.tar' train.csv s3://bucket/pictures

    \b
    Exit status:
      0 done   1 done, but files failed (only with --strict)   2 wrong usage
      3 nothing readable   4 could not be done   130 interrupted
    """

    step_back(nice)
    settings = _settings(**options)
    started: list[int] = []
    with (
        _first_worker(context, settings),
        open_library(context) as library,
        stoppable() as cancel,
    ):
        try:
            with reporting(quiet) as shown_progress:
                progress = Timings(shown_progress)
                record = library.scan(
                    roots, settings, progress=progress, cancel=cancel, on_start=started.append
                )
        except NothingReadable:
            _show_result(library, library.scan_record(started[0]), json_to)
            raise
        _show_result(library, record, json_to)
        if timings:
            click.echo("\n".join(progress.lines(record.files)), err=True)
    return EXIT_SOME_FAILED if strict and record.failures else 0


def _first_worker(context: click.Context, settings: ScanSettings) -> AbstractContextManager[None]:
    """A worker that starts before anything else does, where a first scan is sure to need one."""
    if has_library(context) or settings.engine is not Engine.LOCAL:
        return nullcontext()
    from image_duplicate_finder.executors.processes import early_worker

    return early_worker(settings)


def _settings(
    keep_rules: str, max_pixels: int, max_seconds: float, memory_limit: int, **options: Any
) -> ScanSettings:
    try:
        rules = tuple(KeepRule(rule.strip()) for rule in keep_rules.split(","))
    except ValueError as error:
        raise UsageError(f"--keep takes rules among {_RULES}; {error}.") from error
    options |= {"mode": Mode(options["mode"]), "engine": Engine(options["engine"])}
    limits = DecodeLimits(pixels=max_pixels, seconds=max_seconds, memory=memory_limit)
    return ScanSettings(keep_rules=rules, limits=limits, **options)


def _show_result(library: Library, record: ScanRecord, json_to: JsonTarget | None) -> None:
    """Write what was found: the document, and a summary where it does not get in its way."""
    failures = library.failures(record.id)
    if json_to is not None:
        from image_duplicate_finder.documents import scan_document

        json_to.write(scan_document(record, library.all_groups(record.id), failures))
    if json_to is None or not json_to.is_stdout:
        for line in summary_lines(record, library.summary(record.id), failures):
            click.echo(line)
        for package in library.photo_libraries(record.id):
            click.echo(
                f"{shown(package)} belongs to a photo manager: its pictures can be keepers, "
                "but nothing is removed from it."
            )


def summary_lines(record: ScanRecord, summary: Summary, failures: list[Failure]) -> list[str]:
    """What a scan found, in words."""
    copies = sum(summary.members.values())
    lines = [f"{counted(record.files, 'file')} in {duration(record.seconds)}."]
    if not summary.groups:
        lines.append("No duplicates.")
    for kind, words in (
        (GroupKind.DUPLICATES, "of duplicates"),
        (GroupKind.CONTAINS, "where one picture is part of another"),
        (GroupKind.SIMILAR, "of similar pictures"),
    ):
        if count := summary.groups.get(kind):
            lines.append(f"{counted(count, 'group')} {words}.")
    if copies:
        lines += [
            f"  {relation.value.replace('_', ' '):16} {counted(count, 'file'):>14} "
            f"{size(summary.bytes[relation]):>10}"
            for relation, count in summary.members.items()
        ]
        lines.append(
            f"Preselected for removal: {counted(summary.selected_files, 'file')}, "
            f"{size(summary.selected_bytes)}."
        )
    if failures:
        lines.append(f"{counted(len(failures), 'file')} could not be read:")
        lines += [f"  {shown(each.path)}: {each.message}" for each in failures[:FAILURES_SHOWN]]
        if len(failures) > FAILURES_SHOWN:
            lines.append(f"  ... and {len(failures) - FAILURES_SHOWN:,} more: idf failures")
    if copies:
        lines.append("Next: idf groups, idf plan, or review them in the browser with idf serve.")
    return lines


def step_back(nice: int) -> None:
    """Lower the priority of this process and of the workers that it will start.

    Raises UsageError on systems that know no such thing.
    """
    if nice == 0:
        return
    if not hasattr(os, "nice"):
        raise UsageError("--nice does not work on this system. Leave it out.")
    os.nice(nice)
