"""``idf find``: where a picture shows up among the files of a scan."""

from __future__ import annotations

from pathlib import Path

import click

from image_duplicate_finder.cli.choices import chosen_scan, open_library, scan_option
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.texts import shown


@click.command(short_help="Find a picture among the files of a scan.")
@click.argument(
    "picture", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="PICTURE"
)
@scan_option
@click.option(
    "--in",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Only files below DIR.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Show N pictures at the most.",
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    picture: Path,
    scan_number: int | None,
    folder: Path | None,
    limit: int,
    json_to: JsonTarget | None,
) -> None:
    """List the files of the latest scan that show PICTURE or look like it, the surest first.

    PICTURE need not belong to the scan.

    \b
    Examples:
      idf find ~/Downloads/unknown.jpg
      idf find screenshot.png --in ~/Pictures/2024 --limit 5 --json -
    """
    with open_library(context) as library:
        hits = library.find_like(
            chosen_scan(library, scan_number).id, picture, folder=folder, limit=limit
        )
    if json_to is not None:
        from image_duplicate_finder.documents import hits_document

        json_to.write(hits_document(str(picture.absolute()), hits))
        if json_to.is_stdout:
            return
    for hit in hits:
        click.echo(f"{shown(hit.file.path)}: {hit.words}")
    if not hits:
        click.echo("No file of the scan shows it.")
