"""The facade that the command line, the web app and Python programs share.

A library is a folder that remembers files, fingerprints, matches, groups and decisions. All
methods may be called from any thread; scans and removals of one library exclude each other,
also between programs.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from image_duplicate_finder.bulk import (
    BulkChange,
    BulkGroup,
    BulkOrder,
    BulkPreview,
    BulkStep,
    change,
    preview,
)
from image_duplicate_finder.discover import clean_roots
from image_duplicate_finder.errors import LibraryBusy, NotFound
from image_duplicate_finder.model import Failure, Group, Relation
from image_duplicate_finder.progress import CancelToken, Progress, silent
from image_duplicate_finder.removal import (
    BackupInfo,
    Evidence,
    Item,
    Plan,
    PlanFile,
    PurgeReport,
    Remover,
    Report,
    Run,
    State,
    VerifyReport,
    look_around,
    make_plan,
)
from image_duplicate_finder.results import (
    DismissedPair,
    ExampleHit,
    FileView,
    GroupPage,
    GroupQuery,
    GroupView,
    ScanRecord,
    Selection,
    Summary,
)
from image_duplicate_finder.settings import BackupMode, RemovalAction, ScanSettings
from image_duplicate_finder.store import Store
from image_duplicate_finder.store.lock import LibraryLock

Paths = Iterable[str | os.PathLike[str]]

# How long a removal waits for a scan or removal that is about to end.
_WAIT_SECONDS = 2.0

# Groups that a bulk rule changes in one transaction.
_BULK_PART = 100


def default_folder() -> Path:
    """The library in the user's data folder."""
    import platformdirs

    return platformdirs.user_data_path("image-duplicate-finder", appauthor=False) / "library"


