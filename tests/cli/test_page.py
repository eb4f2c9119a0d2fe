"""docs/cli.md holds the help as it is, and completion works as it says."""

from __future__ import annotations

import os
import subprocess
import sys

from image_duplicate_finder.cli.app import VERBS
from tools.cli_page import PAGE, with_help


def test_page_has_the_present_help() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_help(page) == page, "run: python -m tools.cli_page"
    for name in VERBS:
        assert f"\n## idf {name}\n" in page


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

    assert offered("idf ") >= set(VERBS)
    assert offered("idf pl") == {"plan"}
    assert "--mode" in offered("idf scan --m")
