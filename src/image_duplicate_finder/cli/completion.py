"""``idf completion``: verbs and options at the press of Tab."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}


@click.command(short_help="Write the script that completes verbs and options in your shell.")
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def command(context: click.Context, /, shell: str) -> None:
    """Write the script that lets your shell complete verbs, options and paths.

    \b
    Examples:
      idf completion bash >> ~/.bashrc
      idf completion zsh >> ~/.zshrc
      idf completion fish > ~/.config/fish/completions/idf.fish
    """
    script = _SHELLS[shell](context.find_root().command, {}, "idf", "_IDF_COMPLETE").source()
    click.echo(script)
