"""Score tools on the sets and write the table.

``python -m benchmarks.run --photos DIR... --sets a,b,c --tools ours,peers``
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.machine import describe
from benchmarks.measure import Run
from benchmarks.negatives import make_c
from benchmarks.photos import Half, list_photos
from benchmarks.score import score_groups
from benchmarks.sets import make_a, make_b, make_extra
from benchmarks.tools import HERE, NOT_RUNNABLE, WORK, Tool, chosen
from benchmarks.truth import FILE_NAME, Truth

RESULTS = HERE / "results"
LIMITS = {"a": 1000, "b": 120, "extra": 60, "c": 1500}


@dataclass(frozen=True, slots=True)
class SetSpec:
    """What decides the files of a set; its id names the folder and the results."""

    name: str
    seed: int
    half: Half | None
    limit: int
    distractors: int

    @property
    def id(self) -> str:
        """Short text that holds all of it."""
        half = self.half or "all"
        more = f"-d{self.distractors}" if self.name in ("b", "extra") else ""
        return f"{self.name}-{half}-s{self.seed}-n{self.limit}{more}"

    def make(self, photos: list[Path]) -> tuple[Path, Truth]:
        """The set's folder (files only) and its truth, made now or before."""
        folder = WORK / "sets" / self.id
        truth_folder = WORK / "truth" / self.id
        if (truth_folder / FILE_NAME).is_file():
            return folder, Truth.load(truth_folder)
        shutil.rmtree(folder, ignore_errors=True)
        found = list_photos(photos)
        if self.name == "a":
            truth = make_a(found, folder, self.seed, self.limit, self.half)
        elif self.name == "c":
            truth = make_c(found, folder, self.seed, self.limit, self.half)
        else:
            make = make_b if self.name == "b" else make_extra
            truth = make(found, folder, self.seed, self.limit, self.half, self.distractors)
        truth_folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE_NAME).replace(truth_folder / FILE_NAME)
        return folder, truth


def run_tool(
    tool: Tool, spec: SetSpec, photos: list[Path], timeout: float, nice: int, *, first: bool
) -> Run:
    """Run one tool on one set once. The first run of a session starts its results file anew."""
    folder, truth = spec.make(photos)
    path = RESULTS / spec.id / f"{tool.name}.json"
    version = tool.version()
    run, reported = tool.scan(folder, timeout, nice)
    entry: dict[str, Any] = {
        "wall_s": round(run.wall, 3),
        "cpu_s": round(run.cpu, 3),
        "peak_mib": round(run.memory / 2**20, 1),
        "status": run.status,
        "machine": describe(),
    }
    values: dict[str, Any] = {"tool": tool.name, "version": version, "set": spec.id, "runs": []}
    if not first:
        values = json.loads(path.read_text())
    values["files"] = len(truth.files)
    values["command"] = [_shown(word) for word in run.command]
    if reported is None:
        entry["output"] = _shown(run.output)[-1500:]
    else:
        score = score_groups(truth, reported.duplicates, reported.contains, reported.similar)
        values["score"] = score.to_dict()
        values["groups"] = {
            "duplicates": len(reported.duplicates),
            "contains": len(reported.contains),
            "similar": len(reported.similar),
            "failures": reported.failures,
        }
    values["runs"].append(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return run


def _shown(word: str) -> str:
    """A word of a command without the folders of this machine."""
    return word.replace(str(HERE.parent) + "/", "").replace(str(Path.home()), "~")


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line, run, and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--photos", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--sets", default="a,b,c", help="of a, b, extra, c")
    parser.add_argument("--tools", default="ours,peers", help="names, or ours, or peers")
    parser.add_argument("--half", choices=["first", "second", "all"], default="second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, help="photos (c: files) instead of the default")
    parser.add_argument("--distractors", type=int, default=600)
    parser.add_argument("--repeat", type=int, default=1, help="rounds; tools take turns")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds for one run")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    given = parser.parse_args(arguments)
    half = None if given.half == "all" else given.half
    tools: list[Tool] = []
    for tool in chosen(given.tools.split(",")):
        try:
            tool.install()
            tools.append(tool)
        except RuntimeError as error:
            print(f"{tool.name}: left out. {error}", flush=True)
    for name in given.sets.split(","):
        spec = SetSpec(name, given.seed, half, given.limit or LIMITS[name], given.distractors)
        for turn in range(given.repeat):
            for tool in tools:
                run = run_tool(tool, spec, given.photos, given.timeout, given.nice, first=turn == 0)
                print(
                    f"{spec.id}  {tool.name:26} wall {run.wall:8.1f} s  cpu {run.cpu:8.1f} s  "
                    f"peak {run.memory / 2**20:7.0f} MiB  status {run.status}",
                    flush=True,
                )
    report.write(RESULTS, given.out, NOT_RUNNABLE)
    print(f"{given.out} written")


if __name__ == "__main__":
    main()
