"""Recreate the third-party scripts of the web app from the npm registry.

    python tools/vendor_web.py            write src/image_duplicate_finder/web/static/vendor
    python tools/vendor_web.py --check    fail if what stands there differs from the registry
    python tools/vendor_web.py --axe DIR  put axe-core, which only tests use, into DIR

Versions are fixed here and every archive is checked against its digest, so a run gives the same
bytes on any day. ``versions.json`` beside the files is what the "About" page shows.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import sys
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

REGISTRY = "https://registry.npmjs.org"
VENDOR = Path(__file__).parents[1] / "src/image_duplicate_finder/web/static/vendor"


@dataclass(frozen=True, slots=True)
class Package:
    """One npm package: which of its files (in the archive) become which files here."""

    name: str
    version: str
    license: str
    purpose: str
    integrity: str
    files: tuple[tuple[str, str], ...]


PACKAGES = (
    Package(
        name="htmx.org",
        version="2.0.11",
        license="0BSD",
        purpose="Updates parts of a page",
        integrity=(
            "sha512-Thx/WtpeOQqSrqBCw/A1cwGJGg4UrVa3+sW0GmrM3p4gJgO89ecH4qtbnyzDDWFv"
            "BTqjnIMCgELTNt636dtamA=="
        ),
        files=(("dist/htmx.min.js", "htmx.min.js"), ("LICENSE", "LICENSE")),
    ),
    Package(
        name="openseadragon",
        version="6.1.1",
        license="BSD-3-Clause",
        purpose="Shows zoomable pictures on the compare page",
        integrity="sha512-"
        "g4iKe2q8B642SaBT3+x4ZF3/8b1TxPPydyjmtrOLgDrlYWMKd9ZXM+1Cb/xa9DVySkvs/7l6HR1nHKfD5F3Tsw==",
        files=(
            ("build/openseadragon/openseadragon.min.js", "openseadragon.min.js"),
            ("LICENSE.txt", "LICENSE"),
        ),
    ),
)
"""What the web app ships."""

AXE = Package(
    name="axe-core",
    version="4.14.1",
    license="MPL-2.0",
    purpose="Checks accessibility, in tests only",
    integrity=(
        "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe"
        "37OgudVGtQ=="
    ),
    files=(("axe.min.js", "axe.min.js"), ("LICENSE", "LICENSE")),
)


def fetch(package: Package) -> dict[str, bytes]:
    """The wanted files of a package by their name here. Raises ValueError on a wrong digest."""
    base = package.name.rsplit("/", 1)[-1]
    url = f"{REGISTRY}/{package.name}/-/{base}-{package.version}.tgz"
    with urllib.request.urlopen(url, timeout=60) as answer:
        archive = answer.read()
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if digest != package.integrity:
        raise ValueError(f"{package.name} {package.version} has the digest {digest}")
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        found = {}
        for source, target in package.files:
            member = tar.extractfile(f"package/{source}")
            if member is None:
                raise ValueError(f"{package.name} has no file {source}")
            found[target] = member.read()
    return found


def wanted() -> dict[Path, bytes]:
    """Every file of the vendor folder, by its path in it."""
    files: dict[Path, bytes] = {}
    for package in PACKAGES:
        folder = Path(package.name.replace("/", "-").lstrip("@"))
        files |= {folder / name: data for name, data in fetch(package).items()}
    about = [
        {
            "name": package.name,
            "version": package.version,
            "license": package.license,
            "purpose": package.purpose,
        }
        for package in PACKAGES
    ]
    files[Path("versions.json")] = (json.dumps(about, indent=2) + "\n").encode()
    return files


def write(folder: Path, files: dict[Path, bytes]) -> None:
    """Write the files; others that stand in the folder stay."""
    for name, data in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--axe", type=Path, metavar="DIR")
    options = parser.parse_args()
    if options.axe is not None:
        write(options.axe, {Path(name): data for name, data in fetch(AXE).items()})
        return 0
    files = wanted()
    if options.check:
        stale = [
            str(name)
            for name, data in files.items()
            if not (VENDOR / name).is_file() or (VENDOR / name).read_bytes() != data
        ]
        print("\n".join(stale) or "The vendored files are those of the registry.")
        return 1 if stale else 0
    write(VENDOR, files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
