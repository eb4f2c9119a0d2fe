"""The library's memory: one SQLite file, read and written through small typed stores."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from sqlite3 import Connection

from image_duplicate_finder.errors import LibraryDamaged
from image_duplicate_finder.own_files import LIBRARY_NAME, make_folder, secure_library
from image_duplicate_finder.store.database import Database
from image_duplicate_finder.store.decisions import DecisionStore, UndoStore
from image_duplicate_finder.store.files import ContentStore, FileStore, KnownFile
from image_duplicate_finder.store.groups import GroupStore
from image_duplicate_finder.store.matches import LookStore, MatchStore, SimilarStore
from image_duplicate_finder.store.scans import ScanFile, ScanStore

__all__ = ["KnownFile", "ScanFile", "Store"]


class Store:
    """All that a library remembers, at ``folder / "library.sqlite"``.

    A ``temporary`` one is not kept: see :class:`.Database`.
    """

    def __init__(self, folder: Path, *, temporary: bool = False) -> None:
        try:
            make_folder(folder)
            secure_library(folder)
        except OSError as error:
            raise LibraryDamaged(
                f"The library's folder {folder} cannot be made: {error.strerror}. "
                "Choose another one."
            ) from error
        self._database = Database(folder / LIBRARY_NAME, temporary=temporary)
        self.files = FileStore(self._database)
        self.contents = ContentStore(self._database)
        self.matches = MatchStore(self._database)
        self.looks = LookStore(self._database)
        self.similar = SimilarStore(self._database)
        self.scans = ScanStore(self._database)
        self.groups = GroupStore(self._database)
        self.decisions = DecisionStore(self._database)
        self.undoing = UndoStore(self._database)

    def atomic(self) -> AbstractContextManager[Connection]:
        """A transaction over all stores, on this thread."""
        return self._database.atomic()

    def close(self) -> None:
        """Close the database."""
        self._database.close()
