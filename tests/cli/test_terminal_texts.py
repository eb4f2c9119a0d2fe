"""Names and figures as a terminal shows them."""

from __future__ import annotations

import doctest
import os

import pytest

from image_duplicate_finder.cli import output


def test_examples_in_the_docstrings() -> None:
    results = doctest.testmod(output)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("plain name.jpg", "plain name.jpg"),
        ("Föto 写真 🏝.jpg", "Föto 写真 🏝.jpg"),
        ("👩‍👩‍👧.jpg", "👩‍👩‍👧.jpg"),
        ("\x1b[2Jgone.jpg", "\\x1b[2Jgone.jpg"),
        ("a\nb\tc.jpg", "a\\x0ab\\x09c.jpg"),
        ("gpj.\u202egnp.exe", "gpj.\\u202egnp.exe"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg"),
    ],
)
def test_names_cannot_steer_the_terminal(name: str, written: str) -> None:
    assert output.shown(name) == written


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
        (7_300_000_000_000, "7.3 TB"),
    ],
)
def test_sizes(count: int, words: str) -> None:
    assert output.size(count) == words
