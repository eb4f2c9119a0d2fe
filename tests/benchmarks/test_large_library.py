"""The library that stands for a very large collection."""

from __future__ import annotations

from pathlib import Path

from benchmarks.large_library import FILES_PER_GROUP, fill
from image_duplicate_finder.library import Library


def test_every_group_is_there_as_a_scan_would_have_stored_it(tmp_path: Path) -> None:
    scan = fill(tmp_path, 12)
    with Library.open(tmp_path) as library:
        groups = library.all_groups(scan)
    assert len(groups) == 12
    assert {len(group.members) + 1 for group in groups} == {FILES_PER_GROUP}
    assert all(member.words and group.keep_reasons for group in groups for member in group.members)
