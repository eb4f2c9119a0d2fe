"""The command line as its pages show it: every command with its help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import click

from image_duplicate_finder.cli.app import COMMANDS, idf

WIDTH = 100


class Shown(NamedTuple):
    """A command with the context that its help is written in."""

    title: str
    command: click.Command
    context: click.Context


def commands() -> Iterator[Shown]:
    """``idf`` itself, then its commands in the order of ``idf --help``."""
    with idf.make_context("idf", [], resilient_parsing=True, terminal_width=WIDTH) as root:
        yield Shown("idf", idf, root)
        for name in COMMANDS:
            verb = idf.get_command(root, name)
            if verb is not None:
                context = verb.make_context(name, [], parent=root, resilient_parsing=True)
                yield Shown(f"idf {name}", verb, context)
