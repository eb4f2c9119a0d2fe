"""``idf history``: what was removed and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from image_duplicate_finder.cli.choices import open_library
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.texts import counted, shown, size

if TYPE_CHECKING:
    from image_duplicate_finder.removal import Run


@click.command(short_help="List what was removed and put back.")
@click.argument("run", type=click.IntRange(min=1), metavar="[RUN]", required=False)
@json_option
@click.pass_context
def command(context: click.Context, /, run: int | None, json_to: JsonTarget | None) -> None:
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
