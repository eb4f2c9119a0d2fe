"""Completion: the script that is written does complete, in the shell itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import Idf, refused


def _in_shell(shell: str, lines: str, folder: Path) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not on this machine")
    own = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": own + os.pathsep + os.environ["PATH"]}
    done = subprocess.run(
        [found, "-c", lines], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [("idf pu", ["purge"]), ("idf scan --eng", ["--engine"]), ("idf scan --engine r", ["ray"])],
)
def test_bash_completes(idf: Idf, tmp_path: Path, words: str, expected: list[str]) -> None:
    (tmp_path / "idf.bash").write_text(idf("completion", "bash").stdout)
    typed = words.split()
    lines = (
        f"source ./idf.bash; COMP_WORDS=({words}); COMP_CWORD={len(typed) - 1}; "
        '_idf_completion idf; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert _in_shell("bash", lines, tmp_path).split() == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_script_calls_this_program(idf: Idf, shell: str) -> None:
    script = idf("completion", shell).stdout
    assert f"_IDF_COMPLETE={shell}_complete" in script


def test_an_unknown_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "fish" in refused(["completion", "tcsh"], capsys)
