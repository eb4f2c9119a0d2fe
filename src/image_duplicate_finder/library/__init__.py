"""The facade that the command line, the web app and Python programs share.

A library is a folder that remembers files, fingerprints, matches, groups and decisions. All
methods may be called from any thread; scans and removals of one library exclude each other,
also between programs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from image_duplicate_finder.discover import clean_roots, is_inside, one_picture
from image_duplicate_finder.discover.walk import as_paths
from image_duplicate_finder.errors import LibraryBusy, NotFound
from image_duplicate_finder.keeping import BulkOrder, BulkPreview, BulkStep, preview
from image_duplicate_finder.library.edits import Edits
from image_duplicate_finder.library.removals import Paths, Removals
from image_duplicate_finder.messages import Message, Note, Problem, english
from image_duplicate_finder.model import Failure, Relation
from image_duplicate_finder.own_files import default_folder
from image_duplicate_finder.progress import CancelToken, Progress, silent
from image_duplicate_finder.removal import (
    BACKUP_FOLDER_NAME,
    BackupInfo,
    Item,
    Offer,
    Plan,
    PurgeReport,
    Report,
    Run,
    VerifyReport,
    find_backups,
    places_for,
    root_of,
)
from image_duplicate_finder.results import (
    DecisionKind,
    DecisionRecord,
    DismissedPair,
    ExampleHit,
    Facets,
    FileView,
    GroupPage,
    GroupQuery,
    GroupView,
    Listed,
    Pair,
    ScanRecord,
    Selection,
    Summary,
    Undone,
)
from image_duplicate_finder.settings import BackupMode, RemovalAction, ScanSettings
from image_duplicate_finder.sources import is_url, library_of
from image_duplicate_finder.store import Store
from image_duplicate_finder.store.decisions import Facts
from image_duplicate_finder.store.lock import LibraryLock

if TYPE_CHECKING:
    from image_duplicate_finder.discover.walk import Picture

__all__ = ["Library", "default_folder"]

# How long a removal waits for a scan or removal that is about to end.
_WAIT_SECONDS = 2.0


class Library:
    """One library; use :meth:`open`, and close it or use it as a context manager."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self._store = store
        self._lock = LibraryLock(folder)
        self._edits = Edits(store)
        self._removals = Removals(store, folder, wait=_WAIT_SECONDS)
        self.settled: tuple[Message, ...] = ()

    @classmethod
    def open(cls, folder: str | os.PathLike[str] | None = None) -> Self:
        """Open the library in ``folder`` (made where it is missing), or the user's own.

        What a crash left unfinished is settled first; ``settled`` says so.
        Raises LibraryDamaged when the library's files cannot be used.
        """
        path = default_folder() if folder is None else Path(folder).expanduser().absolute()
        library = cls(path, Store(path))
        library._recover()
        return library

    @classmethod
    @contextmanager
    def temporary(cls) -> Iterator[Self]:
        """A library in a new folder of its own, which goes with the ``with`` block."""
        with tempfile.TemporaryDirectory(prefix="idf-library-") as place:
            folder = Path(place)
            with cls(folder, Store(folder, temporary=True)) as library:
                yield library

    @property
    def recovered(self) -> tuple[str, ...]:
        """What was settled at the start, in English."""
        return tuple(map(english, self.settled))

    def close(self) -> None:
        """Close the library's files."""
        self._store.close()

    def __enter__(self) -> Self:
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
            lines = self._removals.remover.recover().settled
            with self._lock.acquire("a recovery"):
                scans = self._store.scans.close_interrupted()
        except LibraryBusy:
            return
        if scans:
            lines += (Note.SCANS_CUT_OFF(count=scans) if scans > 1 else Note.SCAN_CUT_OFF(),)
        if lines:
            self._removals.note_all_gone()
        self.settled = lines

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

        Where nothing changed since an earlier scan of the same roots with the same settings, that
        one is reused: its record is returned, with its number, and its groups stay as a person
        left them. ``on_start`` is called with this scan's own number as soon as it has one. Raises
        UsageError for a folder that does not exist or a model that does not fit, LibraryBusy while
        another scan or removal runs, Interrupted after ``cancel``, NothingReadable when no file
        could be read as a picture.
        """
        from image_duplicate_finder.scan import ScanContext, check_model, run_scan

        folders = clean_roots(roots)
        wanted = _with_real_folders(settings or ScanSettings())
        check_model(wanted)
        with self._lock.acquire("a scan"):
            self._store.scans.close_interrupted()
            # A pattern may match thousands of single files, which are not recent folders.
            recent = filter(os.path.isdir, folders)
            scan = self._store.scans.start(folders, wanted, recent)
            if on_start is not None:
                on_start(scan)
            context = ScanContext(self._store, scan, wanted, progress, cancel or CancelToken())
            run_scan(context, folders)
        return self._store.scans.get(scan)

    def add(
        self,
        roots: Paths,
        *,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> ScanRecord:
        """Scan ``roots`` and everything that the latest scan covered, with its settings.

        Only what is new is read and compared. Raises NotFound in a library without scans, and
        what :meth:`scan` raises.
        """
        before = self.latest_scan()
        return self.scan([*before.roots, *roots], before.settings, progress=progress, cancel=cancel)

    def scans(self) -> list[ScanRecord]:
        """All scans but superseded ones, the latest first."""
        return self._store.scans.all()

    def scan_record(self, scan: int) -> ScanRecord:
        """One scan, or the one that supersedes it. Raises NotFound."""
        return self._store.scans.get(scan)

    def latest_scan(self) -> ScanRecord:
        """The scan that started last. Raises NotFound in a library without scans."""
        found = self.scans()
        if not found:
            raise NotFound(Problem.NO_SCAN_YET())
        return found[0]

    def failures(self, scan: int) -> list[Failure]:
        """Files and folders that a scan could not use, with reasons, by path."""
        return self._store.scans.failures(scan)

    def recent_folders(self, limit: int = 10) -> list[str]:
        """Folders that were scanned last, the latest first."""
        return self._store.scans.recent_folders(limit)

    def groups(self, scan: int, query: GroupQuery | None = None) -> GroupPage:
        """One page of a scan's groups."""
        return self._store.groups.page(scan, query or GroupQuery())

    def group(self, group: int) -> GroupView:
        """One group. Raises NotFound."""
        return self._store.groups.get(group)

    def groups_of(self, scan: int, numbers: Sequence[int]) -> list[GroupView]:
        """The groups of a scan with these numbers, in this order; others are left out."""
        return [view for view in self._store.groups.get_many(numbers) if view.scan == scan]

    def listed(self, scan: int, query: GroupQuery | None = None) -> list[Listed]:
        """All groups that a query finds in its order, without paging and without their files."""
        return self._store.groups.listed(scan, query or GroupQuery())

    def facets(self, scan: int, query: GroupQuery) -> Facets:
        """How many groups each kind and each relation would show with the other filters."""
        return self._store.groups.facets(scan, query)

    def members_between(
        self, scan: int, query: GroupQuery, first: tuple[int, int], last: tuple[int, int]
    ) -> list[tuple[int, int]]:
        """The members (group, file) from one to another in the list that a query gives."""
        return self._store.groups.members_between(scan, query, first, last)

    def neighbours(self, scan: int, query: GroupQuery, group: int) -> tuple[int | None, int | None]:
        """The groups before and after one in the list that a query gives; None at its ends."""
        return self._store.groups.neighbours(scan, query, group)

    def all_groups(self, scan: int, query: GroupQuery | None = None) -> list[GroupView]:
        """All groups that a query finds, without paging, duplicates first."""
        ids = self._store.groups.ids(scan, query or GroupQuery())
        return self._store.groups.get_many(ids)

    def pairs(self, scan: int, query: GroupQuery | None = None) -> Iterator[Pair]:
        """All pairs of a keeper and a member in the groups that a query finds."""
        for group in self.all_groups(scan, query):
            for member in group.members:
                yield Pair(
                    group.id,
                    group.keeper,
                    member.file,
                    member.relation,
                    member.score,
                    member.description,
                )

    def summary(self, scan: int) -> Summary:
        """Counts over all groups of a scan."""
        return self._store.groups.summary(scan)

    def photo_libraries(self, scan: int) -> tuple[str, ...]:
        """Packages of photo managers whose pictures a scan covers; nothing is removed from them."""
        paths = self._store.scans.fixed_paths(scan)
        return tuple(dict.fromkeys(p for path in paths if (p := library_of(path)) is not None))

    def file(self, scan: int, file: int) -> FileView:
        """A file of a scan. Raises NotFound for a file that the scan does not cover."""
        found = (
            self._store.groups.files(scan, [file]) if self._store.scans.covers(scan, file) else []
        )
        if not found:
            raise NotFound(Problem.NO_FILE(scan=scan, file=file))
        return found[0]

    def files_at(self, scan: int, paths: Collection[str]) -> list[FileView]:
        """The files of a scan at these paths, by path; others are left out."""
        if not paths:
            return []
        wanted = [
            facts.file
            for content in self._store.scans.contents(scan)
            for facts in content.files
            if facts.path in paths
        ]
        return sorted(self._store.groups.files(scan, wanted), key=lambda file: file.path)

    def find_like(
        self,
        scan: int,
        path: str | os.PathLike[str],
        *,
        folder: str | os.PathLike[str] | None = None,
        limit: int = 100,
    ) -> list[ExampleHit]:
        """The files of a scan that show the picture in ``path`` or are similar, surest first.

        The picture itself need not belong to the scan, and nothing of it is stored. With
        ``folder`` only files below it count. Raises NotFound for the scan, UsageError for what is
        no file and DecodeError for what is no picture.
        """
        from image_duplicate_finder.executors.processes import early_worker
        from image_duplicate_finder.scan import ScanContext

        record = self._store.scans.get(scan)
        within = None if folder is None else os.path.realpath(folder)
        files = {
            content.id: [
                facts.file
                for facts in content.files
                if within is None or is_inside(facts.path, within)
            ]
            for content in self._store.scans.contents(scan)
        }
        context = ScanContext(self._store, scan, record.settings)
        with early_worker(record.settings):
            from image_duplicate_finder.scan.example import find_like

            found = find_like(context, one_picture(path))
        hits = [hit for hit in found if files[hit.content]][:limit]
        views = {
            view.id: view
            for view in self._store.groups.files(
                scan, sorted(file for hit in hits for file in files[hit.content])
            )
        }
        return [
            ExampleHit(views[file], hit.relation, hit.description, hit.score)
            for hit in hits
            for file in files[hit.content]
        ]

    def search(
        self, picture: Picture, *, scan: int | None = None, limit: int = 100
    ) -> list[ExampleHit]:
        """The files that show ``picture`` (a path, an array or a Pillow image), surest first.

        ``scan`` is the latest one unless it is given. Raises NotFound for the scan, UsageError
        and DecodeError for what is no picture.
        """
        number = self.latest_scan().id if scan is None else scan
        example = as_paths([picture])
        return self.find_like(number, example.paths[0], limit=limit)

    def set_thresholds(
        self, scan: int, *, esimilarity_threshold: float, csimilarity_threshold: float
    ) -> ScanRecord:
        """Move the two thresholds of a finished scan; only its similar groups change."""
        from image_duplicate_finder.scan import ScanContext
        from image_duplicate_finder.scan.groups import publish_similar

        record = self._store.scans.get(scan)
        settings = replace(
            record.settings,
            esimilarity_threshold=esimilarity_threshold,
            csimilarity_threshold=csimilarity_threshold,
        )
        with self._store.atomic():
            self._store.scans.set_settings(scan, settings)
            publish_similar(ScanContext(self._store, scan, settings))
        return self._store.scans.get(scan)

    @contextmanager
    def one_decision(
        self, scan: int, kind: DecisionKind, *, onto: int | None = None
    ) -> Iterator[Facts]:
        """Whatever is decided in this block is one decision, undone as a whole.

        With ``onto`` it is added to that decision, if that is the latest one.
        """
        with self._store.undoing.recorded(scan, kind, onto=onto) as facts:
            yield facts

    def latest_decision(self, scan: int) -> DecisionRecord | None:
        """The decision about a scan that :meth:`undo_decision` undoes."""
        return self._store.undoing.latest(scan)

    def undo_decision(self, scan: int, decision: int | None = None) -> Undone | None:
        """Undo the latest decision about a scan's groups; None where there is none.

        Selections, keepers, splits, dismissals and bulk rules are decisions. Raises UsageError
        where ``decision`` is not the latest one, or its groups were changed otherwise since.
        """
        return self._store.undoing.undo(scan, decision)

    def select(self, members: Iterable[tuple[int, int]], selected: bool = True) -> int:
        """Select or unselect members for removal, as (group, file); returns how many changed.

        Keepers cannot be selected: choose another keeper first.
        """
        return self._edits.select(members, selected)

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
        return self._edits.select_groups(scan, query, selected, relations)

    def selection(self, scan: int) -> Selection:
        """What is selected for removal in a scan."""
        return self._store.groups.selection(scan)

    def choose_keeper(self, group: int, file: int) -> int:
        """Make a member the keeper of its group; returns the group's new number.

        Each other file is verified against the new keeper at once. Files that do not match leave
        the group, for groups by their own matches or for none; :meth:`latest_decision` names them.
        If nothing matches, the group is gone and its number is 0. Only identical files stay
        selected: a person has to look again. Raises NotFound, and UsageError for a file that is no
        member or cannot be verified.
        """
        return self._edits.choose_keeper(group, file)

    def split(self, group: int, files: Collection[int]) -> list[int]:
        """Take members out of a group into one of their own; returns the new groups' numbers.

        They are verified against each other, so there may be several such groups, and files that
        match none of the others are in none; :meth:`latest_decision` names them. Raises NotFound,
        and UsageError where all members are taken or one cannot be verified.
        """
        return self._edits.split(group, files)

    def dismiss(self, group: int, files: Collection[int] | None = None) -> list[int]:
        """Remember that members (default: all) are not duplicates of the group's keeper.

        Remembered by content, so it survives renames. Returns the number of what is left of the
        group, if anything is.
        """
        return self._edits.dismiss(group, files)

    def dismissed(self) -> list[DismissedPair]:
        """Pairs that a person said are not duplicates, the latest first."""
        return self._store.decisions.dismissed()

    def undismiss(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Forget dismissals, by content hashes; the next scan shows the pairs again."""
        self._store.decisions.undismiss(pairs)

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
        onto: int | None = None,
    ) -> BulkStep:
        """Carry out a bulk rule on the groups that a query finds, in the order of their numbers.

        With ``seconds`` it ends after about that time, and a call with the returned ``after`` and
        ``until`` continues. Every part is stored whole or not at all. All parts are one decision if
        each call passes it as ``onto``.
        """
        return self._edits.apply_bulk(
            scan, query, order, after=after, until=until, seconds=seconds, onto=onto
        )

    def remove(self, paths: Paths) -> int:
        """Take the files at or below ``paths`` out of the latest scan; returns how many.

        Nothing on the disk is touched: they only leave its groups, until a scan finds them again.
        A member replaces a keeper that is taken out. Raises NotFound in a library without scans.
        """
        scan = self.latest_scan().id
        places = [os.path.abspath(path) if not is_url(str(path)) else str(path) for path in paths]
        return self._edits.drop_files(scan, places)

    def preference(self, name: str, default: str = "") -> str:
        """A setting of the page that was stored with :meth:`set_preference`."""
        return self._store.decisions.preference(name, default)

    def set_preference(self, name: str, value: str) -> None:
        """Store a setting of the page."""
        self._store.decisions.set_preference(name, value)

    def plan(
        self,
        scan: int,
        *,
        query: GroupQuery | None = None,
        action: RemovalAction = RemovalAction.BACKUP,
        only_from: Paths = (),
        merge_metadata: bool = False,
    ) -> Plan:
        """What would be removed: the selected members of a scan's groups, with refusals.

        ``query`` restricts it to some groups, ``only_from`` to files below some folders. A file
        without a verified match with its keeper is refused; so is one that only contains another
        picture or is similar to it, unless a person selected just that file. With
        ``merge_metadata`` keepers take over dates, places, ratings, keywords, titles, descriptions
        and names of people that they lack, from the removed files and their sidecars; members that
        hold nothing else that their keeper lacks are then removed too. Nothing is touched.
        """
        return self._removals.plan(
            scan,
            query=query,
            action=action,
            only_from=only_from,
            merge_metadata=merge_metadata,
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
        return self._removals.apply(
            plan, mode=mode, backup_dir=backup_dir, progress=progress, cancel=cancel
        )

    def undo(
        self,
        run: int,
        items: Sequence[int] | None = None,
        *,
        rename: bool = False,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> Report:
        """Restore what a run removed, or only some of its items.

        A file whose place is taken stays in the backup, or comes back under a new name with
        ``rename``. Raises NotFound and LibraryBusy.
        """
        return self._removals.undo(run, items, rename=rename, progress=progress, cancel=cancel)

    def purge(
        self, run: int, items: Sequence[int] | None = None, *, without_keeper: bool = False
    ) -> PurgeReport:
        """Delete a run's backup, or some of its items, for good. Ask the person first.

        Files without a keeper stay, unless ``without_keeper`` is true. Raises
        NotFound and LibraryBusy.
        """
        return self._removals.purge(run, items, without_keeper=without_keeper)

    def offer(self, folder: str | os.PathLike[str]) -> Offer:
        """What adopting a backup would restore, and below which folder. Raises NotFound."""
        return self._removals.remover.offer(os.path.realpath(folder))

    def adopt(
        self,
        folder: str | os.PathLike[str],
        progress: Progress = silent,
        *,
        roots: Paths = (),
        names: Paths = (),
    ) -> int:
        """Adopt a backup that this library does not know; returns its number as a run.

        Its files come back only below ``roots``, which the person confirmed, and hidden files
        and what programs start by themselves only if they are among ``names``. A backup of this
        library that was moved needs neither: it goes back to where it came from. From then on it
        can be undone and purged like the library's own. Raises NotFound for a folder that is no
        backup or holds nothing any more, RemovalRefused when nothing in it was confirmed, and
        LibraryBusy.
        """
        return self._removals.remover.adopt(
            os.path.realpath(folder),
            progress,
            roots=[os.path.abspath(root) for root in roots],
            names=[os.path.abspath(name) for name in names],
        )

    def strange_backups(self, folders: Paths) -> list[str]:
        """Backups in or among ``folders`` that this library does not know."""
        known = {os.path.realpath(info.backup.folder) for info in self._removals.remover.backups()}
        real = tuple(dict.fromkeys(os.path.realpath(folder) for folder in folders))
        return [folder for folder in find_backups(real) if folder not in known]

    def history(self) -> list[Run]:
        """All removals, the latest first."""
        return self._removals.remover.history()

    def run_items(self, run: int) -> list[Item]:
        """The files of one removal. Raises NotFound."""
        return self._removals.remover.items(run)

    def backups(self) -> list[BackupInfo]:
        """All backup folders, with what they hold now."""
        return self._removals.remover.backups()

    def verify_backups(self, progress: Progress = silent) -> VerifyReport:
        """Compare the journal and the backups with the disk; changes nothing."""
        return self._removals.verify(progress)

    def full_backup(self, scan: int) -> tuple[int, int]:
        """How many files a full backup of a scan holds, and their bytes."""
        sizes = [size for _, size in self._store.scans.files(self._store.scans.get(scan).id)]
        return len(sizes), sum(sizes)

    def backup_places(self, plan: Plan) -> list[str]:
        """The folders in which backups of a plan will be made, for people."""
        roots = {root_of(item.path, plan.roots) for item in plan.items}
        found = []
        for root in sorted(root for root in roots if root is not None):
            try:
                place = places_for(root, plan.roots, plan.protected, None)[0]
            except OSError:  # not reachable now; applying will say so
                place = root
            found.append(os.path.join(place, BACKUP_FOLDER_NAME))
        return list(dict.fromkeys(found))


def _with_real_folders(settings: ScanSettings) -> ScanSettings:
    """Protected and compare-only folders as absolute, real paths."""
    return replace(
        settings,
        protected=clean_roots(settings.protected) if settings.protected else (),
        compare_only=clean_roots(settings.compare_only) if settings.compare_only else (),
    )
