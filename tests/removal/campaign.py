"""Kills and breaks removal over and over, and looks whether anything was lost.

    python -m tests.removal.campaign --kills 300

runs the long form of docs/safety.md; the tests run a short one. Scenes are built in a temporary
folder (TMPDIR names another), and for moves across volumes also in /dev/shm, /tmp or /var/tmp,
whichever is on another volume.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from image_duplicate_finder.errors import IdfError
from image_duplicate_finder.removal import fs
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.removal.faulty import ERRORS, Faults, faults, two_step_renames
from tests.removal.powercut import cut
from tests.removal.scene import Scene, make_scene, own_trash

Work = Callable[[Scene], object]
VOLUMES = (Path("/dev/shm"), Path("/tmp"), Path("/var/tmp"))


@dataclass(frozen=True)
class Scenario:
    """What is done to a fresh scene: ``prepare`` undisturbed, then ``work``."""

    name: str
    work: Work
    prepare: Work | None = None
    action: RemovalAction = RemovalAction.BACKUP
    across: bool = False
    two_steps: bool = False
    mode: BackupMode = BackupMode.REMOVED


def _apply(scene: Scene) -> object:
    return scene.apply()


def _undo(scene: Scene) -> object:
    return scene.undo()


def _purge(scene: Scene) -> object:
    return [scene.remover.purge(run.id) for run in scene.remover.history()]


SCENARIOS = (
    Scenario("apply", _apply),
    Scenario("undo", _undo, _apply),
    Scenario("apply hard links", _apply, action=RemovalAction.HARDLINK),
    Scenario("undo hard links", _undo, _apply, RemovalAction.HARDLINK),
    Scenario("apply symlinks", _apply, action=RemovalAction.SYMLINK),
    Scenario("undo symlinks", _undo, _apply, RemovalAction.SYMLINK),
    Scenario("apply reflinks", _apply, action=RemovalAction.REFLINK),
    Scenario("undo reflinks", _undo, _apply, RemovalAction.REFLINK),
    Scenario("apply across volumes", _apply, across=True),
    Scenario("undo across volumes", _undo, _apply, across=True),
    Scenario("apply, two-step renames", _apply, two_steps=True),
    Scenario("undo, two-step renames", _undo, _apply, two_steps=True),
    Scenario("apply to the trash", _apply, action=RemovalAction.TRASH),
    Scenario("undo from the trash", _undo, _apply, RemovalAction.TRASH),
    Scenario("apply, auto backup", _apply, mode=BackupMode.AUTO),
    Scenario("apply, full backup", _apply, mode=BackupMode.FULL),
    Scenario("purge", _purge, _apply),
    Scenario("purge, auto backup", _purge, _apply, mode=BackupMode.AUTO),
)


def other_volume(base: Path) -> Path:
    """A folder on another volume than ``base``. Raises StopIteration where there is none."""
    return next(v for v in VOLUMES if v.is_dir() and v.stat().st_dev != base.stat().st_dev)


def impossible(scenario: Scenario, base: Path) -> str:
    """Why this machine cannot play a scenario in ``base``, or ""."""
    if scenario.across and all(
        v.stat().st_dev == base.stat().st_dev for v in VOLUMES if v.is_dir()
    ):
        return "this machine has one volume only"
    if scenario.action == RemovalAction.REFLINK:
        (base / "one").write_bytes(b"picture")
        try:
            fs.reflink(str(base / "one"), str(base / "other"))
        except OSError:
            return "the volume has no reflinks"
        finally:
            (base / "one").unlink()
            (base / "other").unlink(missing_ok=True)
    return ""


@contextmanager
def fresh(scenario: Scenario, base: Path, files: int, size: int = 3000) -> Iterator[Scene]:
    """A scene ready for the scenario's work, deleted afterwards."""
    top = Path(tempfile.mkdtemp(prefix="scene", dir=base))
    root = None
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, top, ignore_errors=True)
        if scenario.across:
            elsewhere = Path(tempfile.mkdtemp(prefix="idf-campaign", dir=other_volume(base)))
            stack.callback(shutil.rmtree, elsewhere, ignore_errors=True)
            root = elsewhere / "photos"
        scene = make_scene(
            top,
            files=files,
            action=scenario.action,
            root=root,
            backup_dir=top / "backups" if scenario.across else None,
            units=scenario.action in (RemovalAction.BACKUP, RemovalAction.TRASH),
            size=size,
            mode=scenario.mode,
        )
        stack.enter_context(own_trash(top))
        with two_step_renames() if scenario.two_steps else nullcontext():
            if scenario.prepare is not None:
                scenario.prepare(scene)
            yield scene


