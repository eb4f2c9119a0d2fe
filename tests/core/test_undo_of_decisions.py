"""Every decision about groups is undone as a whole, in order, also by a program started anew."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.keeping import BulkOrder, BulkRule
from image_duplicate_finder.library import Library
from image_duplicate_finder.results import DecisionKind, GroupQuery
from tests.review_scene import Scene, make_scene

Decide = Callable[[Library, int, int, Scene], object]


@pytest.fixture
def library(library_dir: Path) -> Iterator[Library]:
    """An open library."""
    with Library.open(library_dir) as opened:
        yield opened


@pytest.fixture
def scene(library: Library, tmp_path: Path) -> Scene:
    """Three groups by hand and twelve more."""
    return make_scene(library.folder, tmp_path / "photos", more=12)


def everything(library: Library) -> list[list[tuple[object, ...]]]:
    """The rows that decisions may change."""
    connection = sqlite3.connect(library.folder / "library.sqlite")
    try:
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
            for table in ("grouping", "member", "dismissed")
        ]
    finally:
        connection.close()


def first(library: Library, scene: Scene) -> int:
    return library.groups(scene.scan, GroupQuery(text="original")).groups[0].id


DECISIONS: dict[DecisionKind, Decide] = {
    DecisionKind.SELECTED: lambda library, _scan, group, scene: library.select(
        [(group, scene.files["b/crop.png"])]
    ),
    DecisionKind.UNSELECTED: lambda library, scan, _group, _scene: library.select_groups(
        scan, GroupQuery(), False
    ),
    DecisionKind.INVERTED: lambda library, scan, _group, _scene: library.select_groups(
        scan, GroupQuery(), None
    ),
    DecisionKind.KEPT: lambda library, _scan, group, scene: library.choose_keeper(
        group, scene.files["b/crop.png"]
    ),
    DecisionKind.SPLIT: lambda library, _scan, group, scene: library.split(
        group, [scene.files["b/crop.png"], scene.files["b/small.jpg"]]
    ),
    DecisionKind.NOT_DUPLICATES: lambda library, _scan, group, _scene: library.dismiss(group),
    DecisionKind.RULE: lambda library, scan, _group, _scene: library.apply_bulk(
        scan, GroupQuery(), BulkOrder(BulkRule.SMALLEST_FILE)
    ),
}


@pytest.mark.parametrize("kind", DECISIONS)
def test_each_decision_is_taken_back(library: Library, scene: Scene, kind: DecisionKind) -> None:
    before = everything(library)
    DECISIONS[kind](library, scene.scan, first(library, scene), scene)
    assert everything(library) != before
    latest = library.latest_decision(scene.scan)
    assert latest is not None and latest.kind is kind and latest.files > 0
    with Library.open(library.folder) as again:  # also after a new start
        undone = again.undo_decision(scene.scan, latest.id)
    assert undone is not None and undone.decision == latest and undone.groups
    assert everything(library) == before
    assert library.undo_decision(scene.scan) is None


def test_all_decisions_one_after_the_other_and_back(library: Library, scene: Scene) -> None:
    states = []
    for decide in DECISIONS.values():
        states.append(everything(library))
        total = library.groups(scene.scan, GroupQuery(text="original")).total
        group = first(library, scene) if total else library.groups(scene.scan).groups[0].id
        with contextlib.suppress(UsageError):  # the file is not in that group any more
            decide(library, scene.scan, group, scene)
    undone = 0
    while library.undo_decision(scene.scan) is not None:
        undone += 1
    assert undone >= 5
    assert everything(library) == states[0]


def test_the_number_of_changes_is_that_of_the_files(library: Library, scene: Scene) -> None:
    group = first(library, scene)
    files = [scene.files["b/crop.png"], scene.files["b/small.jpg"]]  # one of them is selected
    assert library.select([(group, file) for file in files]) == 1
    assert library.select([(group, file) for file in files], False) == 2
    latest = library.latest_decision(scene.scan)
    assert latest is not None and latest.files == 2


def test_what_changes_nothing_is_no_decision(library: Library, scene: Scene) -> None:
    library.select([(first(library, scene), scene.files["b/small.jpg"])])  # is selected already
    assert library.latest_decision(scene.scan) is None


def test_a_rule_in_many_steps_is_one_decision(library: Library, scene: Scene) -> None:
    before = everything(library)
    order, query = BulkOrder(BulkRule.SMALLEST_FILE), GroupQuery()
    # A rule that was carried out before stays a decision of its own.
    library.apply_bulk(scene.scan, GroupQuery(text="crop"), order)
    between = everything(library)
    monotony = library.apply_bulk(scene.scan, query, order, seconds=0)
    while monotony.left:
        monotony = library.apply_bulk(
            scene.scan, query, order, seconds=0,
            after=monotony.after, until=monotony.until, onto=monotony.decision,
        )  # fmt: skip
    library.undo_decision(scene.scan)
    assert everything(library) == between
    library.undo_decision(scene.scan)
    assert everything(library) == before


def test_several_changes_can_be_one_decision(library: Library, scene: Scene) -> None:
    before = everything(library)
    group = first(library, scene)
    with library.one_decision(scene.scan, DecisionKind.KEPT):
        changed = library.choose_keeper(group, scene.files["b/crop.png"])
        library.select([(changed, scene.files["a/original.png"])])
    undone = library.undo_decision(scene.scan)
    assert undone is not None and undone.groups == (group,)
    assert everything(library) == before


def test_a_decision_that_fails_leaves_nothing(library: Library, scene: Scene) -> None:
    before = everything(library)
    with pytest.raises(RuntimeError), library.one_decision(scene.scan, DecisionKind.KEPT):
        library.choose_keeper(first(library, scene), scene.files["b/crop.png"])
        raise RuntimeError
    assert everything(library) == before
    assert library.latest_decision(scene.scan) is None
    library.select_groups(scene.scan, GroupQuery(), True)
    library.undo_decision(scene.scan)
    assert everything(library) == before


def test_only_the_latest_decision_is_undone(library: Library, scene: Scene) -> None:
    library.select_groups(scene.scan, GroupQuery(), True)
    earlier = library.latest_decision(scene.scan)
    library.select_groups(scene.scan, GroupQuery(), False)
    assert earlier is not None
    with pytest.raises(UsageError, match="Later decisions"):
        library.undo_decision(scene.scan, earlier.id)


def test_groups_that_are_written_anew_forget_the_decisions(library: Library, scene: Scene) -> None:
    library.select_groups(scene.scan, GroupQuery(), True)
    library._store.groups.replace(scene.scan, [])
    assert library.undo_decision(scene.scan) is None
