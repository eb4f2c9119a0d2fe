"""The entry "Find duplicates here" in the menus of file managers."""

from __future__ import annotations

import configparser
import os
import plistlib
import subprocess
import sys
from pathlib import Path

import pytest

import file_manager
from tests.setup.checkouts import REPOSITORY

SCRIPT = REPOSITORY / "scripts" / "file_manager.py"


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """Stands in for run_linux_mac.sh: writes down what it was given."""
    program = tmp_path / "a program's place" / "run_linux_mac.sh"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$*" >> "$(dirname -- "$0")/log"\n')
    program.chmod(0o755)
    return program


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files of Linux desktops")
def test_entries_come_and_go_without_a_trace(tmp_path: Path) -> None:
    home = {**os.environ, "HOME": str(tmp_path)}
    home.pop("XDG_DATA_HOME", None)
    subprocess.run([sys.executable, SCRIPT, "add"], env=home, check=True)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} >= {"scripts", "actions", "servicemenus"}
    for path in files:
        if path.suffix in (".desktop", ".nemo_action"):
            entry = configparser.ConfigParser(interpolation=None)
            entry.read(path, encoding="utf-8")
            assert file_manager.LABEL in path.read_text(encoding="utf-8")
    subprocess.run([sys.executable, SCRIPT, "remove"], env=home, check=True)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
@pytest.mark.parametrize("name", ["photos", "Tom & Jerry's $HOME (1)", "ünï"])
def test_the_command_scans_the_folder_and_opens_the_app(
    start: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "a.jpg").touch()
    command = tmp_path / "here"
    command.write_text(file_manager.script(start), encoding="utf-8")
    command.chmod(0o755)
    for given in (folder, folder / "a.jpg"):
        subprocess.run([command, given], check=True)
        log = start.with_name("log")
        assert log.read_text().splitlines() == [f"--no-update scan {folder}", "--no-update"]
        log.unlink()


def test_the_quick_action_of_macos_is_a_workflow_with_the_command(
    start: Path, tmp_path: Path
) -> None:
    files = file_manager.macos(tmp_path, start)
    texts = {path.name: text for path, text in files.items()}
    (service,) = plistlib.loads(texts["Info.plist"].encode())["NSServices"]
    assert service["NSMenuItem"]["default"] == file_manager.LABEL
    assert service["NSSendFileTypes"] == ["public.folder"]
    workflow = plistlib.loads(texts["document.wflow"].encode())
    (action,) = workflow["actions"]
    (command,) = (path for path in files if path.suffix == ".command")
    assert str(command) in action["action"]["ActionParameters"]["COMMAND_STRING"]


def test_the_commands_of_explorer_quote_the_folder() -> None:
    commands = file_manager.windows(Path("C:/Tom & Jerry/run_window.bat"))
    assert len(commands) == 2
    for key, command in commands.items():
        assert key.startswith("Software\\Classes\\Directory\\")
        assert '"%V"' in command
        assert command.count('"') % 2 == 0
