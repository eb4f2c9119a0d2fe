"""Where a scan's time went: a table of its stages."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from image_duplicate_finder.cli.progress import stage_words
from image_duplicate_finder.progress import Progress, Step


@dataclass(slots=True)
class _Stage:
    wall: float = 0.0
    cpu: float = 0.0


class Timings:
    """A progress that hands every step on and notes the seconds between stages.

    CPU seconds are those of this process and of the workers that it has ended; a stage's workers
    end with it.
    """

    def __init__(self, onward: Progress) -> None:
        self._onward = onward
        self._stages: dict[str, _Stage] = {}
        self._current: str | None = None
        self._wall, self._cpu = time.perf_counter(), _cpu_seconds()

    def __call__(self, step: Step, /) -> None:
        """Note the step and hand it on."""
        if step.stage != self._current:
            self._close()
            self._current = step.stage
        self._onward(step)

    def lines(self, files: int) -> list[str]:
        """The table of a scan of ``files`` files; ends the stage that is under way."""
        self._close()
        rows = [(stage_words(name), stage.wall, stage.cpu) for name, stage in self._stages.items()]
        rows.append(("Together", sum(row[1] for row in rows), sum(row[2] for row in rows)))
        head = f"{'stage':24} {'seconds':>9} {'CPU seconds':>12} {'CPU ms per file':>16}"
        return [head] + [
            f"{words:24} {wall:9.2f} {cpu:12.2f} {1000 * cpu / max(1, files):16.3f}"
            for words, wall, cpu in rows
        ]

    def _close(self) -> None:
        wall, cpu = time.perf_counter(), _cpu_seconds()
        stage = self._stages.setdefault(self._current or "start", _Stage())
        stage.wall += wall - self._wall
        stage.cpu += cpu - self._cpu
        self._wall, self._cpu = wall, cpu


def _cpu_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system
