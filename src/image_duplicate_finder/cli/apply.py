"""``idf apply``: carry out a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from image_duplicate_finder.cli.choices import choice, confirmed, open_library, yes_option
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.reports import strict_option, tell_report
from image_duplicate_finder.cli.texts import counted, shown, size
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.settings import BackupMode, RemovalAction

if TYPE_CHECKING:
    from image_duplicate_finder.removal import Plan

_DOES = {
    RemovalAction.BACKUP: "Move {files} ({size}) into a backup",
    RemovalAction.TRASH: "Move {files} ({size}) to the system's trash",
    RemovalAction.HARDLINK: "Replace {files} ({size}) by hard links",
    RemovalAction.REFLINK: "Replace {files} ({size}) by clones that share their space",
    RemovalAction.SYMLINK: "Replace {files} ({size}) by symbolic links",
}


@click.command(short_help="Carry out a plan: move its files into a backup.")
@click.argument("plan_file", metavar="PLAN", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--backup",
    "mode",
    type=choice(BackupMode),
    default=BackupMode.AUTO.value,
    show_default=True,
    help="auto: also preserve what stays of the groups that files are removed from, where this "
    "takes no space. full: preserve all files of the scan, as copies if need be, which can take "
    "as much space as they do. removed: only what is removed.",
)
@click.option(
    "--backup-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Make the backup in DIR instead of beside the scanned folder.",
)
@yes_option
@strict_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    plan_file: Path,
    mode: str,
    backup_dir: Path | None,
    yes: bool,
    strict: bool,
    json_to: JsonTarget | None,
) -> int:
    """Carry out a plan that idf plan --json wrote. Each file is checked once more before it goes.

    What is not as the plan says any more stays where it is and is reported. Nothing is deleted:
    idf undo takes it back, idf purge frees the space.

    \b
    Examples:
      idf apply plan.json
      idf apply plan.json --yes --json report.json
      idf apply plan.json --backup-dir /mnt/backups

    \b
    Exit status:
      0 done   1 done, but some files stayed (only with --strict)   2 wrong usage
      4 could not be done   130 interrupted
    """
    from image_duplicate_finder.cli.progress import reporting
    from image_duplicate_finder.cli.stopping import stoppable

    plan = _read(plan_file)
    if not plan.items:
        raise UsageError(f"The plan {shown(str(plan_file))} names no file to remove.")
    files = counted(len(plan.items), "file")
    does = _DOES[plan.action].format(files=files, size=size(plan.total_bytes))
    if not confirmed(f"{does}?", yes):
        click.echo("Nothing was removed.", err=True)
        return 0
    with open_library(context) as library, stoppable() as cancel:
        with reporting() as progress:
            report = library.apply(
                plan,
                mode=BackupMode(mode),
                backup_dir=backup_dir,
                progress=progress,
                cancel=cancel,
            )
        return tell_report(report, "removed", json_to, strict=strict, undo=True)


def _read(path: Path) -> Plan:
    """The plan in a file. Raises UsageError for anything else."""
    from image_duplicate_finder.removal import plan_from_dict

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"The plan {shown(str(path))} cannot be read: {error.strerror}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{shown(str(path))} is not a plan; write one with: idf plan --json FILE"
        ) from error
    return plan_from_dict(document)
