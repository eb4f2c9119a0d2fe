"""Makes and renews the project's own environment in ``.venv`` (standard library only).

The versions come from ``requirements/`` and are the same on every machine. Nothing is installed
while nothing changed: a stamp in the environment holds what it was made from.

    python scripts/environment.py run|dev
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
KINDS = ("run", "dev")
"""What an environment is for; each kind holds all of the one before it."""


class SetupFailed(Exception):
    """The environment cannot be made; the message says what to do."""


def python_path() -> Path:
    """The environment's interpreter, whether or not it exists yet."""
    if os.name == "nt":
        return ENVIRONMENT / "Scripts" / "python.exe"
    return ENVIRONMENT / "bin" / "python"


def make(kind: str) -> Path:
    """Bring the environment up to ``kind`` and return its interpreter.

    Raises :class:`SetupFailed` when a step of it fails; what was there before stays usable.
    """
    if (reason := unsupported()) is not None:
        raise SetupFailed(reason)
    python = python_path()
    if not _works(python):
        _create(python)
    if not _is_current(kind):
        _install(python, kind)
    return python


def unsupported() -> str | None:
    """Why there are no packages for this system, in a sentence; None where there are.

    requirements/wheels.json holds what each locked package has wheels for.
    """
    machine = platform.machine().lower()
    if sys.maxsize < 2**32:
        return "This is a 32-bit Python: install a 64-bit one."
    if sys.platform == "win32" and machine == "arm64":
        return (
            "OpenCV has no packages for Python on Windows for ARM: install the 64-bit (x64) "
            "Python from https://www.python.org/downloads/, which Windows runs as well."
        )
    if sys.platform == "darwin" and machine == "x86_64" and sys.version_info >= (3, 14):
        return "On a Mac with an Intel processor Python 3.11, 3.12 or 3.13 is needed (Numba)."
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        return (
            "This Linux has no glibc (Alpine?), and OpenCV, Numba, FAISS and ONNX Runtime have "
            "no packages for it: use the container (docs/install.md)."
        )
    return None


def _works(python: Path) -> bool:
    """Whether the interpreter starts: an upgrade of the system's Python can orphan it."""
    if not python.is_file():
        return False
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0


def _create(python: Path) -> None:
    print(f"Making the environment in {ENVIRONMENT} ...", file=sys.stderr, flush=True)
    if ENVIRONMENT.exists():
        shutil.rmtree(ENVIRONMENT)
    _run(
        [sys.executable, "-m", "venv", str(ENVIRONMENT)],
        "The environment could not be made; is there space left, and may this folder be written?",
    )
    if not _works(python):
        raise SetupFailed(f"The environment in {ENVIRONMENT} does not start; remove that folder.")


def _install(python: Path, kind: str) -> None:
    print("Installing (this takes a minute or two the first time) ...", file=sys.stderr, flush=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    advice = "The installation failed; check the connection to the internet and start again."
    has_pip = subprocess.run([python, "-c", "import pip"], capture_output=True, check=False)
    if has_pip.returncode != 0:  # an interrupted start, or an environment made by other tools
        _run([str(python), "-m", "ensurepip"], advice)
    _run([*pip, "--requirement", str(_requirements(kind))], advice)
    _run([*pip, "--no-deps", "--editable", str(ROOT)], advice)
    for included in KINDS[: KINDS.index(kind) + 1]:
        _stamp(included).write_bytes(_made_from(included))


def _run(command: list[str], advice: str) -> None:
    # Standard output stays free for what the started command prints (`idf scan --json -`).
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
        raise SetupFailed(advice)


def _requirements(kind: str) -> Path:
    return ROOT / "requirements" / f"{kind}.txt"


def _stamp(kind: str) -> Path:
    return ENVIRONMENT / f".installed-{kind}"


def _made_from(kind: str) -> bytes:
    """All that decides what stands in the environment, its place included."""
    parts = [os.fsencode(ROOT), (ROOT / "pyproject.toml").read_bytes()]
    return b"\n".join([*parts, _requirements(kind).read_bytes()])


def _is_current(kind: str) -> bool:
    stamp = _stamp(kind)
    return stamp.is_file() and stamp.read_bytes() == _made_from(kind)


def main() -> int:
    """Make the environment named on the command line; 0 when it is ready, 1 when not."""
    if sys.argv[1:] not in ([kind] for kind in KINDS):
        print(f"Usage: environment.py {'|'.join(KINDS)}", file=sys.stderr)
        return 2
    try:
        make(sys.argv[1])
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
