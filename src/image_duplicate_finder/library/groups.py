"""What a library's scans found: groups, files, and pictures like an example."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from image_duplicate_finder.discover import is_inside, one_picture
from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.in_memory import as_paths
from image_duplicate_finder.library.scans import Scans
from image_duplicate_finder.results import (
    ExampleHit,
    Facets,
    FileView,
    GroupPage,
    GroupQuery,
    GroupView,
    Listed,
    Pair,
    ScanRecord,
    Summary,
)
from image_duplicate_finder.sources import library_of

if TYPE_CHECKING:
    from image_duplicate_finder.in_memory import Picture


class Groups(Scans):
    """Reads the groups that scans found."""

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
        """How many groups each kind and each relation would show beside the other filters."""
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
        """Packages of photo managers whose pictures a scan covers: nothing goes from them."""
        paths = self._store.scans.fixed_paths(scan)
        return tuple(dict.fromkeys(p for path in paths if (p := library_of(path)) is not None))

    def file(self, scan: int, file: int) -> FileView:
        """A file of a scan. Raises NotFound for a file that the scan does not cover."""
        found = (
            self._store.groups.files(scan, [file]) if self._store.scans.covers(scan, file) else []
        )
        if not found:
            raise NotFound(f"Scan {scan} has no file number {file}.")
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
        """The files of a scan that show the picture in ``path`` or look like it, surest first.

        The picture itself need not belong to the scan, and nothing of it is stored. With
        ``folder`` only files below it count. Raises NotFound for the scan, UsageError for what is
        no file and DecodeError for what is no picture.
        """
        from image_duplicate_finder.scan.example import find_like

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
        found = find_like(self._store, scan, one_picture(path), record.settings)
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
        """Where ``picture`` (a path, an array or a Pillow image) shows up, surest first.

        ``scan`` is the latest one unless it is given. Raises NotFound for the scan, UsageError
        and DecodeError for what is no picture.
        """
        number = self.latest_scan().id if scan is None else scan
        example = as_paths([picture])
        return self.find_like(number, example.paths[0], limit=limit)

    def set_thresholds(
        self, scan: int, *, esimilarity_threshold: float, csimilarity_threshold: float
    ) -> ScanRecord:
        """Move the two thresholds of a finished scan: its similar groups change, nothing else."""
        from image_duplicate_finder.scan.groups import publish_similar

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
