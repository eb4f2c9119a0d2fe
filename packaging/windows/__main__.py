"""What idf.exe of the portable Windows folder does: install the wheel beside it once, then run it.

The environment lies in %LOCALAPPDATA%\\ImageDuplicateFinder, so the folder of the program itself
need not be writable. A new version makes a new environment and removes the old ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path


def main() -> int:
    """Run the program; the exit status is its own, or 1 if it could not be installed."""
    wheels = sorted(Path(sys.argv[0]).resolve().parent.glob("image_duplicate_finder-*.whl"))
    if not wheels:
        print("The wheel that belongs beside idf.exe is missing.", file=sys.stderr)
        return 1
    home = Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "ImageDuplicateFinder"
    environment = home / f"{wheels[-1].stem}-py{sys.version_info.major}{sys.version_info.minor}"
    folder = "Scripts" if os.name == "nt" else "bin"
    python = environment / folder / ("python.exe" if os.name == "nt" else "python")
    done = environment / "installed"
    if not done.exists():
        print("Installing (this takes a minute or two the first time) ...", file=sys.stderr)
        venv.create(environment, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        if subprocess.run([*pip, str(wheels[-1])], check=False).returncode:
            print("The installation failed; the lines above say why.", file=sys.stderr)
            return 1
        done.touch()
        for other in home.glob("image_duplicate_finder-*"):
            if other != environment:
                shutil.rmtree(other, ignore_errors=True)
    command = [str(python), "-m", "image_duplicate_finder", *sys.argv[1:]]
    try:
        return subprocess.run(command, check=False).returncode
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
