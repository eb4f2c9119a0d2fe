"""What a person decides about groups, and the preferences of the page."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from image_duplicate_finder.library.groups import Groups
from image_duplicate_finder.model import Group, Relation
from image_duplicate_finder.results import DismissedPair, GroupQuery, Selection


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
