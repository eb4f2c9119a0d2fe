"""What a person decides about groups, and the preferences of the page."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.library.groups import Groups
from image_duplicate_finder.library.opened import Paths
from image_duplicate_finder.model import Group, Relation
from image_duplicate_finder.results import (
    DecisionKind,
    DecisionRecord,
    DismissedPair,
    GroupQuery,
    GroupView,
    Selection,
    Undone,
)
from image_duplicate_finder.sources import is_url
from image_duplicate_finder.store.decisions import Facts

if TYPE_CHECKING:  # loads NumPy and OpenCV, for which nobody waits who only looks
    from image_duplicate_finder.scan.groups import MeasuredClaims


class Decisions(Groups):
    """Selections, keepers, splits and dismissals of groups."""

    @contextmanager
    def one_decision(
        self, scan: int, kind: DecisionKind, *, onto: int | None = None
    ) -> Iterator[Facts]:
        """What is decided in this block is one decision, taken back as a whole.

        With ``onto`` it goes on with an earlier decision, if that is the latest one.
        """
        with self._store.undoing.recorded(scan, kind, onto=onto) as facts:
            yield facts

    def latest_decision(self, scan: int) -> DecisionRecord | None:
        """The decision about a scan that :meth:`undo_decision` takes back."""
        return self._store.undoing.latest(scan)

    def undo_decision(self, scan: int, decision: int | None = None) -> Undone | None:
        """Take back the latest decision about a scan's groups; None where there is none.

        Selections, keepers, splits, dismissals and bulk rules are decisions. Raises UsageError
        where ``decision`` is not the latest one, or its groups were changed otherwise since.
        """
        return self._store.undoing.undo(scan, decision)

    def select(self, members: Iterable[tuple[int, int]], selected: bool = True) -> int:
        """Select or unselect members for removal, as (group, file); returns how many changed.

        Keepers cannot be selected: choose another keeper first.
        """
        members = list(members)
        scan = self._store.groups.scan_of({group for group, _file in members})
        if scan is None:
            return self._store.groups.select(members, selected)
        kind = DecisionKind.SELECTED if selected else DecisionKind.UNSELECTED
        with self.one_decision(scan, kind) as facts:
            changed = self._store.groups.select(members, selected)
            facts.files += changed
            return changed

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
        kinds = {True: DecisionKind.SELECTED, False: DecisionKind.UNSELECTED}
        kind = DecisionKind.INVERTED if selected is None else kinds[selected]
        with self.one_decision(scan, kind) as facts:
            changed = self._store.groups.select_found(scan, query, selected, relations)
            facts.files += changed
            return changed

    def selection(self, scan: int) -> Selection:
        """What is selected for removal in a scan."""
        return self._store.groups.selection(scan)

    def choose_keeper(self, group: int, file: int) -> int:
        """Make a member the keeper of its group; returns the group's new number.

        Each other file is verified against the new keeper there and then. What does not match
        leaves the group, into groups of its own matches or into none: :meth:`latest_decision`
        names it. If nothing matches, there is no group any more, and its number is 0. Nothing but
        identical files stays selected: a person looks again. Raises NotFound, and UsageError for
        what is no member or cannot be verified.
        """
        from image_duplicate_finder.scan.groups import with_keeper

        view = self.group(group)
        claims = self._claims(view.scan)
        done = with_keeper(view, file, claims)
        claims.refuse_unreadable()
        with self.one_decision(view.scan, DecisionKind.KEPT) as facts:
            facts.files += 1
            facts.name = next((m.file.path for m in view.members if m.file.id == file), "")
            facts.left += [each.path for each in done.left]
            made = self._replace(group, done.groups)
        return made[0] if done.groups and done.groups[0].keeper == file else 0

    def split(self, group: int, files: Collection[int]) -> list[int]:
        """Take members out of a group into one of their own; returns the new groups' numbers.

        Those are verified against each other, so there may be several such groups, and what
        matches none of the others is in none: :meth:`latest_decision` names it. Raises NotFound,
        and UsageError where all members are taken, or one cannot be verified.
        """
        from image_duplicate_finder.scan.groups import split

        view = self.group(group)
        claims = self._claims(view.scan)
        done = split(view, files, claims)
        claims.refuse_unreadable()
        with self.one_decision(view.scan, DecisionKind.SPLIT) as facts:
            facts.files += len(files)
            facts.left += [each.path for each in done.left]
            return self._replace(group, done.groups)

    def _claims(self, scan: int) -> MeasuredClaims:
        from image_duplicate_finder.scan.groups import MeasuredClaims

        return MeasuredClaims(self._store, self._store.scans.get(scan))

    def _replace(self, group: int, parts: Sequence[Group]) -> list[int]:
        return self._store.groups.replace_one(group, parts)

    def dismiss(self, group: int, files: Collection[int] | None = None) -> list[int]:
        """Remember that members (default: all) are not duplicates of the group's keeper.

        Remembered by content, so it survives renames. Returns the numbers of what is left of
        the group.
        """
        from image_duplicate_finder.scan.groups import with_members

        view = self.group(group)
        chosen = {member.file.id for member in view.members} if files is None else set(files)
        gone = [member for member in view.members if member.file.id in chosen]
        left = [member for member in view.members if member.file.id not in chosen]
        with self.one_decision(view.scan, DecisionKind.NOT_DUPLICATES) as facts:
            facts.files += len(gone)
            self._store.decisions.dismiss(
                (view.keeper.content, member.file.content) for member in gone
            )
            return self._replace(group, [with_members(view, left)] if left else [])

    def remove(self, paths: Paths) -> int:
        """Take the files at or below ``paths`` out of the latest scan; returns how many.

        Nothing on the disk is touched: they only stop to stand in its groups, until a scan finds
        them again. Where a keeper goes, a member takes its place. Raises NotFound in a library
        without scans.
        """
        scan = self.latest_scan().id
        places = [os.path.abspath(path) if not is_url(str(path)) else str(path) for path in paths]
        with self._store.atomic():
            gone = {
                facts.file
                for content in self._store.scans.contents(scan)
                for facts in content.files
                if any(is_inside(facts.path, place) for place in places)
            }
            claims = self._claims(scan)
            for group in self.all_groups(scan):
                self._without(group, gone, claims)
            self._store.scans.drop_files(scan, gone)
        return len(gone)

    def _without(self, group: GroupView, gone: Collection[int], claims: MeasuredClaims) -> None:
        """Write a group anew without the files ``gone``."""
        from image_duplicate_finder.scan.groups import grouped_anew, with_members

        files = [group.keeper, *(member.file for member in group.members)]
        staying = [file for file in files if file.id not in gone]
        if len(staying) == len(files):
            return
        if group.keeper.id in gone:
            self._replace(group.id, grouped_anew(group.kind, staying, claims))
            return
        members = [member for member in group.members if member.file.id not in gone]
        self._replace(group.id, [with_members(group, members)] if members else [])

    def dismissed(self) -> list[DismissedPair]:
        """Pairs that a person said are not duplicates, the latest first."""
        return self._store.decisions.dismissed()

    def take_back_dismissals(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Forget dismissals, by content hashes; the next scan shows the pairs again."""
        self._store.decisions.take_back(pairs)

    def preference(self, name: str, default: str = "") -> str:
        """A setting of the page that was stored with :meth:`set_preference`."""
        return self._store.decisions.preference(name, default)

    def set_preference(self, name: str, value: str) -> None:
        """Store a setting of the page."""
        self._store.decisions.set_preference(name, value)
