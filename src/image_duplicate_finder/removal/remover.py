"""The entry to removal: plans are applied, undone, purged and recovered through here only.

Recovery settles what a crash, a kill or a power cut left unfinished. Removals are finished when the
whole unit is in the backup and its keepers are there; otherwise they are rolled back. An undo is
finished, or rolled back. A purge, which a person confirmed, goes on where each keeper is found
again; the other files stay in the backup. Every step can itself be interrupted and is then done
again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from image_duplicate_finder.errors import RemovalRefused
from image_duplicate_finder.messages import Message, Note, Plain, Problem, both, english
from image_duplicate_finder.progress import CancelToken, Progress, silent
from image_duplicate_finder.removal import checks, probe
from image_duplicate_finder.removal.adopt import Consent, Offer, VerifyReport, adopt, offer, verify
from image_duplicate_finder.removal.apply import (
    BATCH,
    Application,
    Backups,
    Merging,
    as_before,
    as_refused,
    folders_of,
    method_of,
    release_trash_links,
    roll_back,
    sync,
)
from image_duplicate_finder.removal.backup import (
    Preserved,
    RunBackup,
    StatChange,
    not_in_manifest,
    preserve,
    prune,
)
from image_duplicate_finder.removal.checks import Checks, Matches, look_around, nothing_matches
from image_duplicate_finder.removal.journal import BackupFolder, Item, Journal, Run, RunState, State
from image_duplicate_finder.removal.links import Targets, links_below, links_of
from image_duplicate_finder.removal.moves import Where
from image_duplicate_finder.removal.plan import Evidence, Plan, Refusal, in_order, root_of
from image_duplicate_finder.removal.probe import Refused
from image_duplicate_finder.removal.undo import (
    RESTORABLE,
    Copies,
    Dropped,
    Places,
    PurgeReport,
    Restoration,
    check_stored,
    damaged_rows,
    drop_preserved,
    finish_purge,
    no_copies,
    purge,
    restore_with_folder_time,
    settle_unit,
)
from image_duplicate_finder.settings import BackupMode, RemovalAction
from image_duplicate_finder.store.lock import LibraryLock

Prove = Callable[[Sequence[Evidence]], Sequence[Evidence | Refusal]]
"""For each piece of evidence what scans knew of its two files, or why it is not believed."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one apply or undo did.

    ``done`` are the files that were removed or restored, ``skipped`` those that stayed where
    they were, with reasons. ``stopped`` means that the user stopped it before the end.
    ``preserved`` counts further files that the backup holds without taking space, or as copies.
    ``stat_changes`` let a library keep what it knows of those. ``merged`` are the files that took
    over metadata. ``remarks`` say what else a person should know.
    """

    run: int
    done: tuple[Item, ...]
    skipped: tuple[Refusal, ...]
    stopped: bool = False
    preserved: int = 0
    stat_changes: tuple[StatChange, ...] = ()
    remarks: tuple[Message, ...] = ()
    merged: tuple[Item, ...] = ()

    @property
    def total_bytes(self) -> int:
        """Bytes of the files in ``done``."""
        return sum(item.size for item in self.done)

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks in English."""
        return tuple(map(english, self.remarks))


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What was found unfinished and how it was settled; empty for nothing."""

    settled: tuple[Message, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What was settled, in English."""
        return tuple(map(english, self.settled))


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """A backup folder with what it holds now: ``files`` removed ones, of ``size`` bytes."""

    backup: BackupFolder
    started: str
    files: int
    size: int
    present: bool