def in_child(work: Work, scene: Scene, plan: Faults, kill_after: float | None = None) -> bool:
    """Do the work in a process of its own; whether it was killed on the way.

    ``kill_after`` seconds it is sent SIGKILL from outside.
    """
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with faults(plan):
                work(scene)
            status = 0
        except IdfError as error:
            print("refused:", error)
        finally:
            sys.stdout.flush()
            os._exit(status)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        raise AssertionError("the work failed without being killed")
    return False


def check(scenario: Scenario, scene: Scene, marks: dict[bytes, set[str]]) -> None:
    """After a recovery: nothing is lost, nothing is there twice, and undo brings all back."""
    if scenario.work is _purge:
        kept = {mark: paths for mark, paths in marks.items() if scene.census().get(mark)}
        keepers = {m for m, paths in marks.items() if any("/keep/" in path for path in paths)}
        assert keepers <= kept.keys()
        assert not scene.leftovers()
        assert not scene.remover.verify().problems
        return
    scene.check_settled(marks)
    for report in scene.undo():
        assert not report.skipped, report.skipped
    scene.check_like_before()


def duration(scenario: Scenario, base: Path, files: int) -> float:
    """Seconds that the work takes undisturbed."""
    with fresh(scenario, base, files) as scene:
        start = time.monotonic()
        in_child(scenario.work, scene, Faults())
        return time.monotonic() - start


def kill_at_random(
    scenario: Scenario, base: Path, kills: int, rng: random.Random, files: int = 12
) -> int:
    """Kill the work at random instants, and half of the recoveries too; returns how many."""
    length = duration(scenario, base, files)
    done = 0
    while done < kills:
        with fresh(scenario, base, files) as scene:
            marks = _marks(scene)
            if not in_child(scenario.work, scene, Faults(), rng.uniform(0, length)):
                continue  # it was quicker this time
            done += 1
            if rng.random() < 0.5:
                in_child(_recover, scene, Faults(), rng.uniform(0, length / 4))
            scene.recover()
            check(scenario, scene, marks)
    return done


