"""``idf adopt``: take over backups of a library that is lost, or of another computer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_duplicate_finder.cli.choices import open_library
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.texts import counted, shown, size
from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.errors import NotFound

if TYPE_CHECKING:
    from image_duplicate_finder.removal import Offer

_NAMES_SHOWN = 20


@click.command(short_help="Take over backups that this library does not know.")
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
def command(
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
    from image_duplicate_finder.cli.progress import reporting

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
