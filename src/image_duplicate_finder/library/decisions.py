"""What a person decides about groups, and the preferences of the page."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from image_duplicate_finder.discover import is_inside
from image_duplicate_finder.library.groups import Groups
from image_duplicate_finder.library.opened import Paths
from image_duplicate_finder.model import Group, Relation
from image_duplicate_finder.results import DismissedPair, GroupQuery, GroupView, Selection
from image_duplicate_finder.sources import is_url


class Decisions(Groups):
    """Selections, keepers, splits and dismissals of groups."""

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
            for group in self.all_groups(scan):
                self._without(group, gone)
            self._store.scans.drop_files(scan, gone)
        return len(gone)

    def _without(self, group: GroupView, gone: Collection[int]) -> None:
        """Write a group anew without the files ``gone``."""
        from image_duplicate_finder.scan.regroup import as_member, with_keeper

        files = [group.keeper.id, *(member.file.id for member in group.members)]
        staying = [file for file in files if file not in gone]
        if len(staying) == len(files):
            return
        if group.keeper.id in gone and len(staying) > 1:
            part = with_keeper(group, staying[0])
        else:
            part = Group(
                group.kind, group.keeper.id, group.reasons, tuple(map(as_member, group.members))
            )
        members = tuple(member for member in part.members if member.file not in gone)
        self._replace(group.id, [replace(part, members=members)] if len(staying) > 1 else [])

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
