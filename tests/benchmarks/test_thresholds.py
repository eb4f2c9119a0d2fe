"""The library that the sliders are measured with has the groups that it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.thresholds import fill, measure
from image_duplicate_finder import Library
from image_duplicate_finder.model import GroupKind


@pytest.mark.parametrize("apart", [False, True])
def test_every_family_is_a_group_of_copies_or_of_look_alikes(
    library_dir: Path, apart: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = fill(library_dir, pictures=80, pairs=1_500, apart=apart)
    with Library.open(library_dir) as library:
        groups = library.all_groups(scan)
    copies = [each for each in groups if each.kind is GroupKind.DUPLICATES]
    assert [len(each.members) for each in copies] == ([] if apart else [9] * 8)
    assert any(each.kind is GroupKind.SIMILAR for each in groups)
    measure(library_dir)
    assert capsys.readouterr().out.count(" s of processor") == 4
