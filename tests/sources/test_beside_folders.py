"""Archives beside folders: a removal passes them by."""

from __future__ import annotations

from pathlib import Path

import pytest

from image_duplicate_finder import Library, Mode, ScanSettings
from image_duplicate_finder.settings import BackupMode
from tests.conftest import Painter
from tests.sources.holders import jpeg, png, write_zip

QUICK = ScanSettings(mode=Mode.QUICK)


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    """``a.png``, two copies beside it, and two more in ``book.zip``."""
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = painted(1)
    (folder / "a.png").write_bytes(png(photo))
    (folder / "copy.png").write_bytes(png(photo))
    (folder / "sent.jpg").write_bytes(jpeg(photo, 70))
    write_zip(folder / "book.zip", {"in.png": png(photo), "p/in.jpg": jpeg(photo, 60)})
    return folder


@pytest.mark.parametrize("mode", [BackupMode.AUTO, BackupMode.FULL])
def test_a_removal_passes_the_archive_by(photos: Path, library_dir: Path, mode: BackupMode) -> None:
    before = (photos / "book.zip").read_bytes()
    with Library.open(library_dir) as library:
        scan = library.scan([photos, photos / "book.zip"], QUICK)
        (group,) = library.all_groups(scan.id)
        assert group.keeper.path == str(photos / "a.png")
        assert len(group.members) == 4
        report = library.apply(library.plan(scan.id), mode=mode)
        assert {Path(item.path).name for item in report.done} == {"copy.png", "sent.jpg"}
        assert report.skipped == ()
        assert report.notes == ()
        assert (photos / "book.zip").read_bytes() == before
        library.undo(report.run)
    assert {path.name for path in photos.iterdir() if path.is_file()} >= {"copy.png", "sent.jpg"}
