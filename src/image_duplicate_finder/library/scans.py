"""Scans of a library: new ones, and what is remembered of earlier ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from image_duplicate_finder.discover import clean_roots
from image_duplicate_finder.errors import NotFound
from image_duplicate_finder.library.opened import OpenLibrary, Paths
from image_duplicate_finder.model import Failure
from image_duplicate_finder.progress import CancelToken, Progress, silent
from image_duplicate_finder.results import ScanRecord
from image_duplicate_finder.settings import ScanSettings


class Scans(OpenLibrary):
    """Scans a library's folders and tells of earlier scans."""

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

        Where nothing changed since an earlier scan of the same roots with the same settings,
        that scan stands for this one too: its record is returned, with its number, and its
        groups stay as a person left them. ``on_start`` is called with this scan's own number as
        soon as it has one. Raises UsageError
        for a folder that does not exist or a model that does not fit, LibraryBusy while another
        scan or removal runs, Interrupted after ``cancel``, NothingReadable when no file could be
        read as a picture.
        """
        from image_duplicate_finder.scan import check_model, run_scan

        folders = clean_roots(roots)
        wanted = _with_real_folders(settings or ScanSettings())
        check_model(wanted)
        with self._lock.acquire("a scan"):
            self._store.scans.close_interrupted()
            # Single files, of which a pattern may fit thousands, are no recent folders.
            recent = filter(os.path.isdir, folders)
            scan = self._store.scans.start(folders, wanted, recent)
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

    def add(
        self,
        roots: Paths,
        *,
        progress: Progress = silent,
        cancel: CancelToken | None = None,
    ) -> ScanRecord:
        """Scan ``roots`` together with all that the latest scan covered, with its settings.

        Only what is new is read and compared. Raises NotFound in a library without scans, and
        what :meth:`scan` raises.
        """
        before = self.latest_scan()
        return self.scan([*before.roots, *roots], before.settings, progress=progress, cancel=cancel)

    def scans(self) -> list[ScanRecord]:
        """All scans, the latest first; one for all that found the same in the same folders."""
        return self._store.scans.all()

    def scan_record(self, scan: int) -> ScanRecord:
        """One scan, or the earlier one that stands for it. Raises NotFound."""
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


def _with_real_folders(settings: ScanSettings) -> ScanSettings:
    """Protected and compare-only folders as absolute, real paths."""
    return replace(
        settings,
        protected=clean_roots(settings.protected) if settings.protected else (),
        compare_only=clean_roots(settings.compare_only) if settings.compare_only else (),
    )
