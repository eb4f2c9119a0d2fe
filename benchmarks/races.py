"""Tools in turns on one folder: whole processes, and how soon their groups can be seen.

What a person waits for with this program are the groups: a scan shows them before it looks closer
at what it would propose for removal. So both are measured: when nine tenths of the files that are
in groups in the end are shown in groups, and when the process has ended.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import report
from benchmarks.measure import Run, measured
from benchmarks.tools import HERE, TOOLS, scan_command, scratch
from image_duplicate_finder import compiled
from image_duplicate_finder.own_files import LIBRARY_NAME

LOOP = "decoding"
"""The entrant that only reads and decodes, with as many processes as there are cores."""

_NEARLY_ALL = 0.9
_IN_GROUPS = "SELECT (SELECT count(*) FROM grouping) + (SELECT count(*) FROM member)"
_WARM_UP_FILES = 20


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of an entrant.

    ``seen`` are the seconds until its groups could be seen, ``grouped`` the files in groups then;
    ``ended``: it was left to its end.
    """

    run: Run
    seen: float
    grouped: int = 0
    ended: bool = True

    @property
    def wall(self) -> float:
        """The seconds of the whole process."""
        return self.run.wall


def to_the_end(turns: Sequence[Turn]) -> list[Turn]:
    """Those that were left to their end."""
    return [turn for turn in turns if turn.ended]


Turns = Mapping[str, Sequence[Turn]]
"""All turns of each entrant, in their order: round by round. The first ones were left to end."""


def race(
    names: Sequence[str],
    folder: Path,
    rounds: int,
    each_round: Callable[[Turns], None],
    whole: int | None = None,
) -> list[str]:
    """Let all tools run over ``folder`` in turns; ``each_round`` gets all turns so far.

    After the first ``whole`` rounds (all if None), this program's scans are stopped when their
    groups can be seen: to look closer takes most of their time where every file has copies.
    First each tool has an unmeasured turn with a few of the files. One that cannot be installed or
    fails is left out from then on; the reasons are returned.
    """
    compiled.prepare()
    with scratch() as few:
        for file in _files(folder)[:_WARM_UP_FILES]:
            shutil.copy(file, few)
        for name in names:
            with contextlib.suppress(RuntimeError):
                _turn(name, few, None)
    for file in _files(folder):
        file.read_bytes()  # All find the page cache warm.
    failed: list[str] = []
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    for number in range(rounds):
        to_end = whole is None or number < max(1, whole)
        for name, own in list(turns.items()):
            try:
                own.append(_turn(name, folder, None if to_end else own[0].grouped))
            except RuntimeError as error:
                del turns[name]
                failed.append(f"{name}: {error}")
        each_round(turns)
    return failed


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _turn(name: str, folder: Path, grouped: int | None) -> Turn:
    """One run. Raises RuntimeError if it fails, or if the tool cannot be installed."""
    if name == LOOP:
        run = measured([sys.executable, "-m", "benchmarks.decode_loop", folder], cwd=HERE.parent)
        return Turn(succeeded(run), run.wall)
    if name.startswith("ours-"):
        return scan_turn(name.removeprefix("ours-"), folder, grouped)
    TOOLS[name].install()
    run, _reported = TOOLS[name].scan(folder, 3600, 0)
    return Turn(succeeded(run), run.wall)


def scan_turn(mode: str, folder: Path, grouped: int | None = None) -> Turn:
    """One scan with an empty library. Raises RuntimeError if it fails.

    If it is known how many files are ``grouped`` in the end, it is stopped when nine tenths are.
    """
    counts: list[tuple[float, int]] = []
    with scratch() as place:
        library = place / "library"

        def note(seconds: float) -> bool:
            counts.append((seconds, _in_groups(library)))
            return grouped is not None and counts[-1][1] >= _NEARLY_ALL * grouped

        command = scan_command(library, folder, mode, place / "out.json")
        run = measured(command, on_output=note)
        found = _in_groups(library)
    ended = run.status == 0
    if not ended and (grouped is None or counts[-1][1] < _NEARLY_ALL * grouped):
        succeeded(run)
    enough = max(1.0, _NEARLY_ALL * (grouped or found))
    seen = next((at for at, count in counts if count >= enough), run.wall)
    return Turn(run, seen, found, ended)


def _in_groups(library: Path) -> int:
    """How many files are shown in groups now; 0 while there is no library yet."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"file:{library / LIBRARY_NAME}?mode=ro", uri=True)
        ) as store:
            return int(store.execute(_IN_GROUPS).fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def succeeded(run: Run) -> Run:
    """The run itself. Raises RuntimeError with the end of its output if it failed."""
    if run.status != 0:
        raise RuntimeError(f"{' '.join(run.command)} failed ({run.status}): {run.output[-800:]}")
    return run


def rows(turns: Turns, files: int) -> list[list[str]]:
    """A row for each entrant: times, the ratio to decoding, CPU time and memory."""
    found = []
    for name, own in turns.items():
        ours = name.startswith("ours-")
        ended = to_the_end(own)
        found.append(
            [
                name,
                report.spread([turn.seen for turn in own]) if ours else "",
                report.spread([turn.wall for turn in ended]),
                "" if name == LOOP or LOOP not in turns else ratio(turns, name, LOOP),
                f"{1000 * median(turn.run.cpu for turn in ended) / files:.1f}",
                f"{max(turn.run.memory for turn in ended) / 2**20:.0f}",
            ]
        )
    return found


COLUMNS = ["tool", "groups seen after s", "whole s", "whole / decoding", "CPU ms/file", "peak MiB"]


def ratio(turns: Turns, name: str, other: str, *, seen: bool = False) -> str:
    """How many times as long as ``other`` one takes in the same round: median and spread.

    With ``seen`` until its groups can be seen; else whole processes.
    """
    return report.spread(
        [
            (one.seen if seen else one.wall) / each.wall
            for one, each in zip(turns[name], turns[other], strict=True)
            if seen or one.ended
        ]
    )
