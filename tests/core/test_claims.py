"""What a file is to another one is measured: for a keeper that a person chooses, too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.keeping import BulkOrder, BulkRule
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import Description, KeepReason
from image_duplicate_finder.model import Group, GroupKind, Member, Relation
from image_duplicate_finder.results import GroupQuery, GroupView
from image_duplicate_finder.scan.context import verifier_name
from image_duplicate_finder.settings import BackupMode, Mode, ScanSettings
from tests.conftest import Painter

STANDARD = ScanSettings(jobs=1, esimilarity_threshold=0.0, csimilarity_threshold=1.0)
"""Painted pictures look alike; here only what verification says counts."""

QUICK = ScanSettings(mode=Mode.QUICK, jobs=1)


@pytest.fixture
def library(library_dir: Path) -> Iterator[Library]:
    with Library.open(library_dir) as opened:
        yield opened


@pytest.fixture
def photos(tmp_path: Path, painted: Painter) -> Path:
    """Four photos and a contact sheet of them."""
    folder = tmp_path / "in"
    folder.mkdir()
    pictures = [Image.fromarray(painted(seed, 480, 360)) for seed in (1, 2, 3, 6)]
    sheet = Image.new("RGB", (1010, 770), "white")
    for number, picture in enumerate(pictures):
        picture.save(folder / f"photo{number}.jpg", quality=92)
        sheet.paste(picture, (16 + number % 2 * 498, 16 + number // 2 * 378))
    sheet.save(folder / "sheet.jpg", quality=92)
    return folder


def name(path: str) -> str:
    return Path(path).stem


def shown(library: Library, scan: int) -> set[tuple[str, str, frozenset[str]]]:
    """Kind, keeper and members of all groups, by name."""
    return {
        (
            group.kind.value,
            name(group.keeper.path),
            frozenset(name(member.file.path) for member in group.members),
        )
        for group in library.all_groups(scan)
    }


def file_of(group: GroupView, wanted: str) -> int:
    files = [group.keeper, *(member.file for member in group.members)]
    return next(file.id for file in files if name(file.path) == wanted)


def pair(library: Library, scan: int, one: str, other: str) -> GroupView:
    """A group as an earlier version could have left it: two photos that were never compared,
    the one called a smaller copy of the other."""
    files = {name(each.path): each for each in library.files_at(scan, paths(library, scan))}
    (number,) = library._store.groups.replace_one(
        library.all_groups(scan)[0].id,
        [
            Group(
                GroupKind.DUPLICATES,
                files[one].id,
                (KeepReason.CHOSEN(),),
                (Member(files[other].id, Relation.RESIZED, (Description.HALF(),), selected=True),),
            )
        ],
    )
    return library.group(number)


def paths(library: Library, scan: int) -> list[str]:
    return [
        facts.path for content in library._store.scans.contents(scan) for facts in content.files
    ]


def test_the_parts_of_a_sheet_are_nothing_to_each_other(library: Library, photos: Path) -> None:
    scan = library.scan([photos], STANDARD).id
    (group,) = library.all_groups(scan)
    assert (group.kind, name(group.keeper.path)) == (GroupKind.CONTAINS, "sheet")
    library.choose_keeper(group.id, file_of(group, "photo0"))
    assert shown(library, scan) == {
        ("contains", "photo0", frozenset({"sheet"})),
        ("contains", "sheet", frozenset({"photo1", "photo2", "photo3"})),
    }
    decision = library.latest_decision(scan)
    assert decision is not None
    assert {name(path) for path in decision.left} == {"photo1", "photo2", "photo3"}


def test_parts_that_are_split_off_are_no_group(library: Library, photos: Path) -> None:
    scan = library.scan([photos], STANDARD).id
    (group,) = library.all_groups(scan)
    library.split(group.id, [file_of(group, "photo0"), file_of(group, "photo1")])
    assert shown(library, scan) == {("contains", "sheet", frozenset({"photo2", "photo3"}))}
    decision = library.latest_decision(scan)
    assert decision is not None
    assert {name(path) for path in decision.left} == {"photo0", "photo1"}


def test_no_group_is_split_into_nothing(library: Library, photos: Path) -> None:
    scan = library.scan([photos], STANDARD).id
    (group,) = library.all_groups(scan)
    with pytest.raises(UsageError, match="nothing to split them from"):
        library.split(group.id, [member.file.id for member in group.members])
    assert library.all_groups(scan) == [group]


def test_a_member_is_described_by_its_own_match(
    library: Library, tmp_path: Path, painted: Painter
) -> None:
    picture = Image.fromarray(painted(1, 480, 360))
    picture.save(tmp_path / "whole.png")
    picture.crop((0, 0, 300, 360)).save(tmp_path / "left.png")
    picture.crop((0, 0, 240, 360)).resize((120, 180)).save(tmp_path / "less.png")
    scan = library.scan([tmp_path], STANDARD).id
    (group,) = library.all_groups(scan)
    new = library.group(library.choose_keeper(group.id, file_of(group, "left")))
    of = {name(member.file.path): member for member in new.members}
    assert of["less"].relation is Relation.CROPPED
    assert of["less"].overlap == pytest.approx(240 / 300, abs=0.02)
    assert "80%" in of["less"].words
    ids = library._store.contents.ids_of([new.keeper.content, of["less"].file.content])
    own, other = ids[new.keeper.content], ids[of["less"].file.content]
    match = library._store.matches.between(verifier_name(Mode.STANDARD), own, other)
    assert match.transform == of["less"].transform


def test_what_a_third_file_linked_leaves_and_groups_by_its_own_matches(
    library: Library, photos: Path
) -> None:
    for number in (1, 2):
        with Image.open(photos / f"photo{number}.jpg") as picture:
            picture.resize((240, 180)).save(photos / f"photo{number} small.jpg")
    scan = library.scan([photos], QUICK).id
    files = {name(each.path): each for each in library.files_at(scan, paths(library, scan))}
    wrong = tuple(
        Member(files[each].id, Relation.EDITED, (Description.EDITED(),))
        for each in ("photo1", "photo1 small", "photo2", "photo2 small", "photo3")
    )
    first = library.all_groups(scan)[0].id
    for group in library.all_groups(scan)[1:]:
        library._store.groups.replace_one(group.id, [])
    (carried,) = library._store.groups.replace_one(
        first, [Group(GroupKind.DUPLICATES, files["photo0"].id, (KeepReason.CHOSEN(),), wrong)]
    )
    library.choose_keeper(carried, files["photo2"].id)
    assert shown(library, scan) == {
        ("duplicates", "photo2", frozenset({"photo2 small"})),
        ("duplicates", "photo1", frozenset({"photo1 small"})),
    }


def test_nothing_is_left_where_nothing_matches(library: Library, photos: Path) -> None:
    (photos / "sheet.jpg").unlink()
    shutil.copy(photos / "photo0.jpg", photos / "photo0 again.jpg")
    scan = library.scan([photos], QUICK).id
    group = pair(library, scan, "photo1", "photo2")
    assert library.choose_keeper(group.id, group.members[0].file.id) == 0
    assert library.all_groups(scan) == []


@pytest.mark.parametrize("way", ["plan", "apply", "purge"])
def test_relations_that_an_earlier_version_concluded_remove_nothing(
    library: Library, photos: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    shutil.copy(photos / "photo0.jpg", photos / "photo0 again.jpg")
    scan = library.scan([photos], QUICK).id
    pair(library, scan, "photo1", "photo2")
    plan = library.plan(scan)
    assert plan.items == () and "no verified match" in plan.refusals[0].message
    matches = library._store.matches
    real = type(matches).copies
    monkeypatch.setattr(type(matches), "copies", lambda _self, pairs: set(pairs))
    plan = library.plan(scan)
    assert len(plan.items) == 1
    if way == "apply":
        monkeypatch.setattr(type(matches), "copies", real)
        report = library.apply(plan, mode=BackupMode.REMOVED)
        assert report.done == () and (photos / "photo2.jpg").exists()
    if way == "purge":
        run = library.apply(plan, mode=BackupMode.REMOVED).run
        monkeypatch.setattr(type(matches), "copies", real)
        purged = library.purge(run)
        assert (purged.purged, purged.kept[0].reason.value) == (0, "no_match")
        library.undo(run)
        assert (photos / "photo2.jpg").exists()


def test_a_rule_selects_by_the_matches_of_the_new_keeper(library: Library, photos: Path) -> None:
    shutil.copy(photos / "photo0.jpg", photos / "photo0 again.jpg")
    scan = library.scan([photos], QUICK).id
    pair(library, scan, "photo1", "photo2")
    library.apply_bulk(
        scan, GroupQuery(), BulkOrder(BulkRule.LONGEST_NAME, relations=frozenset(Relation))
    )
    library.apply_bulk(scan, GroupQuery(), BulkOrder(BulkRule.NEWEST))
    assert library.plan(scan).items == ()


def test_what_is_no_copy_is_removed_only_when_it_was_chosen_by_itself(
    library: Library, photos: Path
) -> None:
    scan = library.scan([photos], STANDARD).id
    (group,) = library.all_groups(scan)
    everything = frozenset(Relation)
    library.select_groups(scan, GroupQuery(), True)
    library.select_groups(scan, GroupQuery(), None)
    library.apply_bulk(scan, GroupQuery(), BulkOrder(BulkRule.PRESENT, relations=everything))
    assert library.plan(scan).items == ()
    chosen = file_of(group, "photo2")
    library.select([(group.id, chosen)])
    plan = library.plan(scan)
    assert [name(item.path) for item in plan.items] == ["photo2"]
    report = library.apply(plan, mode=BackupMode.REMOVED)
    assert len(report.done) == 1
    assert library.purge(report.run).purged == 1  # the choice is remembered


def test_a_selection_of_copies_does_not_count_where_they_turned_out_to_be_none(
    library: Library, photos: Path
) -> None:
    scan = library.scan([photos], STANDARD).id
    (group,) = library.all_groups(scan)
    members = tuple(
        Member(member.file.id, Relation.CROPPED, (Description.CROPPED(share=0.5),), selected=False)
        for member in group.members
    )
    store = library._store.groups
    copies = Group(GroupKind.DUPLICATES, group.keeper.id, (KeepReason.PIXELS(),), members)
    (number,) = store.replace_one(group.id, [copies])
    library.select([(number, member.file) for member in members])
    contains = Group(GroupKind.CONTAINS, group.keeper.id, (KeepReason.PIXELS(),), members)
    store.replace(scan, [contains])
    assert library.plan(scan).items == ()


def test_a_pair_that_a_person_dismissed_is_no_copy(library: Library, photos: Path) -> None:
    (photos / "sheet.jpg").unlink()
    with Image.open(photos / "photo0.jpg") as picture:
        picture.resize((240, 180)).save(photos / "small.jpg")
    scan = library.scan([photos], QUICK).id
    plan = library.plan(scan)
    assert [name(item.path) for item in plan.items] == ["small"]
    (group,) = library.all_groups(scan)
    library.dismiss(group.id)
    assert library.apply(plan, mode=BackupMode.REMOVED).done == ()


def test_plain_pictures_with_equal_data_stay_copies_of_each_other(
    library: Library, tmp_path: Path
) -> None:
    Image.new("RGB", (320, 240), (40, 60, 60)).save(tmp_path / "a.jpg", quality=90)
    data = (tmp_path / "a.jpg").read_bytes()
    for number in range(3):
        note = b"\xff\xfe\x00\x08note %d" % number
        (tmp_path / f"b{number}.jpg").write_bytes(data[:2] + note + data[2:])
    scan = library.scan([tmp_path], QUICK).id
    (group,) = library.all_groups(scan)
    library._store._database.connection.execute("DELETE FROM match")  # as of too many to store
    new = library.group(library.choose_keeper(group.id, group.members[-1].file.id))
    assert {member.relation for member in new.members} == {Relation.PIXEL_IDENTICAL}
    assert len(new.members) == 3
