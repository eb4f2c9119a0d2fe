"""A library that an earlier version wrote is opened, brought up to date, and tells the same."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from pathlib import Path

import pytest

from image_duplicate_finder import Library
from image_duplicate_finder.store.schema import MIGRATIONS
from tests.core.old_library.make import DATABASES, described

ARCHIVES = sorted((Path(__file__).parent / "old_library").glob("*.zip"))


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.stem)
def test_an_old_library_shows_what_it_showed(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for name in DATABASES:
            (tmp_path / name).write_bytes(packed.read(name))
        seen = json.loads(packed.read("seen.json"))
    with Library.open(tmp_path) as library:
        assert described(library.all_groups(1)) == seen["groups"]
        dismissed = [[pair.first_path, pair.second_path] for pair in library.dismissed()]
        assert dismissed == seen["dismissed"]
        assert [each.path for each in library.failures(1)] == seen["failures"]
        assert [[item.path, item.state] for item in library.run_items(1)] == seen["removed"]
    database = sqlite3.connect(tmp_path / "library.sqlite")
    assert database.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    database.close()