class Library:
    """One library; use :meth:`open`, and close it or use it as a context manager."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self._store = store
        self._lock = LibraryLock(folder)
        self._remover = Remover(folder, wait=_WAIT_SECONDS)
        self.recovered: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: str | os.PathLike[str] | None = None) -> Library:
        """Open the library in ``folder`` (made where it is missing), or the user's own.

        What a crash left unfinished is settled first; ``recovered`` says so in plain sentences.
        Raises LibraryDamaged when the library's files cannot be used.
        """
        path = default_folder() if folder is None else Path(folder).expanduser().absolute()
        library = cls(path, Store(path))
        library._recover()
        return library

    def close(self) -> None:
        """Close the library's files."""
        self._store.close()

    def __enter__(self) -> Library:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _recover(self) -> None:
        """Settle what was left unfinished, unless another program is at work right now."""
        if self._lock.holder() is not None:
            return
        try:
            lines = self._remover.recover().lines
            with self._lock.acquire("a recovery"):
                scans = self._store.scans.close_interrupted()
        except LibraryBusy:
            return
        if scans:
            lines += (
                f"{scans} scan{'s were' if scans > 1 else ' was'} cut off. What was read is kept: "
                "scan again to go on.",
            )
        if lines:
            self._note_gone(run.id for run in self._remover.history())
        self.recovered = lines

    # Scans

    def scan(
        self,
        roots: Paths,
        settings: ScanSettings | None = None,
        *,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
        on_start: Callable[[int], None] | None = None,
    ) -> ScanRecord:
        """Look for duplicates below ``roots`` and store what was found; blocks until done.

        ``on_start`` is called with the scan's number as soon as it has one. Raises UsageError
        for a folder that does not exist, LibraryBusy while another scan or removal runs,
        Interrupted after ``cancel``, NothingReadable when no file could be read as a picture.
        """
        from image_duplicate_finder.scan import run_scan

        folders = clean_roots(roots)
        wanted = _with_real_folders(settings or ScanSettings())
        with self._lock.acquire("a scan"):
            self._store.scans.close_interrupted()
            scan = self._store.scans.start(folders, wanted)
            if on_start is not None:
                on_start(scan)
            run_scan(
                self._store,
                scan,
                folders,
                wanted,
                progress=progress,
                cancel=cancel or CancelToken(),
            )
        return self._store.scans.get(scan)

    def scans(self) -> list[ScanRecord]:
        """All scans, the latest first."""
        return self._store.scans.all()

    def scan_record(self, scan: int) -> ScanRecord:
        """One scan. Raises NotFound."""
        return self._store.scans.get(scan)

    def latest_scan(self) -> ScanRecord:
        """The scan that started last. Raises NotFound in a library without scans."""
        found = self.scans()
        if not found:
            raise NotFound("This library has no scan yet. Start with: idf scan FOLDER")
        return found[0]

    def failures(self, scan: int) -> list[Failure]:
        """Files and folders that a scan could not use, with reasons, by path."""
        return self._store.scans.failures(scan)

    def recent_folders(self, limit: int = 10) -> list[str]:
        """Folders that were scanned last, the latest first."""
        return self._store.scans.recent_folders(limit)

    # Groups

    def groups(self, scan: int, query: GroupQuery | None = None) -> GroupPage:
        """One page of a scan's groups."""
        return self._store.groups.page(scan, query or GroupQuery())

    def group(self, group: int) -> GroupView:
        """One group. Raises NotFound."""
        return self._store.groups.get(group)

    def neighbours(self, scan: int, query: GroupQuery, group: int) -> tuple[int | None, int | None]:
        """The groups before and after one in the list that a query gives; None at its ends."""
        return self._store.groups.neighbours(scan, query, group)

    def all_groups(self, scan: int, query: GroupQuery | None = None) -> list[GroupView]:
        """All groups that a query finds, without paging, duplicates first."""
        ids = self._store.groups.ids(scan, query or GroupQuery())
        return self._store.groups.get_many(ids)

    def summary(self, scan: int) -> Summary:
        """Counts over all groups of a scan."""
        return self._store.groups.summary(scan)

    def file(self, scan: int, file: int) -> FileView:
        """A file of a scan. Raises NotFound for a file that the scan does not cover."""
        found = (
            self._store.groups.files(scan, [file]) if self._store.scans.covers(scan, file) else []
        )
        if not found:
            raise NotFound(f"Scan {scan} has no file number {file}.")
        return found[0]

    def find_like(
        self, scan: int, path: str | os.PathLike[str], *, limit: int = 100
    ) -> list[ExampleHit]:
        """The files of a scan that show the picture in ``path`` or look like it, surest first.

        The picture itself need not belong to the scan, and nothing of it is stored. Raises
        NotFound for the scan and DecodeError for what is no picture.
        """
        from image_duplicate_finder.scan.example import find_like

        record = self._store.scans.get(scan)
        hits = find_like(self._store, scan, os.fspath(path), record.settings)[:limit]
        files = {
            content.id: [facts.file for facts in content.files]
            for content in self._store.scans.contents(scan)
        }
        views = {
            view.id: view
            for view in self._store.groups.files(
                scan, sorted(file for hit in hits for file in files[hit.content])
            )
        }
        return [
            ExampleHit(views[file], hit.relation, hit.words, hit.score)
            for hit in hits
            for file in files[hit.content]
        ]

    def set_thresholds(
        self, scan: int, *, esimilarity_threshold: float, csimilarity_threshold: float
    ) -> ScanRecord:
        """Move the two thresholds of a finished scan: its similar groups change, nothing else."""
        from image_duplicate_finder.scan.publish import publish_similar

        record = self._store.scans.get(scan)
        settings = replace(
            record.settings,
            esimilarity_threshold=esimilarity_threshold,
            csimilarity_threshold=csimilarity_threshold,
        )
        with self._store.atomic():
            self._store.scans.set_settings(scan, settings)
            publish_similar(self._store, scan, settings)
        return self._store.scans.get(scan)

    # Decisions

    def select(self, members: Iterable[tuple[int, int]], selected: bool = True) -> int:
        """Select or unselect members for removal, as (group, file); returns how many changed.

        Keepers cannot be selected: choose another keeper first.
        """
        return self._store.groups.select(members, selected)

    def select_groups(
        self,
        scan: int,
        query: GroupQuery,
        selected: bool | None,
        relations: Collection[Relation] = (),
    ) -> int:
        """Select (True), unselect (False) or invert (None) members of all groups found.

        ``relations``, if not empty, restricts it to such members; returns how many changed.
        """
        return self._store.groups.select_found(scan, query, selected, relations)

    def selection(self, scan: int) -> Selection:
        """What is selected for removal in a scan."""
        return self._store.groups.selection(scan)

    def preview_bulk(self, scan: int, query: GroupQuery, order: BulkOrder) -> BulkPreview:
        """What a bulk rule would change in the groups that a query finds."""
        ids = self._store.groups.ids(scan, query)
        return preview(self._store.groups.outlines(scan, ids), order)

    def apply_bulk(
        self,
        scan: int,
        query: GroupQuery,
        order: BulkOrder,
        *,
        after: int = 0,
        until: int | None = None,
        seconds: float | None = None,
    ) -> BulkStep:
        """Carry out a bulk rule on the groups that a query finds, in the order of their numbers.

        With ``seconds`` it ends after about that time, and a call with the returned ``after``
        and ``until`` goes on. Every part is stored whole or not at all.
        """
        ids = [id for id in self._store.groups.ids(scan, query) if id > after]
        last = (ids[-1] if ids else after) if until is None else until
        ids = ids[: bisect_right(ids, last)]
        end = None if seconds is None else time.monotonic() + seconds
        done = 0
        while done < len(ids) and (not done or end is None or time.monotonic() < end):
            part = ids[done : done + _BULK_PART]
            with self._store.atomic():
                for outline in self._store.groups.outlines(scan, part):
                    self._apply(change(outline, order), outline)
            done += len(part)
        return BulkStep(
            after=ids[done - 1] if done else after, until=last, done=done, left=len(ids) - done
        )

    def _apply(self, wanted: BulkChange, outline: BulkGroup) -> None:
        group = wanted.group
        selected: dict[int, bool | None] = {file.file: file.selected for file in outline.files}
        if wanted.changes_keeper:
            group = self.choose_keeper(group, wanted.keeper)
            # The group was written anew, and with it what is selected.
            selected = dict.fromkeys(selected)
        for value in (True, False):
            self._store.groups.select(
                (
                    (group, file)
                    for file, present in selected.items()
                    if (file in wanted.select) is value and present is not value
                ),
                value,
            )

    def choose_keeper(self, group: int, file: int) -> int:
        """Make a member the keeper of its group; returns the group's new number.

        Nothing but identical files stays selected: a person looks again. Raises NotFound.
        """
        from image_duplicate_finder.scan.regroup import with_keeper

        return self._replace(group, [with_keeper(self.group(group), file)])[0]

    def split(self, group: int, files: Collection[int]) -> list[int]:
        """Take members out of a group into one of their own; returns the new groups' numbers."""
        from image_duplicate_finder.scan.regroup import split

        return self._replace(group, split(self.group(group), files))

    def _replace(self, group: int, parts: Sequence[Group]) -> list[int]:
        return self._store.groups.replace_one(group, parts)

    def dismiss(self, group: int, files: Collection[int] | None = None) -> list[int]:
        """Remember that members (default: all) are not duplicates of the group's keeper.

        Remembered by content, so it survives renames. Returns the numbers of what is left of
        the group.
        """
        from image_duplicate_finder.scan.regroup import as_member

        view = self.group(group)
        chosen = {member.file.id for member in view.members} if files is None else set(files)
        gone = [member for member in view.members if member.file.id in chosen]
        left = [member for member in view.members if member.file.id not in chosen]
        parts = [Group(view.kind, view.keeper.id, view.reasons, tuple(map(as_member, left)))]
        with self._store.atomic():
            self._store.decisions.dismiss(
                (view.keeper.content, member.file.content) for member in gone
            )
            return self._replace(group, parts if left else [])

    def dismissed(self) -> list[DismissedPair]:
        """Pairs that a person said are not duplicates, the latest first."""
        return self._store.decisions.dismissed()

    def take_back_dismissals(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Forget dismissals, by content hashes; the next scan shows the pairs again."""
        self._store.decisions.take_back(pairs)

    # Removal: docs/safety.md has the rules

    def plan(
        self,
        scan: int,
        *,
        query: GroupQuery | None = None,
        action: RemovalAction = RemovalAction.BACKUP,
        only_from: Paths = (),
    ) -> Plan:
        """What would be removed: the selected members of a scan's groups, with refusals.

        ``query`` restricts it to some groups, ``only_from`` to files below some folders.
        Nothing is touched.
        """
        record = self._store.scans.get(scan)
        chosen = replace(query or GroupQuery(), selected_only=True)
        groups = self._store.groups.get_many(self._store.groups.ids(scan, chosen))
        evidence = evidence_of(groups)
        return make_plan(
            evidence,
            roots=record.roots,
            action=action,
            protected=(*record.settings.protected, *record.settings.compare_only),
            only_from=clean_roots(only_from) if (only_from := tuple(only_from)) else (),
            surroundings=look_around(evidence),
        )

    def apply(
        self,
        plan: Plan,
        *,
        mode: BackupMode = BackupMode.AUTO,
        backup_dir: str | os.PathLike[str] | None = None,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> Report:
        """Carry out a plan: each file is checked once more, then moved into a backup.

        What cannot be removed safely stays and is reported. Raises RemovalRefused when nothing
        can be done, LibraryBusy while a scan or another removal runs.
        """
        scan = self._store.groups.scan_of({item.evidence.group for item in plan.items})
        scanned, protected = (), ()  # type: tuple[str, ...], tuple[str, ...]
        if scan is not None:
            scanned = tuple(self._store.scans.paths_with_copies(scan))
            settings = self._store.scans.get(scan).settings
            protected = (*settings.protected, *settings.compare_only)
        try:
            return self._remover.apply(
                plan,
                matches=self._store.groups.stands,
                mode=mode,
                scanned=scanned,
                protected=protected,
                backup_dir=None if backup_dir is None else os.path.abspath(backup_dir),
                progress=progress,
                cancel=cancel,
            )
        finally:
            self._note_gone(run.id for run in self._remover.history()[:1])

    def undo(
        self,
        run: int,
        items: Sequence[int] | None = None,
        *,
        rename: bool = False,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> Report:
        """Put back what a run removed, or only some of its items.

        A file whose place is taken stays in the backup, or comes back under a new name with
        ``rename``. Raises NotFound and LibraryBusy.
        """
        try:
            return self._remover.undo(run, items, rename=rename, progress=progress, cancel=cancel)
        finally:
            self._note_gone([run])

    def purge(
        self, run: int, items: Sequence[int] | None = None, *, without_keeper: bool = False
    ) -> PurgeReport:
        """Delete a run's backup, or some of its items, for good. Ask the person first.

        What has no keeper any more stays, unless ``without_keeper`` says otherwise. Raises
        NotFound and LibraryBusy.
        """
        return self._remover.purge(run, items, without_keeper=without_keeper)

    def history(self) -> list[Run]:
        """All removals, the latest first."""
        return self._remover.history()

    def run_items(self, run: int) -> list[Item]:
        """The files of one removal. Raises NotFound."""
        return self._remover.items(run)

    def backups(self) -> list[BackupInfo]:
        """All backup folders, with what they hold now."""
        return self._remover.backups()

    def verify_backups(self, progress: Progress = silent) -> VerifyReport:
        """Compare the journal and the backups with the disk; changes nothing."""
        return self._remover.verify(progress)

    def _note_gone(self, runs: Iterable[int]) -> None:
        """Let groups know which of their files a removal took away or an undo put back."""
        away = (State.MOVED, State.TRASHED, State.PURGING, State.PURGED)
        with self._store.atomic():
            for run in runs:
                items = self._remover.items(run)
                for gone in (True, False):
                    self._store.files.set_gone(
                        (
                            item.path
                            for item in items
                            if (item.state in away and not os.path.lexists(item.path)) is gone
                        ),
                        gone,
                    )

    # Preferences of the page

    def preference(self, name: str, default: str = "") -> str:
        """A setting of the page that was stored with :meth:`set_preference`."""
        return self._store.decisions.preference(name, default)

    def set_preference(self, name: str, value: str) -> None:
        """Store a setting of the page."""
        self._store.decisions.set_preference(name, value)


def evidence_of(groups: Iterable[GroupView]) -> list[Evidence]:
    """What a removal of the selected members of ``groups`` would stand on."""
    return [
        Evidence(
            file=_plan_file(member.file),
            keeper=_plan_file(group.keeper),
            relation=member.relation,
            group=group.id,
            score=member.score,
            words=member.words,
        )
        for group in groups
        for member in group.members
        if member.selected and not member.file.gone
    ]


def _plan_file(file: FileView) -> PlanFile:
    return PlanFile(file.path, file.stat, file.content, file.info.metadata.content_identifier)


def _with_real_folders(settings: ScanSettings) -> ScanSettings:
    """Protected and compare-only folders as absolute, real paths."""
    return replace(
        settings,
        protected=clean_roots(settings.protected) if settings.protected else (),
        compare_only=clean_roots(settings.compare_only) if settings.compare_only else (),
    )
