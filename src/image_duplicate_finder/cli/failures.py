"""``idf failures``: what a scan could not use."""

from __future__ import annotations

import click

from image_duplicate_finder.cli.choices import chosen_scan, open_library, scan_option
from image_duplicate_finder.cli.texts import shown


@click.command(short_help="List files that a scan could not use, and why.")
@scan_option
@click.pass_context
def command(context: click.Context, /, scan_number: int | None) -> None:
    """List files and folders that a scan could not use, one a line, with the reason.

    \b
    Examples:
      idf failures
      idf failures --scan 3
    """
    with open_library(context) as library:
        for failure in library.failures(chosen_scan(library, scan_number).id):
            click.echo(f"{shown(failure.path)}: {failure.message}")
