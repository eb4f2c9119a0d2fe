"""``idf plan``, ``idf apply`` and ``idf undo``: remove files, and put them back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from image_duplicate_finder.cli.options import (
    JsonTarget,
    choice,
    chosen_scan,
    confirmed,
    json_option,
    open_library,
    query,
    query_options,
    scan_option,
    strict_option,
    yes_option,
)
from image_duplicate_finder.cli.output import counted, shown, size
from image_duplicate_finder.cli.progress import reporting, stoppable
from image_duplicate_finder.errors import Interrupted, NotFound, UsageError
from image_duplicate_finder.settings import BackupMode, RemovalAction

if TYPE_CHECKING:
    from image_duplicate_finder.library import Library
    from image_duplicate_finder.removal import Plan, Report


EXIT_SOME_STAYED = 1
_ALARMING = frozenset({"damaged", "drive"})
"""Reasons that change the exit status also without ``--strict``."""

_DOES = {
    RemovalAction.BACKUP: "Move {files} ({size}) into a backup",
    RemovalAction.TRASH: "Move {files} ({size}) to the system's trash",
    RemovalAction.HARDLINK: "Replace {files} ({size}) with hard links",
    RemovalAction.REFLINK: "Replace {files} ({size}) with clones that share their space",
    RemovalAction.SYMLINK: "Replace {files} ({size}) with symbolic links",
}


@click.command()
@scan_option
@query_options
@click.option(
    "--only-from",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Remove only from DIR. Repeatable.",
)
@click.option(
    "--action",
    type=choice(RemovalAction),
    default=RemovalAction.BACKUP.value,
    show_default=True,
    help="backup: move into a backup folder. hardlink, reflink, symlink: replace "
    "a byte-identical file with a link to the keeper. trash: move to the system's trash.",
)
@click.option(
    "--merge-metadata",
    is_flag=True,
    help="Copy metadata that keepers lack from the removed files: date, location, rating, "
    "keywords, title, description, people. Written as XMP into JPEG, PNG and WebP files, "
    "otherwise into a sidecar; pixels are untouched, and idf undo reverts it. Files whose only "
    "advantage was such metadata are then removed, too.",
)
@json_option
@click.pass_context
def plan_command(
    context: click.Context,
    /,
    scan_number: int | None,
    only_from: tuple[Path, ...],
    action: str,
    merge_metadata: bool,
    json_to: JsonTarget | None,
    **options: Any,
) -> None:
    """Show what would be removed: the selected files of the latest scan. Removes nothing.

    The plan is the dry run. Written with --json, it is what idf apply carries out; you can delete
    entries from it first.

    \b
    Examples:
      idf plan
      idf plan --json plan.json
      idf plan --relation byte_identical --action hardlink --json links.json
      idf plan --only-from ~/Pictures/phone
      idf plan --merge-metadata --json plan.json
    """
    with open_library(context) as library:
        plan = library.plan(
            chosen_scan(library, scan_number).id,
            query=query(**options),
            action=RemovalAction(action),
            only_from=only_from,
            merge_metadata=merge_metadata,
        )
    if json_to is not None:
        from image_duplicate_finder.removal import plan_to_dict

        json_to.write(plan_to_dict(plan))
        if json_to.is_stdout:
            return
    for line in _plan_lines(plan):
        click.echo(line)
    if json_to is not None:
        click.echo(f"To apply it: idf apply {json_to.name}")
    elif plan.items:
        click.echo("Nothing was removed. To remove: idf plan --json plan.json, idf apply plan.json")


def _plan_lines(plan: Plan) -> Iterator[str]:
    for item in plan.items:
        evidence = item.evidence
        yield f"remove {shown(item.path)}"
        for companion in item.companions:
            yield f"  with {shown(companion.path)}"
        yield f"  keep {shown(evidence.keeper.path)}: {evidence.words}"
    for merge in plan.merges:
        yield f"add to {shown(merge.keeper.path)}: {', '.join(merge.additions.to_values())}"
        yield from (f"  from {shown(path)}" for path in merge.sources)
    if plan.refusals:
        yield f"{counted(len(plan.refusals), 'selected file')} cannot be removed:"
        yield from (f"  {shown(each.path)}: {each.message}" for each in plan.refusals)
    yield f"{counted(len(plan.items), 'file')} to remove, {size(plan.total_bytes)}."


@click.command()
@click.argument("plan_file", metavar="PLAN", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--backup",
    "mode",
    type=choice(BackupMode),
    default=BackupMode.AUTO.value,
    show_default=True,
    help="auto: also preserve the kept files of the affected groups, where this takes no space. "
    "full: preserve all files of the scan, as copies if necessary, which can take as much space "
    "as the files themselves. removed: only the removed files.",
)
@click.option(
    "--backup-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Create the backup in DIR instead of beside the scanned folder.",
)
@yes_option
@strict_option
@json_option
@click.pass_context
def apply_command(
    context: click.Context,
    /,
    plan_file: Path,
    mode: str,
    backup_dir: Path | None,
    yes: bool,
    strict: bool,
    json_to: JsonTarget | None,
) -> int:
    """Carry out a plan that idf plan --json wrote. Each file is checked again before removal.

    Files that no longer match the plan stay where they are and are reported. Nothing is deleted:
    idf undo restores the files, idf purge frees the space.

    \b
    Examples:
      idf apply plan.json
      idf apply plan.json --yes --json report.json
      idf apply plan.json --backup-dir /mnt/backups

    \b
    Exit status:
      0 done   1 done, but some files stayed (only with --strict)   2 wrong usage
      4 could not be done   130 interrupted
    """
    plan = read_plan(plan_file)
    if not plan.items:
        raise UsageError(f"The plan {shown(str(plan_file))} lists no files to remove.")
    files = counted(len(plan.items), "file")
    does = _DOES[plan.action].format(files=files, size=size(plan.total_bytes))
    if not confirmed(f"{does}?", yes):
        click.echo("Nothing was removed.", err=True)
        return 0
    with open_library(context) as library, stoppable() as cancel:
        with reporting() as progress:
            report = library.apply(
                plan,
                mode=BackupMode(mode),
                backup_dir=backup_dir,
                progress=progress,
                cancel=cancel,
            )
        return write_report(report, "removed", json_to, strict=strict, undo=True)


def read_plan(path: Path) -> Plan:
    """The plan in a file. Raises UsageError for anything else."""
    from image_duplicate_finder.removal import plan_from_dict

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"The plan {shown(str(path))} cannot be read: {error.strerror}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{shown(str(path))} is not a plan; write one with: idf plan --json FILE"
        ) from error
    return plan_from_dict(document)


@click.command()
@click.argument("run", type=click.IntRange(min=1), metavar="RUN")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Restore only the file that was at PATH, with its companion files. Repeatable.",
)
@click.option(
    "--rename",
    is_flag=True,
    help="If another file is in the way, restore under a new name beside it.",
)
@strict_option
@json_option
@click.pass_context
def undo_command(
    context: click.Context,
    /,
    run: int,
    files: tuple[Path, ...],
    rename: bool,
    strict: bool,
    json_to: JsonTarget | None,
) -> int:
    """Restore what run RUN removed, with names, times, permissions and attributes.

    A file stays in the backup if another one has taken its place. idf history lists the runs.

    \b
    Examples:
      idf undo 4
      idf undo 4 --file ~/Pictures/a.jpg
      idf undo 4 --rename
    """
    with open_library(context) as library, stoppable() as cancel:
        items = _items(library, run, files) if files else None
        with reporting() as progress:
            report = library.undo(run, items, rename=rename, progress=progress, cancel=cancel)
        return write_report(report, "restored", json_to, strict=strict)


def _items(library: Library, run: int, files: tuple[Path, ...]) -> list[int]:
    """The journal's items for paths. Raises NotFound for a path that the run did not remove."""
    by_path = {item.path: item.id for item in library.run_items(run)}
    items = []
    for file in files:
        path = str(file.parent.resolve() / file.name)
        if path not in by_path:
            raise NotFound(f"Run {run} did not remove {shown(path)}. See: idf history {run}")
        items.append(by_path[path])
    return items


