"""``idf backups``: where removed files are."""

from __future__ import annotations

from pathlib import Path

import click

from image_duplicate_finder.cli.choices import open_library
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.texts import counted, shown, size


@click.command(short_help="List backup folders and what they hold.")
@click.argument("folders", nargs=-1, metavar="[FOLDER...]", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def command(
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
