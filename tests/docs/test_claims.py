"""What the pages claim is what was measured, or what tests hold the program to."""

from __future__ import annotations

import json
import re
import tomllib
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks import report
from benchmarks.run import NOT_RUNNABLE, RESULTS
from image_duplicate_finder.fingerprint import specs
from tests.setup.checkouts import REPOSITORY

CLAIMS = tomllib.loads(Path(__file__).with_name("claims.toml").read_text(encoding="utf-8"))
SETS = ("a-second-s1-n1000", "b-second-s1-n120-d600")
TOOLS = {
    "ImageDuplicateFinder, standard": "ours-standard",
    "ImageDuplicateFinder, quick": "ours-quick",
    "Immaculate 0.3, sscd_distilled": "immaculate-sscd_distilled",
    "Immaculate 0.3, pdq": "immaculate-pdq",
    "fastdup 2.54": "fastdup",
    "czkawka (Python binding)": "czkawka",
    "imagehash, pHash": "imagehash",
    "imagededup, pHash": "imagededup-phash",
}
"""Rows of README.md's table and the result files that they are from."""


def _page(name: str) -> str:
    return " ".join((REPOSITORY / name).read_text(encoding="utf-8").split())


def _result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / name).read_text(encoding="utf-8"))
    return found


def _measured(claim: dict[str, Any]) -> float:
    result = _result(claim["results"])
    if "field" in claim:
        value: Any = result
        for part in claim["field"].split("/"):
            value = value[part]
        return float(value)
    column = result["columns"].index(claim["column"])
    (row,) = (row for row in result["rows"] if row[0] == claim["row"])
    number = re.match(r"[\d.,]+", row[column])
    assert number
    return float(number[0].replace(",", ""))


@pytest.mark.parametrize("claim", CLAIMS["figure"], ids=lambda claim: claim["says"][:40])
def test_figure_is_that_of_the_results(claim: dict[str, Any]) -> None:
    assert claim["says"] in _page(claim["page"])
    measured = _measured(claim)
    assert abs(measured - claim["number"]) <= claim["within"] * measured, f"measured: {measured}"


@pytest.mark.parametrize("claim", CLAIMS["promise"], ids=lambda claim: claim["says"][:40])
def test_promise_is_backed_by_tests(claim: dict[str, Any]) -> None:
    assert claim["says"] in _page(claim["page"])
    for name in claim["tests"]:
        text = (REPOSITORY / "tests" / name).read_text(encoding="utf-8")
        assert re.search(r"def test_|TestCase", text), name


def _digits(value: float) -> str:
    if value == 1:
        return "1.0000"
    return str(Decimal(str(value)).quantize(Decimal("0.001"), ROUND_HALF_UP))


def _rows() -> dict[str, list[str]]:
    found = {}
    for line in (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        if cells[0] in TOOLS:
            found[cells[0]] = cells[1:]
    return found


def test_every_row_of_the_comparison_is_listed() -> None:
    assert set(_rows()) == set(TOOLS)


@pytest.mark.parametrize("row", TOOLS)
def test_row_of_the_comparison_is_that_of_the_results(row: str) -> None:
    wanted = []
    for name in SETS:
        result = _result(f"{name}/{TOOLS[row]}.json")
        wanted += [_digits(result["score"]["precision"]), _digits(result["score"]["recall"])]
        if name == SETS[0]:
            milliseconds = 1000 * result["runs"][-1]["cpu_s"] / result["files"]
            wanted.append(f"{milliseconds:.0f} ms")
    assert _rows()[row] == wanted


def test_every_pair_of_set_c_was_looked_at() -> None:
    files = _result("c-second-s1-n1500/ours-standard.json")["files"]
    assert f"{files * (files - 1) // 2:,} pairs" in _page("README.md")
    for tool in ("ours-quick", "ours-standard"):
        score = _result(f"c-second-s1-n1500/{tool}.json")["score"]
        assert score["wrong"] == score["wrong_contains"] == 0


def test_the_report_is_what_the_result_files_make(tmp_path: Path) -> None:
    """RESULTS.md is written from the files; a hand that changed only one of both is seen here."""
    report.write(RESULTS, tmp_path / "RESULTS.md", NOT_RUNNABLE)
    expected = (tmp_path / "RESULTS.md").read_text(encoding="utf-8")
    assert (REPOSITORY / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8") == expected


def test_the_table_of_times_is_what_the_result_files_make() -> None:
    """``python -m benchmarks.report`` writes it."""
    page = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert report.update(page, RESULTS) == page


def test_architecture_names_the_versions_of_fingerprints() -> None:
    page = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    kinds = [kind for kind in vars(specs).values() if isinstance(kind, specs.Kind)]
    assert len(kinds) > 5
    for name, version in kinds:
        assert re.search(rf"^\|[^|]*`{name}`[^|]*\| {version} \|", page, re.MULTILINE), name
