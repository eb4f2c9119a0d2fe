"""Help: complete, true, and there at once."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from image_duplicate_finder.cli.app import COMMANDS, idf

HEAVY = ("numpy", "cv2", "PIL", "flask", "rich", "sqlite3", "numba", "onnxruntime")


def _verb(name: str) -> click.Command:
    command = idf.get_command(click.Context(idf), name)
    assert command is not None
    return command


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from image_duplicate_finder.cli import run; run(['--help']);"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.endswith("loaded: []\n")
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_verb_is_as_it_is_announced(name: str) -> None:
    verb = _verb(name)
    assert verb.get_short_help_str(limit=200) == COMMANDS[name].help
    root = idf.make_context("idf", [], resilient_parsing=True)
    text = verb.get_help(verb.make_context(name, [], parent=root, resilient_parsing=True))
    assert "Example" in text
    assert f"  idf {name}" in text
    for parameter in verb.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.opts} has no help"
