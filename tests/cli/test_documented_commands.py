"""Every `idf` command that README.md and docs/cli.md show is run, in the order shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cli.commands import save_jpeg

REPOSITORY = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ASKS = ("apply", "purge")
"""Verbs that ask on a terminal; there is none here."""


def shown_commands(page: Path) -> list[str]:
    """The lines of a page's shell blocks that call ``idf``, without prompt and comment."""
    found = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            command = re.sub(r"\s+#.*$", "", line.removeprefix("$ "))
            if command.startswith("idf "):
                found.append(command)
    return found


@pytest.mark.skipif(os.name == "nt", reason="the pages show a Unix shell")
@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_commands_work_as_shown(
    page: str, tmp_path: Path, painted: Callable[..., NDArray[np.uint8]]
) -> None:
    commands = shown_commands(REPOSITORY / page)
    assert len(commands) >= 5
    for folder in ("Pictures", "photos"):
        (tmp_path / folder).mkdir()
        save_jpeg(tmp_path / folder / "1.jpg", painted(1))
        save_jpeg(tmp_path / folder / "2.jpg", painted(1), quality=60)
    for name, quality in (("a.jpg", 90), ("b.jpg", 50), ("photo.jpg", 70)):
        save_jpeg(tmp_path / name, painted(1), quality)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    for command in commands:
        if command.split()[1] in ASKS and "--yes" not in command:
            command += " --yes"
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
