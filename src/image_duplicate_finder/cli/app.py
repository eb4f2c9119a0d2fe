"""The command ``idf`` itself: its verbs, in modules that are loaded when they are used."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

import click

from image_duplicate_finder import __version__


class Verb(NamedTuple):
    """The module beside this one that has the verb's function, and its line of help."""

    module: str
    help: str


VERBS = {
    "scan": Verb("scan", "Look for duplicates in folders."),
    "groups": Verb("groups", "Show what a scan found."),
    "failures": Verb("groups", "List files that a scan could not use, and why."),
    "find": Verb("pictures", "Find a picture among the files of a scan."),
    "compare": Verb("pictures", "Tell what one picture is to another."),
    "leakage": Verb("leakage", "Find pictures that stand in two splits of a data set."),
    "export": Verb("tables", "Write what a scan found to a file."),
    "import": Verb("tables", "Take over decisions from an edited table."),
    "plan": Verb("removal", "Decide what would be removed, and why; removes nothing."),
    "apply": Verb("removal", "Carry out a plan: move its files into a backup."),
    "undo": Verb("removal", "Put removed files back."),
    "history": Verb("backups", "List what was removed and put back."),
    "backups": Verb("backups", "List backup folders and what they hold."),
    "adopt": Verb("backups", "Take over backups that this library does not know."),
    "purge": Verb("backups", "Delete a backup for good, to free its space."),
    "serve": Verb("serve", "Start the web app."),
    "doctor": Verb("doctor", "Tell what this installation can do, and check a library."),
    "completion": Verb("serve", "Write the script that completes verbs and options in your shell."),
}
"""Every verb, so that ``idf --help`` loads none of them."""


class ReaderGone(Exception):
    """Whoever read standard output (``head``) has ended; not an error of anybody."""


class Verbs(click.Group):
    """A group whose commands are functions such as ``scan_command`` in the modules of VERBS."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The verbs in the order of a person's work, not of the alphabet."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load the verb's module; None for a word that is no verb."""
        if cmd_name not in VERBS:
            return None
        verb = VERBS[cmd_name]
        module = importlib.import_module(f"image_duplicate_finder.cli.{verb.module}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        command.short_help = verb.help
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb; click itself would end with status 1 when the reader of a pipe leaves."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGone from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of verbs, written without loading them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="VERB ...",
    epilog="Each verb explains itself: idf scan --help",
)
@click.option(
    "--library",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Use the library in DIR instead of the one in your data folder. Stands before the verb.",
)
@click.version_option(__version__, message="ImageDuplicateFinder %(version)s")
@click.pass_context
def idf(ctx: click.Context, library: Path | None) -> None:
    """Find duplicate images, look at them, and remove them without ever losing a picture.

    \b
      idf scan ~/Pictures          look for duplicates
      idf groups                   see what was found
      idf plan --json plan.json    see what would be removed, and why
      idf apply plan.json          move that into a backup
      idf undo 1                   take it back
      idf serve                    do all of this in the browser
    """
    ctx.obj = library
