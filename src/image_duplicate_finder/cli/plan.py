"""``idf plan``: what would be removed, and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from image_duplicate_finder.cli.choices import (
    choice,
    chosen_scan,
    open_library,
    query,
    query_options,
    scan_option,
)
from image_duplicate_finder.cli.json_output import JsonTarget, json_option
from image_duplicate_finder.cli.texts import counted, shown, size
from image_duplicate_finder.settings import RemovalAction

if TYPE_CHECKING:
    from image_duplicate_finder.removal import Plan


@click.command(short_help="Decide what would be removed, and why; removes nothing.")
@scan_option
@query_options
@click.option(
    "--only-from",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Remove only from DIR. May be given several times.",
)
@click.option(
    "--action",
    type=choice(RemovalAction),
    default=RemovalAction.BACKUP.value,
    show_default=True,
    help="backup: move into a backup folder. hardlink, reflink, symlink: put a link to the keeper "
    "in the place of a byte-identical file. trash: move to the system's trash.",
)
@click.option(
    "--merge-metadata",
    is_flag=True,
    help="Let keepers take over what they lack from the files that go: date, place, rating, "
    "keywords, title, description, people. Written as XMP into JPEG, PNG and WebP files, else "
    "into a sidecar; the pixels stay as they are, and idf undo takes it back. Files that hold "
    "nothing else that their keeper lacks go then, too.",
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    scan_number: int | None,
    only_from: tuple[Path, ...],
    action: str,
    merge_metadata: bool,
    json_to: JsonTarget | None,
    **options: Any,
) -> None:
    """Decide what would be removed: the selected files of the latest scan. Removes nothing.

    The plan is the dry run. Written with --json, it is what idf apply carries out; lines may be
    taken out of it before.

    \b
    Examples:
      idf plan
      idf plan --json plan.json
      idf plan --relation byte_identical --action hardlink --json links.json
      idf plan --only-from ~/Pictures/phone
      idf plan --merge-metadata --json plan.json
    """
    with open_library(context) as library:
        plan = library.plan(
            chosen_scan(library, scan_number).id,
            query=query(**options),
            action=RemovalAction(action),
            only_from=only_from,
            merge_metadata=merge_metadata,
        )
    if json_to is not None:
        from image_duplicate_finder.removal import plan_to_dict

        json_to.write(plan_to_dict(plan))
        if json_to.is_stdout:
            return
    for line in _lines(plan):
        click.echo(line)
    if json_to is not None:
        click.echo(f"To do it: idf apply {json_to.name}")
    elif plan.items:
        click.echo("Nothing was removed. To do it: idf plan --json plan.json, idf apply plan.json")


def _lines(plan: Plan) -> Iterator[str]:
    for item in plan.items:
        evidence = item.evidence
        yield f"remove {shown(item.path)}"
        for companion in item.companions:
            yield f"  with {shown(companion.path)}"
        yield f"  keep {shown(evidence.keeper.path)}: {evidence.words}"
    for merge in plan.merges:
        yield f"add to {shown(merge.keeper.path)}: {', '.join(merge.additions.to_values())}"
        yield from (f"  from {shown(path)}" for path in merge.sources)
    if plan.refusals:
        yield f"{counted(len(plan.refusals), 'selected file')} cannot be removed:"
        yield from (f"  {shown(each.path)}: {each.message}" for each in plan.refusals)
    yield f"{counted(len(plan.items), 'file')} to remove, {size(plan.total_bytes)}."
