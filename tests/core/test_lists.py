"""Delete-lists and keep-lists: no file is listed that another one on the list depends on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from image_duplicate_finder.exports.lists import delete_list, keep_list
from image_duplicate_finder.model import FileStat, GroupKind, ImageInfo, Lack, Relation
from image_duplicate_finder.results import FileView, GroupView, MemberView


def file(number: int, path: str, *, width: int = 100, removable: bool = True) -> FileView:
    info = ImageInfo("JPEG", width, 100)
    stat = FileStat(1, 1, 1, 1, number)
    return FileView(number, path, stat, bytes([number]) * 32, info, removable=removable)


def member(
    view: FileView,
    relation: Relation = Relation.REENCODED,
    *,
    selected: bool = False,
    lacks: tuple[Lack, ...] = (),
    witness: int | None = 1,
) -> MemberView:
    return MemberView(
        view, relation, "", None, False, 1.0, 1.0, selected, witness=witness, lacks=lacks
    )


def group(
    keeper: FileView, *members: MemberView, kind: GroupKind = GroupKind.DUPLICATES
) -> GroupView:
    return GroupView(1, 1, kind, keeper, (), members)


KEEPER = file(1, "/a/keeper.jpg")
ZIPPED = file(2, "/a/x.zip!/b.jpg", removable=False)


def test_selected_files_go_and_all_others_stay() -> None:
    groups = [
        group(KEEPER, member(file(2, "/a/b.jpg"), selected=True), member(file(3, "/a/c.jpg")))
    ]
    assert delete_list(groups) == ("/a/b.jpg",)
    assert keep_list(groups) == ("/a/c.jpg", "/a/keeper.jpg")


def test_a_keeper_of_a_listed_file_is_not_listed_itself() -> None:
    middle = file(2, "/a/b.jpg")
    groups = [
        group(KEEPER, member(middle, selected=True)),
        group(middle, member(file(3, "/a/c.jpg"), selected=True), kind=GroupKind.SIMILAR),
    ]
    assert delete_list(groups) == ("/a/c.jpg",)
    assert keep_list(groups) == ("/a/b.jpg", "/a/keeper.jpg")


@pytest.mark.parametrize(
    ("view", "relation", "lacks", "listed"),
    [
        (ZIPPED, Relation.REENCODED, (), True),
        (ZIPPED, Relation.CROPPED, (), True),
        (ZIPPED, Relation.CROPPED, (Lack.CROP,), False),
        (ZIPPED, Relation.EDITED, (Lack.DIFFERS,), False),
        (ZIPPED, Relation.RESIZED, (Lack.SIZE,), False),
        (ZIPPED, Relation.ROTATED, (Lack.FRAMES,), False),
        (replace(ZIPPED, gone=True), Relation.REENCODED, (), False),
        (replace(ZIPPED, removable=True), Relation.REENCODED, (), False),
    ],
)
def test_from_places_that_are_only_read_goes_what_holds_no_more(
    view: FileView, relation: Relation, lacks: tuple[Lack, ...], listed: bool
) -> None:
    groups = [group(KEEPER, member(view, relation, lacks=lacks))]
    assert delete_list(groups) == ((view.path,) if listed else ())


def test_look_alikes_and_protected_folders_are_never_listed() -> None:
    other = member(ZIPPED, Relation.SIMILAR, witness=None)
    alike = [group(KEEPER, other, kind=GroupKind.SIMILAR)]
    assert delete_list(alike) == ()
    guarded = file(2, "/safe/b.jpg", removable=False)
    groups = [group(KEEPER, member(guarded))]
    assert delete_list(groups, ["/safe"]) == ()
    assert delete_list(groups) == ("/safe/b.jpg",)