def write_report(
    report: Report, done: str, json_to: JsonTarget | None, *, strict: bool, undo: bool = False
) -> int:
    """Write a report and return the exit status; ``done`` is the word for what was done.

    Raises Interrupted when the work was stopped before its end, after telling what was done.
    """
    if json_to is not None:
        from image_duplicate_finder.documents import report_document

        json_to.write(report_document(report))
    if json_to is None or not json_to.is_stdout:
        for line in _report_lines(report, done, undo):
            click.echo(line)
    if report.stopped:
        raise Interrupted("Stopped early; what was done is listed above.")
    alarming = any(refusal.reason in _ALARMING for refusal in report.skipped)
    return EXIT_SOME_STAYED if alarming or (strict and report.skipped) else 0


def _report_lines(report: Report, done: str, undo: bool) -> Iterator[str]:
    if report.skipped:
        yield f"{counted(len(report.skipped), 'file')} skipped:"
        yield from (f"  {shown(each.path)}: {each.message}" for each in report.skipped)
    for item in report.done:
        if item.destination is not None and item.destination != item.path:
            yield f"{shown(item.path)} was restored as {shown(item.destination)}"
    yield from (f"metadata added: {shown(item.path)}" for item in report.merged)
    yield from report.notes
    if report.preserved:
        yield f"The backup also preserves {counted(report.preserved, 'other file')} of the scan."
    yield f"{counted(len(report.done), 'file')} {done}, {size(report.total_bytes)}."
    if undo and report.done:
        yield f"This was run {report.run}. To restore: idf undo {report.run}"
