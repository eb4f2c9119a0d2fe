"""``idf doctor --report``: one file for a bug report that tells nothing of anyone's pictures."""

from __future__ import annotations

import getpass
import re
import socket
from pathlib import Path

from tests.cli.commands import Idf, save_jpeg
from tests.painting import paint_photo


def test_report_has_versions_and_numbers_and_nothing_private(idf: Idf, tmp_path: Path) -> None:
    photos = tmp_path / "Wedding of Ann"
    photos.mkdir()
    save_jpeg(photos / "kiss.jpg", paint_photo(1))
    save_jpeg(photos / "kiss again.jpg", paint_photo(1), quality=50)
    (photos / "ruined.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    protected = tmp_path / "Grandma"
    protected.mkdir()
    assert idf("scan", photos, "--protect", protected, "--exclude", "*secret*").returncode == 0
    report = tmp_path / "report.txt"
    done = idf("doctor", "--report", report)
    assert done.returncode == 0, done.stdout
    text = report.read_text(encoding="utf-8")
    for words in (
        "ImageDuplicateFinder ",
        "Python 3.",
        "onnxruntime ",
        "done: 3 files in 1 folders",
    ):
        assert words in text
    assert "failed at header: 1" in text or "failed at decode: 1" in text
    assert "protected: 1 of them" in text
    private = ["Wedding", "kiss", "ruined", "Grandma", "secret", str(tmp_path), str(Path.home())]
    private += [tmp_path.name, socket.gethostname()]
    if getpass.getuser() != "root":  # a word of its own in other places
        private.append(getpass.getuser())
    for words in private:
        assert not re.search(rf"\b{re.escape(words)}\b", text), words


def test_report_of_an_empty_library(idf: Idf, tmp_path: Path) -> None:
    assert idf("doctor", "--report", tmp_path / "report.txt").returncode == 0
    assert "Backups: 0" in (tmp_path / "report.txt").read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_is_said(idf: Idf, tmp_path: Path) -> None:
    done = idf("doctor", "--report", tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    missing = idf("doctor", "--report", tmp_path / "no" / "report.txt")
    assert missing.returncode != 0
    assert "Traceback" not in missing.stderr
