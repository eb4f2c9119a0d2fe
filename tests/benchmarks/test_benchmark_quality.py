"""Small seeded forms of sets A, B and C through the command line, with the promised figures.

The full sets are run by ``python -m benchmarks.run``; a fault that costs quality shows here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.measure import measured
from benchmarks.negatives import make_c
from benchmarks.photos import Photo, list_photos
from benchmarks.score import Score, score_groups
from benchmarks.sets import make_a, make_b
from benchmarks.tools import read_ours
from benchmarks.truth import FILE_NAME, Truth
from tests.patience import LONG

Maker = Callable[[list[Photo], Path], Truth]

MAKERS: dict[str, Maker] = {
    "a": lambda photos, out: make_a(photos, out, 7, 40 if LONG else 6, "second"),
    "b": lambda photos, out: make_b(photos, out, 7, 8 if LONG else 1, "second", 60 if LONG else 12),
    "c": lambda photos, out: make_c(photos, out, 7, 220 if LONG else 120, "second"),
}


@pytest.fixture(scope="module")
def scored(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Score]:
    """``scored(set, mode)``: scan the set in that mode and score what came out."""
    place = tmp_path_factory.mktemp("sets")
    photos = list_photos(
        [shared_data / "photos" / name for name in ("osie", "gcompris", "kodak", "clothing")]
    )

    def score(name: str, mode: str) -> Score:
        folder, answers = place / name, place / f"{name} answers"
        if not folder.is_dir():
            MAKERS[name](photos, folder)
            answers.mkdir()
            (folder / FILE_NAME).rename(answers / FILE_NAME)
        out = place / "out.json"
        idf = Path(sys.executable).parent / "idf"
        command = [idf, "--library", place / f"{name}-{mode}", "scan", folder, "--mode", mode]
        run = measured([*command, "--json", out])
        assert run.status == 0, run.output
        found = read_ours(out, folder)
        assert not found.failures
        return score_groups(Truth.load(answers), found.duplicates, found.contains, found.similar)

    return score


def test_quick_mode_finds_what_a_hash_can_and_nothing_false(
    scored: Callable[[str, str], Score],
) -> None:
    score = scored("a", "quick")
    assert score.wrong == 0, score.examples
    assert score.recall is not None and score.recall >= 0.39


def test_standard_mode_on_set_a(scored: Callable[[str, str], Score]) -> None:
    score = scored("a", "standard")
    assert score.wrong == 0, score.examples
    assert score.recall is not None and score.recall >= 0.99, score.edits


def test_standard_mode_on_set_b(scored: Callable[[str, str], Score]) -> None:
    score = scored("b", "standard")
    assert score.wrong == 0, score.examples
    assert score.wrong_contains == 0, score.examples
    assert score.recall is not None and score.recall >= 0.95, score.edits


@pytest.mark.parametrize("mode", ["quick", "standard"])
def test_hard_negatives_are_never_duplicates(
    scored: Callable[[str, str], Score], mode: str
) -> None:
    score = scored("c", mode)
    assert score.wrong == 0, score.examples
    assert score.wrong_contains == 0, score.examples
