"""Bulk rules: which file each keeps, what it selects, and what carrying one out stores."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from image_duplicate_finder.keeping import BulkFile, BulkGroup, BulkOrder, BulkRule, change, preview
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import Description, KeepReason
from image_duplicate_finder.model import (
    FileStat,
    Group,
    GroupKind,
    ImageInfo,
    Match,
    Member,
    Metadata,
    Relation,
)
from image_duplicate_finder.results import GroupQuery
from image_duplicate_finder.scan.context import verifier_name
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.store import Store
from tests.stored import put_content, put_file

KEEPER = BulkFile(
    1, None, "/a/long name.jpg", 500, 4000, 30, "JPEG", False, selected=False, removable=True
)
SMALL = KEEPER._replace(
    file=2, relation=Relation.RESIZED, path="/b/x.jpg", bytes=100, pixels=1000, mtime_ns=10
)
LOSSLESS = KEEPER._replace(
    file=3,
    relation=Relation.REENCODED,
    path="/c/mid.png",
    bytes=900,
    mtime_ns=20,
    format="PNG",
    lossless=True,
)
GROUP = BulkGroup(7, (KEEPER, SMALL, LOSSLESS))


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        (BulkRule.PRESENT, 1),
        (BulkRule.MOST_PIXELS, 1),
        (BulkRule.LARGEST_FILE, 3),
        (BulkRule.SMALLEST_FILE, 2),
        (BulkRule.OLDEST, 2),
        (BulkRule.NEWEST, 1),
        (BulkRule.BEST_FORMAT, 3),
        (BulkRule.SHORTEST_NAME, 2),
        (BulkRule.LONGEST_NAME, 1),
        (BulkRule.SHORTEST_PATH, 2),
    ],
)
def test_each_rule_keeps_the_file_it_names(rule: BulkRule, kept: int) -> None:
    result = change(GROUP, BulkOrder(rule))
    assert result.keeper == kept
    assert result.changes_keeper == (kept != 1)
    assert set(result.select) == {1, 2, 3} - {kept}


def test_folders_are_preferred_in_their_order() -> None:
    order = BulkOrder(BulkRule.FOLDER_ORDER, folders=("/c", "/b"))
    assert change(GROUP, order).keeper == 3
    assert change(GROUP, replace(order, folders=("/b/", "/c"))).keeper == 2
    assert change(GROUP, replace(order, folders=("/", "/b"))).keeper == 1
    # "/a/long" is a beginning of the keeper's path but no folder of it.
    assert change(GROUP, replace(order, folders=("/a/long", "/b"))).keeper == 2


def test_only_the_relations_asked_for_are_selected_and_others_keep_their_state() -> None:
    edited = SMALL._replace(file=4, relation=Relation.EDITED, selected=True)
    similar = SMALL._replace(file=5, relation=Relation.SIMILAR)
    group = BulkGroup(7, (KEEPER, SMALL, edited, similar))
    assert change(group, BulkOrder(BulkRule.PRESENT)).select == (2, 4)
    # What only looks like the keeper is never selected by a rule, whatever is asked for.
    everything = BulkOrder(BulkRule.PRESENT, relations=frozenset(Relation))
    assert change(group, everything).select == (2, 4)


def test_a_keeper_reached_over_an_edit_selects_nothing_that_was_not_selected() -> None:
    edited = SMALL._replace(relation=Relation.EDITED, mtime_ns=1)
    group = BulkGroup(7, (KEEPER, edited, LOSSLESS))
    result = change(group, BulkOrder(BulkRule.OLDEST))
    assert (result.keeper, result.select) == (2, ())


def test_what_may_not_be_removed_is_never_selected() -> None:
    group = BulkGroup(7, (KEEPER, SMALL._replace(removable=False), LOSSLESS))
    assert change(group, BulkOrder(BulkRule.PRESENT)).select == (3,)


def test_a_preview_counts_files_and_bytes_before_and_after() -> None:
    selected = BulkGroup(8, (KEEPER, SMALL._replace(selected=True)))
    found = preview([GROUP, selected], BulkOrder(BulkRule.OLDEST))
    assert (found.groups, found.changed_groups, found.changed_keepers) == (2, 2, 2)
    assert (found.files_before, found.bytes_before) == (1, 100)
    assert (found.files_after, found.bytes_after) == (3, 500 + 900 + 500)
    assert [example.group for example in found.examples] == [7, 8]


def make_library(folder: Path, groups: int) -> tuple[Library, int]:
    store = Store(folder)
    scan = store.scans.start(["/p"], ScanSettings())
    made = []
    for number in range(groups):
        files, contents = [], []
        for place, (pixels, when) in enumerate(((200, 3), (100, 1), (50, 2))):
            path = f"/p/{number}-{place}.jpg"
            content = put_content(
                store,
                path.encode().ljust(32),
                10,
                ImageInfo("JPEG", pixels, 1, metadata=Metadata()),
            )
            contents.append(content)
            stat = FileStat(10 + place, when * 10**9, 0, 1, number * 10 + place)
            files.append(put_file(store, path, stat, content))
        verified = [Match(a, b, Relation.RESIZED) for a, b in combinations(contents, 2)]
        store.matches.put(verifier_name(ScanSettings().mode), verified)
        store.scans.add_files(scan, [(file, True, False) for file in files])
        members = tuple(Member(file, Relation.RESIZED, (Description.HALF(),)) for file in files[1:])
        made.append(Group(GroupKind.DUPLICATES, files[0], (KeepReason.PIXELS(),), members))
    store.groups.replace(scan, made)
    store.close()
    return Library.open(folder), scan


def test_carrying_a_rule_out_does_what_the_preview_said(library_dir: Path) -> None:
    library, scan = make_library(library_dir, 230)
    with library:
        order = BulkOrder(BulkRule.OLDEST)
        expected = library.preview_bulk(scan, GroupQuery(), order)
        step = library.apply_bulk(scan, GroupQuery(), order)
        assert (step.done, step.left) == (230, 0)
        page = library.groups(scan, GroupQuery(limit=500))
        assert page.total == 230
        assert all(group.keeper.path.endswith("-1.jpg") for group in page.groups)
        assert all(member.selected for group in page.groups for member in group.members)
        selection = library.selection(scan)
        assert (selection.files, selection.bytes) == (expected.files_after, expected.bytes_after)
        again = library.preview_bulk(scan, GroupQuery(), order)
        assert again.changed_groups == 0


def test_a_rule_carried_out_in_steps_goes_through_every_group_once(library_dir: Path) -> None:
    library, scan = make_library(library_dir, 230)
    with library:
        order = BulkOrder(BulkRule.OLDEST)
        done, after, until = 0, 0, None
        while True:
            step = library.apply_bulk(
                scan, GroupQuery(), order, after=after, until=until, seconds=1e-9
            )
            after, until = step.after, step.until
            done += step.done
            if not step.left:
                break
            assert step.done == 100
        assert done == 230
        assert library.preview_bulk(scan, GroupQuery(), order).changed_groups == 0


def test_a_rule_for_a_filter_leaves_other_groups_alone(library_dir: Path) -> None:
    library, scan = make_library(library_dir, 12)
    with library:
        query = GroupQuery(text="/7-")
        library.apply_bulk(scan, query, BulkOrder(BulkRule.PRESENT))
        assert library.selection(scan).files == 2
        selected = library.groups(scan, GroupQuery(selected_only=True))
        assert [group.keeper.path for group in selected.groups] == ["/p/7-0.jpg"]
