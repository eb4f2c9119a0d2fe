"""``idf groups`` and ``idf failures``: what a scan found, and what it could not use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from image_duplicate_finder.cli.options import (
    JsonTarget,
    choice,
    chosen_scan,
    json_option,
    open_library,
    query,
    query_options,
    scan_option,
)
from image_duplicate_finder.cli.output import shown, size
from image_duplicate_finder.results import GroupSort

if TYPE_CHECKING:
    from image_duplicate_finder.results import FileView, GroupView


@click.command()
@scan_option
@query_options
@click.option("--selected", "selected_only", is_flag=True, help="Only groups with selected files.")
@click.option(
    "--sort",
    type=choice(GroupSort),
    default=GroupSort.SPACE.value,
    show_default=True,
    help="Sort by reclaimable space, number of files, date, similarity, size or path.",
)
@click.option("--reverse", is_flag=True, help="Reverse the order.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="Show at most N groups. JSON contains all of them.",
)
@click.option(
    "--offset", type=click.IntRange(min=0), default=0, metavar="N", help="Skip the first N groups."
)
@click.option(
    "--esimilarity-threshold",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Regroup similar pictures with this maximum Euclidean distance, without a new scan.",
)
@click.option(
    "--csimilarity-threshold",
    type=click.FloatRange(0, 1),
    metavar="X",
    help="Regroup similar pictures with this minimum cosine similarity, without a new scan.",
)
@json_option
@click.pass_context
def groups_command(
    context: click.Context,
    /,
    scan_number: int | None,
    json_to: JsonTarget | None,
    sort: str,
    esimilarity_threshold: float | None,
    csimilarity_threshold: float | None,
    **options: Any,
) -> None:
    """Show the groups that a scan found: which file is kept, why, and what the others are.

    The word remove marks files selected for removal: those that idf plan puts into a plan.

    \b
    Examples:
      idf groups
      idf groups --kind duplicates --relation cropped
      idf groups --below ~/Pictures/phone --sort count
      idf groups --kind similar --esimilarity-threshold 0.7 --csimilarity-threshold 0.8
    """
    wanted = query(sort=GroupSort(sort), **options)
    with open_library(context) as library:
        record = chosen_scan(library, scan_number)
        if esimilarity_threshold is not None or csimilarity_threshold is not None:
            before = record.settings
            record = library.set_thresholds(
                record.id,
                esimilarity_threshold=_or(esimilarity_threshold, before.esimilarity_threshold),
                csimilarity_threshold=_or(csimilarity_threshold, before.csimilarity_threshold),
            )
        if json_to is not None:
            from image_duplicate_finder.documents import scan_document

            groups = library.all_groups(record.id, wanted)
            json_to.write(scan_document(record, groups, library.failures(record.id)))
            if json_to.is_stdout:
                return
        page = library.groups(record.id, wanted)
    for number, group in enumerate(page.groups, wanted.offset + 1):
        click.echo("\n".join(_lines(group, f"Group {number:,} of {page.total:,}")))
        click.echo()
    if not page.total:
        click.echo("No groups.")
    elif wanted.offset + len(page.groups) < page.total:
        click.echo(f"More: --offset {wanted.offset + len(page.groups)}")


def _or(wanted: float | None, before: float) -> float:
    return before if wanted is None else wanted


def _lines(group: GroupView, title: str) -> Iterator[str]:
    yield f"{title} ({group.kind.value})"
    yield f"  keep    {_file(group.keeper)}: {'; '.join(group.reasons)}"
    for member in group.members:
        mark = "gone" if member.file.gone else "remove" if member.selected else "leave"
        yield f"  {mark:7} {_file(member.file)}: {member.words}"
        if member.lacks:
            yield f"          only here: {', '.join(lack.template for lack in member.lacks)}"
        elif member.witness not in (None, group.keeper.id):
            witness = next(m.file for m in group.members if m.file.id == member.witness)
            yield f"          also contained in {shown(witness.path)}"


def _file(file: FileView) -> str:
    info = file.info
    return f"{shown(file.path)}  {info.width} x {info.height} {info.format}, {size(file.stat.size)}"


@click.command()
@scan_option
@click.pass_context
def failures_command(context: click.Context, /, scan_number: int | None) -> None:
    """List files and folders that a scan could not read, one per line, with the reason.

    \b
    Examples:
      idf failures
      idf failures --scan 3
    """
    with open_library(context) as library:
        for failure in library.failures(chosen_scan(library, scan_number).id):
            click.echo(f"{shown(failure.path)}: {failure.message}")
