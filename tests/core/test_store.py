"""The store on a real SQLite file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from image_duplicate_finder.errors import FailureStage, LibraryDamaged
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import Description, FailureReason, KeepReason
from image_duplicate_finder.model import (
    Failure,
    FileStat,
    Fingerprint,
    Group,
    GroupKind,
    ImageInfo,
    Match,
    Member,
    Metadata,
    Relation,
)
from image_duplicate_finder.results import GroupQuery, GroupSort, Selection
from image_duplicate_finder.settings import ScanSettings
from image_duplicate_finder.store import KnownFile, Store, database
from image_duplicate_finder.store.schema import MIGRATIONS
from tests.stored import put_content, put_file

INFO = ImageInfo(
    "JPEG", 640, 480, orientation=6, metadata=Metadata(taken="2020-01-02T03:04:05", keywords=("a",))
)
SMALLER = (Description.HALF(),)
ODD = "/photos/\udcff \n'\"<b>\U0001f600.jpg"


def stat(size: int = 10, inode: int = 1) -> FileStat:
    return FileStat(size, 2**62, 7, 1, inode)


@pytest.fixture
def store(library_dir: Path) -> Store:
    return Store(library_dir)


def add_file(store: Store, path: str, content: bytes, size: int = 10) -> tuple[int, int]:
    id = put_content(store, content, size, INFO)
    return put_file(store, path, stat(size), id), id


def known_below(store: Store, root: str) -> dict[bytes, KnownFile]:
    return {each.path: each for each in store.files.below([root])}


def test_odd_names_and_large_numbers_come_back_unharmed(store: Store) -> None:
    file, content = add_file(store, ODD, b"h" * 32)
    known = known_below(store, "/photos")
    assert list(known) == [os.fsencode(ODD)]
    assert known[os.fsencode(ODD)].stat == stat()
    assert (known[os.fsencode(ODD)].id, known[os.fsencode(ODD)].content) == (file, content)
    assert store.contents.infos([content]) == {content: INFO}


def test_below_takes_a_folder_and_not_its_namesakes(store: Store) -> None:
    for path in ("/p/a.jpg", "/p/b/c.jpg", "/p2/d.jpg", "/p"):
        add_file(store, path, path.encode().ljust(32))
    assert sorted(known_below(store, "/p")) == [b"/p", b"/p/a.jpg", b"/p/b/c.jpg"]


def test_a_failure_is_remembered_until_the_file_is_usable(store: Store) -> None:
    failure = Failure("/p/a.jpg", FailureStage.DECODE, FailureReason.CRASH(status=-9))
    store.files.put_failures([(failure, stat())], "limits")
    assert known_below(store, "/p")[b"/p/a.jpg"].failure == failure
    add_file(store, "/p/a.jpg", b"x" * 32)
    assert known_below(store, "/p")[b"/p/a.jpg"].failure is None


def test_fingerprints_of_another_version_do_not_count(store: Store) -> None:
    _, content = add_file(store, "/p/a.jpg", b"x" * 32)
    store.contents.put_fingerprints(content, [Fingerprint("hash", 1, b"old")])
    assert store.contents.incomplete([("hash", 2)]) == {content}
    store.contents.put_fingerprints(content, [Fingerprint("hash", 2, b"new")])
    assert store.contents.incomplete([("hash", 2)]) == set()
    assert store.contents.fingerprints("hash", 2, [content]) == {content: b"new"}


def test_look_alikes_of_an_older_library_are_packed_and_none_is_lost(
    library_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fifth change of the tables: rows of pairs become parts of packed arrays."""
    monkeypatch.setattr(database, "MIGRATIONS", MIGRATIONS[:4])
    old = Store(library_dir)
    scans = [old.scans.start(["/p"], ScanSettings()) for _ in range(2)]
    many = [(1 + n // 1000, 2000 + n % 1000, n / 150_000) for n in range(140_000)]
    rows = [(scans[0], *pair) for pair in reversed(many)] + [(scans[1], 7, 9, 0.75)]
    with old.atomic() as connection:
        connection.executemany("INSERT INTO similar_pair VALUES (?,?,?,?)", rows)
    old.close()

    monkeypatch.undo()
    store = Store(library_dir)
    found = store.similar.of(scans[0], -1.0)
    assert list(zip(found.a.tolist(), found.b.tolist(), strict=True)) == [p[:2] for p in many]
    assert found.score.tolist() == pytest.approx([pair[2] for pair in many], abs=1e-6)
    assert store.similar.of(scans[1], 0.7).score.tolist() == [0.75]
    assert store.similar.of(scans[1], 0.8).score.tolist() == []


def test_matches_of_two_verifiers_do_not_mix(store: Store) -> None:
    _, a = add_file(store, "/p/a.jpg", b"a" * 32)
    _, b = add_file(store, "/p/b.jpg", b"b" * 32)
    match = Match(a, b, Relation.CROPPED, ((1.0, 0.0, 2.0), (0.0, 1.0, 3.0)), share_a=0.5)
    store.matches.put("standard", [match])
    store.matches.put_verified("standard", {a: {b}})
    assert store.matches.among("standard", {a, b}) == [match]
    assert store.matches.among("quick", {a, b}) == []
    assert store.matches.verified("standard") == {a: {b}}
    assert store.matches.verified("quick") == {}


def test_a_transaction_that_fails_stores_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.atomic():
        add_file(store, "/p/a.jpg", b"x" * 32)
        raise RuntimeError
    assert known_below(store, "/p") == {}


def groups_of_three(store: Store) -> tuple[int, list[int]]:
    files = [add_file(store, f"/p/{n}.jpg", bytes([n]) * 32, 10 * n)[0] for n in range(1, 7)]
    scan = store.scans.start(["/p"], ScanSettings())
    store.scans.add_files(scan, [(file, True, False) for file in files])
    store.groups.replace(
        scan,
        [
            Group(GroupKind.DUPLICATES, files[0], (KeepReason.PIXELS(),), tuple(
                Member(file, Relation.RESIZED, SMALLER, selected=True) for file in files[1:3]
            )),
            Group(GroupKind.SIMILAR, files[3], (), (Member(files[4], Relation.SIMILAR, ()),)),
        ],
    )  # fmt: skip
    return scan, files


def test_groups_are_read_by_page_filter_and_sort(store: Store) -> None:
    scan, files = groups_of_three(store)
    page = store.groups.page(scan, GroupQuery())
    assert page.total == 2
    assert [group.keeper.id for group in page.groups] == [files[0], files[3]]
    assert page.groups[0].members[0].file.path == "/p/2.jpg"
    by_count = store.groups.page(scan, GroupQuery(sort=GroupSort.COUNT, reverse=True, limit=1))
    assert [group.keeper.id for group in by_count.groups] == [files[3]]
    only = store.groups.page(scan, GroupQuery(kinds=(GroupKind.SIMILAR,)))
    assert [group.keeper.id for group in only.groups] == [files[3]]
    assert store.groups.page(scan, GroupQuery(text="5.J")).total == 1
    assert store.groups.page(scan, GroupQuery(text="%")).total == 0
    assert store.groups.page(scan, GroupQuery(folder="/p")).total == 2
    assert store.groups.page(scan, GroupQuery(folder="/q")).total == 0


def test_groups_without_files_that_are_there_are_left_out_if_wanted(store: Store) -> None:
    scan, files = groups_of_three(store)
    store.files.set_gone(["/p/2.jpg", "/p/5.jpg"], True)
    query = GroupQuery(open_only=True)
    assert [group.keeper.id for group in store.groups.page(scan, query).groups] == [files[0]]
    assert store.groups.page(scan, GroupQuery()).total == 2
    assert store.groups.summary(scan).groups == {GroupKind.DUPLICATES: 1}
    store.files.set_gone(["/p/3.jpg"], True)
    assert store.groups.page(scan, query).total == 0
    store.files.set_gone(["/p/5.jpg"], False)
    assert [group.keeper.id for group in store.groups.page(scan, query).groups] == [files[3]]


def test_neighbours_follow_the_order_and_the_filter(store: Store) -> None:
    scan, _ = groups_of_three(store)
    query = GroupQuery(sort=GroupSort.COUNT)
    first, second = (group.id for group in store.groups.page(scan, query).groups)
    assert store.groups.neighbours(scan, query, first) == (None, second)
    assert store.groups.neighbours(scan, query, second) == (first, None)
    query = GroupQuery(sort=GroupSort.COUNT, reverse=True)
    assert store.groups.neighbours(scan, query, first) == (second, None)
    similar = GroupQuery(kinds=(GroupKind.SIMILAR,))
    assert store.groups.neighbours(scan, similar, second) == (None, None)
    assert store.groups.neighbours(scan, similar, first) == (None, None)


def test_selection_is_counted_in_the_summary(store: Store) -> None:
    scan, files = groups_of_three(store)
    summary = store.groups.summary(scan)
    assert (summary.selected_files, summary.selected_bytes) == (2, 50)
    group = store.groups.page(scan, GroupQuery()).groups[0]
    assert store.groups.select([(group.id, files[1])], False) == 1
    assert store.groups.select([(group.id, files[1])], False) == 0
    assert store.groups.summary(scan).selected_files == 1
    store.groups.select_found(scan, GroupQuery(kinds=(GroupKind.DUPLICATES,)), None)
    assert store.groups.summary(scan).selected_bytes == 20
    assert store.groups.selection(scan) == Selection(files=1, bytes=20)
    # Similar pictures are selected one by one, never by a rule.
    similar = (Relation.SIMILAR,)
    assert store.groups.select_found(scan, GroupQuery(), True, relations=similar) == 0
    assert store.groups.selection(scan) == Selection(files=1, bytes=20)


def test_files_that_may_not_be_removed_are_never_selected(store: Store) -> None:
    scan, files = groups_of_three(store)
    store.groups.select_found(scan, GroupQuery(), False)
    store.scans.add_files(scan, [(files[1], False, True)])
    store.files.set_gone(["/p/5.jpg"], True)
    group = store.groups.page(scan, GroupQuery()).groups[0]
    assert store.groups.select([(group.id, files[1])], True) == 0
    assert store.groups.select_found(scan, GroupQuery(), True) == 1
    assert store.groups.selection(scan) == Selection(files=1, bytes=30)
    assert store.groups.select_found(scan, GroupQuery(), None) == 1
    assert store.groups.selection(scan) == Selection(files=0, bytes=0)


def test_what_a_person_selected_is_selected_again_in_groups_written_anew(store: Store) -> None:
    scan, files = groups_of_three(store)

    def written(keeper: int, *members: int) -> list[int]:
        resized = [
            Member(file, Relation.RESIZED, (Description.HALF(),), selected=True)
            for file in members[:2]
        ]
        edited = [Member(file, Relation.EDITED, (Description.EDITED(),)) for file in members[2:]]
        store.groups.replace(
            scan, [Group(GroupKind.DUPLICATES, keeper, (), tuple(resized + edited))]
        )
        (view,) = store.groups.page(scan, GroupQuery()).groups
        return [member.file.id for member in view.members if member.selected]

    assert written(files[0], *files[1:5]) == files[1:3]
    group = store.groups.page(scan, GroupQuery()).groups[0].id
    store.groups.select([(group, files[1])], False)
    store.groups.select([(group, files[3])], True)
    assert written(files[0], *files[1:6]) == [files[2], files[3]]
    # Beside another keeper nothing is taken that only the first one made safe to take.
    assert written(files[5], *files[1:5]) == [files[2]]
    assert written(files[0], *files[1:5]) == [files[2]]


def test_a_library_from_a_newer_program_is_refused(library_dir: Path) -> None:
    Store(library_dir).close()
    with sqlite3.connect(library_dir / "library.sqlite") as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(LibraryDamaged, match="newer version"):
        Store(library_dir)


def test_a_file_that_is_no_database_is_refused_and_left_alone(library_dir: Path) -> None:
    path = library_dir / "library.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(LibraryDamaged, match="cannot be used"):
        Store(library_dir)
    assert path.read_bytes() == b"not a database" * 100


def test_only_a_temporary_library_does_not_wait_for_the_disk(library_dir: Path) -> None:
    with Library.temporary() as library:
        (waits,) = library._store._database.connection.execute("PRAGMA synchronous").fetchone()
        assert waits == 0
        assert library.folder.is_dir()
    assert not library.folder.exists()
    with Library.open(library_dir) as library:
        (waits,) = library._store._database.connection.execute("PRAGMA synchronous").fetchone()
        assert waits == 1
