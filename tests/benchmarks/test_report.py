"""The report is built from result files alone."""

from __future__ import annotations

import json
from dataclasses import asdict
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


def _race(
    title: str, walls: dict[str, list[float]], figures: list[report.Figure]
) -> dict[str, Any]:
    return {
        "title": title,
        "about": "3 files.",
        "machine": describe(),
        "version": "abc",
        "files": 3,
        "versions": {"ours-quick": "abc", "immaculate-pdq": "0.3.0 on Python 3.12.1"},
        "turns": {
            tool: [{"seen_s": wall / 2, "wall_s": wall} for wall in own]
            for tool, own in walls.items()
        },
        "figures": [asdict(figure) for figure in figures],
        "columns": ["tool", "whole s"],
        "rows": [[tool, report.spread(own)] for tool, own in walls.items()],
    }


def _write_races(results: Path) -> None:
    figure = report.Figure("quick against decoding", "1.15", "2.00", 3, "pdq 3.0", "groups 1.00")
    camera = {"decoding": [1.0, 1.0, 2.0], "ours-quick": [2.0, 2.2, 4.0], "other": [9.0] * 3}
    small = {"decoding": [1.0], "ours-quick": [300.0], "immaculate-pdq": [3.0]}
    (results / "speed").mkdir(parents=True)
    for name, walls, figures in (("1-camera", camera, [figure]), ("2-set-a", small, [])):
        values = _race(name, walls, figures)
        (results / "speed" / f"{name}.json").write_text(json.dumps(values))


def test_wanted_figures_come_first_with_the_machine_and_versions(tmp_path: Path) -> None:
    _write_races(tmp_path / "results")
    report.write(tmp_path / "results", tmp_path / "RESULTS.md", {})
    text = (tmp_path / "RESULTS.md").read_text()
    row = "| quick against decoding | 1.15 | 2.00; groups 1.00 | 3 | pdq 3.0 |"
    assert text.index(row) < text.index("## 1-camera")
    assert "immaculate-pdq 0.3.0 on Python 3.12.1." in text
    assert "- 2-set-a" not in text, "a part without wanted figures"


def test_the_table_of_times_is_written_between_its_marks(tmp_path: Path) -> None:
    page = "before\n" + "\n".join(report._MARKS) + "\nafter\n"
    assert report.update(page, tmp_path) == page, "nothing was measured"
    _write_races(tmp_path)
    written = report.update(page, tmp_path)
    row = "| **ImageDuplicateFinder, quick** | 2.2 s (groups after 1.1 s) | 2.00 |"
    assert f"{row} 300 s (groups after 150 s) |\n" in written
    assert "| only reading and decoding | 1.0 s (groups after 0.5 s) | 1.00 | 1.0 s" in written
    assert written.startswith("before\n")
    assert written.endswith("\nafter\n")
    assert report.update(written, tmp_path) == written
