"""``idf undo``: put removed files back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_duplicate_finder.cli.choices import open_library
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.reports import strict_option, tell_report
from image_duplicate_finder.cli.texts import shown
from image_duplicate_finder.errors import NotFound

if TYPE_CHECKING:
    from image_duplicate_finder.library import Library


@click.command(short_help="Put removed files back.")
@click.argument("run", type=click.IntRange(min=1), metavar="RUN")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Put back only the file that was at PATH, with what belongs to it. "
    "May be given several times.",
)
@click.option(
    "--rename",
    is_flag=True,
    help="Where another file has taken the place, put back under a new name beside it.",
)
@strict_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    run: int,
    files: tuple[Path, ...],
    rename: bool,
    strict: bool,
    json_to: JsonTarget | None,
) -> int:
    """Put back what run RUN removed, with names, times, permissions and attributes.

    A file whose place is taken by another one stays in the backup. idf history lists the runs.

    \b
    Examples:
      idf undo 4
      idf undo 4 --file ~/Pictures/a.jpg
      idf undo 4 --rename
    """
    from image_duplicate_finder.cli.progress import reporting
    from image_duplicate_finder.cli.stopping import stoppable

    with open_library(context) as library, stoppable() as cancel:
        items = _items(library, run, files) if files else None
        with reporting() as progress:
            report = library.undo(run, items, rename=rename, progress=progress, cancel=cancel)
        return tell_report(report, "put back", json_to, strict=strict)


def _items(library: Library, run: int, files: tuple[Path, ...]) -> list[int]:
    """The journal's items for paths. Raises NotFound for a path that the run did not remove."""
    by_path = {item.path: item.id for item in library.run_items(run)}
    items = []
    for file in files:
        path = str(file.parent.resolve() / file.name)
        if path not in by_path:
            raise NotFound(f"Run {run} removed no file {shown(path)}. See: idf history {run}")
        items.append(by_path[path])
    return items
