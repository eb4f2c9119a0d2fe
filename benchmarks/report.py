"""RESULTS.md from the result files: tables of quality, recall per edit, and cost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """A row of the table of wanted figures: ``wanted`` is the most that it should be.

    ``measured`` is the median and the spread of ``rounds`` rounds; ``note`` says what else belongs
    to it.
    """

    what: str
    wanted: str
    measured: str
    rounds: int
    peers: str = ""
    note: str = ""


TOOL_NAMES = {
    "decoding": "only reading and decoding",
    "ours-quick": "**ImageDuplicateFinder, quick**",
    "ours-standard": "**ImageDuplicateFinder, standard**",
    "immaculate-sscd_distilled": "Immaculate 0.3, sscd_distilled",
    "immaculate-pdq": "Immaculate 0.3, pdq",
    "fastdup": "fastdup 2.54",
    "czkawka": "czkawka (Python binding)",
    "image-dedup-ai": "image-dedup-ai 0.1",
}
"""What pages call the tools of the races."""

_SOONER = 0.95
_MARKS = "<!-- times: written by python -m benchmarks.report -->", "<!-- end of times -->"

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
    speed = [json.loads(path.read_text()) for path in sorted((results / "speed").glob("*.json"))]
    lines += _figures_section([values for values in speed if values.get("figures")])
    for folder in sorted(path for path in results.iterdir() if path.is_dir()):
        entries = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
        if folder.name != "speed" and entries:
            lines += _set_section(folder.name, sorted(entries, key=_rank))
    for values in speed:
        lines += _speed_section(values)
    for path in sorted(results.glob("*.md")):
        lines += [*path.read_text(encoding="utf-8").rstrip("\n").split("\n"), ""]
    lines += ["## Not run", "", "| tool | why |", "|---|---|"]
    lines += [f"| {name} | {why} |" for name, why in not_runnable.items()]
    out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _figures_section(parts: list[Result]) -> Iterator[str]:
    """The table of wanted figures, and on what each part of it was measured."""
    if not parts:
        return
    yield from (
        "## Speed at a glance",
        "",
        "Ratios are medians of the rounds, each against the same round, with the least and the",
        "most. Measured by `python -m benchmarks.speed table memory million`; the sections below",
        "have all tools and what exactly was measured.",
        "",
        "| what | wanted at most | measured | rounds | peers |",
        "|---|---|---|--:|---|",
    )
    for values in parts:
        for row in values["figures"]:
            measured = f"{row['measured']}; {row['note']}" if row["note"] else row["measured"]
            cells = row["what"], row["wanted"], measured, str(row["rounds"]), row["peers"]
            yield f"| {' | '.join(cells)} |"
    yield ""
    sessions: dict[str, list[Result]] = {}
    for values in parts:
        sessions.setdefault(_session(values), []).append(values)
    for session, own in sessions.items():
        titles = ", ".join(
            f"{values['title']} ({values['machine']['time'][11:16]})" for values in own
        )
        peers = {
            name: version
            for values in own
            for name, version in values.get("versions", {}).items()
            if not name.startswith("ours-")
        }
        of_peers = "".join(f"; {name} {version}" for name, version in peers.items())
        yield f"- {titles}: {session}{of_peers}."
    yield ""


def _session(values: Result) -> str:
    """The day, the machine and the versions of a part: equal for those of one session."""
    machine = values["machine"]
    libraries = ", ".join(
        f"{name} {found}" for name, found in machine["libraries"].items() if found
    )
    return (
        f"{machine['time'][:10]} (UTC), {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}; version {values['version']}, "
        f"Python {machine['python']}, {libraries}"
    )


def times(results: Path) -> str:
    """README.md's table of times, the photos like a camera's first; empty if not measured yet."""
    camera, set_a = results / "speed" / "1-camera.json", results / "speed" / "2-set-a.json"
    if not (camera.is_file() and set_a.is_file()):
        return ""
    large, small = (json.loads(path.read_text()) for path in (camera, set_a))
    machine = large["machine"]
    rounds = " and ".join(dict.fromkeys(str(_rounds(values)) for values in (large, small)))
    lines = [
        "",
        f"{large['files']} JPEGs like those of a camera (13.5 megapixels, grain, EXIF, half of "
        "them progressive, a fifth",
        f"copies) and the {small['files']:,} small ones of set A; whole processes in turns, "
        f"median of {rounds} rounds,",
        f"{machine['cores']} cores ({machine['processor']}). In brackets: when the groups could be "
        "seen, before the closer look.",
        "",
        "| tool | 13.5 megapixels | times as long as only decoding | set A |",
        "|---|--:|--:|--:|",
    ]
    decoding = large["turns"]["decoding"]
    for tool, name in TOOL_NAMES.items():
        turns = large["turns"].get(tool, [])
        if not (turns or tool in small["turns"]):
            continue
        pairs = zip(turns, decoding, strict=False)
        ratios = [one["wall_s"] / other["wall_s"] for one, other in pairs if one["wall_s"]]
        cells = [name, _seconds(turns), f"{median(ratios):.2f}" if ratios else ""]
        lines.append(f"| {' | '.join([*cells, _seconds(small['turns'].get(tool, []))])} |")
    return "\n".join([*lines, ""])


def _rounds(values: Result) -> int:
    return len(values["turns"]["decoding"])


def _seconds(turns: list[dict[str, float | None]]) -> str:
    """The median of whole processes; with that of seen groups where they are seen earlier."""
    walls, seens = (
        [seconds for turn in turns if (seconds := turn[key]) is not None]
        for key in ("wall_s", "seen_s")
    )
    if not walls:
        return ""
    whole, seen = median(walls), median(seens)
    places = 1 if whole < 100 else 0
    text = f"{whole:.{places}f} s"
    return text if seen > _SOONER * whole else f"{text} (groups after {seen:.{places}f} s)"


def update(page: str, results: Path) -> str:
    """README.md with the table of times as measured between its marks."""
    before, rest = page.split(_MARKS[0])
    _, after = rest.split(_MARKS[1])
    return f"{before}{_MARKS[0]}\n{times(results)}{_MARKS[1]}{after}"


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


def main() -> None:
    """Write RESULTS.md and README.md's table of times anew from the result files."""
    from benchmarks.tools import HERE, NOT_RUNNABLE

    write(HERE / "results", HERE / "RESULTS.md", NOT_RUNNABLE)
    page = HERE.parent / "README.md"
    page.write_text(update(page.read_text(encoding="utf-8"), HERE / "results"), encoding="utf-8")


if __name__ == "__main__":
    main()
