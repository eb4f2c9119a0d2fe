"""Whatever is done in whatever order, no content gets lost that nobody deleted or purged."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from blake3 import blake3
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Evidence, Plan, Remover, State, look_around, make_plan
from image_duplicate_finder.removal.backup import FOLDER_NAME
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.removal.support import MEMORY, any_match, content_of, contents, evidence, tree, write

NAMES = st.sampled_from(
    ["a.jpg", "b.jpg", "a.cr2", "a.xmp", "a.heic", "a.mov", "x/a.jpg", "x/b.jpg", "safe/a.jpg"]
)
DATA = (b"one picture", b"two pictures", b"three")
PICTURES = {blake3(data).digest() for data in DATA}
ACTIONS = st.sampled_from(
    [RemovalAction.BACKUP, RemovalAction.BACKUP, RemovalAction.HARDLINK, RemovalAction.SYMLINK]
)


class Removals(RuleBasedStateMachine):
    """A folder, an outside world that does as it likes, and the program.

    The folder "safe" is protected. Plans are kept and applied later, when they are stale.
    """

    plans = Bundle("plans")
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        base = MEMORY if os.access(MEMORY, os.W_OK) else None
        self.top = Path(os.path.realpath(tempfile.mkdtemp(prefix="idf-property", dir=base)))
        self.root = self.top / "photos"
        (self.root / "x").mkdir(parents=True)
        (self.root / "safe").mkdir()
        self.remover = Remover(self.top / "library")
        self.disturbed = False  # whether the outside reached into a backup

    def teardown(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)

    # The outside

    @rule(name=NAMES, data=st.sampled_from(DATA))
    def create(self, name: str, data: bytes) -> None:
        with contextlib.suppress(OSError):
            (self.root / name).unlink(missing_ok=True)
            write(self.root / name, data)

    @rule(name=NAMES, data=st.sampled_from(DATA))
    def edit(self, name: str, data: bytes) -> None:
        path = self.root / name
        if path.is_file():
            self.disturbed |= path.stat().st_nlink > 1  # a backup may hold the other name
            with contextlib.suppress(OSError):
                path.write_bytes(data)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    @rule(source=NAMES, to=NAMES)
    def rename(self, source: str, to: str) -> None:
        with contextlib.suppress(OSError):
            os.replace(self.root / source, self.root / to)

    @rule(source=NAMES, to=NAMES)
    def copy(self, source: str, to: str) -> None:
        with contextlib.suppress(OSError, shutil.SameFileError):
            if not os.path.lexists(self.root / to):
                shutil.copy2(self.root / source, self.root / to)

    @rule(source=NAMES, to=NAMES, symbolic=st.booleans())
    def link(self, source: str, to: str, symbolic: bool) -> None:
        with contextlib.suppress(OSError):
            (os.symlink if symbolic else os.link)(self.root / source, self.root / to)

    # The program

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
        before, safe = contents(self.root), tree(self.root / "safe")
        scanned = [str(path) for path in self.root.rglob("*") if FOLDER_NAME not in path.parts]
        report = self.remover.apply(plan, matches=any_match, mode=mode, scanned=scanned)
        self._nothing_missing(before)
        if mode == BackupMode.REMOVED and plan.action == RemovalAction.BACKUP:
            now = contents(self.root)
            assert all(now[content] == before[content] for content in PICTURES)
        assert tree(self.root / "safe") == safe or mode == BackupMode.AUTO
        for item in report.done:
            assert not item.path.startswith(str(self.root / "safe") + os.sep)
            if item.keeper is not None:
                assert stat.S_ISREG(os.lstat(item.keeper).st_mode)
                assert content_of(item.keeper) == item.keeper_content
        return report.run

    @rule(target=runs, run=runs, rename=st.booleans())
    def undo(self, run: int, rename: bool) -> object:
        before = contents(self.root)
        self.remover.undo(run, rename=rename)
        self._nothing_missing(before)
        return multiple()

    @rule(run=runs)
    def purge(self, run: int) -> None:
        before = contents(self.root)
        items = self.remover.items(run)
        self.remover.purge(run)
        purged = {i.id for i in self.remover.items(run) if i.state == State.PURGED}
        gone = {
            i.content for i in items if i.id in purged and i.relation != Relation.BYTE_IDENTICAL
        }
        self._nothing_missing({c: n for c, n in before.items() if c not in gone})

    @rule()
    def restart(self) -> None:
        before = contents(self.root)
        self.remover = Remover(self.top / "library")
        assert self.remover.recover().lines == ()
        self._nothing_missing(before)

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

    def _nothing_missing(self, before: Mapping[bytes, int]) -> None:
        now = contents(self.root)
        missing = {content for content in PICTURES & before.keys() if not now.get(content)}
        assert not missing, missing


Removals.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
test_no_content_gets_lost = Removals.TestCase
