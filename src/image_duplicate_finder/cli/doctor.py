"""``idf doctor``: what this installation can do, and whether a library is in order."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from image_duplicate_finder import __version__
from image_duplicate_finder.cli.choices import open_library
from image_duplicate_finder.cli.texts import counted, shown

if TYPE_CHECKING:
    from image_duplicate_finder.installation import Check
    from image_duplicate_finder.library import Library

EXIT_PROBLEMS = 1


@click.command(short_help="Tell what this installation can do, and check a library.")
@click.option("--verify", is_flag=True, help="Also read every file in the backups and compare it.")
@click.pass_context
def command(context: click.Context, /, verify: bool) -> int:
    """Tell which formats this installation can read and which parts work, by trying them.

    What this system has no package for is left out, with what that means.

    With --verify the journal of removals and the backups are compared with the disk.

    \b
    Examples:
      idf doctor
      idf doctor --verify

    \b
    Exit status:
      0 all is well   1 something does not work or does not agree
    """
    from image_duplicate_finder.executors.processes import available_cores
    from image_duplicate_finder.installation import check_formats, check_parts

    click.echo(f"ImageDuplicateFinder {__version__}, Python {platform.python_version()}")
    click.echo(f"{platform.platform()}, {available_cores()} cores")
    with open_library(context) as library:
        click.echo(f"Library: {shown(str(library.folder))}")
        checks = [*_told("Formats", check_formats()), *_told("Parts", check_parts())]
        in_order = _backups_agree(library) if verify else True
    return (
        0 if in_order and all(check.works or check.left_out for check in checks) else EXIT_PROBLEMS
    )


def _backups_agree(library: Library) -> bool:
    from image_duplicate_finder.cli.progress import reporting

    with reporting() as progress:
        report = library.verify_backups(progress)
    click.echo(f"\nBackups: {counted(report.checked, 'file')} checked")
    for problem in report.problems:
        click.echo(f"  {shown(problem)}")
    click.echo("  Problems were found." if report.problems else "  All is well.")
    return not report.problems


def _told(title: str, checks: Sequence[Check]) -> Sequence[Check]:
    click.echo(f"\n{title}")
    for check in checks:
        verdict = "works" if check.works else "left out" if check.left_out else "DOES NOT WORK"
        detail = f" ({check.detail})" if check.detail else ""
        click.echo(f"  {check.name}: {verdict}{detail}")
    return checks
