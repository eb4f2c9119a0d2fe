"""Every `idf` command and every Python example of README.md and docs/ is run, in their order."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from image_duplicate_finder import cli
from tests.cli.commands import save_jpeg

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(sh|console|python)\b[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
MODELS = REPOSITORY / "src" / "image_duplicate_finder" / "fingerprint" / "models"
NOT_OURS = "# not run here"
"""The first line of an example that shows another program."""
SHELL = re.compile(r"[|<>&;$*]|--engine ray")
CLUSTER = "Engine.RAY"
"""What a shell has to read, and clusters, which end with their process. All else runs in this
process, in which everything is loaded."""
ASKS = ("apply", "purge")
"""Commands that ask on a terminal; there is none here."""
PAGES = ("README.md", *sorted(f"docs/{page.name}" for page in (REPOSITORY / "docs").glob("*.md")))


def shown_commands(page: Path) -> list[list[str]]:
    """What a page shows: shell lines that call ``idf``, without prompt and comment, and Python.

    A line that needs no shell starts with ``idf``, Python that needs no process with ``python``.
    """
    found = []
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            if not block.startswith(NOT_OURS):
                alone = CLUSTER in block
                found.append([sys.executable, "-c", block] if alone else ["python", block])
            continue
        for line in block.splitlines():
            command = re.sub(r"\s+#.*$", "", line.removeprefix("$ "))
            if command.startswith("idf "):
                line = _answered(command)
                found.append(["/bin/sh", "-c", line] if SHELL.search(line) else shlex.split(line))
    return found


def _answered(command: str) -> str:
    asks = any(word in ASKS for word in command.split()) and "--yes" not in command
    return f"{command} --yes" if asks else command


@pytest.mark.skipif(os.name == "nt", reason="the pages show a Unix shell")
@pytest.mark.parametrize("page", [page for page in PAGES if shown_commands(REPOSITORY / page)])
def test_commands_work_as_shown(
    page: str,
    tmp_path: Path,
    painted: Callable[..., NDArray[np.uint8]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for folder in ("Pictures", "photos", "data/train", "data/test"):
        (tmp_path / folder).mkdir(parents=True)
        save_jpeg(tmp_path / folder / "1.jpg", painted(1))
        save_jpeg(tmp_path / folder / "2.jpg", painted(1), quality=60)
    for name, quality in (("a.jpg", 90), ("b.jpg", 50), ("photo.jpg", 70)):
        save_jpeg(tmp_path / name, painted(1), quality)
    shutil.make_archive(str(tmp_path / "photos"), "zip", tmp_path / "photos")
    (tmp_path / "manifest.csv").write_text("path,split\na.jpg,train\nb.jpg,test\n")
    for suffix in (".onnx", ".json"):
        model = next(MODELS.glob(f"*{suffix}"))
        (tmp_path / "mine").with_suffix(suffix).write_bytes(model.read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    for command in shown_commands(REPOSITORY / page):
        if command[0] == "idf":
            status = cli.run([os.path.expanduser(word) for word in command[1:]])
            said = capfd.readouterr().err
        elif command[0] == "python":
            exec(compile(command[1], page, "exec"), {"__name__": "__main__"})
            continue
        else:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            status, said = done.returncode, done.stderr
        assert status == 0, f"{command}\n{said}"


def test_the_pages_that_people_start_with_show_commands() -> None:
    for page in ("README.md", "docs/cli.md", "docs/quick-start.md", "docs/coming-from.md"):
        assert len(shown_commands(REPOSITORY / page)) >= 5, page
