"""The tools that are compared: how each is installed, started and read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Run, measured
from benchmarks.score import Star

HERE = Path(__file__).resolve().parent
WORK = HERE / "work"
DRIVERS = HERE / "drivers"


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder below ``WORK``, which is made if need be; it goes with the block."""
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as place:
        yield Path(place)


@dataclass(frozen=True, slots=True)
class Reported:
    """What a tool reported about a folder, by path relative to it."""

    duplicates: tuple[tuple[str, ...], ...]
    contains: tuple[Star, ...] = ()
    similar: tuple[Star, ...] = ()
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool from PyPI in an environment of its own; ``python`` is the version that it needs."""

    name: str
    requirement: str
    driver: str
    python: str = "3.12"
    method: str | None = None

    @property
    def environment(self) -> Path:
        """Where its environment stands; methods of one tool share it."""
        return WORK / "environments" / self.requirement.split("=")[0].split("[")[0].lower()

    def install(self) -> None:
        """Make the environment unless it is there.

        Raises ``RuntimeError`` with the reason if the tool cannot be installed here.
        """
        done = self.environment / "installed"
        if done.is_file() and done.read_text() == self.requirement:
            return
        shutil.rmtree(self.environment, ignore_errors=True)
        subprocess.run([find_python(self.python), "-m", "venv", self.environment], check=True)
        pip = [self._python, "-m", "pip", "install", "--quiet", self.requirement]
        result = subprocess.run(pip, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(f"{self.requirement} cannot be installed: {result.stderr[-500:]}")
        done.write_text(self.requirement)

    def version(self) -> str:
        """The installed version with that of its Python."""
        package = self.requirement.split("=")[0].split("[")[0]
        code = (
            "import importlib.metadata as m, platform;"
            f"print(m.version({package!r}), 'on Python', platform.python_version())"
        )
        return subprocess.check_output([self._python, "-c", code], text=True).strip()

    def scan(self, folder: Path, timeout: float, nice: int) -> tuple[Run, Reported | None]:
        """One whole process over ``folder``; nothing is reported if it failed."""
        with scratch() as place:
            out = place / "out.json"
            command = [self._python, DRIVERS / self.driver, folder, out]
            command += [self.method] if self.method else []
            run = measured(command, cwd=place, timeout=timeout, nice=nice)
            return run, _read_peer(out, folder) if run.status == 0 else None

    @property
    def _python(self) -> Path:
        return self.environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@dataclass(frozen=True, slots=True)
class Ours:
    """This project's command, in the environment that runs the benchmark."""

    mode: str

    @property
    def name(self) -> str:
        """``ours-<mode>``."""
        return f"ours-{self.mode}"

    def install(self) -> None:
        """Nothing to do: the benchmark runs in our environment."""

    def version(self) -> str:
        """The checkout's commit; ``+`` marks changes that are not committed."""
        describe = ["git", "describe", "--always", "--dirty=+", "--exclude", "*"]
        return subprocess.check_output(describe, cwd=HERE, text=True).strip()

    def scan(self, folder: Path, timeout: float, nice: int) -> tuple[Run, Reported | None]:
        """A scan with an empty library."""
        with scratch() as place:
            out = place / "out.json"
            run = measured(
                scan_command(place / "library", folder, self.mode, out),
                timeout=timeout,
                nice=nice,
            )
            return run, read_ours(out, folder) if run.status == 0 else None


Tool = Peer | Ours

TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        Ours("quick"),
        Ours("standard"),
        Ours("thorough"),
        Peer("imagehash", "imagehash==4.3.2", "imagehash_driver.py"),
        Peer(
            "imagededup-phash", "imagededup==0.3.3.post2", "imagededup_driver.py", method="phash"
        ),
        Peer("difpy", "difPy==4.2.1", "difpy_driver.py"),
        Peer("czkawka", "czkawka==0.1.2", "czkawka_driver.py"),
        Peer("image-dedup-ai", "image-dedup-ai==0.1.0", "image_dedup_ai_driver.py"),
        Peer("fastdup", "fastdup==2.54", "fastdup_driver.py"),
        *(
            Peer(f"immaculate-{method}", "immaculate[sscd]==0.3.0", "immaculate_driver.py",
                 method=method)
            for method in ("phash", "pdq", "sscd_distilled", "sscd")
        ),
    )
}  # fmt: skip

NOT_RUNNABLE = {
    "imagededup CNN": "fetches its network's weights from a hub at the first run",
    "czkawka_cli (rotations and flips)": "not on PyPI; its binding has no such option",
}
"""Tools that a table should name though they cannot be run offline, and why."""


def chosen(names: Sequence[str]) -> list[Tool]:
    """The tools by name; ``ours`` and ``peers`` stand for all of them.

    Raises ``ValueError`` for a name that is not known.
    """
    tools: list[Tool] = []
    for name in names:
        if name in ("ours", "peers"):
            wanted = Ours if name == "ours" else Peer
            tools += [tool for tool in TOOLS.values() if isinstance(tool, wanted)]
        elif name in TOOLS:
            tools.append(TOOLS[name])
        else:
            raise ValueError(f"There is no tool {name!r}. Known: ours, peers, {', '.join(TOOLS)}.")
    return list({tool.name: tool for tool in tools}.values())


def scan_command(
    library: Path, folder: Path, mode: str, out: Path | None = None
) -> list[str | Path]:
    """The command line of a scan by this project, which writes its groups to ``out``."""
    command = [Path(sys.executable).parent / "idf", "--library", library]
    command += ["scan", folder, "--mode", mode]
    return command if out is None else [*command, "--json", out]


def find_python(version: str) -> Path:
    """A Python of this minor version: this one, pyenv's, or one on the PATH.

    Raises ``RuntimeError`` if there is none that starts.
    """
    candidates = [Path(sys._base_executable)]  # type: ignore[attr-defined]
    candidates += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    candidates += [Path(found) for found in [shutil.which(f"python{version}")] if found]
    code = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
    for candidate in candidates:
        result = subprocess.run([candidate, "-c", code], capture_output=True, text=True)
        if result.returncode == 0 and result.stdout.strip() == version:
            return candidate
    raise RuntimeError(f"No Python {version} was found.")


def _relative(paths: Sequence[str], folder: Path) -> tuple[str, ...]:
    base = os.path.realpath(folder)
    return tuple(os.path.relpath(os.path.realpath(path), base) for path in paths)


def _read_peer(out: Path, folder: Path) -> Reported:
    values = json.loads(out.read_text(encoding="utf-8"))
    groups = values.get("groups") or values.get("pairs") or []
    return Reported(tuple(_relative(group, folder) for group in groups))


def read_ours(out: Path, folder: Path) -> Reported:
    """Read the JSON that ``idf scan --json`` wrote (docs: version 1)."""
    values: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    if values["version"] != 1:
        raise ValueError(f"{out} has version {values['version']}, and only 1 is known here.")
    by_kind: dict[str, list[Star]] = {"duplicates": [], "contains": [], "similar": []}
    for group in values["groups"]:
        keeper, *members = _relative(
            [group["keeper"]["path"], *(member["path"] for member in group["members"])], folder
        )
        by_kind[group["kind"]].append(Star(keeper, tuple(members)))
    return Reported(
        tuple((star.keeper, *star.members) for star in by_kind["duplicates"]),
        tuple(by_kind["contains"]),
        tuple(by_kind["similar"]),
        len(values["failures"]),
    )
