"""``idf compare``: what one picture is to another."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_duplicate_finder.cli.choices import choice
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.texts import shown
from image_duplicate_finder.errors import NothingReadable
from image_duplicate_finder.settings import Mode, ScanSettings

if TYPE_CHECKING:
    from image_duplicate_finder.api import ScanResult

EXIT_DIFFERENT = 1

_picture = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Tell what one picture is to another.")
@click.argument("first", type=_picture, metavar="A")
@click.argument("second", type=_picture, metavar="B")
@click.option(
    "--mode",
    type=choice(Mode),
    default=Mode.THOROUGH.value,
    show_default=True,
    help="How hard to look, as in idf scan.",
)
@json_option
def command(first: Path, second: Path, mode: str, json_to: JsonTarget | None) -> int:
    """Tell whether A and B show the same, what one is to the other, and which one to keep.

    \b
    Examples:
      idf compare a.jpg b.jpg
      idf compare a.jpg b.jpg --json -

    \b
    Exit status:
      0 they show the same, or look alike   1 they do not   3 one cannot be read
    """
    from image_duplicate_finder.api import find_duplicates

    if first.samefile(second):
        raise click.UsageError("Both names lead to one and the same file.")
    with tempfile.TemporaryDirectory(prefix="idf-compare-") as library:
        # A scan of just these two: the answer is what a scan of their folders would say.
        result = find_duplicates([first, second], ScanSettings(mode=Mode(mode)), library=library)
    for failure in result.failures:
        raise NothingReadable(f"{failure.path}: {failure.message}")
    if json_to is not None:
        json_to.write(result.to_dict())
    if json_to is None or not json_to.is_stdout:
        click.echo(_words(result))
    return 0 if result.groups else EXIT_DIFFERENT


def _words(result: ScanResult) -> str:
    for group in result.groups:
        for member in group.members:
            return (
                f"{shown(member.file.path)}: {member.words}\n"
                f"keep {shown(group.keeper.path)}: {'; '.join(group.reasons)}"
            )
    return "They do not show the same."
