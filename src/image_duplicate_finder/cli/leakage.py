"""``idf leakage``: pictures that stand in two splits of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_duplicate_finder.cli.choices import choice, open_library
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.texts import counted, shown
from image_duplicate_finder.settings import Mode, ScanSettings

if TYPE_CHECKING:
    from image_duplicate_finder.leakage import LeakageReport

EXIT_LEAKS = 1

_folder = click.Path(path_type=Path)


@click.command(short_help="Find pictures that stand in two splits of a data set.")
@click.option("--train", type=_folder, metavar="DIR", required=True, help="The training split.")
@click.option("--test", type=_folder, metavar="DIR", required=True, help="The test split.")
@click.option("--val", type=_folder, metavar="DIR", help="The validation split.")
@click.option(
    "--mode",
    type=choice(Mode),
    default=Mode.STANDARD.value,
    show_default=True,
    help="How hard to look, as in idf scan.",
)
@click.option("--look-alikes", is_flag=True, help="Count other photographs that look alike too.")
@click.option("--fail", is_flag=True, help="End with status 1 if anything leaked.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    train: Path,
    test: Path,
    val: Path | None,
    mode: str,
    look_alikes: bool,
    fail: bool,
    quiet: bool,
    json_to: JsonTarget | None,
) -> int:
    """List pictures that stand in two splits: copies, crops and edits of them included.

    \b
    Examples:
      idf leakage --train data/train --test data/test
      idf leakage --train data/train --val data/val --test data/test --fail --json leaks.json

    \b
    Exit status:
      0 done   1 pictures leaked (only with --fail)   2 wrong usage   3 nothing readable
    """
    from image_duplicate_finder.cli.progress import reporting
    from image_duplicate_finder.cli.stopping import stoppable
    from image_duplicate_finder.leakage import find_leaks

    splits = {"train": train, "val": val, "test": test}
    with open_library(context) as library, stoppable() as cancel, reporting(quiet) as progress:
        report = find_leaks(
            library,
            {name: folder for name, folder in splits.items() if folder is not None},
            ScanSettings(mode=Mode(mode)),
            look_alikes=look_alikes,
            progress=progress,
            cancel=cancel,
        )
    if json_to is not None:
        from image_duplicate_finder.documents import leakage_document

        json_to.write(leakage_document(report))
    if json_to is None or not json_to.is_stdout:
        for line in _lines(report):
            click.echo(line)
    return EXIT_LEAKS if fail and report.leaks else 0


def _lines(report: LeakageReport) -> Iterator[str]:
    for leak in report.leaks:
        yield f"{leak.relation.value.replace('_', ' ')}:"
        for leaked in (leak.first, leak.second):
            yield f"  {leaked.split:5} {shown(leaked.file.path)}"
    if report.failures:
        yield f"{counted(len(report.failures), 'file')} could not be used, so not compared:"
        yield from (f"  {shown(each.path)}: {each.message}" for each in report.failures)
    pictures = counted(len({leak.second.file.id for leak in report.leaks}), "picture")
    yield f"{counted(report.files, 'file')} compared; {pictures} leaked."
