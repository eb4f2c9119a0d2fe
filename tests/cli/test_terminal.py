"""On a real terminal: a bar of progress that leaves nothing behind, and questions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import Idf

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are for Linux and macOS", allow_module_level=True)

import pty

from tests.patience import PATIENCE


def on_terminal(command: list[str], answer: str = "") -> tuple[int, str]:
    """Run a command on a pseudo-terminal and type ``answer``; its status and what was shown."""
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
        start_new_session=True,
    )
    os.close(inside)
    os.write(terminal, answer.encode())
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(terminal)
    return process.wait(timeout=PATIENCE), shown.decode()


def test_scan_shows_a_bar(idf_command: list[str], album: Path) -> None:
    status, shown = on_terminal([*idf_command, "scan", str(album), "--mode", "quick"])
    assert status == 0
    assert "Reading pictures" in shown
    assert "7/7" in shown
    assert "\x1b[" in shown
    assert "2 groups of duplicates" in shown


def test_apply_and_purge_ask_first(idf: Idf, idf_command: list[str], album: Path) -> None:
    idf("scan", album, "--mode", "quick")
    idf("plan", "--json", album.parent / "plan.json")
    apply = [*idf_command, "apply", str(album.parent / "plan.json")]

    status, shown = on_terminal(apply, "n\n")
    assert status == 0
    assert "Move 3 files (" in shown
    assert "Nothing was removed." in shown
    assert (album / "a copy.jpg").is_file()

    status, shown = on_terminal(apply, "y\n")
    assert status == 0
    assert "idf undo 1" in shown
    assert not (album / "a copy.jpg").exists()

    purge = [*idf_command, "purge", "1"]
    status, shown = on_terminal(purge, "\n")  # Enter alone means no
    assert "Nothing was deleted." in shown
    status, shown = on_terminal(purge, "y\n")
    assert status == 0
    assert "3 files deleted" in shown
