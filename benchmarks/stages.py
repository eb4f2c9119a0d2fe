"""One scan that notes what each stage cost.

``python -m benchmarks.stages FOLDER MODE LIBRARY OUT.json``

Writes ``{stage: {"wall_s": seconds, "cpu_s": seconds}}``; CPU time includes the workers, which
have ended by the time that the stage after reading begins.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path

from image_duplicate_finder.library import Library
from image_duplicate_finder.progress import Step
from image_duplicate_finder.settings import Mode, ScanSettings

Costs = dict[str, dict[str, float]]


class StageClock:
    """A progress that notes when a stage begins, in wall and CPU time."""

    def __init__(self) -> None:
        self._marks: list[tuple[str, float, float]] = []
        self("start")

    def __call__(self, step: Step | str) -> None:
        stage = step if isinstance(step, str) else step.stage
        if not self._marks or self._marks[-1][0] != stage:
            self._marks.append((stage, time.perf_counter(), _cpu_seconds()))

    def costs(self) -> Costs:
        """What each stage cost until now; a stage that came twice is added up."""
        self("end")
        found: Costs = {}
        for (stage, wall, cpu), (_, wall_after, cpu_after) in pairwise(self._marks):
            cost = found.setdefault(stage, {"wall_s": 0.0, "cpu_s": 0.0})
            cost["wall_s"] += wall_after - wall
            cost["cpu_s"] += cpu_after - cpu
        return found


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    """Scan and write the costs."""
    folder, mode, library_folder, out = sys.argv[1:5]
    clock = StageClock()
    with Library.open(library_folder) as library:
        library.scan([folder], ScanSettings(mode=Mode(mode)), progress=clock)
    Path(out).write_text(json.dumps(clock.costs()))


if __name__ == "__main__":
    main()
