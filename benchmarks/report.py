"""RESULTS.md from the result files: tables of quality, recall per edit, and cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

Result = dict[str, Any]

_TITLES = {
    "a": "Set A: crop, mirrors, 25 degrees, square",
    "b": "Set B: 36 hard edits among distractors",
    "extra": "Extra edits",
    "c": "Set C: hard negatives, no true pair",
}


def write(results: Path, out: Path, not_runnable: Mapping[str, str]) -> None:
    """Build the report from all ``results/<set>/<tool>.json`` and the parts beside them.

    Sections written by hand are ``results/*.md``, and stand last but one.
    """
    lines = [
        "# Benchmark results",
        "",
        "Written by `python -m benchmarks.run` and `python -m benchmarks.speed`, with the sections",
        "of `results/*.md`; do not edit.",
        "How to run them, and what the sets are: [README.md](README.md).",
        "",
    ]
    for folder in sorted(path for path in results.iterdir() if path.is_dir()):
        entries = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
        if folder.name != "speed" and entries:
            lines += _set_section(folder.name, sorted(entries, key=_rank))
    if (results / "speed").is_dir():
        for path in sorted((results / "speed").glob("*.json")):
            lines += _speed_section(json.loads(path.read_text()))
    for path in sorted(results.glob("*.md")):
        lines += [*path.read_text(encoding="utf-8").rstrip("\n").split("\n"), ""]
    lines += ["## Not run", "", "| tool | why |", "|---|---|"]
    lines += [f"| {name} | {why} |" for name, why in not_runnable.items()]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _rank(entry: Result) -> tuple[bool, float]:
    recall = entry.get("score", {}).get("recall") or 0.0
    return not entry["tool"].startswith("ours"), -recall


def _set_section(name: str, entries: list[Result]) -> list[str]:
    machine = entries[0]["runs"][-1]["machine"]
    lines = [
        f"## {_TITLES[name.split('-')[0]]}",
        "",
        f"`{name}`: {entries[0]['files']} files. {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}.",
        "",
        "| tool | version | precision | recall | right | wrong | neutral | wrong contains "
        "| wall s | CPU s | CPU ms/file | peak MiB | runs | load |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_row(entry) for entry in entries]
    scored = [entry for entry in entries if entry.get("score")]
    if name.startswith("c-") and scored:
        lines += ["", *_wrong_kinds(scored)]
    elif scored:
        lines += ["", *_per_edit(scored)]
    return [*lines, ""]


def _row(entry: Result) -> str:
    runs = entry["runs"]
    score = entry.get("score")
    wall = [run["wall_s"] for run in runs]
    cpu = median(run["cpu_s"] for run in runs)
    cells = [entry["tool"], entry["version"]]
    if score:
        precision = score["precision"] if score["wanted"] else None
        cells += [
            _ratio(precision), _ratio(score["recall"]), str(score["right"]),
            str(score["wrong"]), str(score["neutral"]), str(score["wrong_contains"]),
        ]  # fmt: skip
    else:
        status = runs[-1]["status"]
        reason = "stopped at its time limit" if status is None else f"failed ({status})"
        cells += [reason, *["-"] * 5]
    cells += [
        spread(wall), f"{cpu:.1f}", f"{1000 * cpu / entry['files']:.1f}",
        f"{max(run['peak_mib'] for run in runs):.0f}", str(len(runs)),
        f"{median(run['machine']['load_1min'] for run in runs):.1f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def spread(values: list[float]) -> str:
    """Median, with the least and the most where there are several; seconds below 10 to 1/100."""
    places = 2 if max(values) < 10 else 1
    if len(values) == 1:
        return f"{values[0]:.{places}f}"
    return f"{median(values):.{places}f} ({min(values):.{places}f} to {max(values):.{places}f})"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _per_edit(entries: list[Result]) -> list[str]:
    edits = list(dict.fromkeys(edit for entry in entries for edit in entry["score"]["edits"]))
    lines = [
        "Recall per edit:",
        "",
        "| edit | " + " | ".join(entry["tool"] for entry in entries) + " |",
        "|---|" + "--:|" * len(entries),
    ]
    for edit in edits:
        cells = []
        for entry in entries:
            found, wanted = entry["score"]["edits"].get(edit, (0, 0))
            cells.append(f"{found / wanted:.3f}" if wanted else "-")
        lines.append(f"| {edit} | " + " | ".join(cells) + " |")
    return lines


def _wrong_kinds(entries: list[Result]) -> list[str]:
    files = entries[0]["files"]
    lines = [
        f"Wrong pairs of {files * (files - 1) // 2:,} by kind (at most 40 of each group):",
        "",
    ]
    for entry in entries:
        kinds = entry["score"]["wrong_kinds"]
        text = ", ".join(f"{kind} {kinds[kind]}" for kind in sorted(kinds)) or "none"
        lines.append(f"- {entry['tool']}: {text}")
    return lines


def _speed_section(values: Result) -> list[str]:
    machine = values["machine"]
    lines = [
        f"## {values['title']}",
        "",
        f"{values['about']} {machine['processor']}, {machine['cores']} cores; "
        f"load before the run {machine['load_1min']}.",
        "",
        "| " + " | ".join(values["columns"]) + " |",
        "|---|" + "--:|" * (len(values["columns"]) - 1),
    ]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in values["rows"]]
    return [*lines, ""]