def kill_at_each_call(
    scenario: Scenario, base: Path, only: tuple[str, ...] = (), every: int = 1, offset: int = 0
) -> int:
    """Kill before and after each call in turn; returns how many kills there were."""
    number, done = 1 + offset, 0
    while True:
        with fresh(scenario, base, 3) as scene:
            marks = _marks(scene)
            after = bool(number % 2)
            plan = Faults(at=(number + 1) // 2, after=after, only=only)
            if not in_child(scenario.work, scene, plan):
                return done
            done += 1
            scene.recover()
            check(scenario, scene, marks)
        number += every


def fail_at_each_call(
    scenario: Scenario,
    base: Path,
    error: int,
    *,
    onwards: bool = False,
    every: int = 1,
    offset: int = 0,
) -> int:
    """Let each call fail in turn; returns how many failed."""
    number, done = 1 + offset, 0
    while True:
        with fresh(scenario, base, 3) as scene:
            marks = _marks(scene)
            plan = Faults(at=number, error=error, onwards=onwards)
            with faults(plan), suppress(IdfError, OSError):  # a refusal, or an honest error
                scenario.work(scene)
            if len(plan.calls) < number:
                return done
            done += 1
            scene.recover()
            try:
                check(scenario, scene, marks)
            except AssertionError as problem:
                name = plan.calls[number - 1]
                raise AssertionError(
                    f"{scenario.name}: {errno.errorcode[error]} at call {number} ({name})"
                ) from problem
        number += every


def cut_the_power(
    scenario: Scenario, base: Path, rng: random.Random, states: int | None = None
) -> int:
    """Try states of the disk after power cuts, recover from each; returns how many there were."""
    with fresh(scenario, base, 3) as scene:
        marks = _marks(scene)

        def look() -> None:
            scene.recover()
            check(scenario, scene, marks)

        return cut(scene.top, scene.places, lambda: scenario.work(scene), look, rng, states)


def stop_the_journal(scenario: Scenario, base: Path, every: int = 1, offset: int = 0) -> int:
    """Let the system refuse each write of SQLite in turn; returns how many were refused.

    A process may write files up to a size only (setrlimit(2), RLIMIT_FSIZE), so the journal's
    log stops growing at each of its frames: a real error in the middle of a commit.
    """
    done, number = 0, offset
    while True:
        with fresh(scenario, base, 3) as scene:
            marks = _marks(scene)
            most = _SMALLEST + number * _FRAME
            refused = _with_small_files(lambda scene=scene: scenario.work(scene), most)
            scene.recover()
            check(scenario, scene, marks)
            if not refused:
                return done
            done += 1
        number += every


_SMALLEST, _FRAME = 40 << 10, 4096 + 24  # more than any other file of a scene; a page in the log


def _with_small_files(work: Callable[[], object], most: int) -> bool:
    """Do the work in a process that may write ``most`` bytes a file; whether it was refused."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
            work()
            status = 0
        except (IdfError, OSError):
            status = 2
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 2), f"the work failed with {status}"
    return status == 2


def _recover(scene: Scene) -> object:
    return scene.recover()


def _marks(scene: Scene) -> dict[bytes, set[str]]:
    """Where files were at first: as the scene was made, whatever was prepared since."""
    found: dict[bytes, set[str]] = {}
    for path, entry in scene.before.items():
        marks = dict(entry.xattrs)
        if entry.kind == "file":
            place = os.path.join(os.path.realpath(scene.root), os.fsdecode(path))
            found.setdefault(marks["user.idf-test"], set()).add(place)
    return found


def main() -> None:
    """Run the long form and print the table of docs/safety.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="random kills per scenario")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--states", type=int, help="random power cuts per scenario; else all")
    parser.add_argument("--only", default="", help="scenarios whose names contain this")
    parser.add_argument("--parts", default="random,calls,errors,drive,power,journal")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    total: Counter[str] = Counter()
    for scenario in SCENARIOS:
        if options.only not in scenario.name:
            continue
        with tempfile.TemporaryDirectory(prefix="idf-campaign") as folder:
            base, counts = Path(folder), Counter[str]()
            if reason := impossible(scenario, base):
                print(f"{scenario.name}: left out, {reason}", flush=True)
                continue
            if "random" in options.parts:
                counts["random kills"] = kill_at_random(scenario, base, options.kills, rng)
            if "calls" in options.parts:
                counts["kills at journal steps"] = kill_at_each_call(
                    scenario, base, only=("commit",)
                )
                counts["kills at calls"] = kill_at_each_call(scenario, base)
            if "errors" in options.parts:
                for error in ERRORS:
                    counts[errno.errorcode[error]] = fail_at_each_call(scenario, base, error)
            if "drive" in options.parts:
                counts["drive gone"] = fail_at_each_call(scenario, base, errno.EIO, onwards=True)
            if "power" in options.parts:
                counts["power cuts"] = cut_the_power(scenario, base, rng, options.states)
            if "journal" in options.parts:
                counts["writes of the journal"] = stop_the_journal(scenario, base)
        total += counts
        print(f"{scenario.name}: " + ", ".join(f"{k} {n}" for k, n in counts.items()), flush=True)
    print("total: " + ", ".join(f"{name} {count}" for name, count in total.items()))


if __name__ == "__main__":
    main()
