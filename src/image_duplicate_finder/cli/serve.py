"""``idf serve`` and ``idf completion``: the web app, and the shell."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from image_duplicate_finder.cli.options import library_folder
from image_duplicate_finder.settings import DEFAULT_PORT

if TYPE_CHECKING:
    pass


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    metavar="N",
    help="Listen on port N.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the browser.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Listen on this address; 0.0.0.0 lets other machines in and needs a password.",
)
@click.option(
    "--password",
    envvar="IDF_PASSWORD",
    metavar="WORD",
    help="Password for other machines. Better set in the variable IDF_PASSWORD, since other "
    "users of this machine can read command lines.",
)
@click.pass_context
def serve_command(
    context: click.Context,
    /,
    port: int,
    no_browser: bool,
    host: str,
    password: str | None,
) -> None:
    """Start the web app and open it in the browser. Ctrl-C stops it; scans keep their progress.

    Only this machine can reach it, unless you set --host. Each printed address signs in one
    browser, which then stays signed in. If the app is already running, a new address for it is
    printed.

    \b
    Examples:
      idf serve
      idf serve --no-browser --port 5502
      IDF_PASSWORD=... idf serve --host 0.0.0.0
    """
    from image_duplicate_finder import compiled
    from image_duplicate_finder.web.server import run

    if not compiled.is_prepared():
        click.echo("Preparing for this computer, once, in the background ...", err=True)
        threading.Thread(target=compiled.prepare, daemon=True).start()
    signal.signal(signal.SIGTERM, _end)
    run(library_folder(context), host, port, open_browser=not no_browser, password=password)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as by Ctrl-C: the server stops its work and comes back."""
    from image_duplicate_finder import compiled

    compiled.stop()
    raise SystemExit


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(context: click.Context, /, shell: str) -> None:
    """Print the script that completes commands, options and paths in your shell.

    \b
    Examples:
      idf completion bash >> ~/.bashrc
      idf completion zsh >> ~/.zshrc
      idf completion fish > ~/.config/fish/completions/idf.fish
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(complete(context.find_root().command, {}, "idf", "_IDF_COMPLETE").source())
