"""``idf export`` and ``idf import``: what a scan found for other programs, and decisions back."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from image_duplicate_finder.cli.options import (
    choice,
    chosen_scan,
    open_library,
    query,
    query_options,
    scan_option,
)
from image_duplicate_finder.cli.output import (
    STANDARD_OUTPUT,
    check_writable,
    counted,
    shown,
    write_pieces,
    write_whole,
)
from image_duplicate_finder.errors import UsageError

if TYPE_CHECKING:
    from image_duplicate_finder.library import Library
    from image_duplicate_finder.results import GroupView, ScanRecord


class Format(StrEnum):
    """What is written."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    HTML = "html"
    DELETE_LIST = "delete-list"
    KEEP_LIST = "keep-list"


@click.command()
@click.option(
    "--format",
    "form",
    type=choice(Format),
    default=Format.CSV.value,
    show_default=True,
    help="csv and parquet: one row per file. json: as in idf scan. html: a page with thumbnails. "
    "delete-list, keep-list: one path per line.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE|-",
    default="-",
    help="Where to write it. [default: standard output]",
)
@click.option(
    "--null", "-0", is_flag=True, help="Separate the paths of a list with zero bytes, for xargs -0."
)
@scan_option
@query_options
@click.option("--selected", "selected_only", is_flag=True, help="Only groups with selected files.")
@click.pass_context
def export_command(
    context: click.Context,
    /,
    form: str,
    output: Path,
    null: bool,
    scan_number: int | None,
    **options: Any,
) -> None:
    """Write the groups of the latest scan as a table, a document, a page or a list of paths.

    A delete list names the files selected for removal and, for archives, object storage and
    manifests, where this program removes nothing, those that hold nothing their keeper lacks.
    A keep list names all other files of the groups. You can edit the choice column of a CSV
    file and read it back with idf import.

    \b
    Examples:
      idf export -o groups.csv
      idf export --format html -o report.html --kind duplicates
      idf export --format delete-list -o delete.txt
    """
    wanted = Format(form)
    lists = (Format.DELETE_LIST, Format.KEEP_LIST)
    if null and wanted not in lists:
        raise UsageError("--null only works with lists of paths.")
    if wanted is Format.PARQUET and output == STANDARD_OUTPUT:
        raise UsageError("Parquet is not text: name a file with --output.")
    check_writable(output)
    with open_library(context) as library:
        record = chosen_scan(library, scan_number)
        groups = library.all_groups(record.id, query(**options))
        if wanted is Format.PARQUET:
            from image_duplicate_finder.exports.tables import Row, rows, write_parquet

            write_whole(output, lambda path: write_parquet(Row, rows(groups), path))
        elif wanted in lists:
            write_pieces(output, _list(wanted, record, groups, null))
        else:
            write_pieces(output, _text(wanted, library, record, groups))


def _text(
    form: Format, library: Library, record: ScanRecord, groups: list[GroupView]
) -> Iterator[str]:
    if form is Format.CSV:
        from image_duplicate_finder.exports.tables import to_csv

        yield from to_csv(groups)
    elif form is Format.HTML:
        from image_duplicate_finder.web.reports import groups_report

        yield from groups_report(library, record, groups)
    else:
        from image_duplicate_finder.documents import as_text, scan_document

        yield from as_text(scan_document(record, groups, library.failures(record.id)))


def _list(form: Format, record: ScanRecord, groups: list[GroupView], null: bool) -> Iterator[bytes]:
    from image_duplicate_finder.exports.lists import delete_list, keep_list, written

    make = delete_list if form is Format.DELETE_LIST else keep_list
    yield from written(make(groups, record.settings.guarded), null=null)


@click.command()
@click.argument(
    "table", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@scan_option
@click.pass_context
def import_command(context: click.Context, /, table: Path, scan_number: int | None) -> None:
    """Import the decisions in the choice column of a table from idf export.

    \b
    keep           this file is the keeper of its group
    remove         select it for removal
    leave          do not select it
    not_duplicate  it does not match the keeper; remembered for later scans

    Files are verified against a new keeper; those that do not match leave the group and are
    listed. Rows that you deleted change nothing. If a line cannot be understood or carried out,
    nothing is changed and all such lines are listed. No file is touched: idf plan and idf apply
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
        f"{done.dismissed:,} marked as not duplicates."
    )
    if done.left:
        click.echo(
            f"{counted(len(done.left), 'file')} left the group, because they do not match the "
            "new keeper:"
        )
        for path in done.left:
            click.echo(f"  {shown(path)}")
