"""Scenes for the campaigns: folders with everything that removal treats specially."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from image_duplicate_finder.model import Relation
from image_duplicate_finder.removal import Plan, RecoveryReport, Remover, Report, State
from image_duplicate_finder.removal.moves import TEMPORARY_PREFIX
from image_duplicate_finder.settings import BackupMode, RemovalAction
from tests.removal.support import Entry, any_match, evidence, plan_for, tree, write

IDENTITY = "user.idf-test"


@dataclass
class Scene:
    """A folder of files to remove, its plan and its library.

    Each file carries an extended attribute of its own, by which :meth:`census` finds it
    wherever it went.
    """

    top: Path
    root: Path
    backup_dir: str | None
    plan: Plan
    before: dict[bytes, Entry]
    action: RemovalAction
    mode: BackupMode = BackupMode.REMOVED

    @property
    def remover(self) -> Remover:
        """A new remover, as after a start of the program; several commits even for few files."""
        return Remover(self.top / "library", batch=4)

    @property
    def places(self) -> list[Path]:
        """All folders that may hold files."""
        return [self.root, self.top, *([Path(self.backup_dir)] if self.backup_dir else [])]

    def apply(self) -> Report:
        """Apply the plan."""
        going = {item.path for item in self.plan.items}
        scanned = (str(path) for path in self.root.glob("keep/*") if str(path) not in going)
        return self.remover.apply(
            self.plan,
            matches=any_match,
            mode=self.mode,
            scanned=scanned,
            backup_dir=self.backup_dir,
        )

    def undo(self) -> list[Report]:
        """Undo all runs."""
        return [self.remover.undo(run.id) for run in self.remover.history()]

    def recover(self) -> RecoveryReport:
        """What a start does."""
        return self.remover.recover()

    def census(self) -> dict[bytes, set[str]]:
        """Where each file is now, by its mark; hard links and clones have several places."""
        found: dict[bytes, set[str]] = {}
        for place in self.places:
            for folder, _, names in os.walk(place):
                real = os.path.realpath(folder)
                for name in names:
                    path = os.path.join(folder, name)
                    try:
                        mark = os.getxattr(path, IDENTITY, follow_symlinks=False)
                    except OSError:
                        continue
                    found.setdefault(mark, set()).add(os.path.join(real, name))
        return found

    def leftovers(self) -> list[str]:
        """Temporary files of removal that are still there."""
        return [
            os.path.join(folder, name)
            for place in self.places
            for folder, _, names in os.walk(place)
            for name in names
            if name.startswith(TEMPORARY_PREFIX)
        ]

    def check_settled(self, marks: dict[bytes, set[str]]) -> None:
        """Assert that every file is in its place or in the backup with a record, and once."""
        now = self.census()
        items = [item for run in self.remover.history() for item in self.remover.items(run.id)]
        kept = {item.stored: item for item in items if item.state == State.MOVED}
        for mark, before in marks.items():
            paths = now.get(mark, set())
            original = next(iter(before))
            assert paths, f"{original} is lost"
            stored = [path for path in paths if path in kept]
            others = {path for path in paths if self._may_be_second(path)}
            strangers = paths - before - set(stored) - self._links(kept) - others
            assert not strangers, f"{original} is at {strangers} without a record"
            if self.action in (RemovalAction.BACKUP, RemovalAction.TRASH):
                assert len(paths - others) <= 1, f"{original} is there twice: {paths}"
                assert paths - others or self.action == RemovalAction.TRASH, f"{original}: {paths}"
        assert not self.leftovers(), self.leftovers()
        problems = self.remover.verify().problems
        assert not problems, problems

    def check_like_before(self) -> None:
        """Assert that everything is again as it was."""
        now = tree(self.root, folder_times=False)
        before = {
            path: entry if entry.kind == "file" else Entry(entry.kind, entry.mode, 0, b"", ())
            for path, entry in self.before.items()
        }
        assert now.keys() == before.keys(), now.keys() ^ before.keys()
        for path, entry in before.items():
            found = now[path]
            assert found.content == entry.content, path
            assert (found.mode, found.mtime_ns, found.xattrs) == (
                entry.mode,
                entry.mtime_ns,
                entry.xattrs,
            ), path

    def _links(self, kept: dict[str, object]) -> set[str]:
        """Paths where links to keepers may stand."""
        if self.action == RemovalAction.BACKUP:
            return set()
        return {item.path for item in kept.values()}  # type: ignore[attr-defined]

    def _may_be_second(self, path: str) -> bool:
        """Whether a file may stand at a path beside its place or the backup of the removed."""
        return "/preserved/" in path or path.startswith(str(trash_of(self.top) / "files"))

    def remove(self) -> None:
        """Delete the scene."""
        for place in {self.top, *self.places}:
            shutil.rmtree(place, ignore_errors=True)


def trash_of(top: Path) -> Path:
    """Where the system's trash is while a scene is played."""
    return top / "data/Trash"


