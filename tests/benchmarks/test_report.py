"""The report is built from result files alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.machine import describe
from benchmarks.score import score_groups
from benchmarks.truth import TruePair, Truth


def _result(tool: str, groups: list[list[str]] | None, walls: list[float]) -> dict[str, Any]:
    truth = Truth("b", 1, None)
    for name in ("a", "b", "c"):
        truth.add(name, "one", "edit")
    truth.add("lone", "lone", "distractor")
    truth.pairs = [TruePair("a", "b", "crop"), TruePair("a", "c", "blur")]
    runs = [
        {"wall_s": wall, "cpu_s": 2 * wall, "peak_mib": 50.0, "status": 0, "machine": describe()}
        for wall in walls
    ]
    result: dict[str, Any] = {"tool": tool, "version": "1", "files": 4, "runs": runs}
    if groups is None:
        runs[-1]["status"] = None
    else:
        result["score"] = score_groups(truth, groups).to_dict()
    return result


def _write(folder: Path, results: list[dict[str, Any]]) -> str:
    place = folder / "results" / "b-all-s1-n1-d1"
    place.mkdir(parents=True)
    for result in results:
        (place / f"{result['tool']}.json").write_text(json.dumps(result))
    report.write(folder / "results", folder / "RESULTS.md", {"cloud": "wants a network"})
    return (folder / "RESULTS.md").read_text()


def test_figures_stand_in_the_tables(tmp_path: Path) -> None:
    text = _write(
        tmp_path,
        [
            _result("ours-quick", [["a", "b"]], [2.0, 1.0, 9.0]),
            _result("peer", [["a", "lone"]], [3]),
        ],
    )
    rows = [line for line in text.splitlines() if line.startswith(("| ours", "| peer"))]
    assert rows[0].startswith("| ours-quick | 1 | 1.0000 | 0.5000 | 1 | 0 |")
    assert "2.00 (1.00 to 9.00)" in rows[0]
    assert "| 4.0 | 1000.0 |" in rows[0], "median CPU seconds and milliseconds per file"
    assert rows[1].startswith("| peer | 1 | 0.0000 | 0.0000 | 0 | 1 |")
    assert "| crop | 1.000 | 0.000 |" in text
    assert "| cloud | wants a network |" in text


def test_a_tool_that_ran_too_long_is_named_so(tmp_path: Path) -> None:
    text = _write(tmp_path, [_result("slow", None, [60.0])])
    assert "| slow | 1 | stopped at its time limit |" in text


def test_sections_written_by_hand_stay(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "by-hand.md").write_text("## By hand\n\n| a | b |\n")
    text = _write(tmp_path, [_result("ours-quick", [["a", "b"]], [2.0])])
    assert "\n\n## By hand\n\n| a | b |\n\n## Not run\n" in text
