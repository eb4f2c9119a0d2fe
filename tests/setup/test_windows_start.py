"""run_window.bat under Wine, with programs in place of Python; skipped where Wine is not installed.

Debian's packages ``wine64`` and ``gcc-mingw-w64-x86-64`` are all it needs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.setup.checkouts import REPOSITORY

WINE = shutil.which("wine64", path=f"{os.environ['PATH']}{os.pathsep}/usr/lib/wine")
COMPILER = shutil.which("x86_64-w64-mingw32-gcc")

pytestmark = [
    pytest.mark.skipif(
        WINE is None or COMPILER is None, reason="needs Wine and mingw-w64 (wine64, gcc-mingw-w64)"
    ),
]


class Windows:
    """A Windows of Wine's own, and a checkout on it whose Python is a stand-in."""

    def __init__(self, prefix: Path, standin: Path, folder: Path) -> None:
        self.prefix = prefix
        self.standin = standin
        self.folder = folder
        # Windows also takes "%" and "!" in names; Wine's cmd looks at them twice.
        self.checkout = folder / "Tom & Jerry (1)"
        self.programs = folder / "programs"
        self.log = folder / "log.txt"
        self.programs.mkdir(parents=True)
        (self.checkout / "scripts").mkdir(parents=True)
        self.bat = self.checkout / "run_window.bat"
        self.bat.write_bytes(_crlf((REPOSITORY / "run_window.bat").read_bytes()))
        (self.checkout / "scripts" / "start.py").touch()

    def python(self, kind: str = "good", name: str = "python.exe", folder: str = "") -> Path:
        place = self.programs / folder
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.standin, place / name)
        (place / "kind").write_text(kind)
        return place / name

    def run(
        self, *arguments: str, path: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return self.start("cmd", "/c", self.bat.name, *arguments, path=path, **environment)

    def start(
        self, *command: str, path: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        assert WINE
        # Files, not pipes: what Wine leaves running in the background holds them open for seconds.
        printed = [self.folder / name for name in ("stdout.txt", "stderr.txt")]
        with printed[0].open("wb") as out, printed[1].open("wb") as err:
            done = subprocess.run(
                [WINE, *command],
                cwd=self.checkout,
                env={
                    **_environment(self.prefix),
                    "LC_ALL": "C.UTF-8",
                    "WINEPATH": path or _windows(self.programs),
                    "IDF_STANDIN_LOG": _windows(self.log),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=120,
                check=False,
            )
        texts = (each.read_text(errors="replace") for each in printed)
        return subprocess.CompletedProcess(done.args, done.returncode, *texts)

    def started_with(self) -> list[str]:
        """What the stand-in was given, start after start; the script's path first."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def _environment(prefix: Path) -> dict[str, str]:
    """Without the parts of Windows that Wine would look for at each start."""
    wine = {"WINEPREFIX": str(prefix), "WINEARCH": "win64", "WINEDEBUG": "-all"}
    return {**os.environ, **wine, "WINEDLLOVERRIDES": "mscoree,mshtml="}


def _windows(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def _crlf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A prefix of Wine's own and the compiled stand-in. Its server would outlive the tests."""
    assert WINE
    assert COMPILER
    folder = tmp_path_factory.mktemp("wine")
    standin = folder / "standin.exe"
    source = Path(__file__).with_name("python_standin.c")
    subprocess.run([COMPILER, "-municode", "-o", standin, source], check=True)
    prefix = folder / "prefix"
    environment = _environment(prefix)
    silent = subprocess.DEVNULL
    boot = [WINE, "wineboot", "--init"]
    subprocess.run(boot, env=environment, stdout=silent, stderr=silent, timeout=250, check=False)
    yield prefix, standin
    if server := shutil.which("wineserver", path=f"{os.environ['PATH']}{os.pathsep}/usr/lib/wine"):
        subprocess.run([server, "--kill"], env=environment, check=False)
        subprocess.run([server, "--wait"], env=environment, check=False, timeout=60)


@pytest.fixture
def windows(wine: tuple[Path, Path], tmp_path: Path) -> Windows:
    return Windows(*wine, tmp_path)


def test_starts_the_script_with_the_arguments_and_hands_on_the_status(windows: Windows) -> None:
    windows.python()
    done = windows.run("scan", "C:\\Bilder (1)", "C:\\a & b", IDF_STANDIN_STATUS="7")
    script = _windows(windows.checkout / "scripts" / "start.py")
    assert windows.started_with() == [script, "scan", "C:\\Bilder (1)", "C:\\a & b"]
    assert done.returncode == 7, (done.stdout, done.stderr)
    assert windows.run().returncode == 0


@pytest.mark.parametrize("folder", ["pyenv", "Jürgen", "Łódź", "x & y (z)"])
def test_python_behind_a_batch_file_is_found_and_started(windows: Windows, folder: str) -> None:
    """pyenv-win has a python.bat and no python.exe on the path."""
    python = windows.python(folder=f"{folder}/versions")
    shims = python.parent.parent
    (shims / "python.bat").write_bytes(b'@echo off\r\n"%~dp0versions\\python.exe" %*\r\n')
    done = windows.run("--version", path=_windows(shims), IDF_STANDIN_STATUS="3")
    assert windows.started_with()[1:] == ["--version"], (done.stdout, done.stderr)
    assert done.returncode == 3


def test_the_launcher_is_asked_first(windows: Windows) -> None:
    windows.python("old")
    windows.python(folder="launcher", name="py.exe")
    windows.run("doctor", path=_windows(windows.programs / "launcher"))
    assert windows.started_with()[-1] == "doctor"


def test_an_update_may_replace_the_batch_file(windows: Windows) -> None:
    """cmd must not go on in the new file at the place where the old one ended."""
    windows.python()
    new = windows.folder / "new.bat"
    line = b'echo NONSENSE & "%~dp0..\\programs\\python.exe" again\r\n'
    new.write_bytes(line * 400)
    done = windows.run(
        "doctor",
        IDF_STANDIN_NEW=_windows(new),
        IDF_STANDIN_OLD=_windows(windows.bat),
        IDF_STANDIN_STATUS="5",
    )
    assert windows.bat.read_bytes() == new.read_bytes()
    assert windows.started_with()[1:] == ["doctor"]
    assert "NONSENSE" not in done.stdout
    assert done.returncode == 5


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("old", "too old"),
        ("no-venv", "lacks its venv module"),
        ("crash", "No Python was found"),
        ("silent", "No Python was found"),
    ],
)
def test_a_python_that_does_not_fit_is_said(windows: Windows, kind: str, sentence: str) -> None:
    windows.python(kind)
    done = windows.run("doctor")
    assert windows.started_with() == []
    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_any_python_one_sentence_says_so(windows: Windows) -> None:
    done = windows.run()
    assert done.returncode == 1
    assert "No Python was found" in done.stderr
    assert "Press" not in done.stdout or "any key" in done.stdout


def test_the_portable_program_starts_python_with_itself(
    windows: Windows, manifests: ModuleType
) -> None:
    """``idf.exe`` of the folder that package managers install hands itself on, and the status."""
    windows.python()
    program = windows.checkout / "idf.exe"
    program.write_bytes(manifests.launcher())
    done = windows.start(program.name, "scan", "C:\\Bilder (1)", IDF_STANDIN_STATUS="7")
    assert windows.started_with() == [_windows(program), "scan", "C:\\Bilder (1)"]
    assert done.returncode == 7
