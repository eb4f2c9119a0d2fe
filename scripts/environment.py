"""Makes and renews the project's own environment in ``.venv`` (standard library only).

The versions come from ``requirements/`` and are the same on every machine. Nothing is installed
while nothing changed: a stamp in the environment holds what it was made from.

    python scripts/environment.py run|dev         make it
    python scripts/environment.py wheels FOLDER   download what an offline installation needs
    python scripts/environment.py remove          remove it; libraries and backups stay
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
KINDS = ("run", "dev")
"""What an environment is for; each kind holds all of the one before it."""


_KEEP_NO_MODULES = "PYTHONDONTWRITEBYTECODE"
_ALL_PARTS = (
    "import image_duplicate_finder.cli.scan, image_duplicate_finder.cli.progress; "
    "import image_duplicate_finder.web, image_duplicate_finder.web.server"
)
_LINES_OF_A_FAILURE = 15
_NO_CONNECTION = ("connection broken", "NewConnectionError", "NameResolutionError", "ProxyError")


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
            "This Linux has no glibc (Alpine?), and OpenCV, Numba and ONNX Runtime have "
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
    # Python 3.11 puts it there unasked; nothing of this program uses its 9 MB.
    unwanted = [str(python), "-m", "pip", "--disable-pip-version-check", "uninstall", "--yes"]
    subprocess.run([*unwanted, "setuptools"], capture_output=True, check=False)


def _install(python: Path, kind: str) -> None:
    has_pip = subprocess.run([python, "-c", "import pip"], capture_output=True, check=False)
    if has_pip.returncode != 0:  # an interrupted start, or an environment made by other tools
        advice = "pip could not be put into the environment; remove .venv and start again."
        _run([str(python), "-m", "ensurepip"], advice)
    included = KINDS[: KINDS.index(kind) + 1]
    _say("Installing (this takes a minute or two the first time) ...")
    if kind == "dev":  # some Pythons bring a pip that takes twice as long for all these packages
        _pip(python, ["--upgrade", "--constraint", str(_requirements(kind)), "pip"])
    _pip(python, ["--requirement", str(_requirements("run"))])
    _pip(python, ["--no-deps", "--editable", str(ROOT)])
    _say("Preparing it for this computer ...")
    # That takes all cores, and pip one: the rest is installed meanwhile.
    preparing = threading.Thread(target=_prepare, args=(python,))
    preparing.start()
    try:
        for more in included[1:]:
            _pip(python, ["--requirement", str(_requirements(more))])
    finally:
        preparing.join()
    for each in included:
        _stamp(each).write_bytes(_made_from(each))


def _prepare(python: Path) -> None:
    """Compile loops and modules. Whatever this cannot do now is done when it is needed."""
    # Modules are compiled as they are imported, even if someone forbids it for all of Python.
    keeping = {name: value for name, value in os.environ.items() if name != _KEEP_NO_MODULES}
    for step in (["-m", "image_duplicate_finder.compiled"], ["-c", _ALL_PARTS]):
        subprocess.run([str(python), *step], env=keeping, capture_output=True, check=False)


def _pip(python: Path, wanted: list[str]) -> None:
    """Install, with how far it is in place of what pip says; that is shown if it fails."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install"]
    command += ["--no-color", "--progress-bar", "off", "--root-user-action", "ignore", *wanted]
    # Python compiles what is imported when it is; all else would take 45 MB for nothing.
    command += ["--no-compile"]
    if (wheels := wheel_folder()) is not None:
        command += ["--no-index", "--find-links", str(wheels)]
    said: list[str] = []
    seen = 0
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                _progress(f"  {seen} packages looked up and fetched ...")
            elif line.startswith("Installing collected packages"):
                _progress("  all are there; putting them in place ...")
    _progress("")
    if process.returncode != 0:
        for line in said[-_LINES_OF_A_FAILURE:]:
            _say(f"  {line}")
        raise SetupFailed(_advice("\n".join(said)))


def _advice(said: str) -> str:
    """What to do about a failed installation, told from what pip said."""
    if wheel_folder() is not None:
        return (
            f"The installation failed: {wheel_folder()} lacks a package. Fill it on a computer of "
            "the same kind: python scripts/environment.py wheels FOLDER"
        )
    if "No space left" in said:
        return "The installation failed: the disk is full. It needs about 1 GB."
    if any(words in said for words in _NO_CONNECTION):
        return (
            "The installation failed: the package index was not reached. Check the connection; "
            "behind a proxy set HTTPS_PROXY; without one fill a folder of wheels (docs/install.md)."
        )
    return "The installation failed; the lines above say why. Start again once that is mended."


def wheel_folder() -> Path | None:
    """The folder that packages are taken from in place of the index: IDF_WHEELS, or wheels/."""
    named = os.environ.get("IDF_WHEELS")
    folder = Path(named) if named else ROOT / "wheels"
    return folder if named or folder.is_dir() else None


def fill(folder: Path) -> None:
    """Download all that an installation without a connection needs into ``folder``."""
    python = sys.executable
    command = [python, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--dest", str(folder), "--only-binary", ":all:"]
    command += ["--requirement", str(_requirements("run")), "hatchling", "editables"]
    _run(command, "The wheels could not be downloaded; the lines above say why.")
    _say(f"{folder} holds all wheels: put it beside run_linux_mac.sh as wheels/, or name it in")
    _say("IDF_WHEELS.")


def remove() -> None:
    """Remove the environment, and say what stays."""
    python = python_path()
    where = "from image_duplicate_finder.library import default_folder as f; print(f())"
    library = ""
    if _works(python):
        done = subprocess.run([python, "-c", where], capture_output=True, text=True, check=False)
        library = done.stdout.strip()
    if library and Path(library).is_dir():
        print(f"Your library stays in {library}")
        command = [str(python), "-m", "image_duplicate_finder", "backups"]
        backups = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        print("Backups of removed pictures stay; a later installation can restore them:")
        print("".join(f"  {line}\n" for line in backups.splitlines()), end="")
    if ENVIRONMENT.exists():
        shutil.rmtree(ENVIRONMENT)
    print(f"The program was uninstalled. Delete {ROOT} to be rid of its files as well.")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _progress(words: str) -> None:
    """Show how far it is on a terminal, in place of what was shown last."""
    if sys.stderr.isatty():
        print(f"\r{words:<60}\r{words}", end="", file=sys.stderr, flush=True)


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
    """Do what the command line says; 0 when it is done, 1 when not."""
    match sys.argv[1:]:
        case [kind] if kind in KINDS:
            work: Callable[[], object] = partial(make, kind)
        case ["wheels", folder]:
            work = partial(fill, Path(folder))
        case ["remove"]:
            work = remove
        case _:
            print(f"Usage: environment.py {'|'.join(KINDS)}|wheels FOLDER|remove", file=sys.stderr)
            return 2
    try:
        work()
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
