"""Whatever is done in whatever order, no content gets lost that nobody deleted or purged."""

from __future__ import annotations

import os
import stat

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, multiple, rule

from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Evidence, Plan, Remover, State, look_around, make_plan
from image_duplicate_finder.removal.backup import FOLDER_NAME
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.removal.outside import NAMES, Outside
from tests.removal.support import any_match, content_of, evidence, tree

ACTIONS = st.sampled_from(
    [RemovalAction.BACKUP, RemovalAction.BACKUP, RemovalAction.HARDLINK, RemovalAction.SYMLINK]
)


class Removals(Outside):
    """A folder, an outside world that does as it likes, and the program.

    The folder "safe" is protected. Plans are kept and applied later, when they are stale.
    """

    plans = Bundle("plans")
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.remover = Remover(self.top / "library")

    @rule(target=plans, pairs=st.lists(st.tuples(NAMES, NAMES), max_size=5), action=ACTIONS)
    def plan(self, pairs: list[tuple[str, str]], action: RemovalAction) -> Plan:
        wishes = [wish for pair in pairs if (wish := self._wish(*pair)) is not None]
        return make_plan(
            wishes,
            roots=[str(self.root)],
            action=action,
            protected=[str(self.root / "safe")],
            surroundings=look_around(wishes),
        )

    @rule(target=runs, plan=plans, mode=st.sampled_from(BackupMode))
    def apply(self, plan: Plan, mode: BackupMode) -> int:
        before, safe = self.everything(), tree(self.root / "safe")
        scanned = [str(path) for path in self.root.rglob("*") if FOLDER_NAME not in path.parts]
        report = self.remover.apply(plan, matches=any_match, mode=mode, scanned=scanned)
        self.nothing_missing(before)
        if mode == BackupMode.REMOVED and plan.action == RemovalAction.BACKUP:
            now = self.everything()
            assert all(now[content] == before[content] for content in self.pictures)
        assert tree(self.root / "safe") == safe or mode == BackupMode.AUTO
        for item in report.done:
            assert not item.path.startswith(str(self.root / "safe") + os.sep)
            if item.keeper is not None:
                assert stat.S_ISREG(os.lstat(item.keeper).st_mode)
                assert content_of(item.keeper) == item.keeper_content
        return report.run

    @rule(target=runs, run=runs, rename=st.booleans())
    def undo(self, run: int, rename: bool) -> object:
        before = self.everything()
        self.remover.undo(run, rename=rename)
        self.nothing_missing(before)
        return multiple()

    @rule(run=runs)
    def purge(self, run: int) -> None:
        before = self.everything()
        items = self.remover.items(run)
        self.remover.purge(run)
        purged = {i.id for i in self.remover.items(run) if i.state == State.PURGED}
        gone = {
            i.content for i in items if i.id in purged and i.relation != Relation.BYTE_IDENTICAL
        }
        self.nothing_missing({c: n for c, n in before.items() if c not in gone})

    @rule()
    def restart(self) -> None:
        before = self.everything()
        self.remover = Remover(self.top / "library")
        assert self.remover.recover().lines == ()
        self.nothing_missing(before)

    @invariant()
    def backups_agree_with_the_journal(self) -> None:
        if not self.disturbed:
            assert self.remover.verify().problems == ()

    def _wish(self, file: str, keeper: str) -> Evidence | None:
        one, other = self.root / file, self.root / keeper
        if one.is_symlink() or other.is_symlink() or not (one.is_file() and other.is_file()):
            return None
        same = content_of(one) == content_of(other)
        return evidence(one, other, Relation.BYTE_IDENTICAL if same else Relation.RESIZED)


Removals.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
test_no_content_gets_lost = Removals.TestCase