class Remover:
    """Removal for the library in ``library_dir``, which holds the journal.

    Safe to use from several threads and processes: what changes files takes the library's lock
    and raises LibraryBusy when a scan or another removal holds it longer than ``wait`` seconds.
    Everything that changes files first settles what a crash left behind. ``matches(content,
    keeper content)`` says whether a keeper has a match of its own with a file; it is asked for
    all but equal contents, before a removal and before a purge. ``batch`` units share a commit.
    """

    def __init__(
        self,
        library_dir: str | os.PathLike[str],
        *,
        wait: float = 0.0,
        matches: Matches = nothing_matches,
        batch: int = BATCH,
    ) -> None:
        self._dir = os.fspath(library_dir)
        self._lock = LibraryLock(library_dir)
        self._wait = wait
        self._matches = matches
        self._batch = batch

    def apply(
        self,
        plan: Plan,
        *,
        matches: Matches | None = None,
        prove: Prove | None = None,
        mode: BackupMode = BackupMode.AUTO,
        scanned: Iterable[str] = (),
        protected: Sequence[str] = (),
        backup_dir: str | None = None,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> Report:
        """Carry out a plan; what cannot be done safely is skipped and reported.

        ``matches`` replaces the library's. ``prove`` returns what a scan knew of the files of an
        item, so that nothing is taken from the plan, or a refusal; without it the plan must be this
        program's own. ``scanned`` are the files of the scan that ``mode`` may preserve.
        ``protected`` adds to the plan's protected folders. ``backup_dir`` is where backups go
        instead of beside the roots. Raises RemovalRefused when nothing at all can be done, and
        LibraryBusy.
        """
        cancel = cancel or CancelToken()
        plan = in_order(plan)
        unproved: list[Refusal] = []
        if prove is not None:
            plan, unproved = _proved(plan, prove)
        with self._working("a removal") as journal:
            recovered = recover(journal, self._matches).settled
            run = journal.begin_run(plan.id, plan.action, mode)

            def checked(plan: Plan, matches: Matches) -> Checks:
                return Checks(
                    plan,
                    protected=tuple(protected),
                    matches=matches,
                    around=look_around(
                        (item.evidence for item in plan.items), plan.roots, links=False
                    ),
                    targets=Targets((*links_below(plan.roots), *links_of(journal))),
                )

            try:
                checks = checked(plan, matches or self._matches)
                backups = Backups(
                    journal, run, plan.roots, (*plan.protected, *protected), backup_dir
                )
                merging = Merging(plan, run, journal, backups)
                merging.apply(checks, cancel)
                if plan.merges:
                    plan = merging.plan
                    checks = checked(plan, as_before(merging.done, matches or self._matches))
                preserved = _preserve(plan, backups, mode, scanned, cancel)
                application = Application(plan, run, journal, checks, backups, self._batch)
                application.skipped += unproved
                finished = application.apply(progress, cancel)
            except RemovalRefused:
                _end(journal, run, RunState.STOPPED)
                raise
            _end(journal, run, RunState.DONE if finished else RunState.STOPPED)
            return Report(
                run,
                tuple(application.done),
                (*merging.skipped, *application.skipped),
                not finished,
                sum(found.count for found in preserved),
                tuple(line for found in preserved for line in found.stat_changes),
                (*recovered, *(found.remark for found in preserved if found.remark)),
                tuple(merging.done),
            )

    def undo(
        self,
        run: int,
        items: Sequence[int] | None = None,
        *,
        rename: bool = False,
        copies: Copies = no_copies,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> Report:
        """Put back what a run removed, or only some items (whole units) of it.

        Where another file has taken a place, the item is skipped, or with ``rename`` restored
        under a new name beside it. What the disk damaged is not restored; ``copies`` helps to
        say where its bytes are intact. Raises NotFound and LibraryBusy.
        """
        with self._working("an undo") as journal:
            recover(journal, self._matches)
            journal.run(run)
            restorable = journal.items(run, states=RESTORABLE)
            units = {i.unit for i in restorable if items is None or i.id in set(items)}
            restoration = Restoration(journal, journal.backups(run), rename, copies, self._batch)
            finished = restoration.restore(
                [item for item in restorable if item.unit in units],
                progress,
                cancel or CancelToken(),
            )
            dropped = drop_preserved(journal, run) if finished else Dropped()
            with contextlib.suppress(OSError):  # empty folders that stay harm nothing
                _tidy(journal, run)
            remarks = [Plain.ABOUT(path=refusal.path, text=refusal.why) for refusal in dropped.kept]
            return Report(
                run,
                tuple(restoration.done),
                (*restoration.skipped, *damaged_rows(journal, run)),
                not finished,
                stat_changes=dropped.stat_changes,
                remarks=tuple(remarks),
            )

    def purge(
        self, run: int, items: Sequence[int] | None = None, *, without_keeper: bool = False
    ) -> PurgeReport:
        """Delete a run's backup, or some items of it, for good. Callers ask the person first.

        What has no keeper any more, or one without a match of its own, stays, unless
        ``without_keeper``. Raises NotFound and LibraryBusy.
        """
        with self._working("a purge") as journal:
            recover(journal, self._matches)
            journal.run(run)
            return purge(journal, run, items, without_keeper, self._matches)

    def offer(self, folder: str) -> Offer:
        """What taking over a backup would mean; for the person to confirm. Raises NotFound."""
        with Journal(self._dir) as journal:
            return offer(journal, folder)

    def adopt(
        self,
        folder: str,
        progress: Progress = silent,
        *,
        roots: Iterable[str] = (),
        names: Iterable[str] = (),
    ) -> int:
        """Take a backup folder of another or a lost library over as a run; returns its number.

        Then it can be undone and purged like the rest. Its files come back only below ``roots``,
        and hidden ones and the like only if they are among ``names``. A backup of this journal
        that was moved needs neither. Raises NotFound, RemovalRefused and LibraryBusy.
        """
        with self._working("taking over a backup") as journal:
            recover(journal, self._matches)
            return adopt(journal, folder, Consent.of(roots, names), progress)

    def recover(self) -> RecoveryReport:
        """Settle what a crash left behind; to be called at every start. Raises LibraryBusy."""
        with self._working("a recovery") as journal:
            return recover(journal, self._matches)

    def verify(self, progress: Progress = silent, folders: Iterable[str] = ()) -> VerifyReport:
        """Compare journal and backups with the disk; changes nothing. Raises LibraryBusy.

        ``folders`` are those that may have backups in them, or beside them, which the journal
        does not know.
        """
        with self._working("a check of the backups") as journal:
            return verify(journal, progress, tuple(folders))

    def history(self) -> list[Run]:
        """All runs, the newest first."""
        with Journal(self._dir) as journal:
            return journal.runs()

    def items(self, run: int) -> list[Item]:
        """The files of a run. Raises NotFound."""
        with Journal(self._dir) as journal:
            journal.run(run)
            return journal.items(run)

    def backups(self) -> list[BackupInfo]:
        """All backup folders that the journal knows and that hold or held something."""
        with Journal(self._dir) as journal:
            started = {run.id: run.started for run in journal.runs()}
            held = journal.items(states=(State.MOVED,))
            found = []
            for backup in journal.backups():
                inside = [i for i in held if i.stored.startswith(backup.folder + os.sep)]
                found.append(
                    BackupInfo(
                        backup,
                        started[backup.run],
                        len(inside),
                        sum(item.size for item in inside),
                        probe.status(backup.folder) is not None,
                    )
                )
            return found

    @contextlib.contextmanager
    def _working(self, purpose: str) -> Iterator[Journal]:
        """The lock and the journal for the length of a piece of work."""
        with self._lock.acquire(purpose, self._wait), Journal(self._dir) as journal:
            try:
                yield journal
            except sqlite3.Error as error:
                raise RemovalRefused(
                    Problem.JOURNAL(folder=str(self._dir), reason=str(error))
                ) from error


def _proved(plan: Plan, prove: Prove) -> tuple[Plan, list[Refusal]]:
    """The plan with what scans knew in place of what it says, and what is not proved."""
    answers = prove([item.evidence for item in plan.items])
    proved = [
        replace(item, evidence=answer)
        for item, answer in zip(plan.items, answers, strict=True)
        if isinstance(answer, Evidence)
    ]
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    return replace(plan, items=tuple(proved)), refused


def _preserve(
    plan: Plan, backups: Backups, mode: BackupMode, scanned: Iterable[str], cancel: CancelToken
) -> list[Preserved]:
    """Preserve the scanned files of every root that something is removed from."""
    going = {item.path for item in plan.items}
    roots = {root_of(path, plan.roots) for path in going}
    by_root: dict[str, list[str]] = {}
    if mode != BackupMode.REMOVED:
        for path in scanned:
            root = root_of(path, plan.roots)
            if root is not None and root in roots and path not in going:
                by_root.setdefault(root, []).append(path)
    preserved = []
    for root, paths in by_root.items():
        try:
            backup = backups.of(paths[0])
        except (Refused, OSError) as error:
            remark = Note.NO_BACKUP(path=root, reason=as_refused(error).why)
            preserved.append(Preserved(remark=remark))
            continue
        found = preserve(backup, paths, mode, cancel)
        if found.count:
            backups.note_preserved(root, found.count)
        about = found.remark and Plain.ABOUT(path=root, text=found.remark)
        preserved.append(replace(found, remark=about))
    return preserved


def _end(journal: Journal, run: int, state: RunState) -> None:
    """Tidy up after a run, and end it; if the disk does not allow it, the next start does both."""
    with contextlib.suppress(OSError):
        _tidy(journal, run)
        journal.end_run(run, state)


def _tidy(journal: Journal, run: int) -> None:
    """Remove what is empty or unfinished in a run's backup folders. Raises OSError."""
    for backup in journal.backups(run):
        prune(backup.folder)


def recover(journal: Journal, matches: checks.Matches) -> RecoveryReport:
    """Settle everything unsettled. The caller holds the library's lock."""
    lines: list[Message] = []
    interrupted = [run for run in journal.runs() if run.state == RunState.RUNNING]
    unsettled = journal.items(states=(State.INTENT, State.UNDOING, State.PURGING))
    places = Places(journal)
    touched = {run.id for run in interrupted} | {item.run for item in unsettled}
    for (run, _), found in groupby(
        sorted(unsettled, key=lambda i: (i.run, i.unit, i.id)), key=lambda i: (i.run, i.unit)
    ):
        unit = list(found)
        if _drive_is_gone(journal, unit) or _elsewhere(places, unit):
            lines.append(Note.UNREACHABLE(path=unit[0].path))
            touched.discard(run)
            continue
        settled = _settle(journal, unit, matches)
        lines += [_line(before, after) for before, after in zip(unit, settled, strict=True)]
    for run in interrupted:
        held = release_trash_links(journal, _with_safety_links(journal.items(run.id)))
        journal.update_items(item for item in held if item.state == State.MOVED)
    for number in sorted(touched):
        for backup in journal.backups(number):
            try:
                _complete_manifest(journal, backup)
                prune(backup.folder)
            except OSError as error:
                reason = str(error.strerror)
                lines.append(Note.UNTIDY(path=backup.folder, reason=reason))
    for run in interrupted:
        journal.end_run(run.id, RunState.INTERRUPTED)
        lines.append(Note.RECOVERED_RUN(run=run.id, when=run.started))
    return RecoveryReport(tuple(lines))


def _settle(journal: Journal, unit: Sequence[Item], matches: checks.Matches) -> list[Item]:
    """Settle one unit; what was done is on the disk before the journal says so."""
    state = unit[0].state
    if state == State.INTENT:
        settled = _finish_or_return(unit)
    elif state == State.UNDOING:
        settled = _finish_undo(unit)
    else:
        return finish_purge(unit, journal, matches)
    try:
        sync(folder for folder in folders_of(settled) if probe.status(folder) is not None)
    except OSError:
        return list(unit)  # nothing is certain; the next start looks again
    journal.update_items(settled)
    return release_trash_links(journal, settled)


def _finish_or_return(unit: Sequence[Item]) -> list[Item]:
    try:
        wheres = [method_of(item).settle(item, item.path) for item in unit]
        if all(where == Where.STORED for where in wheres):
            for item in unit:
                checks.after(item, None)
            return [replace(item, state=State.MOVED) for item in unit]
    except (Refused, OSError):
        pass  # not certain enough to finish: back, or left for the next start
    return [roll_back(item) for item in unit]


def _finish_undo(unit: Sequence[Item]) -> list[Item]:
    try:
        for item in unit:
            place = item.destination or item.path
            if method_of(item).settle(item, place) == Where.STORED:
                check_stored(item)
                restore_with_folder_time(item)
    except (Refused, OSError):
        pass
    return settle_unit(unit)


def _drive_is_gone(journal: Journal, unit: Sequence[Item]) -> bool:
    """Whether nothing of a unit can be seen, nor the backup folder that it was to go to."""
    folders = [backup.folder for backup in journal.backups(unit[0].run)]
    try:
        for item in unit:
            home = [f for f in folders if item.stored.startswith(f + os.sep)]
            if item.action == RemovalAction.TRASH:  # an empty backup is gone for good
                home.append(os.path.dirname(item.path))
            if any(
                probe.status(path) is not None
                for path in (item.path, item.destination or item.path, item.stored, *home)
            ):
                return False
    except OSError:
        return True
    return True


def _complete_manifest(journal: Journal, backup: BackupFolder) -> None:
    """Write lines that a power cut damaged, from what the journal knows. Raises OSError."""
    if probe.status(backup.folder) is not None:
        lacking = not_in_manifest(backup.folder, journal.items(backup.run))
        RunBackup(backup).record("removed", lacking)


def _elsewhere(places: Places, unit: Sequence[Item]) -> bool:
    """Whether files of a unit would come back to another volume than they came from."""
    try:
        for item in unit:
            if item.state != State.PURGING:
                places.check(item)
    except (Refused, OSError):
        return True
    return False


def _with_safety_links(items: Iterable[Item]) -> list[Item]:
    """Items in the trash whose safety link outlived a crash, as they were before its end."""
    return [
        replace(item, state=State.MOVED)
        for item in items
        if item.action == RemovalAction.TRASH
        and item.state in (State.TRASHED, State.MOVED)
        and probe.regular(item.stored) is not None
    ]


def _line(before: Item, after: Item) -> Message:
    """What became of one file."""
    path = before.path
    match after.state:
        case State.SKIPPED:
            return Note.BACK(path=path)
        case State.TRASHED:
            return Note.TRASHED(path=path)
        case State.RESTORED:
            return Note.RESTORED(path=path, place=after.destination or path)
        case State.PURGED:
            return Note.PURGED(path=path)
        case State.MISSING:
            return Note.MISSING(path=path)
        case State.MOVED:
            return both(Note.STORED(path=path, stored=after.stored), after.remark)
        case _:
            return both(Note.UNSETTLED(path=path), after.remark)
