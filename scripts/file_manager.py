"""Puts "Find duplicates here" into the menus of this system's file managers, or takes it away.

    python scripts/file_manager.py add|remove

For the person who runs it alone, nothing needs an administrator. On Linux: Files (Nautilus), Nemo
and Dolphin. On macOS: a Quick Action of Finder. On Windows: the menu of folders in Explorer. The
entry scans the folder and then opens the app, which shows what was found.
"""

from __future__ import annotations

import os
import plistlib
import shlex
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LABEL = "Find duplicates here"
_NAME = "image-duplicate-finder"
REGISTRY_KEYS = (
    rf"Software\Classes\Directory\shell\{_NAME}",
    rf"Software\Classes\Directory\Background\shell\{_NAME}",
)


def script(start: Path) -> str:
    """A shell script that scans the folder it is given and then opens the app."""
    program = shlex.quote(str(start))
    return (
        "#!/bin/sh\n"
        f"# {LABEL}: written by {_NAME}.\n"
        "folder=${1:-$PWD}\n"
        '[ -d "$folder" ] || folder=$(dirname -- "$folder")\n'
        f'{program} --no-update scan "$folder"\n'
        f"exec {program} --no-update\n"
    )


def linux(home: Path, start: Path) -> dict[Path, str]:
    """The files for file managers of Linux; those that are programs end in no extension."""
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    command = data / _NAME / "find-duplicates-here"
    terminal = f"x-terminal-emulator -e {shlex.quote(str(command))}"
    return {
        command: script(start),
        data / "nautilus" / "scripts" / LABEL: (
            f'#!/bin/sh\nexec x-terminal-emulator -e {shlex.quote(str(command))} "${{1:-$PWD}}"\n'
        ),
        data / "nemo" / "actions" / f"{_NAME}.nemo_action": (
            f"[Nemo Action]\nName={LABEL}\nName[de]=Hier nach Duplikaten suchen\n"
            f"Exec={terminal} %F\nIcon-Name={_NAME}\nSelection=s\nExtensions=dir;\n"
        ),
        data / "kio" / "servicemenus" / f"{_NAME}.desktop": (
            "[Desktop Entry]\nType=Service\nMimeType=inode/directory;\nActions=find;\n\n"
            f"[Desktop Action find]\nName={LABEL}\nName[de]=Hier nach Duplikaten suchen\n"
            f"Icon={_NAME}\nExec={terminal} %f\n"
        ),
    }


def macos(home: Path, start: Path) -> dict[Path, str]:
    """A Quick Action: a workflow with one step, which opens Terminal with the script."""
    command = home / "Library" / "Application Support" / _NAME / "find-duplicates-here.command"
    bundle = home / "Library" / "Services" / f"{LABEL}.workflow" / "Contents"
    service = {
        "NSMenuItem": {"default": LABEL},
        "NSMessage": "runWorkflowAsService",
        "NSSendFileTypes": ["public.folder"],
        "NSRequiredContext": {"NSApplicationIdentifier": "com.apple.finder"},
    }
    step = {
        "AMAccepts": {"Container": "List", "Optional": False, "Types": ["com.apple.cocoa.path"]},
        "ActionBundlePath": "/System/Library/Automator/Run Shell Script.action",
        "ActionName": "Run Shell Script",
        "ActionParameters": {
            "COMMAND_STRING": (
                'osascript -e "tell application \\"Terminal\\" to do script '
                f'quoted form of \\"{command}\\" & \\" \\" & quoted form of \\"$1\\""'
            ),
            "CheckedForUserDefaultShell": True,
            "inputMethod": 1,
            "shell": "/bin/sh",
        },
        "BundleIdentifier": "com.apple.RunShellScript",
        "Class Name": "RunShellScriptAction",
    }
    workflow = {
        "AMApplicationVersion": "2.10",
        "AMDocumentVersion": "2",
        "actions": [{"action": step, "isViewVisible": True}],
        "connectors": {},
        "workflowMetaData": {
            "serviceInputTypeIdentifier": "com.apple.Automator.fileSystemObject.folder",
            "workflowTypeIdentifier": "com.apple.Automator.servicesMenu",
        },
    }
    return {
        command: script(start),
        bundle / "Info.plist": plistlib.dumps({"NSServices": [service]}).decode(),
        bundle / "document.wflow": plistlib.dumps(workflow).decode(),
    }


def windows(start: Path) -> dict[str, str]:
    """The command for each registry key below HKEY_CURRENT_USER; %V is the folder."""
    command = f'cmd /s /c ""{start}" --no-update scan "%V" && "{start}" --no-update"'
    return dict.fromkeys(REGISTRY_KEYS, command)


def _write(files: dict[Path, str]) -> None:
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if text.startswith("#!"):
            path.chmod(0o755)


def _remove(files: dict[Path, str]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
        holder = next((each for each in path.parents if each.suffix == ".workflow"), None)
        if holder is not None:
            shutil.rmtree(holder, ignore_errors=True)
        elif path.parent.name == _NAME and path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()


def _registry(*, add: bool) -> None:
    if sys.platform == "win32":
        import winreg

        for key, command in windows(ROOT / "run_window.bat").items():
            if add:
                with winreg.CreateKey(winreg.HKEY_CURRENT_USER, key) as opened:
                    winreg.SetValueEx(opened, "", 0, winreg.REG_SZ, LABEL)
                with winreg.CreateKey(winreg.HKEY_CURRENT_USER, key + r"\command") as opened:
                    winreg.SetValueEx(opened, "", 0, winreg.REG_SZ, command)
                continue
            for each in (key + r"\command", key):
                try:
                    winreg.DeleteKey(winreg.HKEY_CURRENT_USER, each)
                except FileNotFoundError:
                    continue


def main() -> int:
    """Add or remove the entries; 0 when that is done."""
    if sys.argv[1:] not in (["add"], ["remove"]):
        print("Usage: file_manager.py add|remove", file=sys.stderr)
        return 2
    add = sys.argv[1] == "add"
    if os.name == "nt":
        _registry(add=add)
    else:
        start = ROOT / "run_linux_mac.sh"
        files = (macos if sys.platform == "darwin" else linux)(Path.home(), start)
        (_write if add else _remove)(files)
    print(f'"{LABEL}" was {"added to" if add else "taken out of"} the menus of folders.')
    return 0


if __name__ == "__main__":
    sys.exit(main())
