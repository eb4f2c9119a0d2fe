"""``idf doctor``: what this installation can do, and whether a library is in order."""

from __future__ import annotations

import platform
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_duplicate_finder import __version__
from image_duplicate_finder.cli.options import open_library
from image_duplicate_finder.cli.output import counted, shown
from image_duplicate_finder.cli.progress import reporting
from image_duplicate_finder.errors import UsageError

if TYPE_CHECKING:
    from image_duplicate_finder.installation import Check
    from image_duplicate_finder.library import Library


EXIT_PROBLEMS = 1
_SCANS_OF_A_REPORT = 10


@click.command()
@click.option("--verify", is_flag=True, help="Also read every file in the backups and compare it.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Write what a bug report needs to FILE: no path, no name, no picture.",
)
@click.pass_context
def doctor_command(context: click.Context, /, verify: bool, report: str | None) -> int:
    """Tell which formats this installation can read and which parts work, by trying them.

    What this system has no package for is left out, with what that means.

    With --verify the journal of removals and the backups are compared with the disk.

    With --report all of this goes into one file that can be attached to a bug report, together
    with versions, settings and numbers of the library. It holds no path, no name of a file, no
    hash and no picture; it is plain text, so look at it before you hand it on.

    \b
    Examples:
      idf doctor
      idf doctor --verify
      idf doctor --report report.txt

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
        if report is not None:
            _write(report, _report(library, checks))
            click.echo(f"\nThe report is in {shown(report)}. Look at it before you hand it on.")
    return (
        0 if in_order and all(check.works or check.left_out for check in checks) else EXIT_PROBLEMS
    )


def _backups_agree(library: Library) -> bool:

    with reporting() as progress:
        report = library.verify_backups(progress)
    click.echo(f"\nBackups: {counted(report.checked, 'file')} checked")
    for problem in report.problems:
        click.echo(f"  {shown(problem)}")
    click.echo("  Problems were found." if report.problems else "  All is well.")
    return not report.problems


def _write(report: str, lines: Iterable[str]) -> None:
    try:
        Path(report).write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{report} cannot be written: {error.strerror}.") from error


def _report(library: Library, checks: Sequence[Check]) -> Iterator[str]:
    """The lines of a report: versions and numbers, nothing that tells of anyone's files.

    Sentences that can name a file, those of failures and of scans that ended badly, are left
    out; how often each stage failed is what tells most.
    """
    from image_duplicate_finder.executors.processes import available_cores
    from image_duplicate_finder.installation import package_versions

    yield f"ImageDuplicateFinder {__version__}"
    yield f"Python {platform.python_version()} ({platform.python_implementation()})"
    yield f"{platform.system()} {platform.release()} {platform.machine()}"
    yield f"{available_cores()} cores, {shutil.disk_usage(library.folder).free >> 20} MiB free"
    yield ""
    yield "What works"
    for check in checks:
        yield f"  {check.name}: {'yes' if check.works else 'left out' if check.left_out else 'no'}"
    yield ""
    yield "Packages"
    for name, version in package_versions():
        yield f"  {name} {version}"
    yield ""
    yield "Scans, the latest first"
    for scan in library.scans()[:_SCANS_OF_A_REPORT]:
        yield (
            f"  {scan.state.value}: {scan.files} files in {len(scan.roots)} folders, "
            f"{scan.decoded} read, {scan.failures} failed, {scan.seconds:.1f} s"
        )
        for name, value in asdict(scan.settings).items():
            yield f"    {name}: {_harmless(value)}"
        stages = Counter(failure.stage for failure in library.failures(scan.id))
        for stage, count in sorted(stages.items()):
            yield f"    failed at {stage}: {count}"
    yield ""
    backups = library.backups()
    there = sum(info.present for info in backups)
    yield f"Backups: {len(backups)}, {there} of them there, {sum(b.files for b in backups)} files"


def _harmless(value: object) -> str:
    """A setting without what could be a path or a name: of those only how many there are."""
    if value is None or isinstance(value, bool | int | float | StrEnum):
        return str(value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_harmless(each)}" for name, each in value.items())
    if isinstance(value, str):
        return "set" if value else "not set"
    if isinstance(value, Sequence):
        plain = all(isinstance(each, StrEnum) for each in value)
        return ", ".join(map(str, value)) if plain else f"{len(value)} of them"
    return "set"


def _told(title: str, checks: Sequence[Check]) -> Sequence[Check]:
    click.echo(f"\n{title}")
    for check in checks:
        verdict = "works" if check.works else "left out" if check.left_out else "DOES NOT WORK"
        detail = f" ({check.detail})" if check.detail else ""
        click.echo(f"  {check.name}: {verdict}{detail}")
    return checks