@contextmanager
def own_trash(top: Path) -> Iterator[None]:
    """Give the system's trash a place of its own; send2trash reads it when it is imported."""
    import send2trash.plat_other as system

    home = str(trash_of(top))
    places = {"HOME": str(top), "XDG_DATA_HOME": str(top / "data")}
    with (
        patch.object(system, "HOMETRASH", home),
        patch.object(system, "HOMETRASH_B", os.fsencode(home)),
        patch.dict(os.environ, places),
    ):
        yield


def make_scene(
    top: Path,
    *,
    files: int = 6,
    action: RemovalAction = RemovalAction.BACKUP,
    root: Path | None = None,
    backup_dir: Path | None = None,
    units: bool = True,
    size: int = 3000,
    mode: BackupMode = BackupMode.REMOVED,
) -> Scene:
    """Build a scene in ``top``; ``root`` and ``backup_dir`` may lie on other volumes."""
    root = root or top / "photos"
    removals = []
    for number in range(files):
        keeper = write(root / f"keep/k{number}.jpg", b"%d" % number * size)
        folder = root / ("copies" if number % 2 else f"copies/deep {number}")
        name = ("c{}.jpg", "c\n{}.jpg", "c{} \udcff.jpg", "-{}'\".jpg")[number % 4]
        same = number % 3 != 2 or action != RemovalAction.BACKUP
        data = b"%d" % number * size if same else b"re-encoded %d" % number * size
        copy = write(folder / name.format(number), data)
        relation = Relation.BYTE_IDENTICAL if same else Relation.REENCODED
        removals.append((copy, keeper, relation))
    if units:
        for kind, (raw, other) in enumerate((("cr2", "jpg"), ("heic", "mov"))):
            for base in ("keep", "copies"):
                for extension in (raw, other):
                    write(root / f"{base}/u{kind}.{extension}", b"unit " + extension.encode() * 9)
                write(root / f"{base}/u{kind}.xmp", f"rating {base}".encode())
            pictures = (raw, other) if kind == 0 else (raw,)
            removals += [
                (
                    str(root / f"copies/u{kind}.{extension}"),
                    str(root / f"keep/u{kind}.{extension}"),
                    Relation.BYTE_IDENTICAL,
                )
                for extension in pictures
            ]
    _mark(root)
    plan = plan_for([evidence(*removal) for removal in removals], root, action)
    assert len(plan.items) == len(removals), plan.refusals
    scene = Scene(
        top, root, str(backup_dir) if backup_dir else None, plan, tree(root), action, mode
    )
    if backup_dir is not None:
        backup_dir.mkdir(parents=True, exist_ok=True)
    return scene


def _mark(root: Path) -> None:
    """Give each file its mark, a time and permissions of its own."""
    paths: Sequence[str] = sorted(
        os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names
    )
    for number, path in enumerate(paths, 1):
        os.setxattr(path, IDENTITY, b"file %d" % number)
        os.chmod(path, 0o600 + number % 0o100)
        os.utime(path, ns=(1, 1_500_000_000_000_000_000 + number * 1_000_000_007))
