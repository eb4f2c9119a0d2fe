"""``idf serve``: the web app."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

import click

from image_duplicate_finder.cli.choices import library_folder

DEFAULT_PORT = 5501


@click.command(short_help="Start the web app.")
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
    help="What other machines have to enter. Better given in the variable IDF_PASSWORD, since "
    "others on this machine can read command lines.",
)
@click.pass_context
def command(
    context: click.Context,
    /,
    port: int,
    no_browser: bool,
    host: str,
    password: str | None,
) -> None:
    """Start the web app and open it in the browser. Ctrl-C ends it; a scan keeps what it did.

    Only this machine can reach it, unless --host says otherwise. Each address that is printed
    lets one browser in, which then stays signed in. If the app is already running, this prints a
    new address for it.

    \b
    Examples:
      idf serve
      idf serve --no-browser --port 5502
      IDF_PASSWORD=... idf serve --host 0.0.0.0
    """
    from image_duplicate_finder.web.server import run

    signal.signal(signal.SIGTERM, _end)
    run(library_folder(context), host, port, open_browser=not no_browser, password=password)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as by Ctrl-C: the server stops its work and comes back."""
    raise SystemExit
