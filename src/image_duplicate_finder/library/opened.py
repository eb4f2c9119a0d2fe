"""An open library: its folder, store, lock and journal, and what a crash left unfinished."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from image_duplicate_finder.errors import LibraryBusy
from image_duplicate_finder.removal import Remover, State
from image_duplicate_finder.store import Store
from image_duplicate_finder.store.lock import LibraryLock

Paths = Iterable[str | os.PathLike[str]]

# How long a removal waits for a scan or removal that is about to end.
_WAIT_SECONDS = 2.0


def default_folder() -> Path:
    """The library in the user's data folder."""
    import platformdirs

    return platformdirs.user_data_path("image-duplicate-finder", appauthor=False) / "library"


class OpenLibrary:
    """What the parts of :class:`Library` share."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self._store = store
        self._lock = LibraryLock(folder)
        self._remover = Remover(folder, wait=_WAIT_SECONDS, matches=self._matches)
        self.recovered: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: str | os.PathLike[str] | None = None) -> Self:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _matches(self, content: bytes, keeper: bytes) -> bool:
        """Whether one content may go for another: they match, or a person chose so."""
        pair = content, keeper
        return bool(self._store.matches.copies([pair])) or self._store.decisions.was_chosen(pair)

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
