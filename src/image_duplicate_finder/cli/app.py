"""The command ``idf`` itself: its verbs, each in a module that is loaded when it is used."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from image_duplicate_finder import __version__

VERBS = {
    "scan": "Look for duplicates in folders.",
    "groups": "Show what a scan found.",
    "failures": "List files that a scan could not use, and why.",
    "find": "Find a picture among the files of a scan.",
    "compare": "Tell what one picture is to another.",
    "leakage": "Find pictures that stand in two splits of a data set.",
    "export": "Write what a scan found to a file.",
    "import": "Take over decisions from an edited table.",
    "plan": "Decide what would be removed, and why; removes nothing.",
    "apply": "Carry out a plan: move its files into a backup.",
    "undo": "Put removed files back.",
    "history": "List what was removed and put back.",
    "backups": "List backup folders and what they hold.",
    "adopt": "Take over backups that this library does not know.",
    "purge": "Delete a backup for good, to free its space.",
    "serve": "Start the web app.",
    "doctor": "Tell what this installation can do, and check a library.",
    "completion": "Write the script that completes verbs and options in your shell.",
}
"""Every verb with its line of help, so that ``idf --help`` loads none of them."""


class ReaderGone(Exception):
    """Whoever read standard output (``head``) has ended; not an error of anybody."""


class Verbs(click.Group):
    """A group whose commands are the ``command`` of the modules beside this one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The verbs in the order of a person's work, not of the alphabet."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load the verb's module; None for a word that is no verb."""
        if cmd_name not in VERBS:
            return None
        # "import" is no name for a module.
        name = "import_" if cmd_name == "import" else cmd_name
        module = importlib.import_module(f"image_duplicate_finder.cli.{name}")
        command: click.Command = module.command
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
            formatter.write_dl(list(VERBS.items()))


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
