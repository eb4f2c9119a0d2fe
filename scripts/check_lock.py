"""Resolves the locked versions for every system that the program is offered for.

Asks the package registry through pip, so it is run by hand after scripts/lock.sh:

    .venv/bin/python scripts/check_lock.py

Only wheels count, and nothing is downloaded but their metadata. What was found goes into
requirements/wheels.json, from which the tests check the lock again without a network.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements"
WHEELS = REQUIREMENTS / "wheels.json"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@dataclass(frozen=True, slots=True)
class System:
    """A system and processor: how markers name them, and which wheels fit, best first."""

    name: str
    sys_platform: str
    machine: str
    platforms: tuple[str, ...]
    pythons: tuple[str, ...] = PYTHONS

    def markers(self, python: str) -> dict[str, str]:
        """The environment in which markers of requirements are looked at."""
        names = {
            "linux": ("posix", "Linux"),
            "darwin": ("posix", "Darwin"),
            "win32": ("nt", "Windows"),
        }
        os_name, platform_system = names[self.sys_platform]
        return {
            "extra": "",
            "implementation_name": "cpython",
            "implementation_version": f"{python}.0",
            "os_name": os_name,
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": platform_system,
            "platform_version": "",
            "python_full_version": f"{python}.0",
            "python_version": python,
            "sys_platform": self.sys_platform,
        }


def _macs(machine: str) -> tuple[str, ...]:
    # pip takes wheels for older systems as well; universal ones have to be named.
    return (f"macosx_14_0_{machine}", "macosx_14_0_universal2", "macosx_10_15_universal2")


def _linuxes(machine: str) -> tuple[str, ...]:
    newest = [f"manylinux_2_{minor}_{machine}" for minor in range(28, 16, -1)]
    old = (f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}")
    return (*newest, *(f"manylinux_2_{minor}_{machine}" for minor in (12, 5)), *old)


OFFERED = (
    System("Linux x86-64", "linux", "x86_64", _linuxes("x86_64")),
    System("Linux ARM", "linux", "aarch64", _linuxes("aarch64")),
    System("macOS ARM", "darwin", "arm64", _macs("arm64")),
    System("macOS Intel", "darwin", "x86_64", _macs("x86_64"), PYTHONS[:3]),
    System("Windows x64", "win32", "AMD64", ("win_amd64",)),
)
NOT_OFFERED = (
    System("macOS Intel, newest Python", "darwin", "x86_64", _macs("x86_64"), PYTHONS[3:]),
    System("Windows ARM", "win32", "ARM64", ("win_arm64",)),
    System("musl x86-64", "linux", "x86_64", ("musllinux_1_2_x86_64", "musllinux_1_1_x86_64")),
    System("musl ARM", "linux", "aarch64", ("musllinux_1_2_aarch64", "musllinux_1_1_aarch64")),
)
"""Systems for which environment.py says that, and why, packages are missing."""


def pins(system: System, python: str, kind: str = "run") -> list[str]:
    """The locked requirements, ``name==version``, that hold on a system."""
    markers = system.markers(python)
    lines = (REQUIREMENTS / f"{kind}.txt").read_text().splitlines()
    locked = [Requirement(line) for line in lines if not line.startswith("#")]
    return [
        f"{one.name}{one.specifier}"
        for one in locked
        if one.marker is None or one.marker.evaluate(markers)
    ]


def resolve(system: System, python: str) -> Iterator[tuple[str, str, list[str]]]:
    """Pin, wheel and requirements of each locked package. Raises CalledProcessError if pip fails.

    pip looks at the markers of its own system, whatever it resolves for, so it gets plain pins.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        command += ["--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:"]
        # It also holds what a package asks of Python to its own: that is looked at below.
        command += ["--ignore-requires-python", "--python-version", python]
        command += ["--target", folder, "--report", str(report)]
        for platform in system.platforms:
            command += ["--platform", platform]
        done = subprocess.run([*command, *pins(system, python)], capture_output=True, text=True)
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, "pip", done.stdout, done.stderr)
        for one in json.loads(report.read_text())["install"]:
            meta = one["metadata"]
            if not SpecifierSet(meta.get("requires_python", "")).contains(f"{python}.0"):
                message = f"ERROR: {meta['name']} {meta['version']} does not take this Python"
                raise subprocess.CalledProcessError(1, "pip", stderr=message)
            wheel = one["download_info"]["url"].rsplit("/", 1)[1]
            name = meta["name"].lower().replace("_", "-").replace(".", "-")
            yield f"{name}=={meta['version']}", wheel, meta.get("requires_dist", [])


def main() -> int:
    """Resolve for all systems; 0 when each has all of its wheels."""
    found: dict[str, dict[str, list[str]]] = {}
    failed = False
    for system in OFFERED:
        for python in system.pythons:
            try:
                resolved = list(resolve(system, python))
            except subprocess.CalledProcessError as error:
                failed = True
                reason = [line for line in error.stderr.splitlines() if line.startswith("ERROR")]
                print(f"{system.name}, Python {python}: {' '.join(reason)}")
                continue
            print(f"{system.name}, Python {python}: {len(resolved)} wheels", flush=True)
            for pin, wheel, requires in resolved:
                entry = found.setdefault(pin, {"requires": [], "wheels": []})
                entry["wheels"] = sorted({*entry["wheels"], wheel})
                plain = {line for line in requires if "extra ==" not in line}
                entry["requires"] = sorted({*entry["requires"], *plain})
    if not failed:
        WHEELS.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
