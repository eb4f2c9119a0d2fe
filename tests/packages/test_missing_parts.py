"""An environment without the packages that some systems do not have: the rest works."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli.commands import save_jpeg
from tests.painting import paint_photo
from tests.setup.checkouts import REPOSITORY

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes symbolic links")
MISSING = ("rawpy", "onnxruntime", "pillow_heif", "pylibjxl", "pillow_jxl")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has all packages of this one but those."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for entry in Path(str(importlib.metadata.distribution("numpy").locate_file(""))).iterdir():
        if not entry.name.replace("-", "_").lower().lstrip("_").startswith(MISSING):
            (site / entry.name).symlink_to(entry)
    for link in site.glob("*image_duplicate_finder*"):
        link.unlink()
    (site / "under_test.pth").write_text(str(REPOSITORY / "src"))
    asked = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    head = "Metadata-Version: 2.1\nName: image-duplicate-finder\nVersion: 0\n"
    target = site / "image_duplicate_finder-0.dist-info"
    target.mkdir()
    (target / "METADATA").write_text(head + "".join(f"Requires-Dist: {line}\n" for line in asked))
    return folder / "bin" / "python"


def _idf(python: Path, library: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "image_duplicate_finder", "--library", library, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_doctor_says_what_is_missing_and_what_that_means(bare: Path, tmp_path: Path) -> None:
    done = _idf(bare, tmp_path, "doctor")
    assert done.returncode == 1
    lines = {line.strip().partition(":")[0]: line for line in done.stdout.splitlines()}
    for name, package in (
        ("camera RAW files", "rawpy"),
        ("similar pictures (CNN features)", "onnxruntime"),
        ("HEIF", "pillow-heif"),
        ("JXL", "pylibjxl"),
    ):
        assert f"{package} is not installed" in lines[name]
    assert "pillow-jxl-plugin (GPL-3.0-or-later) can do it" in lines["JXL"]
    for name in ("JPEG", "AVIF", "fast candidate search", "the web app"):
        assert "works" in lines[name]


def test_the_rest_of_a_scan_works(bare: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    save_jpeg(photos / "a.jpg", paint_photo(1))
    save_jpeg(photos / "b.jpg", paint_photo(1), quality=50)
    (photos / "c.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    (photos / "d.jxl").write_bytes(b"\xff\x0a" + bytes(200))
    (photos / "e.cr2").write_bytes(b"II*\0\x10\0\0\0CR\2\0" + bytes(200))
    library = tmp_path / "library"
    done = _idf(bare, library, "scan", photos)
    assert done.returncode == 0, done.stderr
    assert "Similar pictures are left out" in done.stderr
    failures = _idf(bare, library, "failures").stdout
    for what in ("HEIC", "JPEG XL", "camera RAW"):
        assert f"This installation cannot read {what} files" in failures
    assert "b.jpg" in _idf(bare, library, "groups").stdout


def test_what_could_not_be_read_is_read_once_it_can_be(bare: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    save_jpeg(photos / "a.jpg", paint_photo(1))
    from PIL import Image
    from pillow_heif import register_heif_opener

    register_heif_opener()
    Image.fromarray(paint_photo(1)).save(photos / "b.heic", quality=90)
    library = tmp_path / "library"
    assert "1 failed" in _idf(bare, library, "scan", photos).stderr
    again = _idf(Path(sys.executable), library, "scan", photos)
    assert "failed" not in again.stderr
    assert again.returncode == 0, again.stdout
    assert "b.heic" in _idf(bare, library, "groups").stdout
