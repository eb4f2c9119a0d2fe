"""``idf adopt``: take over backups of a library that is lost, or of another computer."""

from __future__ import annotations

from pathlib import Path

import click

from image_duplicate_finder.cli.choices import open_library
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.texts import counted, shown, size
from image_duplicate_finder.errors import NotFound


@click.command(short_help="Take over backups that this library does not know.")
@click.argument(
    "folders", nargs=-1, required=True, metavar="FOLDER...", type=click.Path(path_type=Path)
)
@json_option
@click.pass_context
def command(
    context: click.Context, /, folders: tuple[Path, ...], json_to: JsonTarget | None
) -> None:
    """Take over backups whose library is lost, so that idf undo and idf purge work on them.

    FOLDER is a backup, or a scanned folder with backups in it. Every file is read and compared
    with what the backup says of it. If the backup moved together with its folder (a drive that
    has another name now), the files come back there.

    \b
    Examples:
      idf adopt ~/Pictures
      idf adopt /mnt/photos/ImageDuplicateFinder-backup/2026-11-22_10-28-15
    """
    from image_duplicate_finder.cli.progress import reporting

    with open_library(context) as library:
        found = library.strange_backups(folders)
        if not found:
            raise NotFound(
                "There is no backup in the named folders that this library does not know. "
                "idf backups lists those it knows."
            )
        with reporting() as progress:
            taken = {library.adopt(folder, progress) for folder in found}
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
