"""docs/cli.md and the manual page hold the help as it is, and completion works as it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import click
import pytest

from image_duplicate_finder.cli.app import COMMANDS
from tools import man_page
from tools.cli_page import PAGE, with_help
from tools.commands import commands


def test_page_has_the_present_help() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_help(page) == page, "run: python -m tools.cli_page"
    for name in COMMANDS:
        assert f"\n## idf {name}\n" in page


def test_manual_has_the_present_help() -> None:
    page = man_page.PAGE.read_text(encoding="ascii")
    assert man_page.manual() == page, "run: python -m tools.man_page"


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_manual_is_formatted_without_a_warning_and_names_every_option() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-cbou", "-rLL=120n", man_page.PAGE],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = set(done.stdout.replace(",", " ").split())
    for title, command, _ in commands():
        assert f"{title} [OPTIONS]" in done.stdout
        names = {
            name
            for parameter in command.params
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }
        assert names <= shown, title
    assert "idf scan . --json - | jq '.groups[].members[].path'" in done.stdout


def test_completion_offers_verbs_and_options() -> None:
    def offered(words: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-m", "image_duplicate_finder"],
            env={
                **os.environ,
                "_IDF_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split(" ")) - 1),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        return {line.partition(",")[2] for line in done.stdout.splitlines()}

    assert offered("idf ") >= set(COMMANDS)
    assert offered("idf pl") == {"plan"}
    assert "--mode" in offered("idf scan --m")
