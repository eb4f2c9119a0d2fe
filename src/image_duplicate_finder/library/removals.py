"""Removal of what is selected, and the way back; docs/safety.md has the rules."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from image_duplicate_finder.additions import MERGEABLE, holds_then, lacking, with_additions
from image_duplicate_finder.discover import clean_roots
from image_duplicate_finder.discover.beside import Beside, beside
from image_duplicate_finder.errors import UsageError
from image_duplicate_finder.messages import Problem, Stays
from image_duplicate_finder.model import GroupKind, Metadata, Relation
from image_duplicate_finder.progress import CancelToken, Progress, silent
from image_duplicate_finder.relations import PRESELECTABLE
from image_duplicate_finder.removal import (
    Evidence,
    Merge,
    Plan,
    PlanFile,
    PurgeReport,
    Reason,
    Refusal,
    Remover,
    Report,
    StatChange,
    State,
    VerifyReport,
    look_around,
    make_plan,
    no_match,
)
from image_duplicate_finder.removal.plan import LINKS
from image_duplicate_finder.results import FileView, GroupQuery, GroupView, MemberView, ScanRecord
from image_duplicate_finder.settings import BackupMode, RemovalAction
from image_duplicate_finder.store import Store

Paths = Iterable[str | os.PathLike[str]]

_PLACES = "backup_places"


class Removals:
    """Plans, applies, undoes and purges removals of one library.

    :class:`.Library` says what each method does. ``remover`` does what needs no groups.
    """

    def __init__(self, store: Store, folder: Path, *, wait: float) -> None:
        self._store = store
        self.remover = Remover(folder, wait=wait, matches=self._matches)

    def plan(
        self,
        scan: int,
        *,
        query: GroupQuery | None = None,
        action: RemovalAction = RemovalAction.BACKUP,
        only_from: Paths = (),
        merge_metadata: bool = False,
    ) -> Plan:
        """See :meth:`.Library.plan`."""
        record = self._store.scans.get(scan)
        merge_metadata = merge_metadata and action not in LINKS
        chosen = replace(query or GroupQuery(), selected_only=not merge_metadata)
        groups = self._store.groups.get_many(self._store.groups.ids(scan, chosen))
        if merge_metadata:
            judged = map(selected_after_merge, groups)
            groups = [each for each in judged if any(member.selected for member in each.members)]
        evidence, refused = self._verified(groups)
        return make_plan(
            evidence,
            roots=record.roots,
            action=action,
            protected=record.settings.guarded,
            only_from=clean_roots(only_from) if (only_from := tuple(only_from)) else (),
            surroundings=look_around(evidence, record.roots),
            refused=refused,
            merges=merges_of(groups) if merge_metadata else (),
        )

    def _verified(self, groups: Iterable[GroupView]) -> tuple[list[Evidence], list[Refusal]]:
        """The evidence for removing the selected members of groups, and refusals at once."""
        evidence = evidence_of(groups, self._store.matches.relation)
        copies = self._store.matches.copies(
            (each.file.content, each.keeper.content)
            for each in evidence
            if not each.chosen and each.file.content != each.keeper.content
        )
        kept: list[Evidence] = []
        refused: list[Refusal] = []
        for each in evidence:
            contents = each.file.content, each.keeper.content
            if each.chosen or contents[0] == contents[1] or contents in copies:
                kept.append(each)
            elif each.relation not in PRESELECTABLE:
                refused.append(
                    Refusal(
                        each.file.path,
                        Reason.NOT_CHOSEN,
                        Stays.ONLY_BY_ITSELF(path=each.keeper.path),
                    )
                )
            else:
                refused.append(no_match(each.file.path, each.keeper.path))
        return kept, refused

    def _prove(self, evidence: Sequence[Evidence]) -> list[Evidence | Refusal]:
        """See :data:`.remover.Prove`."""
        known = self._known(evidence)
        copies = self._store.matches.copies(
            (each.file.content, each.keeper.content) for each in evidence
        )
        answers = [self._proved(each, known, copies) for each in evidence]
        self._store.decisions.remember_chosen(
            (answer.file.content, answer.keeper.content)
            for answer in answers
            if isinstance(answer, Evidence) and answer.chosen
        )
        return answers

    def _known(self, evidence: Iterable[Evidence]) -> dict[str, FileView]:
        """The files of the evidence as scans saw them, by path."""
        paths = {file.path for each in evidence for file in (each.file, each.keeper)}
        return self._store.groups.scanned(paths)

    def _proved(
        self,
        evidence: Evidence,
        known: Mapping[str, FileView],
        copies: Collection[tuple[bytes, bytes]],
    ) -> Evidence | Refusal:
        path, file, keeper = (
            evidence.file.path,
            known.get(evidence.file.path),
            known.get(evidence.keeper.path),
        )
        if file is None or keeper is None:
            unknown = Stays.KEEPER_NOT_SCANNED(path=evidence.keeper.path)
            why = Stays.NOT_SCANNED() if file is None else unknown
            return Refusal(path, Reason.NO_MATCH, why)
        if (file.content, keeper.content) != (evidence.file.content, evidence.keeper.content):
            return Refusal(path, Reason.CHANGED, Stays.NOT_AS_PLANNED())
        match = self._store.groups.keeper_match(evidence.group, keeper.id, file.id)
        if not (file if match is None else match).removable:
            return Refusal(path, Reason.PROTECTED, Stays.NOT_REMOVABLE())
        same = file.content == keeper.content
        chosen = match is not None and match.chosen
        if not (same or chosen or (file.content, keeper.content) in copies):
            return no_match(path, keeper.path)
        return replace(
            evidence,
            file=_plan_file(file),
            keeper=_plan_file(keeper),
            relation=Relation.BYTE_IDENTICAL if same else evidence.relation,
            chosen=chosen,
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
        """See :meth:`.Library.apply`."""
        scan = self._scan_of(plan)
        # A plan of groups that do not exist (any more), or that was edited by hand, may not say
        # what was protected: then every folder that ever was is protected.
        records = self._store.scans.all() if scan is None else [self._store.scans.get(scan)]
        self._refuse_strange_roots(plan, records)
        protected = {folder for record in records for folder in record.settings.guarded}
        scanned = () if scan is None else self._to_preserve(plan, scan, mode)
        place = None if backup_dir is None else os.path.abspath(backup_dir)
        self._note_place(place)
        try:
            report = self.remover.apply(
                self._with_current_merges(plan),
                prove=self._prove,
                mode=mode,
                scanned=scanned,
                protected=sorted(protected),
                backup_dir=place,
                progress=progress,
                cancel=cancel,
            )
            self._note_stat_changes(report.stat_changes)
            return report
        finally:
            self._note_gone(run.id for run in self.remover.history()[:1])

    def _with_current_merges(self, plan: Plan) -> Plan:
        """The plan with merges made of what scans and sidecars say now."""
        paths = {p for merge in plan.merges for p in (merge.keeper.path, *merge.sources)}
        if not paths:
            return plan
        known = self._store.groups.scanned(paths)
        sidecars = beside(known)
        merges = (
            merge_of(known[merge.keeper.path], [known[p] for p in merge.sources], sidecars)
            for merge in plan.merges
            if all(path in known for path in (merge.keeper.path, *merge.sources))
        )
        return replace(plan, merges=tuple(merge for merge in merges if merge is not None))

    def _scan_of(self, plan: Plan) -> int | None:
        """The scan whose groups hold all pairs of a plan; None where there is no single one."""
        evidence = [item.evidence for item in plan.items]
        known = self._known(evidence)
        scans = set()
        for each in evidence:
            file, keeper = known.get(each.file.path), known.get(each.keeper.path)
            if file is None or keeper is None:
                return None
            match = self._store.groups.keeper_match(each.group, keeper.id, file.id)
            scans.add(None if match is None else match.scan)
        return scans.pop() if len(scans) == 1 else None

    @staticmethod
    def _refuse_strange_roots(plan: Plan, records: Iterable[ScanRecord]) -> None:
        """Raise UsageError for a plan over folders that were not scanned: backups go there."""
        known = {root for record in records for root in record.roots}
        for root in plan.roots:
            if root not in known:
                raise UsageError(Problem.STRANGE_PLAN(root=root))

    def undo(
        self,
        run: int,
        items: Sequence[int] | None = None,
        *,
        rename: bool = False,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> Report:
        """See :meth:`.Library.undo`."""
        try:
            report = self.remover.undo(
                run,
                items,
                rename=rename,
                copies=self._store.files.paths_of,
                progress=progress,
                cancel=cancel,
            )
            self._note_stat_changes(report.stat_changes)
            return report
        finally:
            self._note_gone([run])

    def purge(
        self, run: int, items: Sequence[int] | None = None, *, without_keeper: bool = False
    ) -> PurgeReport:
        """See :meth:`.Library.purge`."""
        report = self.remover.purge(run, items, without_keeper=without_keeper)
        self._note_stat_changes(report.stat_changes)
        return report

    def verify(self, progress: Progress) -> VerifyReport:
        """Compare the journal and the backups with the disk; changes nothing."""
        folders = {root for record in self._store.scans.all() for root in record.roots}
        folders.update(self._named_places())
        return self.remover.verify(progress, (*folders, *self._store.scans.recent_folders()))

    def _to_preserve(self, plan: Plan, scan: int, mode: BackupMode) -> list[str]:
        """Which files the backup holds beside the removed ones, where it can."""
        if mode == BackupMode.FULL:
            return [path for path, _ in self._store.scans.files(scan)]
        groups = self._store.groups.get_many(sorted({item.evidence.group for item in plan.items}))
        return sorted({file.path for group in groups for file in group.files if not file.gone})

    def _named_places(self) -> list[str]:
        """Where a person had backups made; known also when the journal is lost."""
        return [
            str(place)
            for place in json.loads(self._store.decisions.preference(_PLACES, "") or "[]")
        ]

    def _note_place(self, place: str | None) -> None:
        named = self._named_places()
        if place is not None and place not in named:
            self._store.decisions.set_preference(_PLACES, json.dumps([*named, place]))

    def _note_stat_changes(self, changes: Iterable[StatChange]) -> None:
        """Spare the next scan reading files that only gained or lost a hard link."""
        self._store.files.restate((c.path, c.before, c.after) for c in changes)

    def note_all_gone(self) -> None:
        """Record for all removals which files are gone."""
        self._note_gone(run.id for run in self.remover.history())

    def _matches(self, content: bytes, keeper: bytes) -> bool:
        """Whether one content may go for another: they match, or a person chose so."""
        pair = content, keeper
        return bool(self._store.matches.copies([pair])) or self._store.decisions.was_chosen(pair)

    def _note_gone(self, runs: Iterable[int]) -> None:
        """Record which files a removal took away or an undo restored."""
        away = (State.MOVED, State.TRASHED, State.PURGING, State.PURGED)
        with self._store.atomic():
            for run in runs:
                items = self.remover.items(run)
                for gone in (True, False):
                    self._store.files.set_gone(
                        (
                            item.path
                            for item in items
                            if (item.state in away and not os.path.lexists(item.path)) is gone
                        ),
                        gone,
                    )


def evidence_of(
    groups: Iterable[GroupView], relation_of: Callable[[bytes, bytes], Relation | None]
) -> list[Evidence]:
    """The evidence that the removal of each selected member depends on, beside its witness.

    ``relation_of`` says what two contents were verified to be to each other.
    """
    return [
        _evidence(group, member, relation_of)
        for group in groups
        for member in group.members
        if member.selected and not member.file.gone
    ]


def selected_after_merge(group: GroupView) -> GroupView:
    """The group with those members selected too that only their metadata kept from being selected.

    What a person decided about a file stays.
    """
    if group.kind is not GroupKind.DUPLICATES or group.keeper.gone:
        return group

    def is_held(member: MemberView) -> bool:
        return (
            not (member.selected or member.decided or member.file.gone)
            and member.file.removable
            and member.witness == group.keeper.id
            and bool(member.lacks)
            and MERGEABLE.issuperset(member.lacks)
            and holds_then(group.keeper.info.metadata, member.file.info.metadata)
        )

    members = tuple(
        replace(each, selected=True) if is_held(each) else each for each in group.members
    )
    return replace(group, members=members)


def merges_of(groups: Iterable[GroupView]) -> list[Merge]:
    """What the keepers of ``groups`` lack and their selected members or their sidecars have."""
    groups = list(groups)
    files = [member.file for group in groups for member in group.members if member.selected]
    sidecars = beside(file.path for file in (*files, *(group.keeper for group in groups)))
    merges = (
        merge_of(
            group.keeper,
            [each.file for each in group.members if each.selected and not each.file.gone],
            sidecars,
        )
        for group in groups
    )
    return [merge for merge in merges if merge is not None]


def merge_of(
    keeper: FileView, going: Sequence[FileView], sidecars: Mapping[str, Sequence[Beside]]
) -> Merge | None:
    """What a keeper lacks and files that go (or their sidecars) have; None where it lacks nothing.

    What its own sidecar says, it has.
    """
    mine, *more = _metadata_of(keeper, sidecars)
    mine = with_additions(mine, lacking(mine, more))
    found = {file.path: _metadata_of(file, sidecars) for file in going}
    additions = lacking(mine, (each for said in found.values() for each in said))
    sources = tuple(path for path, said in found.items() if lacking(mine, said))
    return Merge(_plan_file(keeper), additions, sources) if additions else None


def _metadata_of(file: FileView, sidecars: Mapping[str, Sequence[Beside]]) -> list[Metadata]:
    """The metadata in a file and in its XMP sidecars."""
    found = (each.metadata for each in sidecars.get(file.path, ()))
    return [file.info.metadata, *(each for each in found if each is not None)]


def _evidence(
    group: GroupView, member: MemberView, relation_of: Callable[[bytes, bytes], Relation | None]
) -> Evidence:
    witness, relation = group.keeper, member.relation
    for other in group.members:
        if other.file.id == member.witness and not other.selected and not other.file.gone:
            same = other.file.content == member.file.content
            found = Relation.BYTE_IDENTICAL if same else None
            found = found or relation_of(member.file.content, other.file.content)
            if found is not None:
                witness, relation = other.file, found
    return Evidence(
        file=_plan_file(member.file),
        keeper=_plan_file(witness),
        relation=relation,
        group=group.id,
        score=member.score,
        description=member.description,
        chosen=member.decided and group.kind is not GroupKind.DUPLICATES,
    )


def _plan_file(file: FileView) -> PlanFile:
    return PlanFile(file.path, file.stat, file.content, file.info.metadata.content_identifier)
