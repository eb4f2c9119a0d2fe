"""Whatever is done in whatever order, no content gets lost that nobody deleted or purged."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, multiple, rule

from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Evidence, Plan, Remover, State, look_around, make_plan
from image_duplicate_finder.removal.backup import FOLDER_NAME
from image_duplicate_finder.removal.journal import Journal
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.removal.outside import NAMES, WHICH, Outside
from tests.removal.support import any_match, content_of, evidence, tree

ACTIONS = st.sampled_from(
    [RemovalAction.BACKUP, RemovalAction.BACKUP, RemovalAction.HARDLINK, RemovalAction.SYMLINK]
)


LIBRARIES = st.sampled_from(["library", "second library"])


class Removals(Outside):
    """A folder, an outside world that does as it likes, and the program with two libraries.

    The folder "safe" is protected. Plans are kept and applied later, when they are stale. A run
    is known with the name of its library.
    """

    plans = Bundle("plans")
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.moved = 0

    def remover(self, library: str) -> Remover:
        """As after a start of the program."""
        return Remover(self.top / library)

    @rule(target=plans, pairs=st.lists(st.tuples(NAMES, NAMES), max_size=5), action=ACTIONS)
    def plan(self, pairs: list[tuple[str, str]], action: RemovalAction) -> Plan:
        removals = [removal for pair in pairs if (removal := self._evidence_of(*pair)) is not None]
        return make_plan(
            removals,
            roots=[str(self.root)],
            action=action,
            protected=[str(self.root / "safe")],
            surroundings=look_around(removals),
        )

    @rule(target=runs, library=LIBRARIES, plan=plans, mode=st.sampled_from(BackupMode))
    def apply(self, library: str, plan: Plan, mode: BackupMode) -> tuple[str, int]:
        before, safe = self.everything(), tree(self.root / "safe")
        leading = {link: link.stat() for link in self._links()}
        scanned = [str(path) for path in self.root.rglob("*") if FOLDER_NAME not in path.parts]
        report = self.remover(library).apply(plan, matches=any_match, mode=mode, scanned=scanned)
        self.nothing_missing(before)
        if mode == BackupMode.REMOVED and plan.action == RemovalAction.BACKUP:
            now = self.everything()
            assert all(now[content] == before[content] for content in self.pictures)
        assert tree(self.root / "safe") == safe or mode == BackupMode.AUTO
        assert all(link.exists() for link in leading), "a symbolic link leads to nothing now"
        for item in report.done:
            assert not item.path.startswith(str(self.root / "safe") + os.sep)
            if item.keeper is not None:
                assert stat.S_ISREG(os.lstat(item.keeper).st_mode)
                assert content_of(item.keeper) == item.keeper_content
        return library, report.run

    @rule(target=runs, run=runs, rename=st.booleans())
    def undo(self, run: tuple[str, int], rename: bool) -> object:
        before = self.everything()
        self.remover(run[0]).undo(run[1], rename=rename)
        self.nothing_missing(before)
        return multiple()

    @rule(run=runs)
    def purge(self, run: tuple[str, int]) -> None:
        self._purging(run, lambda: self.remover(run[0]).purge(run[1]))

    @rule(run=runs, name=NAMES, which=WHICH, deleted=st.booleans())
    def purge_cut_off(self, run: tuple[str, int], name: str, which: int, deleted: bool) -> None:
        """A kill after the intent, then a file of the folder changes, then a start."""
        library, number = run
        self.remover(library).recover()
        with Journal(self.top / library) as journal:
            held = journal.items(number, states=(State.MOVED,))
            journal.update_items(replace(item, state=State.PURGING) for item in held)
        if deleted:
            self.delete(name)
        else:
            self.edit(name, which)
        self._purging(run, lambda: self.remover(library).recover())

    def _purging(self, run: tuple[str, int], work: Callable[[], object]) -> None:
        before, remover = self.everything(), self.remover(run[0])
        items = remover.items(run[1])
        work()
        purged = {i.id for i in remover.items(run[1]) if i.state == State.PURGED}
        gone = {
            i.content for i in items if i.id in purged and i.relation != Relation.BYTE_IDENTICAL
        }
        self.nothing_missing({c: n for c, n in before.items() if c not in gone})

    @rule(target=runs, run=runs)
    def move_the_backup(self, run: tuple[str, int]) -> object:
        """A person tidies up, and shows the program where the backup is now."""
        library, number = run
        before, remover = self.everything(), self.remover(library)
        found = [i for i in remover.backups() if i.backup.run == number and i.present and i.files]
        if not found or any(item.state == State.MISSING for item in remover.items(number)):
            return multiple()
        self.moved += 1
        place = self.top / "Desktop" / f"backup {self.moved}"
        place.parent.mkdir(exist_ok=True)
        os.rename(found[0].backup.folder, place)
        try:
            taken = remover.adopt(str(place))
        except NotFound:  # the outside changed all that was in it
            taken = number
        self.nothing_missing(before)
        return library, taken

    @rule(library=LIBRARIES)
    def restart(self, library: str) -> None:
        before = self.everything()
        assert self.remover(library).recover().lines == ()
        self.nothing_missing(before)

    @invariant()
    def backups_agree_with_the_journal(self) -> None:
        if not self.disturbed and not self.moved:
            for library in ("library", "second library"):
                problems = self.remover(library).verify().problems
                assert [p for p in problems if "another library" not in p] == []

    def _links(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.is_symlink() and path.is_file()]

    def _evidence_of(self, file: str, keeper: str) -> Evidence | None:
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
