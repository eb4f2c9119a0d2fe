"""``idf purge``: delete a backup for good."""

from __future__ import annotations

import click

from image_duplicate_finder.cli.choices import confirmed, open_library, yes_option
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.texts import counted, shown, size
from image_duplicate_finder.errors import NotFound


@click.command(short_help="Delete a backup for good, to free its space.")
@click.argument("run", type=click.IntRange(min=1), metavar="RUN")
@click.option(
    "--without-keeper",
    is_flag=True,
    help="Also delete files whose keeper has gone or changed: they may be the last copies.",
)
@yes_option
@json_option
@click.pass_context
def command(
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
