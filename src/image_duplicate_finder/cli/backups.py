"""``idf history``, ``backups``, ``adopt`` and ``purge``: what was removed, and where it lies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_duplicate_finder.cli.options import (
    JsonTarget,
    confirmed,
    json_option,
    open_library,
    yes_option,
)
from image_duplicate_finder.cli.output import counted, shown, size
from image_duplicate_finder.cli.progress import reporting
from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.messages import Problem

if TYPE_CHECKING:
    from image_duplicate_finder.removal import Offer, Run


_NAMES_SHOWN = 20


@click.command()
@click.argument("run", type=click.IntRange(min=1), metavar="[RUN]", required=False)
@json_option
@click.pass_context
def history_command(context: click.Context, /, run: int | None, json_to: JsonTarget | None) -> None:
    """List all removals, the latest first, or the files of one of them.

    \b
    Examples:
      idf history
      idf history 4
      idf history --json -
    """
    from image_duplicate_finder.documents import history_document, run_document

    with open_library(context) as library:
        if run is None:
            runs = library.history()
            document = history_document(runs)
            lines = [_line(each) for each in runs] or ["Nothing has been removed yet."]
        else:
            items = library.run_items(run)
            document = run_document(run, items)
            lines = [f"{item.state.value:9} {shown(item.path)}" for item in items]
    if json_to is not None:
        json_to.write(document)
        return
    for line in lines:
        click.echo(line)


def _line(run: Run) -> str:
    states = ", ".join(f"{count:,} {state.value}" for state, count in sorted(run.counts.items()))
    held = f", {size(run.held)} in the backup" if run.held else ""
    total = counted(sum(run.counts.values()), "file")
    when = run.started.replace("T", " ")[:19]
    return f"{run.id:4}  {when}  {run.action.value}, {run.state.value}: {total} ({states}){held}"


@click.command()
@click.argument("folders", nargs=-1, metavar="[FOLDER...]", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def backups_command(
    context: click.Context, /, folders: tuple[Path, ...], json_to: JsonTarget | None
) -> None:
    """List the backup folders of this library, and those in or beside the given folders.

    Every backup folder contains a README.txt that explains it, even without this program.

    \b
    Examples:
      idf backups
      idf backups ~/Pictures /mnt/phone
    """
    with open_library(context) as library:
        known = library.backups()
        others = library.strange_backups(folders)
    if json_to is not None:
        from image_duplicate_finder.documents import backups_document

        json_to.write(backups_document(known, others))
        return
    for info in known:
        preserved = f", {info.backup.preserved:,} preserved" if info.backup.preserved else ""
        there = "" if info.present else ", not found"
        click.echo(
            f"run {info.backup.run}: {shown(info.backup.folder)} "
            f"({counted(info.files, 'file')}, {size(info.size)}{preserved}{there})"
        )
    for folder in others:
        click.echo(f"another library's: {shown(folder)} (to adopt it: idf adopt)")
    if not known and not others:
        click.echo("No backups.")


@click.command()
@click.argument(
    "folders", nargs=-1, required=True, metavar="FOLDER...", type=click.Path(path_type=Path)
)
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Files of the backup may be restored to DIR. Repeatable.",
)
@click.option(
    "--file",
    "names",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="This file may be restored although it is hidden, would be run by other programs, "
    "or is not named like a picture. Repeatable.",
)
@json_option
@click.pass_context
def adopt_command(
    context: click.Context,
    /,
    folders: tuple[Path, ...],
    roots: tuple[Path, ...],
    names: tuple[Path, ...],
    json_to: JsonTarget | None,
) -> None:
    """Adopt backups whose library is lost, so that idf undo and idf purge work on them.

    FOLDER is a backup, or a scanned folder with backups in it or beside it. A backup can come
    from anyone, so its files are only restored to folders that you confirm: FOLDER itself if it
    is the scanned one, those of --root, or what you answer when asked. Every file is read and
    compared with what the backup says about it. Files of this library's own backups, if you
    moved them, return to where they came from.

    \b
    Examples:
      idf adopt ~/Pictures
      idf adopt /mnt/stick/ImageDuplicateFinder-backup/2026-11-22_10-28-15 --root ~/Pictures
    """
    with open_library(context) as library:
        found = library.strange_backups(folders)
        if not found:
            raise NotFound(
                "The given folders contain no backup that this library does not know. "
                "idf backups lists those it knows."
            )
        taken = set()
        for folder in found:
            offer = library.offer(folder)
            agreed: list[str | Path] = [*roots, *_confirmed(offer, folders)]
            with reporting() as progress:
                taken.add(library.adopt(folder, progress, roots=agreed, names=names))
            _report_left_out(offer, names)
        known = [info for info in library.backups() if info.backup.run in taken]
    if json_to is not None:
        from image_duplicate_finder.documents import backups_document

        json_to.write(backups_document(known, ()))
        return
    for info in known:
        click.echo(
            f"run {info.backup.run}: {shown(info.backup.folder)} "
            f"({counted(info.files, 'file')}, {size(info.size)})\n"
            f"  To restore the files to {shown(info.backup.root)}: idf undo {info.backup.run}"
        )


def _confirmed(offer: Offer, folders: tuple[Path, ...]) -> list[str]:
    """The folder of an offer, if the person named it or says yes now."""
    named = [str(folder.resolve()) for folder in folders]
    if offer.own or any(is_inside(offer.root, folder) for folder in named):
        return [offer.root]
    if not sys.stdin.isatty():
        return []
    question = (
        f"{shown(offer.folder)} contains {counted(offer.files, 'file')} that would be restored to "
        f"{shown(offer.root)}. Is that right?"
    )
    return [offer.root] if click.confirm(question, default=False, err=True) else []


def _report_left_out(offer: Offer, names: tuple[Path, ...]) -> None:
    """Say which files of a backup were not taken over, and why."""
    confirmed = {str(name.parent.resolve() / name.name) for name in names}
    left = [path for path in offer.delicate if path not in confirmed]
    for path in left[:_NAMES_SHOWN]:
        click.echo(
            f"skipped {shown(path)}: hidden, run automatically, or not a picture. "
            "To include it: --file",
            err=True,
        )
    if len(left) > _NAMES_SHOWN:
        click.echo(f"skipped {len(left) - _NAMES_SHOWN:,} more such files", err=True)
    if offer.outside:
        click.echo(
            f"skipped {counted(offer.outside, 'file')} that belong to other folders; "
            "name those with --root",
            err=True,
        )
    if offer.damaged:
        click.echo(f"{counted(offer.damaged, 'line')} of its manifest are damaged", err=True)


@click.command()
@click.argument("run", type=click.IntRange(min=1), metavar="RUN")
@click.option(
    "--without-keeper",
    is_flag=True,
    help="Also delete files whose keeper is missing or has changed: they may be the last copies.",
)
@yes_option
@json_option
@click.pass_context
def purge_command(
    context: click.Context, /, run: int, without_keeper: bool, yes: bool, json_to: JsonTarget | None
) -> int:
    """Permanently delete the backup of run RUN. This is the only command that deletes anything.

    A file whose keeper no longer exists stays in the backup.

    \b
    Examples:
      idf purge 4
      idf purge 4 --yes
    """
    with open_library(context) as library:
        found = next((each for each in library.history() if each.id == run), None)
        if found is None:
            raise NotFound(Problem.NO_RUN(run=run))
        question = f"Permanently delete the backup of run {run} ({size(found.held)})?"
        if not confirmed(question, yes):
            click.echo("Nothing was deleted.", err=True)
            return 0
        report = library.purge(run, without_keeper=without_keeper)
    if json_to is not None:
        from image_duplicate_finder.documents import purge_document

        json_to.write(purge_document(report))
        if json_to.is_stdout:
            return 0
    for refusal in report.kept:
        click.echo(f"kept {shown(refusal.path)}: {refusal.message}")
    click.echo(f"{counted(report.purged, 'file')} deleted, {size(report.freed)} freed.")
    return 0
