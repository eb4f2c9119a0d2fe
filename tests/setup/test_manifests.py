"""What package managers are given: it agrees with the files, and what Windows starts works."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ADDRESS = "https://example.org/releases/9.9"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the program's name that says what it was started with."""
    path = tmp_path_factory.mktemp("dist") / "image_duplicate_finder-9.9-py3-none-any.whl"
    info = "image_duplicate_finder-9.9.dist-info"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("image_duplicate_finder/__init__.py", "")
        program = "import sys; print('started', sys.argv[1:]); sys.exit(len(sys.argv) - 1)"
        packed.writestr("image_duplicate_finder/__main__.py", program)
        named = "Metadata-Version: 2.1\nName: image-duplicate-finder\nVersion: 9.9\n"
        packed.writestr(f"{info}/METADATA", named)
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def written(manifests: ModuleType, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("manifests")
    manifests.write(wheel, ADDRESS, "https://example.org", "Example", out)
    return out


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_manifests_name_the_files_and_their_digests(written: Path, wheel: Path) -> None:
    folder = written / "image-duplicate-finder-9.9-windows.zip"
    scoop = json.loads((written / "image-duplicate-finder.json").read_text())
    assert scoop["url"] == f"{ADDRESS}/{folder.name}"
    assert (scoop["version"], scoop["hash"]) == ("9.9", sha256(folder))
    formula = (written / "image-duplicate-finder.rb").read_text()
    assert f'url "{ADDRESS}/{wheel.name}"' in formula
    assert f'sha256 "{sha256(wheel)}"' in formula
    assert len(re.findall(r"\b(do|class|def)\b", formula)) == len(re.findall(r"\bend\b", formula))
    kinds = {}
    for file in written.glob("*.yaml"):
        values = json.loads(file.read_text())
        kinds[values["ManifestType"]] = values
        assert (values["PackageVersion"], values["ManifestVersion"]) == ("9.9", "1.10.0")
        assert file.name.startswith(values["PackageIdentifier"])
    assert kinds.keys() == {"version", "defaultLocale", "installer"}
    (installer,) = kinds["installer"]["Installers"]
    assert installer["InstallerUrl"] == f"{ADDRESS}/{folder.name}"
    assert installer["InstallerSha256"] == sha256(folder).upper()


def test_equal_releases_give_equal_files(
    manifests: ModuleType, written: Path, wheel: Path, tmp_path: Path
) -> None:
    again = manifests.portable_folder(wheel, tmp_path)
    assert again.read_bytes() == (written / again.name).read_bytes()


def test_the_portable_program_installs_itself_once(
    written: Path, wheel: Path, tmp_path: Path
) -> None:
    """``idf.exe`` ends with the archive that Python runs, on every system."""
    with zipfile.ZipFile(written / "image-duplicate-finder-9.9-windows.zip") as packed:
        packed.extractall(tmp_path / "program")
    program = tmp_path / "program" / "idf.exe"
    assert program.read_bytes()[:2] == b"MZ"
    home = tmp_path / "home"
    (home / "ImageDuplicateFinder" / "image_duplicate_finder-9.8-py3-none-any-py311").mkdir(
        parents=True
    )

    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LOCALAPPDATA": str(home), "PIP_NO_INDEX": "1"}
        environment.pop("PYTHONPATH", None)
        return subprocess.run(
            [sys.executable, program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    first = start("scan", "a b")
    assert first.stdout == "started ['scan', 'a b']\n", first.stderr
    assert first.returncode == 2
    assert "Installing" in first.stderr
    second = start()
    assert (second.stdout, second.stderr) == ("started []\n", "")
    assert len(list((home / "ImageDuplicateFinder").iterdir())) == 1
    for file in program.parent.glob("*.whl"):
        file.unlink()
    third = start()
    assert third.returncode == 1
    assert "wheel" in third.stderr
