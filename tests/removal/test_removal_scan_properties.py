"""Scans, decisions, removals and an outside world in any order: no picture gets lost."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Sequence

import cv2
from blake3 import blake3
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, multiple, rule

from image_duplicate_finder.errors import NotFound, NothingReadable
from image_duplicate_finder.executors.engine import LocalExecutor
from image_duplicate_finder.executors.messages import Answer, FileTask, LookAnswer, LookTask
from image_duplicate_finder.executors.task import run_look, run_task
from image_duplicate_finder.fingerprint.specs import Specs
from image_duplicate_finder.keeping import BulkOrder, BulkRule
from image_duplicate_finder.library import Library
from image_duplicate_finder.messages import KeepReason
from image_duplicate_finder.model import Group, GroupKind, Member, Relation
from image_duplicate_finder.removal import Evidence, Plan, State
from image_duplicate_finder.results import GroupQuery, GroupView
from image_duplicate_finder.settings import (
    BackupMode,
    DecodeLimits,
    Mode,
    RemovalAction,
    ScanSettings,
)
from tests.painting import paint_photo
from tests.removal.outside import WHICH, Outside
from tests.removal.support import content_of, tree

ACTIONS = st.sampled_from([RemovalAction.BACKUP, RemovalAction.HARDLINK, RemovalAction.SYMLINK])
PLACE = st.integers(0, 7)
FIRST = ("a.jpg", "b.jpg", "x/a.jpg", "x/b.jpg", "safe/a.jpg")


def _pictures() -> tuple[bytes, bytes, bytes]:
    """A photo, the same at half the size, and another photo, as JPEG files."""
    photo, other = (cv2.resize(paint_photo(seed), (128, 96)) for seed in (1, 2))
    half = cv2.resize(photo, (64, 48), interpolation=cv2.INTER_AREA)
    one, two, three = (cv2.imencode(".jpg", p)[1].tobytes() for p in (photo, half, other))
    return one, two, three


HALVES = {blake3(data).digest() for data in _pictures()[:2]}
"""The contents of the two pictures that match."""


def _read_here(
    executor: LocalExecutor, tasks: Sequence[FileTask], specs: Specs
) -> Generator[Answer, None, None]:
    """The work of the worker processes in this one: starting them takes most of a small scan."""
    for task in tasks:
        yield run_task(task, specs)


def _look_here(
    executor: LocalExecutor, tasks: Sequence[LookTask], limits: DecodeLimits
) -> Generator[LookAnswer, None, None]:
    for task in tasks:
        yield run_look(task, limits)


class Program(Outside):
    """A library over the folder. Scans, plans and runs are kept and used when they are stale."""

    scans = Bundle("scans")
    plans = Bundle("plans")
    runs = Bundle("runs")
    data = _pictures()

    def __init__(self) -> None:
        super().__init__()
        self._read, LocalExecutor.read = LocalExecutor.read, _read_here
        self._look, LocalExecutor.look = LocalExecutor.look, _look_here
        self.library = Library.open(self.top / "library")

    def teardown(self) -> None:
        self.library.close()
        LocalExecutor.read, LocalExecutor.look = self._read, self._look
        super().teardown()

    @initialize(target=scans, kinds=st.lists(WHICH, min_size=len(FIRST), max_size=len(FIRST)))
    def begin(self, kinds: list[int]) -> object:
        for name, which in zip(FIRST, kinds, strict=True):
            self.create(name, which)
        return self.scan(False)

    @rule(target=scans, protect=st.booleans())
    def scan(self, protect: bool) -> object:
        before = tree(self.root)
        protected = (str(self.root / "safe"),) if protect else ()
        wanted = ScanSettings(mode=Mode.QUICK, jobs=1, protected=protected)
        try:
            return self.library.scan([self.root], wanted).id
        except NothingReadable:
            return multiple()
        finally:
            assert tree(self.root) == before

    @rule(scan=scans, place=PLACE, member=PLACE, selected=st.booleans())
    def select(self, scan: int, place: int, member: int, selected: bool) -> None:
        if (group := self._group(scan, place)) is not None:
            file = group.members[member % len(group.members)].file.id
            self.library.select([(group.id, file)], selected)

    @rule(scan=scans, place=PLACE, member=PLACE)
    def keep(self, scan: int, place: int, member: int) -> None:
        if (group := self._group(scan, place)) is not None:
            file = group.members[member % len(group.members)].file.id
            again = self.library.choose_keeper(group.id, file)
            if again:
                everyone = [(again, m.file.id) for m in self.library.group(again).members]
                self.library.select(everyone)

    @rule(scan=scans, place=PLACE, member=PLACE)
    def dismiss(self, scan: int, place: int, member: int) -> None:
        if (group := self._group(scan, place)) is not None:
            file = group.members[member % len(group.members)].file.id
            self.library.dismiss(group.id, [file])

    @rule(scan=scans, place=PLACE, first=PLACE, count=PLACE)
    def split(self, scan: int, place: int, first: int, count: int) -> None:
        if (group := self._group(scan, place)) is not None and len(group.members) > 1:
            some = group.members[first % len(group.members) :][: 1 + count]
            if len(some) < len(group.members):
                self.library.split(group.id, [member.file.id for member in some])

    @rule(scan=scans, rule=st.sampled_from(BulkRule), everything=st.booleans())
    def apply_rule(self, scan: int, rule: BulkRule, everything: bool) -> None:
        order = BulkOrder(rule, relations=frozenset(Relation)) if everything else BulkOrder(rule)
        self.library.apply_bulk(scan, GroupQuery(), order)

    @rule(
        scan=scans, place=PLACE, relation=st.sampled_from(Relation), kind=st.sampled_from(GroupKind)
    )
    def conclude(self, scan: int, place: int, relation: Relation, kind: GroupKind) -> None:
        """All files of the scan become copies of one, as if relations could be concluded."""
        group = self._group(scan, place)
        files = [f.file for c in self.library._store.scans.contents(scan) for f in c.files]
        if group is None or len(files) < 2:
            return
        keeper = files[place % len(files)]
        members = [Member(file, relation, (), selected=True) for file in files if file != keeper]
        wrong = Group(kind, keeper, (KeepReason.CHOSEN(),), tuple(members))
        self.library._store.groups.replace_one(group.id, [wrong])

    @rule(target=plans, scan=scans, action=ACTIONS)
    def plan(self, scan: int, action: RemovalAction) -> Plan:
        plan = self.library.plan(scan, action=action)
        for item in plan.items:
            assert self._vouched(item.evidence)
        return plan

    def _vouched(self, removal: Evidence) -> bool:
        """Whether a file shows what its keeper shows: equal bytes, or a photo and its half."""
        return removal.chosen or self._shows_the_same(removal.file.content, removal.keeper.content)

    def _shows_the_same(self, content: bytes, keeper: bytes) -> bool:
        if content == keeper or {content, keeper} == HALVES:
            return True
        return self.library._store.decisions.was_chosen((content, keeper))

    @rule(target=runs, plan=plans, mode=st.sampled_from(BackupMode))
    def apply(self, plan: Plan, mode: BackupMode) -> int:
        before = self.everything()
        report = self.library.apply(plan, mode=mode)
        self.nothing_missing(before)
        for item in report.done:
            assert not any(item.path.startswith(folder + os.sep) for folder in plan.protected)
            if item.keeper is not None:
                assert self._shows_the_same(item.content, item.keeper_content or b"")
                assert stat.S_ISREG(os.lstat(item.keeper).st_mode)
                assert content_of(item.keeper) == item.keeper_content
        return report.run

    @rule(target=runs, scan=scans, action=ACTIONS, mode=st.sampled_from(BackupMode))
    def plan_and_apply(self, scan: int, action: RemovalAction, mode: BackupMode) -> int:
        return self.apply(self.plan(scan, action), mode)

    @rule(run=runs, rename=st.booleans())
    def undo(self, run: int, rename: bool) -> None:
        before = self.everything()
        self.library.undo(run, rename=rename)
        self.nothing_missing(before)

    @rule(run=runs)
    def purge(self, run: int) -> None:
        before = self.everything()
        self.library.purge(run)
        gone = {
            item.content
            for item in self.library.run_items(run)
            if item.state == State.PURGED and item.relation != Relation.BYTE_IDENTICAL
        }
        self.nothing_missing({c: n for c, n in before.items() if c not in gone})

    @rule()
    def restart(self) -> None:
        self.library.close()
        self.library = Library.open(self.top / "library")
        assert self.library.recovered == ()

    @invariant()
    def backups_agree_with_the_journal(self) -> None:
        if not self.disturbed:
            assert self.library.verify_backups().problems == ()

    def _group(self, scan: int, place: int) -> GroupView | None:
        """One of the scan's groups, if it has any."""
        groups = self.library.groups(scan).groups
        try:
            return self.library.group(groups[place % len(groups)].id) if groups else None
        except NotFound:
            return None


Program.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
test_no_picture_gets_lost = Program.TestCase
