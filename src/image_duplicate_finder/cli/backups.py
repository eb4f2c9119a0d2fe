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
            lines = [_line(each) for each in runs] or ["Nothing was removed yet."]
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

    Every backup folder explains itself in its README.txt, also without this program.

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
        there = "" if info.present else ", not there now"
        click.echo(
            f"run {info.backup.run}: {shown(info.backup.folder)} "
            f"({counted(info.files, 'file')}, {size(info.size)}{preserved}{there})"
        )
    for folder in others:
        click.echo(f"another library's: {shown(folder)} (to take it over: idf adopt)")
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
    help="Files of the backup may go back below DIR. May be given several times.",
)
@click.option(
    "--file",
    "names",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="This file may go back although it is hidden, lies where programs start what they "
    "find, or is no picture by its name. May be given several times.",
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
    """Take over backups whose library is lost, so that idf undo and idf purge work on them.

    FOLDER is a backup, or a scanned folder with backups in it or beside it. A backup can come
    from anyone, so its files go back only below folders that you confirm: the named FOLDER when
    it is the scanned one, those of --root, or what you answer when asked. Every file is read and
    compared with what the backup says of it. A backup of this library that you moved goes back
    to where it came from.

    \b
    Examples:
      idf adopt ~/Pictures
      idf adopt /mnt/stick/ImageDuplicateFinder-backup/2026-11-22_10-28-15 --root ~/Pictures
    """
    with open_library(context) as library:
        found = library.strange_backups(folders)
        if not found:
            raise NotFound(
                "There is no backup in the named folders that this library does not know. "
                "idf backups lists those it knows."
            )
        taken = set()
        for folder in found:
            offer = library.offer(folder)
            agreed: list[str | Path] = [*roots, *_confirmed(offer, folders)]
            with reporting() as progress:
                taken.add(library.adopt(folder, progress, roots=agreed, names=names))
            _tell_left_out(offer, names)
        known = [info for info in library.backups() if info.backup.run in taken]
    if json_to is not None:
        from image_duplicate_finder.documents import backups_document

        json_to.write(backups_document(known, ()))
        return
    for info in known:
        click.echo(
            f"run {info.backup.run}: {shown(info.backup.folder)} "
            f"({counted(info.files, 'file')}, {size(info.size)})\n"
            f"  To put the files back below {shown(info.backup.root)}: idf undo {info.backup.run}"
        )


def _confirmed(offer: Offer, folders: tuple[Path, ...]) -> list[str]:
    """The folder of an offer, if the person named it or says yes now."""
    named = [str(folder.resolve()) for folder in folders]
    if offer.own or any(is_inside(offer.root, folder) for folder in named):
        return [offer.root]
    if not sys.stdin.isatty():
        return []
    question = (
        f"{shown(offer.folder)} holds {counted(offer.files, 'file')} that would go back below "
        f"{shown(offer.root)}. Is that right?"
    )
    return [offer.root] if click.confirm(question, default=False, err=True) else []


def _tell_left_out(offer: Offer, names: tuple[Path, ...]) -> None:
    """Say which files of a backup were not taken over, and why."""
    confirmed = {str(name.parent.resolve() / name.name) for name in names}
    left = [path for path in offer.delicate if path not in confirmed]
    for path in left[:_NAMES_SHOWN]:
        click.echo(
            f"left out {shown(path)}: hidden, started by itself, or no picture. "
            "To take it over: --file",
            err=True,
        )
    if len(left) > _NAMES_SHOWN:
        click.echo(f"left out {len(left) - _NAMES_SHOWN:,} more such files", err=True)
    if offer.outside:
        click.echo(
            f"left out {counted(offer.outside, 'file')} that belong below other folders; "
            "--root names those",
            err=True,
        )
    if offer.damaged:
        click.echo(f"{counted(offer.damaged, 'line')} of its manifest are damaged", err=True)


@click.command()
@click.argument("run", type=click.IntRange(min=1), metavar="RUN")
@click.option(
    "--without-keeper",
    is_flag=True,
    help="Also delete files whose keeper has gone or changed: they may be the last copies.",
)
@yes_option
@json_option
@click.pass_context
def purge_command(
    context: click.Context, /, run: int, without_keeper: bool, yes: bool, json_to: JsonTarget | None
) -> int:
    """Delete the backup of run RUN for good. This is the only verb that deletes anything.

    A file whose keeper is not there any more stays in the backup.

    \b
    Examples:
      idf purge 4
      idf purge 4 --yes
    """
    with open_library(context) as library:
        found = next((each for each in library.history() if each.id == run), None)
        if found is None:
            raise NotFound(f"There is no run {run}. See: idf history")
        question = f"Delete the backup of run {run} ({size(found.held)}) for good?"
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
