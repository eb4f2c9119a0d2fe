"""What people do with the first groups of a scan that still runs is there in its final groups."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from image_duplicate_finder import GroupKind, Library, Mode, ScanSettings, Step
from image_duplicate_finder.results import GroupQuery, GroupView
from image_duplicate_finder.scan import groups
from tests.conftest import Painter

Names = list[tuple[str, list[str], list[str]]]


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    """Two photos: one with five smaller copies, one with a byte copy."""
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = Image.fromarray(painted(1))
    for name, width in zip("abcdef", (480, 440, 400, 360, 320, 280), strict=True):
        photo.resize((width, width * 3 // 4)).save(folder / f"{name}.jpg", quality=92)
    Image.fromarray(painted(2)).save(folder / "x.jpg")
    shutil.copy(folder / "x.jpg", folder / "y.jpg")
    return folder


def name(view: GroupView, file: int) -> str:
    """The letter of a file of a group."""
    (path,) = [
        each.path
        for each in (view.keeper, *(member.file for member in view.members))
        if each.id == file
    ]
    return Path(path).stem


def names(library: Library, scan: int) -> Names:
    """Each group's keeper, members, and those that are selected, by letter."""
    return sorted(
        (
            Path(group.keeper.path).stem,
            sorted(Path(member.file.path).stem for member in group.members),
            sorted(Path(member.file.path).stem for member in group.members if member.selected),
        )
        for group in library.groups(scan).groups
    )


def scan_and_meanwhile(
    library: Library, photos: Path, change: Callable[[GroupView], None]
) -> tuple[int, list[GroupView]]:
    """Scan, and call ``change`` once with the group of photo 1 when the scan shows it first."""
    changed: list[GroupView] = []

    def meanwhile(step: Step) -> None:
        if changed or step.stage == "discover":
            return
        found = library.groups(library.latest_scan().id, GroupQuery(text="a.jpg")).groups
        if found and len(found[0].members) == 5:
            changed.append(found[0])
            change(found[0])

    settings = ScanSettings(mode=Mode.QUICK, jobs=1)
    return library.scan([photos], settings, progress=meanwhile).id, changed


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first groups are shown as soon as there are any."""
    monkeypatch.setattr(groups, "PREVIEW_TIMING", groups.PreviewTiming(0.0, 0.0, 0.0))


@pytest.mark.usefixtures("at_once")
def test_a_selection_in_the_first_groups_is_kept(library_dir: Path, photos: Path) -> None:
    with Library.open(library_dir) as library:

        def unselect(view: GroupView) -> None:
            files = [
                member.file.id for member in view.members if name(view, member.file.id) in "bc"
            ]
            # The first groups propose nothing but identical files: nobody looked closely yet.
            assert library.select([(view.id, file) for file in files], True) == 2
            assert library.select([(view.id, file) for file in files], False) == 2

        scan, changed = scan_and_meanwhile(library, photos, unselect)
        assert changed
        assert names(library, scan) == [
            ("a", ["b", "c", "d", "e", "f"], ["d", "e", "f"]),
            ("x", ["y"], ["y"]),
        ]


@pytest.mark.usefixtures("at_once")
def test_a_chosen_keeper_and_a_split_are_kept(library_dir: Path, photos: Path) -> None:
    with Library.open(library_dir) as library:

        def arrange(view: GroupView) -> None:
            apart = [
                member.file.id for member in view.members if name(view, member.file.id) in "def"
            ]
            _rest, second = library.split(view.id, apart)
            smallest = next(
                m.file.id for m in library.group(second).members if m.file.path[-5] == "f"
            )
            second = library.choose_keeper(second, smallest)
            library.select([(second, library.group(second).members[0].file.id)])

        scan, changed = scan_and_meanwhile(library, photos, arrange)
        assert changed
        assert [group[:2] for group in names(library, scan)] == [
            ("a", ["b", "c"]),
            ("f", ["d", "e"]),
            ("x", ["y"]),
        ]
        kinds = {group.kind for group in library.groups(scan).groups}
        assert kinds == {GroupKind.DUPLICATES}


@pytest.mark.parametrize("many", [{"looks": 2}, {"looks": 100, "pixels": 100_000}])
def test_groups_are_there_before_they_are_looked_at(
    library_dir: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, many: dict[str, int]
) -> None:
    """Looks at many or large pictures take longer than all else; people can review meanwhile."""
    monkeypatch.setattr(groups, "PREVIEW_TIMING", groups.PreviewTiming(**many))
    apart = photos.parent / "apart"
    apart.mkdir()
    for letter in "abc":
        (photos / f"{letter}.jpg").rename(apart / f"{letter}.jpg")
    settings = ScanSettings(mode=Mode.QUICK, jobs=1)
    found: dict[str, Names] = {}

    def look_on(step: Step) -> None:
        found.setdefault(step.stage, names(library, library.latest_scan().id))

    with Library.open(library_dir) as library:
        for folder in (photos, apart):  # from here on, nothing is to be read
            library.scan([folder], settings)
        scan = library.scan([photos, apart], settings, progress=look_on).id
        final = names(library, scan)
    assert found["verify"] == []
    assert [group[:2] for group in found["look"]] == [group[:2] for group in final]
    assert found["look"] != final
