"""What run_linux_mac.sh and run_window.bat do once a Python is found (standard library only).

Update the checkout, make the environment, start ``idf``. Without a verb that is the web app.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import environment
import update

NO_UPDATE = "--no-update"
UNINSTALL = "--uninstall"
OPTIONS_WITH_VALUE = ("--library",)
"""Options of ``idf`` itself that stand before the verb and take a value."""
ANSWERED_WITHOUT_VERB = ("--help", "-h", "--version")


def with_verb(arguments: list[str]) -> list[str]:
    """The arguments for ``idf``: ``serve`` is put in where no verb is given.

    >>> with_verb(["--library", "photos", "--port", "5502"])
    ['--library', 'photos', 'serve', '--port', '5502']
    >>> with_verb(["scan", "photos"])
    ['scan', 'photos']
    """
    position = 0
    while position < len(arguments):
        name, equals, _value = arguments[position].partition("=")
        if name not in OPTIONS_WITH_VALUE:
            break
        position += 1 if equals else 2
    rest = arguments[position:]
    if rest and (not rest[0].startswith("-") or rest[0] in ANSWERED_WITHOUT_VERB):
        return arguments
    return [*arguments[:position], "serve", *rest]


def start(command: list[str]) -> int:
    """Become ``command`` where the system can, so that signals reach it; else wait for it."""
    if os.name != "nt":
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(command[0], command)
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 130


def main() -> int:
    """Run the script; the exit status is that of ``idf``, or 1 if it could not be set up."""
    if sys.argv[1:] == [UNINSTALL]:
        environment.remove()
        return 0
    arguments = [argument for argument in sys.argv[1:] if argument != NO_UPDATE]
    if NO_UPDATE not in sys.argv[1:] and (news := update.update(environment.ROOT)):
        print(news, file=sys.stderr, flush=True)
        # This very file may be among what changed.
        return start([sys.executable, str(Path(__file__)), NO_UPDATE, *arguments])
    try:
        python = environment.make("run")
    except environment.SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return start([str(python), "-m", "image_duplicate_finder", *with_verb(arguments)])


if __name__ == "__main__":
    sys.exit(main())
