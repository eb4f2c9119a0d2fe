"""``idf import``: an edited table of groups as decisions."""

from __future__ import annotations

from pathlib import Path

import click

from image_duplicate_finder.cli.choices import chosen_scan, open_library, scan_option
from image_duplicate_finder.cli.texts import counted, shown


@click.command(short_help="Take over decisions from an edited table.")
@click.argument(
    "table", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@scan_option
@click.pass_context
def command(context: click.Context, /, table: Path, scan_number: int | None) -> None:
    """Take over what the column choice of a table from idf export says.

    \b
    keep           this file is the keeper of its group
    remove         select it for removal
    leave          do not
    not_duplicate  it does not show the same as the keeper; remembered for later scans

    Files are verified against a new keeper; what does not match it leaves the group and is told.
    Rows that you deleted change nothing. When a line cannot be understood or carried out,
    nothing is changed and all such lines are told. No file is touched: idf plan and idf apply
    remove what is selected.

    \b
    Examples:
      idf export -o groups.csv
      idf import groups.csv
    """
    from image_duplicate_finder.exports.decisions import apply_decisions, read_decisions

    decisions = read_decisions(table)
    with open_library(context) as library:
        done = apply_decisions(library, chosen_scan(library, scan_number).id, decisions)
    click.echo(
        f"{counted(done.groups, 'group')} changed: {counted(done.keepers, 'new keeper')}, "
        f"{counted(done.selected, 'file')} selected, {done.unselected:,} unselected, "
        f"{done.dismissed:,} marked as no duplicates."
    )
    if done.left:
        click.echo(
            f"{counted(len(done.left), 'file')} left the group, not showing the same as its new "
            "keeper:"
        )
        for path in done.left:
            click.echo(f"  {shown(path)}")
