"""``idf find`` and ``idf compare``: one picture among a scan's files, or beside another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_duplicate_finder.cli.options import (
    JsonTarget,
    chosen_scan,
    json_option,
    open_library,
    scan_option,
    thorough_option,
)
from image_duplicate_finder.cli.output import shown
from image_duplicate_finder.settings import DecodeLimits, Mode, ScanSettings

if TYPE_CHECKING:
    from image_duplicate_finder.api import ScanResult


EXIT_DIFFERENT = 1
_PICTURE_SUFFIXES = (".png", ".jpg", ".webp")

_picture = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument(
    "picture", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="PICTURE"
)
@scan_option
@click.option(
    "--in",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Only files below DIR.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Show at most N pictures.",
)
@json_option
@click.pass_context
def find_command(
    context: click.Context,
    /,
    picture: Path,
    scan_number: int | None,
    folder: Path | None,
    limit: int,
    json_to: JsonTarget | None,
) -> None:
    """List the files of the latest scan that show PICTURE or look like it, best match first.

    PICTURE does not have to be part of the scan.

    \b
    Examples:
      idf find ~/Downloads/unknown.jpg
      idf find screenshot.png --in ~/Pictures/2024 --limit 5 --json -
    """
    from image_duplicate_finder.executors.processes import early_worker

    # Most scans are made with these settings; for others a second worker takes its place.
    with early_worker(ScanSettings()), open_library(context) as library:
        hits = library.find_like(
            chosen_scan(library, scan_number).id, picture, folder=folder, limit=limit
        )
    if json_to is not None:
        from image_duplicate_finder.documents import hits_document

        json_to.write(hits_document(str(picture.absolute()), hits))
        if json_to.is_stdout:
            return
    for hit in hits:
        click.echo(f"{shown(hit.file.path)}: {hit.words}")
    if not hits:
        click.echo("No file of the scan matches.")


@click.command()
@click.argument("first", type=_picture, metavar="A")
@click.argument("second", type=_picture, metavar="B")
@thorough_option
@click.option(
    "--picture",
    "picture_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a picture that shows both, their outlines on each other, and where they differ.",
)
@json_option
def compare_command(
    first: Path, second: Path, mode: str, picture_path: Path | None, json_to: JsonTarget | None
) -> int:
    """Say whether A and B show the same, how they relate, and which one to keep.

    \b
    Examples:
      idf compare a.jpg b.jpg
      idf compare a.jpg b.jpg --picture differences.png
      idf compare a.jpg b.jpg --json -

    \b
    Exit status:
      0 same or similar   1 different   3 one of them cannot be read
    """
    from image_duplicate_finder.executors.processes import early_worker

    if first.samefile(second):
        raise click.UsageError("Both names refer to the same file.")
    if picture_path is not None:
        _check_new(picture_path)
    with early_worker(ScanSettings(mode=Mode(mode))):
        from image_duplicate_finder.api.calls import scan_of_two
        from image_duplicate_finder.discover import one_picture

        first, second = Path(one_picture(first)), Path(one_picture(second))
        result = scan_of_two(str(first), str(second), Mode(mode))
    if json_to is not None:
        json_to.write(result.to_dict())
    if picture_path is not None:
        _draw(first, second, result, picture_path)
    if json_to is None or not json_to.is_stdout:
        click.echo(_words(result))
    return 0 if result.groups else EXIT_DIFFERENT


def _check_new(target: Path) -> None:
    """Refuse a name that cannot be written, before the work begins."""
    if target.exists():
        raise click.UsageError(f"{target} already exists: name a new file.")
    if target.suffix.lower() not in _PICTURE_SUFFIXES:
        raise click.UsageError(f"{target} must end in {', '.join(_PICTURE_SUFFIXES)}.")
    if not target.parent.is_dir():
        raise click.UsageError(f"There is no folder {target.parent}.")


def _draw(first: Path, second: Path, result: ScanResult, target: Path) -> None:
    """Write the sheet of both pictures, the kept one first where they show the same."""
    import cv2

    from image_duplicate_finder.decode import decode_full
    from image_duplicate_finder.overlay import draw_sheet, normalised

    left, right, matrix = first, second, None
    for group in result.groups:
        for member in group.members:
            left, right = Path(group.keeper.path), Path(member.file.path)
            matrix = normalised(
                member.transform, member.relation, group.keeper.info, member.file.info
            )
    kept, other = (
        decode_full(path.read_bytes(), limits=DecodeLimits()).pixels for path in (left, right)
    )
    sheet = cv2.cvtColor(draw_sheet(kept, other, matrix), cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(target.suffix, sheet)
    try:
        with target.open("xb") as file:
            file.write(data.tobytes())
    except OSError as error:
        raise click.UsageError(f"{target} cannot be written: {error.strerror}.") from error


def _words(result: ScanResult) -> str:
    for group in result.groups:
        for member in group.members:
            return (
                f"{shown(member.file.path)}: {member.words}\n"
                f"keep {shown(group.keeper.path)}: {'; '.join(group.reasons)}"
            )
    return "They do not show the same picture."
