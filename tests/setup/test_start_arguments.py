"""What the start scripts hand on to ``idf``."""

from __future__ import annotations

import pytest

from start import with_verb


@pytest.mark.parametrize(
    ("given", "handed_on"),
    [
        ([], ["serve"]),
        (["--no-browser", "--port", "5502"], ["serve", "--no-browser", "--port", "5502"]),
        (["scan", "a folder"], ["scan", "a folder"]),
        (["scan", "--help"], ["scan", "--help"]),
        (["--library", "L"], ["--library", "L", "serve"]),
        (["--library=L", "--port", "1"], ["--library=L", "serve", "--port", "1"]),
        (["--library", "L", "scan", "x"], ["--library", "L", "scan", "x"]),
        (["--help"], ["--help"]),
        (["-h"], ["-h"]),
        (["--version"], ["--version"]),
    ],
)
def test_the_web_app_is_what_runs_without_a_verb(given: list[str], handed_on: list[str]) -> None:
    assert with_verb(given) == handed_on
