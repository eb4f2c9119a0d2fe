"""The command ``idf`` itself: its commands, in modules that are loaded when they are used."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import NamedTuple

import click

from image_duplicate_finder import __version__


class Entry(NamedTuple):
    """The module beside this one that has the command's function, and its line of help."""

    module: str
    help: str


COMMANDS = {
    "scan": Entry("scan", "Find duplicates in folders."),
    "groups": Entry("groups", "Show what a scan found."),
    "failures": Entry("groups", "List files that a scan could not read, and why."),
    "find": Entry("pictures", "Find a picture among the files of a scan."),
    "compare": Entry("pictures", "Compare two pictures."),
    "leakage": Entry("leakage", "Find pictures that appear in two splits of a data set."),
    "export": Entry("tables", "Export what a scan found to a file."),
    "import": Entry("tables", "Import decisions from an edited table."),
    "plan": Entry("removal", "Show what would be removed, and why; removes nothing."),
    "apply": Entry("removal", "Carry out a plan: move its files into a backup."),
    "undo": Entry("removal", "Restore removed files."),
    "history": Entry("backups", "List what was removed and restored."),
    "backups": Entry("backups", "List backup folders and their contents."),
    "adopt": Entry("backups", "Adopt backups that this library does not know."),
    "purge": Entry("backups", "Permanently delete a backup to free its space."),
    "serve": Entry("serve", "Start the web app."),
    "doctor": Entry("doctor", "Check this installation and its library."),
    "completion": Entry("serve", "Print the completion script for your shell."),
}
"""Every command, so that ``idf --help`` loads none of them."""


class ReaderGone(Exception):
    """Whoever read standard output (``head``) has ended; not an error of anybody."""


class Commands(click.Group):
    """A group whose commands are functions such as ``scan_command`` in the modules of COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands in the order of a person's work, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load the command's module; None for an unknown word."""
        if cmd_name not in COMMANDS:
            return None
        entry = COMMANDS[cmd_name]
        module = importlib.import_module(f"image_duplicate_finder.cli.{entry.module}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        command.short_help = entry.help
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; click itself ends with status 1 when the reader of a pipe leaves."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderGone from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, written without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND ...",
    epilog="idf COMMAND --help explains a command.",
)
@click.option(
    "--library",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Use the library in DIR instead of the one in your data folder. Goes before the command.",
)
@click.version_option(__version__, message="ImageDuplicateFinder %(version)s")
@click.pass_context
def idf(ctx: click.Context, library: Path | None) -> None:
    """Find duplicate images, review them, and remove them without ever losing a picture.

    \b
      idf scan ~/Pictures          find duplicates
      idf groups                   see what was found
      idf plan --json plan.json    see what would be removed, and why
      idf apply plan.json          move that into a backup
      idf undo 1                   restore the files
      idf serve                    do all of this in the browser
    """
    ctx.obj = library
