"""``idf leakage``: pictures that appear in two splits of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from image_duplicate_finder.cli.options import (
    Command,
    JsonTarget,
    json_option,
    open_library,
    thorough_option,
)
from image_duplicate_finder.cli.output import check_writable, counted, shown, write_pieces
from image_duplicate_finder.cli.progress import reporting, stoppable
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.settings import Mode, ScanSettings

if TYPE_CHECKING:
    from image_duplicate_finder.splits import LeakageReport


EXIT_LEAKS = 1

_file = click.Path(dir_okay=False, path_type=Path)


def _split(name: str, words: str) -> Callable[[Command], Command]:
    return click.option(
        f"--{name}",
        multiple=True,
        metavar="ROOT",
        help=f"The {words} split: anything that idf scan accepts. Repeatable.",
    )


@click.command()
@_split("train", "training")
@_split("test", "test")
@_split("val", "validation")
@click.option(
    "--manifest",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A CSV or Parquet file with a column of paths and a column split, instead of the splits.",
)
@thorough_option
@click.option("--look-alikes", is_flag=True, help="Also count other photographs that look alike.")
@click.option("--fail", is_flag=True, help="Exit with status 1 if anything leaked.")
@click.option("--csv", "csv_to", type=_file, metavar="FILE", help="Write the leaks as CSV.")
@click.option(
    "--html", "html_to", type=_file, metavar="FILE", help="Write a page with thumbnails of them."
)
@click.option("--quiet", "-q", is_flag=True, help="Hide the progress.")
@json_option
@click.pass_context
def leakage_command(
    context: click.Context,
    /,
    train: tuple[str, ...],
    test: tuple[str, ...],
    val: tuple[str, ...],
    manifest: Path | None,
    mode: str,
    look_alikes: bool,
    fail: bool,
    quiet: bool,
    json_to: JsonTarget | None,
    csv_to: Path | None,
    html_to: Path | None,
) -> int:
    """List pictures that appear in two splits, including copies, crops and edits.

    \b
    Examples:
      idf leakage --train data/train --test data/test
      idf leakage --train data/train --val data/val --test data/test --fail --json leaks.json
      idf leakage --manifest data/splits.csv --html leaks.html

    \b
    Exit status:
      0 done   1 pictures leaked (only with --fail)   2 wrong usage   3 nothing readable
    """
    from image_duplicate_finder.splits import find_leaks, find_leaks_listed

    given = {"train": train, "val": val, "test": test}
    splits = {name: roots for name, roots in given.items() if roots}
    if (manifest is None) == (not splits):
        raise UsageError("Give the splits with --train and --test, or a manifest.")
    if manifest is None and not (train and test):
        raise UsageError("Leakage needs --train and --test; --val is optional.")
    for path in (csv_to, html_to):
        check_writable(path)
    with open_library(context) as library:
        with stoppable() as cancel, reporting(quiet) as progress:
            work: dict[str, Any] = {
                "similar": look_alikes,
                "progress": progress,
                "cancel": cancel,
            }
            settings = ScanSettings(mode=Mode(mode))
            report = (
                find_leaks(library, splits, settings, **work)
                if manifest is None
                else find_leaks_listed(library, manifest, settings, **work)
            )
        if csv_to is not None:
            from image_duplicate_finder.exports.tables import leaks_to_csv

            write_pieces(csv_to, leaks_to_csv(report))
        if html_to is not None:
            from image_duplicate_finder.web.reports import leaks_report

            write_pieces(html_to, leaks_report(library, report))
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
        yield f"{counted(len(report.failures), 'file')} could not be read, so were not compared:"
        yield from (f"  {shown(each.path)}: {each.message}" for each in report.failures)
    pictures = counted(len({leak.second.file.path for leak in report.leaks}), "picture")
    yield f"{counted(report.files, 'file')} compared; {pictures} leaked."
