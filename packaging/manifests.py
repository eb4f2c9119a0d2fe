"""Writes what Homebrew, Scoop and winget need to know of a release.

    python packaging/manifests.py dist/image_duplicate_finder-VERSION-py3-none-any.whl \
        --address https://example.org/releases/VERSION --home https://example.org \
        --publisher NAME --out dist/manifests

``--address`` is where the files of the release will be downloaded from. Besides the manifests it
makes the portable folder for Windows that Scoop and winget install: the wheel and ``idf.exe``, the
launcher that pip itself uses for commands, which starts ``packaging/windows/__main__.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path

IDENTIFIER = "ImageDuplicateFinder.ImageDuplicateFinder"
WINGET_SCHEMA = "1.10.0"
SUMMARY = "Find duplicate images and remove them without losing a picture"
_STARTER = Path(__file__).parent / "windows" / "__main__.py"
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def launcher() -> bytes:
    """``idf.exe``: pip's launcher for 64-bit Windows, the Python to start, and what it starts."""
    from pip._vendor import distlib

    program = (Path(distlib.__file__).parent / "t64.exe").read_bytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(zipfile.ZipInfo("__main__.py", _NO_DATE), _STARTER.read_bytes())
    return program + b"#!python.exe\r\n" + archive.getvalue()


def portable_folder(wheel: Path, out: Path) -> Path:
    """Write the zip file for Windows into ``out``; equal input gives equal bytes."""
    target = out / f"image-duplicate-finder-{version_of(wheel)}-windows.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(zipfile.ZipInfo("idf.exe", _NO_DATE), launcher())
        packed.writestr(zipfile.ZipInfo(wheel.name, _NO_DATE), wheel.read_bytes())
    return target


def version_of(wheel: Path) -> str:
    """The version that a wheel's file name states."""
    return wheel.name.split("-")[1]


def homebrew(wheel: Path, address: str, home: str) -> str:
    """A formula for a tap: Homebrew's Python, and the packages that have wheels for the system."""
    return f"""\
class ImageDuplicateFinder < Formula
  include Language::Python::Virtualenv

  desc "{SUMMARY}"
  homepage "{home}"
  url "{address}/{wheel.name}"
  sha256 "{_sha256(wheel)}"
  license "MIT"

  depends_on "python@3.13"

  def install
    system "python3.13", "-m", "venv", libexec
    system libexec/"bin/python", "-m", "pip", "install", "--quiet", Dir["*.whl"].first
    bin.install_symlink libexec/"bin/idf"
    man1.install_symlink libexec/"share/man/man1/idf.1"
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/idf --version")
  end
end
"""


def scoop(folder: Path, version: str, address: str, home: str) -> dict[str, object]:
    """A manifest for a bucket."""
    return {
        "version": version,
        "description": SUMMARY,
        "homepage": home,
        "license": "MIT",
        "depends": "python",
        "url": f"{address}/{folder.name}",
        "hash": _sha256(folder),
        "bin": "idf.exe",
        "shortcuts": [["idf.exe", "ImageDuplicateFinder", "serve"]],
        "notes": "The first start installs the packages that the program needs.",
    }


def winget(
    folder: Path, version: str, address: str, home: str, publisher: str
) -> dict[str, dict[str, object]]:
    """The three manifests of winget's community repository, by the ends of their names."""
    common = {
        "PackageIdentifier": IDENTIFIER,
        "PackageVersion": version,
        "ManifestVersion": WINGET_SCHEMA,
    }
    return {
        "": common | {"DefaultLocale": "en-US", "ManifestType": "version"},
        ".locale.en-US": common
        | {
            "PackageLocale": "en-US",
            "Publisher": publisher,
            "PackageName": "ImageDuplicateFinder",
            "PackageUrl": home,
            "License": "MIT",
            "ShortDescription": SUMMARY,
            "Tags": ["duplicates", "images", "photos"],
            "ManifestType": "defaultLocale",
        },
        ".installer": common
        | {
            "InstallerType": "zip",
            "NestedInstallerType": "portable",
            "NestedInstallerFiles": [
                {"RelativeFilePath": "idf.exe", "PortableCommandAlias": "idf"}
            ],
            # The wheel lies beside idf.exe, so a link to that alone would not do.
            "ArchiveBinariesDependOnPath": True,
            "Dependencies": {"PackageDependencies": [{"PackageIdentifier": "Python.Python.3.13"}]},
            "Installers": [
                {
                    "Architecture": "x64",
                    "InstallerUrl": f"{address}/{folder.name}",
                    "InstallerSha256": _sha256(folder).upper(),
                }
            ],
            "ManifestType": "installer",
        },
    }


def write(wheel: Path, address: str, home: str, publisher: str, out: Path) -> None:
    """Write everything into ``out``, which is made."""
    out.mkdir(parents=True, exist_ok=True)
    version = version_of(wheel)
    folder = portable_folder(wheel, out)
    (out / "image-duplicate-finder.rb").write_text(homebrew(wheel, address, home))
    manifest = scoop(folder, version, address, home)
    (out / "image-duplicate-finder.json").write_text(json.dumps(manifest, indent=4) + "\n")
    for end, values in winget(folder, version, address, home, publisher).items():
        # JSON is YAML too, and quotes what needs quotes.
        (out / f"{IDENTIFIER}{end}.yaml").write_text(json.dumps(values, indent=2) + "\n")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> None:
    """Read the command line and write."""
    parser = argparse.ArgumentParser(description=SUMMARY)
    parser.add_argument("wheel", type=Path)
    for name in ("--address", "--home", "--publisher"):
        parser.add_argument(name, required=True)
    parser.add_argument("--out", type=Path, default=Path("dist/manifests"))
    options = parser.parse_args()
    write(options.wheel, options.address, options.home, options.publisher, options.out)


if __name__ == "__main__":
    main()
